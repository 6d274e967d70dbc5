"""The catalogue of known mistakes: tables of a TOML file beside a module, one for each slot of its formulas.

::

    ["x log p"]
    "log10 of p" = ["x * log10(p)", "What is the base of your logarithms?", "log10 p stands where log p belongs."]

A row has a mistake's name, its formula, a hint, and what it does. The formula is a Python expression. Its names are the
slot's arguments, the words and functions of the module, NumPy's and SciPy's functions, then parameters (``means``) and
other parts of the problem (``X``, ``r``, ``n``). What is more than an expression is a function of the module.
"""

import ast
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
from scipy import special

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot, Wrong
from models.validation import Array

NOTHING = 1e-300  # what stands for 0, so that 0 log 0 is 0
LIBRARIES = np, np.linalg, special


@cache
def tables_beside(file: str) -> dict[str, dict[str, Any]]:
    """Return the rows of each table of the TOML file beside a module."""
    with Path(file).with_suffix(".toml").open("rb") as stream:
        return tomllib.load(stream)


@dataclass(frozen=True, eq=False)
class Expression:
    """The formula of a row, as a function of the slot's arguments and the problem.

    Attributes
    ----------
    text : str
        A Python expression.
    takes : tuple of str
        Names of the slot's arguments.
    words : mapping
        Functions of the problem, by the names of their values.
    functions : mapping
        Functions by name.
    """

    text: str
    takes: tuple[str, ...]
    words: Mapping[str, Callable[[Problem], Any]]
    functions: Mapping[str, Callable[..., Any]]

    @cached_property
    def parts(self) -> tuple[CodeType, dict[str, Any], list[str]]:
        """The compiled expression, what it calls by name, and the names whose values are those of a problem."""
        tree = ast.parse(self.text, mode="eval")
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names -= {*self.takes, *(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))}
        called = {}
        for name in names - self.words.keys():
            homes = [home for home in LIBRARIES if hasattr(home, name)]
            if name in self.functions or homes:
                called[name] = self.functions[name] if name in self.functions else getattr(homes[0], name)
        return compile(tree, self.text, "eval"), called, sorted(names - called.keys())

    def __call__(self, *arguments: Any) -> Any:
        """Return the value of the expression."""
        *given, problem = arguments
        code, called, names = self.parts
        values = called | dict(zip(self.takes, given, strict=True)) | {name: self._of(problem, name) for name in names}
        return eval(code, values)

    def _of(self, problem: Problem, name: str) -> Any:
        """Return what a name stands for on a problem."""
        if name in self.words:
            word = self.words[name]
            if word not in problem.memo:
                problem.memo[word] = word(problem)
            return problem.memo[word]
        return problem.theta[name] if name in problem.theta else getattr(problem, name)


class Catalogue:
    """The tables of mistakes beside a module.

    Parameters
    ----------
    file : str
        The module's ``__file__``.
    words : mapping
        What its formulas may name: functions of the problem, by the names of their values.
    functions : iterable of callable
        What its formulas may call.
    """

    def __init__(
        self,
        file: str,
        words: Mapping[str, Callable[[Problem], Any]] | None = None,
        functions: Iterable[Callable[..., Any]] = (),
    ) -> None:
        self.tables, self.words = tables_beside(file), dict(words or {})
        self.functions = {function.__name__: function for function in functions}

    def formulas(self, table: str, takes: Sequence[str] = ()) -> dict[str, Expression]:
        """Return the formulas of a table without words, by name; they take these arguments."""
        return {name: self._formula(text, takes) for name, text in self.tables[table].items()}

    def _formula(self, text: str, takes: Sequence[str], **words: Callable[[Problem], Any]) -> Expression:
        return Expression(text, tuple(takes), self.words | words, self.functions)

    def rows(
        self,
        table: str,
        takes: Sequence[str] = (),
        general: Mapping[str, Wrong] | None = None,
        **words: Callable[[Problem], Any],
    ) -> dict[str, Wrong]:
        """Return the mistakes of a table by name.

        Parameters
        ----------
        table : str
            Its name.
        takes : sequence of str
            Names of the arguments of its formulas.
        general : mapping or None
            Mistakes of other formulas: an empty row stands for the one of its name.
        **words : callable
            What these formulas may name besides.
        """
        found = {}
        for name, row in self.tables[table].items():
            if general and not row:
                found[name] = general[name]
            else:
                formula, hint, why = row
                found[name] = Wrong(self._formula(formula, takes, **words), hint, why)
        return found

    def slot(
        self, name: str, right: Callable[..., Any], takes: Sequence[str] = (), follows: tuple[str, ...] = ()
    ) -> Slot:
        """Return a slot with the mistakes of the table of its name; its values are functions of what it takes."""
        return Slot(name, right, self.rows(name, takes), not takes, follows)

    def term(self, name: str, hint: str, right: Callable[[Problem], Any]) -> Slot:
        """Return a slot of a term whose mistakes need no words of their own: what stands in its place, and its edits.

        In the table of its name a row is what stands there, and its formula.
        """
        return term(name, hint, right, self.formulas(name))


