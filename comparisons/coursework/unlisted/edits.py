"""Edits of a function's source, one at a time, that may mend a mistake.

An edit replaces an operator, number, axis, function or variable by another one, or an expression by a part of it or by
its logarithm, root or square. Or it exchanges two operations or statements, moves a statement into a loop or out of it,
or removes a statement.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

OPERATORS = {ast.Add: (ast.Sub, ast.Mult), ast.Sub: (ast.Add,), ast.Mult: (ast.Div, ast.Add, ast.MatMult)}
OPERATORS |= {ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,), ast.MatMult: (ast.Mult,), ast.FloorDiv: (ast.Div,)}
COMPARISONS = ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq
NAMES = (
    "sum mean prod max",
    "argmax argmin",
    "cdf sf pmf pdf",
    "logcdf logsf logpmf logpdf",
    "std var",
    "log log2 log10 log1p",
    "exp exp2 expm1",
    "median mean average",
    "vstack hstack column_stack",
)
WRAPPED = "np.log({}) np.exp({}) np.sqrt({}) ({})**2 -({}) 1-({}) 1/({}) ({}).T ({})/2 ({})+1 ({})-1 np.copy({})"
NEAR, FAR = ("moves", "alternatives", "swaps", "orders"), ("variables", "functions")  # few edits, and many
Place = tuple[Any, str, int | None]


def edits(tree: ast.Module, kind: str) -> Iterator[tuple[str, ast.AST | str, int]]:
    """Make the edits of a kind in a tree, one after another; yield the old source, the new node and the line of each.

    Each edit is undone before the next one. For a moved statement the second is text: its new place.
    """
    if kind in ("moves", "swaps"):
        yield from (_moves if kind == "moves" else _swaps)(tree)
        return
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    attributes = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    for parent, field, place in list(_places(tree.body[0])):
        at = getattr(parent, field)
        old = at if place is None else at[place]
        kinds = {"alternatives": _alternatives, "orders": _reordered, "functions": _applied_functions}
        alternatives = kinds.get(kind, partial(_variables, names=sorted(names), attributes=sorted(attributes)))
        is_part = isinstance(old, ast.Constant | ast.Name | ast.Tuple)
        short = is_part and isinstance(parent, ast.Subscript | ast.Call | ast.BinOp | ast.Tuple | ast.keyword)
        before = text(parent if short else old)
        for new in alternatives(old):
            _set_node(parent, field, place, ast.fix_missing_locations(ast.copy_location(new, old)))
            yield before, parent if short else new, old.lineno
            _set_node(parent, field, place, old)


def _places(tree: ast.AST) -> Iterator[Place]:
    """Yield the place of each expression and statement: its parent, the field, and the index in a list."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list):
                yield from ((parent, field, i) for i, node in enumerate(value) if isinstance(node, ast.expr | ast.stmt))
            elif isinstance(value, ast.expr):
                yield parent, field, None


