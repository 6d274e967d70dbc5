"""Read the source of a student's function: names that it returns, its loops, and the functions that it calls."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any

LAMBDA = "<lambda>"
Called = FunctionType | type
Source = tuple[ast.Module, int]


def _nodes(function: Callable[..., Any]) -> list[ast.AST]:
    """Return the nodes of a function's source, outer ones first; none where there is no source."""
    try:
        return list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return []


def returned_names(function: Callable[..., Any]) -> list[str]:
    """Return the names of the variables in the last ``return`` of a function, "" for an expression."""
    returns = [node for node in _nodes(function) if isinstance(node, ast.Return) and node.value is not None]
    if not returns:
        return []
    value = max(returns, key=lambda node: node.lineno).value
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return [_name(part) for part in parts]


def _name(node: Any) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr if node.attr not in ("T", "values") else _name(node.value)
    return ""


def transposes(function: Callable[..., Any], data: str) -> bool:
    """Whether a function transposes its data, or a variable computed from them: then it needs an axis of features."""
    names, nodes = {data}, _nodes(function)
    for node in nodes:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.BinOp | ast.Name)
            and _is_computed_from(node.value, names)
        ):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return any(
        isinstance(node, ast.Attribute) and node.attr == "T" and _is_computed_from(node.value, names) for node in nodes
    )


def _is_computed_from(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression is one of the named arrays, or elementwise arithmetic with one of them."""
    if isinstance(node, ast.BinOp):
        return not isinstance(node.op, ast.MatMult) and (
            _is_computed_from(node.left, names) or _is_computed_from(node.right, names)
        )
    return isinstance(node, ast.Name) and node.id in names


def reads(function: Callable[..., Any], name: str) -> bool:
    """Whether a function uses the value of an argument; also where there is no source."""
    nodes = _nodes(function)
    return not nodes or any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in nodes)


def leaves_loops(function: Callable[..., Any]) -> bool:
    """Whether a break or a return stands in a loop of a function, or of one that it calls."""
    trees = [tree for tree, _ in functions_of(function).values()]
    nodes = [node for tree in trees for node in ast.walk(tree)] or _nodes(function)
    loops = [node for node in nodes if isinstance(node, ast.For | ast.While)]
    return any(isinstance(node, ast.Break | ast.Return) for loop in loops for node in ast.walk(loop))


def restarts(function: Callable[..., Any], max_iter: str) -> bool:
    """Whether a fit runs its iterations several times: a call that takes their number is in a loop."""
    nodes = _nodes(function)
    closures = {n.name for n in nodes[2:] if isinstance(n, ast.FunctionDef) and _names(n) >= {max_iter}}
    bodies: list[ast.AST] = [step for node in nodes if isinstance(node, ast.For | ast.While) for step in node.body]
    bodies += [node.elt for node in nodes if isinstance(node, ast.ListComp | ast.GeneratorExp)]
    calls = [call for body in bodies for call in ast.walk(body) if isinstance(call, ast.Call)]
    values = [value for call in calls for value in (call.func, *call.args, *(word.value for word in call.keywords))]
    return any(isinstance(value, ast.Name) and value.id in {max_iter, *closures} for value in values)


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def functions_of(function: Callable[..., Any]) -> dict[Called, Source]:
    """Return the source of a function, then those of the functions and classes of its module that it calls.

    There are none if the function's own source cannot be read.
    """
    plain, owner = getattr(function, "__func__", function), getattr(function, "__self__", None)
    sources: dict[Called, Source] = {}
    waiting = [plain]
    while waiting:
        item = waiting.pop()
        if isinstance(item, FunctionType | type) and item not in sources and (source := _source_of(item)) is not None:
            sources[item] = source
            called = [f for method in _methods(item) for f in _called_by(method, owner)]
            waiting += [f for f in called if f.__module__ == item.__module__ and f.__name__ != LAMBDA]
    return sources if plain in sources else {}


def _methods(function_or_class: Called) -> list[FunctionType]:
    """Return the methods of a class and of its bases, or a function itself."""
    if isinstance(function_or_class, FunctionType):
        return [function_or_class]
    attributes = [getattr(a, "__func__", a) for cls in function_or_class.__mro__ for a in vars(cls).values()]
    return [a for a in attributes if isinstance(a, FunctionType)]


def _called_by(function: FunctionType, owner: Any) -> list[Called]:
    """Return the functions, classes and methods of its object that a function names."""
    names = _names_in(function.__code__)
    values = [function.__globals__.get(name) for name in names] + [getattr(type(owner), name, None) for name in names]
    values += [cell.cell_contents for cell in function.__closure__ or () if cell != CellType()]
    return [f for f in values if isinstance(f, FunctionType | type)]


def _names_in(code: CodeType) -> list[str]:
    """Return the names in a function, and in what is defined inside of it."""
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names_in(const)]
    return [*code.co_names, *inner]


def _source_of(function: Called) -> Source | None:
    """Return the syntax tree of a source and its first line, or None if there is no source or a decorator wraps it."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    if isinstance(function, type):
        return (tree, first) if isinstance(cls := tree.body[0], ast.ClassDef) and not cls.decorator_list else None
    if function.__name__ == LAMBDA:
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        one = [a for a in ast.walk(tree) if isinstance(a, ast.Lambda) and tuple(b.arg for b in a.args.args) == names]
        tree.body = [ast.copy_location(_as_definition(a), a) for a in one]
    if len(tree.body) != 1 or not isinstance(definition := tree.body[0], ast.FunctionDef):
        return None
    if hasattr(function, "__wrapped__"):
        return None
    definition.decorator_list = []
    return tree, first


def _as_definition(one: ast.Lambda) -> ast.FunctionDef:
    """Return a lambda as a function definition named `LAMBDA`."""
    result = ast.copy_location(ast.Return(one.body), one.body)
    return ast.FunctionDef(LAMBDA, one.args, [result], [], None, None, [])
