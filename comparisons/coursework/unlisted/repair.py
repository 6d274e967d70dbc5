"""One edit of a student's own source that makes the function right: a mistake that no formula is needed to name.

Each expression and statement is replaced by what may have been meant there: another operator, number, axis, function or
variable, a part of it, its logarithm, root or square, a statement inside of a loop or outside of it, or nothing. The
functions of the same module that it calls are edited too. An edit is believed if it gives the right answer on every
input.
"""

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import product
from time import perf_counter
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import GUARD, Mistake, close
from models.validation import Array

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
WRAPPED = ("np.log({})", "np.exp({})", "np.sqrt({})", "({})**2", "-({})", "1 - ({})", "1 / ({})", "({}).T", "({}) / 2")
SHARE_OF_TIME = 0.35  # seconds for all edits
SLOWER = 20  # times the function's own time, which an edited call may take
EDITS = "others", "moves", "functions", "variables"
Place = tuple[Any, str, int | None]
Source = tuple[ast.Module, int]
Input = tuple[Problem, Mapping[str, Array]]


def repaired(caller: Caller, quantity: str, inputs: Sequence[Input], deadline: float) -> Mistake | None:
    """Return the edit that makes a quantity right on all inputs, or None.

    The right answers stand beside the inputs; if there are others than that of the quantity, none that the function
    returns may be wrong.
    """
    functions = _functions(caller.function)
    if not functions or not inputs:
        return None
    tried, until = copy(caller), min(deadline, perf_counter() + SHARE_OF_TIME)
    tried.notes = []
    inputs = sorted(inputs, key=lambda pair: (pair[0].K == 1, pair[0].X.size))
    outcome = caller(inputs[0][0]).outcome
    if outcome.overtime:
        return None
    most = SLOWER * outcome.seconds + 0.01
    for kind, (tree, first) in product(EDITS, functions.values()):
        for old, new, line in _edits(tree, kind):
            if (left := until - perf_counter()) < 0:
                return None
            edited = _compiled(caller.function, functions)
            tried.sorting = caller.sorting
            if edited is not None and _is_right(tried, edited, quantity, inputs, min(left, most)):
                return _said(old, _text(new), first + line - 1)
    return None


def _is_right(
    caller: Caller, function: Callable[..., Any], quantity: str, inputs: Sequence[Input], seconds: float
) -> bool:
    caller.function = function
    for problem, right in inputs:
        caller.until = perf_counter() + seconds
        values = caller(problem).values
        if quantity not in values or not all(close(values[n], a, GUARD) for n, a in right.items() if n in values):
            return False
    return True


def _said(old: str, new: str, line: int) -> Mistake:
    named = f"`{old}` in place of `{new}`" if new else f"`{old}`, which does not belong there"
    hint = f"Look at line {line} once more. What does each part of it compute, and is it what you meant?"
    why = f"With `{new}` in place of `{old}`" if new else f"Without `{old}`"
    return Mistake(f"{named}, in line {line}", hint, f"{why} in line {line} your function is right.")


def _functions(function: Callable[..., Any]) -> dict[FunctionType, Source]:
    """Return the sources of a function, and of those of its module that it calls; none if its own is not known."""
    own = getattr(function, "__func__", function)
    found: dict[FunctionType, Source] = {}
    waiting = [own]
    while waiting:
        one = waiting.pop()
        if isinstance(one, FunctionType) and one not in found and (source := _source(one)) is not None:
            found[one] = source
            called = [one.__globals__.get(name) for name in one.__code__.co_names]
            waiting += [f for f in called if isinstance(f, FunctionType) and f.__module__ == one.__module__]
    return found if own in found else {}


