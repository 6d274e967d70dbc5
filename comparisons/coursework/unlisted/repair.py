"""One edit of a student's own source that makes the function right: a mistake that no formula is needed to name.

The edits are those of :mod:`comparisons.coursework.unlisted.edits`. The functions of the same module that it calls are
edited too. An edit is believed if it gives the right answer on every input.

Nothing is edited where an edited call could not be stopped, where it could reach files or the system, or where the
source without an edit does not give the function's own answers: it is decorated, or was changed since.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from itertools import product
from time import perf_counter
from types import CellType, FunctionType, MethodType
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.calling.running import can_limit, run
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import GUARD, Mistake, close
from comparisons.coursework.unlisted.edits import KINDS, edits, text
from models.validation import Array

SHARE_OF_TIME = 0.25  # of what is left until the deadline, for all edits
SLOWER = 20  # times the function's own time, which an edited call may take
MODULES = "os sys io shutil subprocess pathlib Path tempfile pickle joblib socket requests urllib sqlite3 pyplot plt"
CALLS = "open input exec eval compile breakpoint setattr delattr save savez savez_compressed savetxt savefig tofile"
OUTSIDE = {*MODULES.split(), *CALLS.split(), "dump", "memmap", "to_csv", "to_pickle", "write", "write_text"}
Source = tuple[ast.Module, int]
Input = tuple[Problem, Mapping[str, Array]]


def repaired(caller: Caller, quantity: str, inputs: Sequence[Input], deadline: float) -> Mistake | None:
    """Return the edit that makes a quantity right on all inputs, or None.

    The right answers stand beside the inputs; if there are others than that of the quantity, none that the function
    returns may be wrong.
    """
    functions = _functions(caller.function) if can_limit() else {}
    if not functions or not inputs:
        return None
    tried, start = copy(caller), perf_counter()
    until = start + SHARE_OF_TIME * (deadline - start)
    tried.notes = []
    inputs = sorted(inputs, key=lambda pair: (pair[0].K == 1, pair[0].X.size))
    own = caller(inputs[0][0])
    most = SLOWER * own.outcome.seconds + 0.01
    tried.sorting, tried.until = caller.sorting, until
    unedited = _compiled(caller.function, functions, most)
    if own.outcome.overtime or unedited is None:
        return None
    tried.function = unedited
    if not _same(tried(inputs[0][0]).values, own.values):
        return None
    for kind, (tree, first) in product(KINDS, functions.values()):
        for old, new, line in edits(tree, kind):
            if (left := until - perf_counter()) < 0:
                return None
            edited = _compiled(caller.function, functions, min(left, most))
            tried.sorting = caller.sorting
            if edited is not None and _is_right(tried, edited, quantity, inputs, min(left, most)):
                return _said(old, text(new), first + line - 1)
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


def _same(values: Mapping[str, Array], others: Mapping[str, Array]) -> bool:
    return values.keys() == others.keys() and all(close(values[name], others[name], GUARD) for name in values)


def _said(old: str, new: str, line: int) -> Mistake:
    named = f"`{old}` in place of `{new}`" if new else f"`{old}`, which does not belong there"
    hint = f"Look at line {line} once more. What does each part of it compute, and is it what you meant?"
    why = f"With `{new}` in place of `{old}`" if new else f"Without `{old}`"
    return Mistake(f"{named}, in line {line}", hint, f"{why} in line {line} your function is right.")


def _functions(function: Callable[..., Any]) -> dict[FunctionType, Source]:
    """Return the sources of a function, and of those of its module that it calls; none if some must not be edited."""
    own = getattr(function, "__func__", function)
    found: dict[FunctionType, Source] = {}
    waiting = [own]
    while waiting:
        one = waiting.pop()
        if isinstance(one, FunctionType) and one not in found and (source := _source(one)) is not None:
            found[one] = source
            called = [one.__globals__.get(name) for name in one.__code__.co_names]
            waiting += [f for f in called if isinstance(f, FunctionType) and f.__module__ == one.__module__]
    return found if own in found and not any(_reaches_outside(tree) for tree, _ in found.values()) else {}


def _reaches_outside(tree: ast.Module) -> bool:
    """Whether a source names something with which it could write a file or run a program."""
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {part for node in nodes if isinstance(node, ast.alias) for part in node.name.split(".")}
    names |= {str(node.module).split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    return not names.isdisjoint(OUTSIDE)


def _source(function: FunctionType) -> Source | None:
    """Return the tree of a function's source and its first line; None if there is none, or it is decorated."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError):
        return None
    if len(tree.body) != 1 or not isinstance(definition := tree.body[0], ast.FunctionDef):
        return None
    if {ast.unparse(one) for one in definition.decorator_list} - {"staticmethod", "classmethod"}:
        return None
    definition.decorator_list = []
    return tree, first


def _compiled(
    whole: Callable[..., Any], functions: Mapping[FunctionType, Source], seconds: float
) -> Callable[..., Any] | None:
    """Return a function made from sources, its own the first, or None if they cannot be run."""
    own = next(iter(functions))
    cells = zip(own.__code__.co_freevars, own.__closure__ or (), strict=True)
    filled = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    space = {**own.__globals__, **filled, "np": np}
    module = ast.Module([one.body[0] for one, _ in functions.values()], [])
    try:
        code = compile(ast.fix_missing_locations(module), "<edited>", "exec")
    except (SyntaxError, TypeError, ValueError, RecursionError):  # an edit may make no sense
        return None
    if run(exec, [code, space], {}, seconds).error:  # defaults are computed here
        return None
    found = space[own.__code__.co_name]
    return MethodType(found, whole.__self__) if isinstance(whole, MethodType) else found
