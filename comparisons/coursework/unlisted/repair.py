"""Find one edit of a student's source after which the function is right: the edit names the mistake.

The edits are those of :mod:`comparisons.coursework.unlisted.edits`. The functions of the same module that it calls are
edited too. The first edit that gives the right answer on every input is taken.

Nothing is edited where an edited call could not be stopped, where it could reach files or the system, or where the
source without an edit does not give the function's own answers: it is wrapped, or was changed since.
"""

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from itertools import product
from re import findall
from types import CellType, MappingProxyType, MethodType
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Answer, Caller
from comparisons.coursework.calling.running import can_limit, run
from comparisons.coursework.calling.source import Called, Source, functions_of
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import GUARD, Mistake, close
from comparisons.coursework.unlisted.edits import FAR, NEAR, edits, text
from em.process.process_wide import without_warnings
from models.validation import Array

SHARE_OF_TIME = 0.8  # of what is left until the deadline, for all edits
DEEPEST = 80  # levels of a source; those of usual functions are 20
SLOWER = 20  # times the function's own time, which an edited call may take
MODULES = "os sys io shutil subprocess pathlib Path tempfile pickle joblib socket requests urllib sqlite3 pyplot plt"
CALLS = "open input exec eval compile breakpoint setattr delattr save savez savez_compressed savetxt savefig tofile"
OUTSIDE = {*MODULES.split(), *CALLS.split(), "dump", "memmap", "to_csv", "to_pickle", "write", "write_text"}
HINT = "Look at line {} once more. What does each part of it compute, and is it what you meant?"
Input = tuple[Problem, Mapping[str, Array]]
Test = Callable[[Callable[..., Any], float], bool]


def repaired(
    caller: Caller, quantity: str, inputs: Sequence[Input], deadline: float, kinds: Sequence[str]
) -> Mistake | None:
    """Return the edit, of some kinds, that makes a quantity right on all inputs, or None.

    The right answers stand beside the inputs; if there are others than that of the quantity, none that the function
    returns may be wrong.
    """
    inputs = sorted(inputs, key=lambda pair: (pair[0].K == 1, pair[0].X.size))
    own, answers = calls_of(caller, inputs, deadline)
    if own.outcome.overtime:
        return None

    def is_right(function: Callable[..., Any], seconds: float) -> bool:
        return all(
            quantity in values and all(close(values[n], a, GUARD) for n, a in right.items() if n in values)
            for values, (_, right) in zip(answers(function, seconds), inputs, strict=True)
        )

    def is_same(function: Callable[..., Any], seconds: float) -> bool:
        values = next(answers(function, seconds))
        return values.keys() == own.values.keys() and all(close(a, own.values[n], GUARD) for n, a in values.items())

    return edit_of(caller.function, is_same, is_right, own.outcome.seconds, deadline, own.error, kinds)


def calls_of(
    caller: Caller, inputs: Sequence[Input], deadline: float
) -> tuple[Answer, Callable[[Callable[..., Any], float], Iterator[Mapping[str, Array]]]]:
    """Return a function's answer on the first input, and what yields answers on all inputs of another in its place."""
    tried = copy(caller)
    tried.notes, tried.until = [], deadline

    def answers(function: Callable[..., Any], seconds: float) -> Iterator[Mapping[str, Array]]:
        tried.take(function, caller.matching)
        for problem, _ in inputs:
            tried.until = used_seconds() + seconds
            yield tried(problem).values

    return tried(inputs[0][0]), answers


