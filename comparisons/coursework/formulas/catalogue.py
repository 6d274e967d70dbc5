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
        """The compiled expression, the functions that it calls by name, and the names whose values a problem has."""
        tree = ast.parse(self.text, mode="eval")
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names -= {*self.takes, *(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))}
        calls = {}
        for name in names - self.words.keys():
            sources = [library for library in LIBRARIES if hasattr(library, name)]
            if name in self.functions or sources:
                calls[name] = self.functions[name] if name in self.functions else getattr(sources[0], name)
        return compile(tree, self.text, "eval"), calls, sorted(names - calls.keys())

    def __call__(self, *arguments: Any) -> Any:
        """Return the value of the expression."""
        *given, problem = arguments
        code, calls, names = self.parts
        values = calls | dict(zip(self.takes, given, strict=True)) | {name: self._of(problem, name) for name in names}
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
        Functions of the problem, by the names that stand for their values in the formulas.
    functions : iterable of callable
        Functions that the formulas may call.
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
        """Return the formulas of a table without hints, by name; ``takes`` are the names of their arguments."""
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
            Mistakes of other formulas; an empty row takes the one of its name.
        **words : callable
            More functions of the problem, by the names that stand for their values.
        """
        wrong = {}
        for name, row in self.tables[table].items():
            if general and not row:
                wrong[name] = general[name]
            else:
                formula, hint, why = row
                wrong[name] = Wrong(self._formula(formula, takes, **words), hint, why)
        return wrong

    def slot(
        self, name: str, right: Callable[..., Any], takes: Sequence[str] = (), follows: tuple[str, ...] = ()
    ) -> Slot:
        """Return a slot with the mistakes of the table of its name.

        Its values are functions of the problem, and of the arguments in ``takes`` before it.
        """
        return Slot(name, right, self.rows(name, takes), not takes, follows)

    def term(self, name: str, hint: str, right: Callable[[Problem], Any]) -> Slot:
        """Return a slot of a term; each row of the table of its name is what may stand in its place, with a formula.

        Hints and explanations are made from the names.
        """
        return term(name, hint, right, self.formulas(name))


def at(a: Array, axis: int, place: int) -> Array:
    """Return a mask that is true at one index of an axis, in a shape that broadcasts with an array."""
    size = a.shape[axis]
    return np.reshape(np.arange(size) == place % size, [-1 if i == axis else 1 for i in range(a.ndim)])


AT = "a", "axis"
GENERAL = Catalogue(__file__, {"nothing": lambda p: NOTHING}, [at])
EDITS, DATA = GENERAL.formulas("edits", "a"), GENERAL.formulas("data")
INDEX, PLACES, SUMS, LAYOUT, POWERS, KEPT = (
    GENERAL.formulas(table, AT) for table in ("index", "places", "sums", "layout", "powers", "kept")
)
INDEX_TEXTS = (
    "Print the arrays as your function uses them: which entry belongs to which index, and which does it reach?",
    "these numbers stand where those of each index belong",
)
RANGE_TEXTS = "Is every number that your function is given used as it is?", "the numbers as they are given belong there"


def term(name: str, hint: str, right: Callable[[Problem], Any], others: Mapping[str, Callable[[Problem], Any]]) -> Slot:
    """Return a slot of a term; its mistakes are other values in its place, by name, and general edits of the term."""
    wrong = {
        f"{other} in place of {name}": Wrong(value, hint, f"In your function stands {other}, where {name} belongs.")
        for other, value in others.items()
    }
    for edit, change in EDITS.items():
        edited = lambda p, change=change: change(right(p), p)  # noqa: E731
        wrong[f"{name} {edit}"] = Wrong(edited, hint, f"In your function the term {name} is {edit}.")
    return Slot(name, right, wrong)


def wrong_inputs(slot: Slot, **axes: tuple[str, str]) -> Slot:
    """Add mistakes to a slot of inputs: an array is read at wrong indices, in another layout, or with other numbers.

    Parameters
    ----------
    slot : Slot
        Slot whose values are problems.
    **axes : tuple of two str
        Names of the first two axes of each array, by the array's name.
    """
    wrong: dict[str, Wrong] = {}
    for name, words in axes.items():
        of_axes = [(0, INDEX | PLACES, INDEX_TEXTS), (1, INDEX | PLACES, INDEX_TEXTS), (0, LAYOUT, INDEX_TEXTS)]
        if name != "X":
            of_axes.append((0, POWERS | (KEPT if name == "probs" else {}), RANGE_TEXTS))
        for axis, table, texts in of_axes:
            wrong |= _wrong_by(table, name, words[axis], texts, partial(_read_by, name, axis))
    if "X" in axes:
        forms = {f"X {form}": of_data for form, of_data in DATA.items()}
        wrong |= _wrong_by(forms, "X", "", RANGE_TEXTS, lambda change, p: p.changed(X=change(p)))
    return slot.extended(wrong)


def _wrong_by(
    table: Mapping[str, Expression], name: str, word: str, texts: tuple[str, str], changed: Callable[..., Any]
) -> dict[str, Wrong]:
    """Return the mistakes of a table of changes of an array; ``changed`` takes a change, then the slot's arguments."""
    hint, belongs = texts
    titles = {text.format(name, word): change for text, change in table.items()}
    return {
        title: Wrong(partial(changed, change), hint, f"{title[:1].upper()}{title[1:]}: {belongs}.")
        for title, change in titles.items()
    }


def _read_by(name: str, axis: int, change: Expression, p: Problem) -> Problem:
    a = p.X if name == "X" else p.theta[name] if name in p.theta else p.size(name)
    return p.changed(**{name: change(a, axis, p)})


def wrong_indices(slot: Slot, axis: int, word: str, table: Mapping[str, Expression], name: str = "") -> Slot:
    """Add mistakes to a slot: its right value is read at wrong indices of an axis.

    Parameters
    ----------
    slot : Slot
        Slot of an array.
    axis : int
        Axis of the wrong indices.
    word : str
        Name of an entry along the axis, such as "component".
    table : mapping
        Changes of an array, by their names.
    name : str
        Name of the array in a sentence; by default that of the slot.
    """

    def changed(change: Expression, *given: Any) -> Any:
        return change(np.atleast_1d(slot.right(*given)), axis, given[-1])

    return slot.extended(_wrong_by(table, name or slot.name, word, INDEX_TEXTS, changed))