def _set_node(parent: Any, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def text(node: ast.AST | str) -> str:
    """Return a node as source."""
    return node if isinstance(node, str) else ast.unparse(node)


def _alternatives(node: ast.AST) -> Iterator[ast.AST]:
    """Yield nodes that may have been meant: a part of a node, another operator, number, function or argument."""
    match node:
        case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.If():
            yield from _other_statements(node)
        case ast.BinOp(left=ast.List(elts=[one]), right=size):
            yield ast.parse(f"[({ast.unparse(one)}) for _ in range({ast.unparse(size)})]", mode="eval").body
        case ast.BinOp(left=left, op=op, right=right):
            yield from (left, right, ast.BinOp(right, op, left))
            yield from (ast.BinOp(left, other(), right) for other in OPERATORS.get(type(op), ()))
        case ast.Tuple(elts=parts):
            yield from (ast.Tuple(swapped, node.ctx) for swapped in _neighbours_swapped(parts))
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Compare(left=left, comparators=[right]):
            yield from (ast.Compare(left, [other()], [right]) for other in COMPARISONS)
            yield from (ast.Constant(value) for value in (True, False))
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            others = 0, 1, 2, -1, value + 1, value - 1, value / 2, 100 * value
            yield from (ast.Constant(other) for other in others if other != value)
        case ast.Subscript(value=ast.Name(id=name), ctx=ctx):
            yield ast.Name(name, ctx)
        case ast.Subscript(value=value) | ast.Attribute(value=value, attr="T"):
            yield value
        case ast.Call(func=function, args=args, keywords=words):
            yield from args[:1]
            yield from (ast.Call(function, swapped, words) for swapped in _neighbours_swapped(args))
            yield from (ast.Call(function, args, [*words[:i], *words[i + 1 :]]) for i in range(len(words)))
            if isinstance(function, ast.Attribute):
                yield from (function.value, *_along_other_axes(function, args, words))
                siblings = {name for row in NAMES if function.attr in row.split() for name in row.split()}
                for name in sorted(siblings - {function.attr}):
                    yield ast.Call(ast.Attribute(function.value, name, ast.Load()), args, words)


def _other_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield other statements: another assignment, another test of a loop's end, or none (pass)."""
    match node:
        case ast.If(test=test, body=[*_, ast.Break() | ast.Return()]):
            if isinstance(test, ast.Compare):
                size = ast.parse(f"np.abs({ast.unparse(test.left)})", mode="eval").body
                yield ast.If(ast.Compare(size, test.ops, test.comparators), node.body, node.orelse)
            yield ast.If(ast.UnaryOp(ast.Not(), test), node.body, node.orelse)
    yield ast.Pass()
    match node:
        case ast.AugAssign(target=target, value=value):
            yield ast.Assign([target], value)
        case ast.Assign(targets=[ast.Name() | ast.Subscript() as target], value=value):
            yield from (ast.AugAssign(target, op(), value) for op in (ast.Add, ast.Mult))
            others = ["np.inf", "-np.inf"] if isinstance(value, ast.Constant) else []
            others += [f"np.copy({value.id})"] if isinstance(value, ast.Name) else []
            yield from (ast.parse(f"{ast.unparse(target)} = {other}").body[0] for other in others)


def _along_other_axes(function: ast.Attribute, args: list[ast.expr], words: list[ast.keyword]) -> Iterator[ast.Call]:
    """Yield a sum, or the like, along each axis, with keepdims."""
    if function.attr in (*NAMES[0].split(), "min"):
        data = [arg for arg in args if not isinstance(arg, ast.Constant)]
        for axis in (0, 1, -1):
            given = {"axis": ast.Constant(axis), "keepdims": ast.Constant(value=True)}
            yield ast.Call(function, data, [ast.keyword(name, value) for name, value in given.items()])


def _reordered(node: ast.AST) -> Iterator[ast.expr]:
    """Yield two operations on an expression in the other order: a sum of squares in place of the square of a sum.

    This moves parentheses too: (1 - p)^x in place of 1 - p^x, and r log p in place of log(r p).
    """
    for value, outer in _operations(node):
        for inmost, inner in _operations(value):
            yield inner(outer(inmost))
    match node:
        case ast.BinOp(ast.BinOp(first, ast.Mult(), ast.Call() as second), ast.Mult(), third):
            yield from (ast.BinOp(first, ast.Mult(), one) for one in _reordered(ast.BinOp(second, ast.Mult(), third)))


def _operations(node: ast.AST) -> Iterator[tuple[ast.expr, Callable[[ast.expr], ast.expr]]]:
    """Yield an operand of a node, and the operation as a function of it: arithmetic, a method or a function."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            yield left, lambda a: ast.BinOp(a, op, right)
            yield right, lambda a: ast.BinOp(left, op, a)
        case ast.Call(func=ast.Name() | ast.Attribute(value=ast.Name(id="np")), args=[first, *rest], keywords=words):
            yield first, lambda a: ast.Call(node.func, [a, *rest], words)
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=args, keywords=words):
            yield value, lambda a: ast.Call(ast.Attribute(a, name, ast.Load()), args, words)


def _neighbours_swapped(parts: list[ast.expr]) -> Iterator[list[ast.expr]]:
    """Yield the list with each pair of neighbours exchanged."""
    for i in range(len(parts) - 1):
        yield [*parts[:i], parts[i + 1], parts[i], *parts[i + 2 :]]


def _applied_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield functions and simple arithmetic applied to an expression, as `WRAPPED` lists them."""
    is_read = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
    if is_read and isinstance(node, ast.Name | ast.Subscript | ast.Attribute | ast.Call | ast.BinOp):
        for form in WRAPPED.split():
            yield ast.parse(form.format(ast.unparse(node)), mode="eval").body


def _variables(node: ast.AST, names: Sequence[str], attributes: Sequence[str]) -> Iterator[ast.AST]:
    """Yield variables in place of another one, of arithmetic with a number, or of a number; and other attributes."""
    match node:
        case ast.Name(ctx=ast.Load()) | ast.BinOp(left=ast.Name(), right=ast.Constant()) | ast.Constant(value=int()):
            yield from (ast.Name(name, ast.Load()) for name in names if name != getattr(node, "id", ""))
        case ast.Attribute(value=ast.Name() as holder, attr=attr) if attr in attributes:
            yield from (ast.Attribute(holder, name, node.ctx) for name in attributes if name != attr)


def _moves(tree: ast.Module) -> Iterator[tuple[str, ast.AST | str, int]]:
    """Move each statement before a loop into it, and the first and the last statement of a loop out of it."""
    bodies = [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list)]
    for body in bodies:
        block = list(body)
        for i, loop in enumerate(block):
            if not isinstance(loop, ast.For):
                continue
            inner, where = list(loop.body), f"the loop `for {text(loop.target)}`"
            moves = [(one, [s for s in block if s is not one], [one, *inner], f"in {where}") for one in block[:i]]
            earlier = [one for other in block[:i] if isinstance(other, ast.For) for one in other.body]
            moves += [(one, block, [one, *inner], f"in {where} too") for one in earlier]
            nothing = [ast.copy_location(ast.Pass(), inner[-1])]
            first, last = inner[0], inner[-1]
            moves.append((first, [*block[:i], first, *block[i:]], inner[1:] or nothing, f"before {where}"))
            moves.append((last, [*block[: i + 1], last, *block[i + 1 :]], inner[:-1] or nothing, f"behind {where}"))
            for moved, outside, inside, place in moves:
                body[:], loop.body[:] = outside, inside
                yield text(moved), place, moved.lineno
                body[:], loop.body[:] = block, inner


def _swaps(tree: ast.Module) -> Iterator[tuple[str, ast.AST | str, int]]:
    """Exchange each statement with the next one."""
    for body in [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list)]:
        for i, (one, next_one) in enumerate(pairwise(list(body))):
            body[i : i + 2] = next_one, one
            yield text(one), f"behind `{text(next_one).splitlines()[0]}`", one.lineno
            body[i : i + 2] = one, next_one
