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
from types import CellType, CodeType, MappingProxyType, MethodType
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
PAUSE = 0.03  # seconds for which other processes may stop a call on a busy machine
DEEPEST = 80  # levels of a source; those of usual functions are 20
SLOWER = 20  # times the function's own time, which an edited call may take
MODULES = "os sys io shutil subprocess pathlib Path tempfile pickle joblib socket requests urllib sqlite3 pyplot plt"
CALLS = "open input exec eval compile breakpoint setattr delattr save savez savez_compressed savetxt savefig tofile"
OUTSIDE = {*MODULES.split(), *CALLS.split(), "dump", "memmap", "to_csv", "to_pickle", "write", "write_text"}
HINT = "Look at line {} once more. What does each part of it compute, and is it what you meant?"
Input = tuple[Problem, Mapping[str, Array]]
Test = Callable[[Callable[..., Any], float], bool]


def edit_of_step(
    caller: Caller, quantity: str, inputs: Sequence[Input], deadline: float, kinds: Sequence[str]
) -> Mistake | None:
    """Return the edit, of some kinds, that makes a quantity right on all inputs, or None.

    ``inputs`` are pairs of a problem and right answers by quantity. Those of other quantities must be right too, if the
    function returns them.
    """
    inputs = sorted(inputs, key=lambda pair: (pair[0].K == 1, pair[0].X.size))
    original, answers = calls_of(caller, inputs, deadline)
    if original.outcome.overtime:
        return None

    def is_right(function: Callable[..., Any], seconds: float) -> bool:
        return all(
            quantity in values and all(close(values[n], a, GUARD) for n, a in right.items() if n in values)
            for values, (_, right) in zip(answers(function, seconds), inputs, strict=True)
        )

    def is_same(function: Callable[..., Any], seconds: float) -> bool:
        values = next(answers(function, seconds))
        unedited = original.values
        return values.keys() == unedited.keys() and all(close(a, unedited[name], GUARD) for name, a in values.items())

    return edit_of(caller.function, is_same, is_right, original.outcome.seconds, deadline, original.error, kinds)


def calls_of(
    caller: Caller, inputs: Sequence[Input], deadline: float
) -> tuple[Answer, Callable[[Callable[..., Any], float], Iterator[Mapping[str, Array]]]]:
    """Return a function's answer to the first input, and a function that calls an edited one on all inputs."""
    edited = copy(caller)
    edited.notes, edited.until = [], deadline

    def answers(function: Callable[..., Any], seconds: float) -> Iterator[Mapping[str, Array]]:
        edited.replace_function(function, caller.matching)
        for problem, _ in inputs:
            edited.until = used_seconds() + seconds
            yield edited(problem).values

    return edited(inputs[0][0]), answers


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
        The student's function.
    is_same, is_right : callable
        Take a function and the seconds for a call; whether its answers are the student's, and whether they are right.
    taken : float
        Seconds that a call of the student's function takes.
    deadline : float
        Time of `used_seconds` at which the check ends; `SHARE_OF_TIME` of what is left is for all edits.
    error : str
        The exception that a call raised; the line that it names is edited first.
    kinds : sequence of str
        Kinds of edits, in the order in which they are tried.
    """
    functions, most = editable(function), SLOWER * taken + PAUSE
    begin = used_seconds()
    until = begin + SHARE_OF_TIME * (deadline - begin)
    unedited = compile_sources(function, functions, most) if functions else None
    if unedited is None or not is_same(unedited, most):
        return None
    raised = {int(line) for line in findall(r"in line (\d+)", error)}
    for near, kind, (tree, first) in product((True, False) if raised else (False,), kinds, functions.values()):
        for old, new, line in edits(tree, kind):
            if (first + line - 1 in raised) != near:
                continue
            if (left := until - used_seconds()) < 0:
                return None
            edited = compile_sources(function, functions, min(left, most))
            if edited is not None and is_right(edited, min(left, most)):
                return _mistake_of_edit(old, new, first + line - 1)
    return None


def _mistake_of_edit(old: str, new: ast.AST | str, line: int) -> Mistake:
    """Return an edit as a mistake; ``new`` is a node, or the new place of a statement in words."""
    title, change = f"`{old}` in place of `{text(new)}`", f"In line {line}, change `{old}` to `{text(new)}`"
    if isinstance(new, str):
        title, change = f"`{old}`, which belongs {new}", f"Put `{old}` (line {line}) {new}"
    elif isinstance(new, ast.Pass):
        title, change = f"`{old}`, which does not belong there", f"Remove `{old}` from line {line}"
    return Mistake(f"{title}, in line {line}", HINT.format(line), f"{change}: then your function is right.")


def editable(function: Callable[..., Any]) -> dict[Called, Source]:
    """Return the sources of a function and of the functions that it calls; none if they cannot be edited safely."""
    functions = functions_of(function) if can_limit() else {}
    return {} if any(_reaches_outside(tree) or _is_deep(tree) for tree, _ in functions.values()) else functions


def _is_deep(tree: ast.Module) -> bool:
    """Whether a tree is too deep for recursive functions such as `ast.unparse`, as a sum of hundreds of terms is."""
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


def compile_sources(
    student: Callable[..., Any],
    functions: Mapping[Called, Source],
    seconds: float,
    names: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[..., Any] | None:
    """Compile sources and return the first function, or None if they cannot be run.

    A method is bound to a copy of its object. ``names`` are more variables of the sources.
    """
    original: Any = next(iter(functions))
    cells = zip(original.__code__.co_freevars, original.__closure__ or (), strict=True)
    captured = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    module = ast.Module([tree.body[0] for tree, _ in sorted(functions.values(), key=lambda source: source[1])], [])
    try:
        with without_warnings:
            code = compile(module, "<edited>", "exec")
    except (SyntaxError, TypeError, ValueError, RecursionError):  # an edit may make no sense
        return None
    values = {**original.__globals__, **captured}
    copies = {name: _copy_container(values[name]) for name in _names_in(code) & values.keys()}
    namespace = {**values, **copies, "np": np, **names}
    if run(exec, [code, namespace], {}, seconds).error:  # defaults are computed here
        return None
    result = namespace[original.__code__.co_name]
    if not isinstance(student, MethodType):
        return result
    owner = copy(student.__self__)
    methods = getattr(owner, "__dict__", {})
    methods.update({name: _copy_container(value) for name, value in methods.items()})
    for name in [one.__name__ for one in functions if getattr(type(owner), one.__name__, None) is one]:
        is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
        methods[name] = namespace[name] if is_static else MethodType(namespace[name], owner)
    return MethodType(result, owner)


def _names_in(code: CodeType) -> set[str]:
    """Return the names of variables that are not local, and of attributes, in a code object."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*map(_names_in, inner))


def _copy_container(value: Any) -> Any:
    """Return a copy of a container, so that edited calls do not change the student's; return anything else itself."""
    return copy(value) if isinstance(value, list | dict | set | np.ndarray) else value