def edit_of(
    function: Callable[..., Any],
    is_same: Test,
    is_right: Test,
    taken: float,
    deadline: float,
    error: str = "",
    kinds: Sequence[str] = (*NEAR, *FAR),
) -> Mistake | None:
    """Return the edit after which a function is right, or None.

    Parameters
    ----------
    function : callable
        The student's.
    is_same, is_right : callable
        Whether what is made from its source within so many seconds answers as it does, and is right.
    taken : float
        Seconds that a call of it takes.
    deadline : float
        A time of `used_seconds`, by which it ends; a share of what is left is for all edits.
    error : str
        What a call of it raised; the line that it tells is edited first.
    kinds : sequence of str
        Of edits.
    """
    functions, most = editable(function), SLOWER * taken + 0.01
    begin = used_seconds()
    until = begin + SHARE_OF_TIME * (deadline - begin)
    unedited = compiled(function, functions, most) if functions else None
    if unedited is None or not is_same(unedited, most):
        return None
    raised = {int(line) for line in findall(r"in line (\d+)", error)}
    for near, kind, (tree, first) in product((True, False) if raised else (False,), kinds, functions.values()):
        for old, new, line in edits(tree, kind):
            if (first + line - 1 in raised) != near:
                continue
            if (left := until - used_seconds()) < 0:
                return None
            edited = compiled(function, functions, min(left, most))
            if edited is not None and is_right(edited, min(left, most)):
                return _said(old, new, first + line - 1)
    return None


def _said(old: str, new: ast.AST | str, line: int) -> Mistake:
    named, change = f"`{old}` in place of `{text(new)}`", f"In line {line}, change `{old}` to `{text(new)}`"
    if isinstance(new, str):
        named, change = f"`{old}`, which belongs {new}", f"Put `{old}` (line {line}) {new}"
    elif isinstance(new, ast.Pass):
        named, change = f"`{old}`, which does not belong there", f"Remove `{old}` from line {line}"
    return Mistake(f"{named}, in line {line}", HINT.format(line), f"{change}: then your function is right.")


def editable(function: Callable[..., Any]) -> dict[Called, Source]:
    """Return the sources of a function and of what it calls; none if some must not be edited, or not be stopped."""
    functions = functions_of(function) if can_limit() else {}
    return {} if any(_reaches_outside(tree) or _is_deep(tree) for tree, _ in functions.values()) else functions


def _is_deep(tree: ast.Module) -> bool:
    """Whether a tree is too deep for what calls itself on each level, such as `ast.unparse`: a sum of many terms is."""
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _reaches_outside(tree: ast.Module) -> bool:
    """Whether a source names something with which it could write a file or run a program."""
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {part for node in nodes if isinstance(node, ast.alias) for part in node.name.split(".")}
    names |= {str(node.module).split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    return not names.isdisjoint(OUTSIDE)


def compiled(
    whole: Callable[..., Any],
    functions: Mapping[Called, Source],
    seconds: float,
    names: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[..., Any] | None:
    """Return a function made from sources, its own the first, which may use more names; None if they cannot be run."""
    own: Any = next(iter(functions))
    cells = zip(own.__code__.co_freevars, own.__closure__ or (), strict=True)
    filled = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    read = {node.id for tree, _ in functions.values() for node in ast.walk(tree) if isinstance(node, ast.Name)}
    known = {**own.__globals__, **filled}
    space = {**known, **{name: _apart(known[name]) for name in read & known.keys()}, "np": np, **names}
    module = ast.Module([tree.body[0] for tree, _ in sorted(functions.values(), key=lambda source: source[1])], [])
    try:
        with without_warnings:
            code = compile(module, "<edited>", "exec")
    except (SyntaxError, TypeError, ValueError, RecursionError):  # an edit may make no sense
        return None
    if run(exec, [code, space], {}, seconds).error:  # defaults are computed here
        return None
    found = space[own.__code__.co_name]
    if not isinstance(whole, MethodType):
        return found
    holder = copy(whole.__self__)
    methods = getattr(holder, "__dict__", {})
    methods.update({name: _apart(value) for name, value in methods.items()})
    for name in [one.__name__ for one in functions if getattr(type(holder), one.__name__, None) is one]:
        is_static = isinstance(inspect.getattr_static(holder, name), staticmethod)
        methods[name] = space[name] if is_static else MethodType(space[name], holder)
    return MethodType(found, holder)


def _apart(value: Any) -> Any:
    """Return a copy of a container, so that edited calls leave the student's own as it is; anything else itself."""
    return copy(value) if isinstance(value, list | dict | set | np.ndarray) else value
