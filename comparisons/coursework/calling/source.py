"""Read the source of a student's function: what it returns, how it is built, and which functions it calls."""

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
    """Whether a function transposes its data, or gaps to them: it is written for an axis of features."""
    names, nodes = {data}, _nodes(function)
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp | ast.Name) and _of(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return any(isinstance(node, ast.Attribute) and node.attr == "T" and _of(node.value, names) for node in nodes)


def _of(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression is one of some arrays, or a sum or product with one in it."""
    if isinstance(node, ast.BinOp):
        return not isinstance(node.op, ast.MatMult) and (_of(node.left, names) or _of(node.right, names))
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
    """Whether a fit runs its iterations several times: in a loop stands a call that takes their number."""
    nodes = _nodes(function)
    closures = {n.name for n in nodes[2:] if isinstance(n, ast.FunctionDef) and _names(n) >= {max_iter}}
    bodies: list[ast.AST] = [step for node in nodes if isinstance(node, ast.For | ast.While) for step in node.body]
    bodies += [node.elt for node in nodes if isinstance(node, ast.ListComp | ast.GeneratorExp)]
    calls = [call for body in bodies for call in ast.walk(body) if isinstance(call, ast.Call)]
    given = [value for call in calls for value in (call.func, *call.args, *(word.value for word in call.keywords))]
    return any(isinstance(value, ast.Name) and value.id in {max_iter, *closures} for value in given)


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def functions_of(function: Callable[..., Any]) -> dict[Called, Source]:
    """Return the sources of a function, and of functions and classes of its module that it calls, its own the first.

    There are none if its own is not there.
    """
    own, holder = getattr(function, "__func__", function), getattr(function, "__self__", None)
    found: dict[Called, Source] = {}
    waiting = [own]
    while waiting:
        one = waiting.pop()
        if isinstance(one, FunctionType | type) and one not in found and (source := _source(one)) is not None:
            found[one] = source
            called = [f for method in _methods(one) for f in _called_by(method, holder)]
            waiting += [f for f in called if f.__module__ == one.__module__ and f.__name__ != LAMBDA]
    return found if own in found else {}


def _methods(one: Called) -> list[FunctionType]:
    """Return the methods of a class and of its bases, or a function itself."""
    if isinstance(one, FunctionType):
        return [one]
    held = [getattr(a, "__func__", a) for cls in one.__mro__ for a in vars(cls).values()]
    return [a for a in held if isinstance(a, FunctionType)]


def _called_by(one: FunctionType, holder: Any) -> list[Called]:
    """Return the functions and classes that a function names, methods of the same object among them."""
    names = _names_in(one.__code__)
    named = [one.__globals__.get(name) for name in names] + [getattr(type(holder), name, None) for name in names]
    named += [cell.cell_contents for cell in one.__closure__ or () if cell != CellType()]
    return [f for f in named if isinstance(f, FunctionType | type)]


def _names_in(code: CodeType) -> list[str]:
    """Return the names in a function, and in what is defined inside of it."""
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names_in(const)]
    return [*code.co_names, *inner]


def _source(function: Called) -> Source | None:
    """Return the tree of a source and its first line; None if there is none, or it is that of what is wrapped."""
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
        tree.body = [ast.copy_location(_named(a), a) for a in one]
    if len(tree.body) != 1 or not isinstance(definition := tree.body[0], ast.FunctionDef):
        return None
    if hasattr(function, "__wrapped__"):
        return None
    definition.decorator_list = []
    return tree, first


def _named(one: ast.Lambda) -> ast.FunctionDef:
    """Return a lambda as the definition of a function of this name."""
    result = ast.copy_location(ast.Return(one.body), one.body)
    return ast.FunctionDef(LAMBDA, one.args, [result], [], None, None, [])
