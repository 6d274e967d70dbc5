"""Read the source of a student's function: what it returns, and how it is built."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


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


def leaves_loops(function: Callable[..., Any]) -> bool:
    """Whether a break or a return stands in a loop of a function."""
    loops = [node for node in _nodes(function) if isinstance(node, ast.For | ast.While)]
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