def _source(function: FunctionType) -> Source | None:
    """Return the tree of a function's source without its decorators, and its first line; None if there is none."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError):
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        return None
    tree.body[0].decorator_list = []
    return tree, first


def _compiled(whole: Callable[..., Any], functions: Mapping[FunctionType, Source]) -> Callable[..., Any] | None:
    """Return a function made from sources, its own the first, or None if they cannot be run."""
    own = next(iter(functions))
    cells = dict(zip(own.__code__.co_freevars, own.__closure__ or (), strict=True))
    space = {**own.__globals__, **{name: cell.cell_contents for name, cell in cells.items()}, "np": np}
    try:
        for tree, _ in functions.values():
            exec(compile(ast.fix_missing_locations(tree), "<edited>", "exec"), space)
    except Exception:  # an edit may make no sense, and defaults are computed here
        return None
    found = space[own.__name__]
    return MethodType(found, whole.__self__) if isinstance(whole, MethodType) else found


def _edits(tree: ast.Module, kind: str) -> Iterator[tuple[str, ast.AST | str, int]]:
    """Make one edit of a kind after another in a tree, yield what was there, what is there and the line; undo it."""
    if kind == "moves":
        yield from _moves(tree)
        return
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {*dir(builtins), "np", "numpy"}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for parent, field, place in list(_places(tree.body[0])):
        at = getattr(parent, field)
        old = at if place is None else at[place]
        others = {"others": _others, "functions": _wrapped}.get(kind, partial(_variables, names=names))
        short = isinstance(old, ast.Constant | ast.Name | ast.Tuple) and isinstance(
            parent, ast.Subscript | ast.Call | ast.BinOp
        )
        before = _text(parent if short else old)
        for new in others(old):
            _put(parent, field, place, ast.copy_location(new, old))
            yield before, parent if short else new, old.lineno
            _put(parent, field, place, old)


def _places(tree: ast.AST) -> Iterator[Place]:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list):
                yield from ((parent, field, i) for i, node in enumerate(value) if isinstance(node, ast.expr | ast.stmt))
            elif isinstance(value, ast.expr):
                yield parent, field, None


def _put(parent: Any, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _text(node: ast.AST | str) -> str:
    return node if isinstance(node, str) else "" if isinstance(node, ast.Pass) else ast.unparse(node)


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may have been meant by a node: a part of it, another operator, number, function, argument or order."""
    yield from _exchanged(node)
    match node:
        case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.If():
            yield ast.Pass()
            if isinstance(node, ast.AugAssign):
                yield ast.Assign([node.target], node.value)
            elif isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name | ast.Subscript):
                yield ast.AugAssign(target, ast.Add(), node.value)
        case ast.BinOp(left=ast.List(elts=[one]), right=size):
            yield ast.parse(f"[({ast.unparse(one)}) for _ in range({ast.unparse(size)})]", mode="eval").body
        case ast.BinOp(left=left, op=op, right=right):
            yield from (left, right, ast.BinOp(right, op, left))
            yield from (ast.BinOp(left, other(), right) for other in OPERATORS.get(type(op), ()))
        case ast.Tuple(elts=parts):
            yield from (ast.Tuple(swapped, node.ctx) for swapped in _swapped(parts))
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Compare(left=left, comparators=[right]):
            yield from (ast.Compare(left, [other()], [right]) for other in COMPARISONS)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield from (ast.Constant(a) for a in (0, 1, 2, -1, value + 1, value - 1, value / 2) if a != value)
        case ast.Subscript(value=value) | ast.Attribute(value=value, attr="T"):
            yield value
        case ast.Call(func=function, args=args, keywords=words):
            yield from args[:1]
            yield from (ast.Call(function, swapped, words) for swapped in _swapped(args))
            yield from (ast.Call(function, args, [*words[:i], *words[i + 1 :]]) for i in range(len(words)))
            if isinstance(function, ast.Attribute):
                yield from (function.value, *_along_other_axes(function, args, words))
                known = {name for row in NAMES if function.attr in row.split() for name in row.split()}
                for name in sorted(known - {function.attr}):
                    yield ast.Call(ast.Attribute(function.value, name, ast.Load()), args, words)


def _along_other_axes(function: ast.Attribute, args: list[ast.expr], words: list[ast.keyword]) -> Iterator[ast.Call]:
    """Yield a sum, or the like, along each axis, which is kept."""
    if function.attr in (*NAMES[0].split(), "min"):
        data = [arg for arg in args if not isinstance(arg, ast.Constant)]
        for axis in (0, 1, -1):
            given = {"axis": ast.Constant(axis), "keepdims": ast.Constant(value=True)}
            yield ast.Call(function, data, [ast.keyword(name, value) for name, value in given.items()])


def _exchanged(node: ast.AST) -> Iterator[ast.AST]:
    """Yield two operations on an expression in the other order, such as a sum of squares for a square of a sum."""
    for outer in _operations(node):
        for inner in _operations(outer[0]):
            yield inner[1](outer[1](inner[0]))


def _operations(node: ast.AST) -> Iterator[tuple[ast.expr, Callable[[ast.expr], ast.expr]]]:
    """Yield what a node operates on, and the operation: a power, a method, a function of one array."""
    match node:
        case ast.BinOp(left=left, op=ast.Pow(), right=power):
            yield left, lambda a: ast.BinOp(a, ast.Pow(), power)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np")) as function, args=[first, *rest], keywords=words):
            yield first, lambda a: ast.Call(function, [a, *rest], words)
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=args, keywords=words):
            yield value, lambda a: ast.Call(ast.Attribute(a, name, ast.Load()), args, words)


def _swapped(parts: list[ast.expr]) -> Iterator[list[ast.expr]]:
    """Yield a list with two neighbours exchanged."""
    for i in range(len(parts) - 1):
        yield [*parts[:i], parts[i + 1], parts[i], *parts[i + 2 :]]


def _wrapped(node: ast.AST) -> Iterator[ast.AST]:
    """Yield functions of an expression."""
    is_read = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
    if is_read and isinstance(node, ast.Name | ast.Subscript | ast.Attribute | ast.Call | ast.BinOp):
        for form in WRAPPED:
            yield ast.parse(form.format(ast.unparse(node)), mode="eval").body


def _variables(node: ast.AST, names: set[str]) -> Iterator[ast.AST]:
    """Yield other variables in the place of one."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from (ast.Name(name, ast.Load()) for name in sorted(names - {node.id}))


def _moves(tree: ast.Module) -> Iterator[tuple[str, ast.AST | str, int]]:
    """Move one statement into the loop that follows, or the last one of a loop out of it, one after another."""
    bodies = [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list)]
    for body in bodies:
        whole = list(body)
        for i, loop in enumerate(whole):
            if not isinstance(loop, ast.For):
                continue
            inner = list(loop.body)
            moves = [(one, [s for s in whole if s is not one], [one, *inner], "in") for one in whole[:i]]
            moves.append(
                (inner[-1], [*whole[: i + 1], inner[-1], *whole[i + 1 :]], inner[:-1] or [ast.Pass()], "behind")
            )
            for moved, outside, inside, where in moves:
                body[:], loop.body = outside, inside
                yield _text(moved), f"{_text(moved)}` {where} the loop `for {_text(loop.target)}", moved.lineno
                body[:], loop.body = whole, inner