def at(a: Array, axis: int, place: int) -> Array:
    """Return whether an entry is at a place of an axis, as it stands beside an array."""
    size = a.shape[axis]
    return np.reshape(np.arange(size) == place % size, [-1 if i == axis else 1 for i in range(a.ndim)])


AT = "a", "axis"
GENERAL = Catalogue(__file__, {"nothing": lambda p: NOTHING}, [at])
EDITS, DATA = GENERAL.formulas("edits", "a"), GENERAL.formulas("data")
INDEX, PLACES, SUMS, LAYOUT, POWERS, KEPT = (
    GENERAL.formulas(table, AT) for table in ("index", "places", "sums", "layout", "powers", "kept")
)
OF_INDEX = (
    "Print the arrays as your function uses them: which entry belongs to which index, and which does it reach?",
    "these numbers stand where those of each index belong",
)
OF_RANGE = "Is every number that your function is given used as it is?", "the numbers as they are given belong there"


def term(name: str, hint: str, right: Callable[[Problem], Any], others: Mapping[str, Callable[[Problem], Any]]) -> Slot:
    """Return a slot of a term: its mistakes are others, by name, that stand in its place, and its edits."""
    found = {
        f"{other} in place of {name}": Wrong(value, hint, f"In your function stands {other}, where {name} belongs.")
        for other, value in others.items()
    }
    for edit, change in EDITS.items():
        edited = lambda p, change=change: change(right(p), p)  # noqa: E731
        found[f"{name} {edit}"] = Wrong(edited, hint, f"In your function the term {name} is {edit}.")
    return Slot(name, right, found)


def misplaced(slot: Slot, **axes: tuple[str, str]) -> Slot:
    """Return a slot of swaps with arrays in another place or layout, or of other numbers.

    Parameters
    ----------
    slot : Slot
        Whose values are problems.
    **axes : tuple of two str
        What an array's first axes are called, by its name.
    """
    found = {}
    for name, words in axes.items():
        of_numbers = [] if name == "X" else [(0, POWERS), *([(0, KEPT)] if name == "probs" else [])]
        for axis, table in [(0, INDEX | PLACES), (1, INDEX | PLACES), (0, LAYOUT), *of_numbers]:
            for text, change in table.items():
                said = text.format(name, words[axis])
                hint, belongs = OF_RANGE if (0, table) in of_numbers else OF_INDEX
                why = f"{said[:1].upper()}{said[1:]}: {belongs}."
                found[said] = Wrong(partial(_read_by, name, change, axis), hint, why)
    for form, of_data in DATA.items() if "X" in axes else ():
        why = f"X {form}: {OF_RANGE[1]}."
        found[f"X {form}"] = Wrong(lambda p, made=of_data: p.changed(X=made(p)), OF_RANGE[0], why)
    return slot.extended(found)


def _read_by(name: str, change: Expression, axis: int, p: Problem) -> Problem:
    a = p.X if name == "X" else p.theta[name] if name in p.theta else p.size(name)
    return p.changed(**{name: change(a, axis, p)})


def displaced(slot: Slot, axis: int, word: str, table: Mapping[str, Expression], name: str = "") -> Slot:
    """Return a slot with its values, called so, at other places of an axis, whose entries a word names."""
    found = {}
    for text, change in table.items():
        said = text.format(name or slot.name, word)
        wrong: Any = lambda *given, change=change: change(np.atleast_1d(slot.right(*given)), axis, given[-1])  # noqa: E731
        found[said] = Wrong(wrong, OF_INDEX[0], f"{said[:1].upper()}{said[1:]}: {OF_INDEX[1]}.")
    return slot.extended(found)
