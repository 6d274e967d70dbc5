"""Call a student's function on a problem with the arguments that it takes, and read its answer as quantities."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from comparisons.coursework.calling.bundle import Bundle
from comparisons.coursework.calling.outputs import as_array, by_quantity, match_shape, matchings, named_parts, part
from comparisons.coursework.calling.roles import DATA, plain_name, roles_of, signature_of
from comparisons.coursework.calling.running import Outcome, answer_of
from comparisons.coursework.calling.source import returned_names, transposes
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import GUARD, close
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array


@dataclass(frozen=True)
class Answer:
    """A function's answer to a problem: arrays by quantity, the call's outcome, and whether its precision is single."""

    values: dict[str, Array] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)
    single: bool = False

    @property
    def error(self) -> str:
        """The exception, or "" if there was none."""
        return self.outcome.error


class Caller:
    """Call a student's function on problems, whatever the order of its arguments and results.

    Parameters
    ----------
    function : callable
        The student's function.
    book : Textbook
        The formulas of its family.
    step : {"e", "m", "log_likelihood", "q"}
        The step that it should compute.
    takes, returns : sequence of str
        Declared conventions.
    seconds : float
        Time limit of all calls together.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        book: Textbook,
        step: str,
        takes: Sequence[str],
        returns: Sequence[str],
        seconds: float,
    ) -> None:
        self.function, self.book, self.step = function, book, step
        self.signature = signature_of(
            function, book.needed(step), book.optional(step), book.quantities, book.all_spellings
        )
        self.returned = returned_names(function)
        self.until = used_seconds() + seconds
        self.notes: list[str] = []
        self.matching: dict[str, Any] | None = None  # key of the part of the answer, by quantity
        self.flat = False  # whether arrays are passed without an axis of features
        self._declare(takes, returns)

    def _declare(self, takes: Sequence[str], returns: Sequence[str]) -> None:
        """Collect the conventions that the caller or the names of arguments and results declare."""
        conventions = self.book.all_conventions(self.step)
        for name in (*takes, *returns):
            if name not in {convention.name for convention in conventions}:
                names = ", ".join(repr(convention.name) for convention in conventions)
                raise ValueError(f"takes and returns must be among {names}, got {name!r}")
        roles = self.signature.roles
        self.inputs = [c for c in conventions if c.name in takes or c.is_declared_by(roles.get(c.quantity, ""))]
        self.outputs = [c for c in conventions if c.name in returns or any(map(c.is_declared_by, self.returned))]

    @property
    def seconds_left(self) -> float:
        """Seconds that are left for calls."""
        return self.until - used_seconds()

    def replace_function(self, function: Callable[..., Any], matching: dict[str, Any] | None) -> None:
        """Replace the function by another one with the same arguments and results."""
        self.function, self.matching = function, matching
        if self.signature.object_of is not None:
            self.signature = replace(self.signature, object_of=getattr(function, "__self__", None))

    def settle(self, problems: Sequence[Problem]) -> list[Problem]:
        """Find conventions and inputs with which the function works, and return the inputs.

        Each attempt is judged by its answer to the first input. The first right one is taken, else the first with the
        best score. Inputs without an axis of features are tried if no answer to the usual inputs has the right shapes.
        """
        declared, usable, fits, error = self.inputs, None, False, ""
        for attempt, variant in self._attempts():
            if variant is not None and fits:
                break
            self.inputs, self.matching = [*declared, *attempt], None
            self.flat, note, candidates = variant or (False, "", list(problems))
            answer = self(candidates[0])
            if answer.outcome.overtime:
                break
            error = error or answer.error
            score = self._score(answer, candidates[0])
            if score == 3:
                note += f"; with two features: {error}" if self.flat and error else ""
                self.notes += [note] if note else [f"takes {c.quantity} as {c.name}" for c in attempt]
                return candidates
            fits = fits or (score == 2 and variant is None)
            if usable is None or score > usable[0]:
                usable = score, self.inputs, self.flat, self.matching, candidates
        if usable is not None:
            _, self.inputs, self.flat, self.matching, candidates = usable
            return candidates
        return list(problems)

    def _attempts(self) -> Iterator[tuple[list[Convention], tuple[bool, str, list[Problem]] | None]]:
        """Yield conventions to try, with None for the usual inputs or another kind: if flat, a note, and the inputs."""
        yield [], None
        taken = {*self.signature.roles} if not self.signature.bundled else {*self.book.quantities, "responsibilities"}
        declared = {convention.name for convention in self.inputs}
        undeclared = [c for c in self.book.all_conventions(self.step) if c.quantity in taken and c.name not in declared]
        free = [convention for convention in undeclared if convention.free or self._may_mean(convention)]
        yield from (([convention], None) for convention in free)
        for flat, note, problems in self.book.other_problems(self.step):
            variant = flat, note, self.book.with_old_parameters(problems)
            if variant[0] and transposes(self.function, self.signature.roles.get(DATA, "")):
                continue
            yield [], variant
            yield from (([convention], variant) for convention in free if self._may_mean(convention))
        pairs = [[a, b] for a in free for b in free if a.quantity < b.quantity]
        yield from ((pair, (False, "", self.book.problems_of(self.step))) for pair in pairs)

    def _may_mean(self, convention: Convention) -> bool:
        """Whether the name of an argument may mean a convention, or the textbook's own way."""
        return plain_name(self.signature.roles.get(convention.quantity, "")) in convention.maybe

    def _score(self, answer: Answer, problem: Problem) -> int:
        """Return 3 if all is right, 2 if the shapes are, 1 if there is any answer, 0 if there is none."""
        if answer.error or not answer.values:
            return 0
        right = self.book.truth(self.step, problem)
        expected = {q.name: q for q in self.book.expected(self.step, problem)}
        if all(close(value, right[name], GUARD) for name, value in answer.values.items()):
            return 3
        finite = all(np.isfinite(value).any() for value in answer.values.values())
        return 1 + (finite and all(value.shape == expected[name].shapes[0] for name, value in answer.values.items()))

    def arguments(self, problem: Problem) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the keyword arguments for a problem."""
        encoded = {c.quantity: c for c in self.inputs}
        flat = self.book.without_feature_axis(problem) if self.flat else {}
        if self.flat and self.book.two_sets:
            flat |= {f"old {name}": a for name, a in self.book.without_feature_axis(self.book.at_old(problem)).items()}

        def value_of(role: str) -> Any:
            if role.endswith("parameters"):
                names = [name for name in self.book.quantities if name in problem.theta]
                before = role.removesuffix("parameters")
                return Bundle.of({name: value_of(before + name) for name in names}, self.book.all_spellings)
            value, plain = flat.get(role, self.book.value_of(role, problem)), role.removeprefix("old ")
            return encoded[plain].encode(value, problem) if plain in encoded else value

        if self.signature.object_of is not None:
            self._set_attributes(value_of)
        positional = [value_of(role) for role, _ in self.signature.positional]
        return positional, {name: value_of(role) for name, role in self.signature.keyword.items() if self._given(role)}

    def _given(self, role: str) -> bool:
        """Whether an argument is passed; a size with a default is not, unless it is an option of the check."""
        optional = role in self.book.size_names and role not in self.book.given
        return not optional or self.signature.defaults.get(role) is None

    def _set_attributes(self, value_of: Callable[[str], Any]) -> None:
        """Set the parameters that a method reads from its object."""
        owner = self.signature.object_of
        code = getattr(getattr(self.function, "__func__", None), "__code__", None)
        names = {*vars(owner), *(code.co_names if code else ())}
        for role in self.book.needed(self.step)[1:]:
            if role not in self.signature.roles:
                for name in names:
                    if role in roles_of(name, self.book.all_spellings, self.book.needed(self.step)):
                        setattr(owner, name, value_of(role))

    def __call__(self, problem: Problem) -> Answer:
        """Call the function on a problem."""
        try:
            with np.errstate(all="ignore"):
                args, kwargs = self.arguments(problem)
        except (TypeError, IndexError, ValueError, np.linalg.LinAlgError) as error:
            return Answer(outcome=Outcome(error=f"cannot be written so: {error}"))
        outcome = answer_of(self.function, args, kwargs, self.seconds_left)
        if outcome.error:
            return Answer(outcome=outcome)
        value = by_quantity(outcome.value)
        if self.matching is None:
            self.matching = self._best_matching(value, problem)
        return self._read(value, problem, outcome)

    def _best_matching(self, value: Any, problem: Problem) -> dict[str, Any] | None:
        """Return which part of a value is which quantity: the matching that makes most quantities right."""
        expected, right = self.book.expected(self.step, problem), self.book.truth(self.step, problem)
        best, most = None, -1
        for matching in matchings(value, expected, self.book.all_spellings, self.returned):
            answer = self._read(value, problem, Outcome(), matching)
            n_right = sum(close(a, right[name], GUARD) for name, a in answer.values.items())
            if n_right > most:
                best, most = matching, n_right
            if n_right == len(right):
                break
        return best

    def _read(self, value: Any, problem: Problem, outcome: Outcome, matching: dict[str, Any] | None = None) -> Answer:
        """Return the answer in a value, whose parts are the quantities of a matching."""
        matching = self.matching if matching is None else matching
        values, single = {}, False
        expected = {q.name: q for q in self.book.expected(self.step, problem)}
        keys = named_parts(value) or {}
        for name, key in (matching or {}).items():
            try:
                raw = part(value, key)
            except (IndexError, KeyError, TypeError):
                continue
            array = as_array(raw)
            if array is None:
                continue
            single = single or str(getattr(raw, "dtype", "")).endswith(("float32", "float16"))
            values[name] = self._decode(name, str(key) if key in keys else "", array, expected[name].shapes, problem)
        return Answer(values, outcome, single)

    def _decode(self, name: str, key: str, array: Array, shapes: Sequence[tuple[int, ...]], problem: Problem) -> Array:
        """Return an array in the textbook's convention, from the one that is declared or that its shape shows."""
        if self.flat and array.size == np.prod(shapes[0]) and name != "responsibilities":
            array = array.reshape(shapes[0])
        array, declared = match_shape(array, shapes), {convention.name for convention in self.outputs}
        for convention in self.book.all_conventions(self.step):
            is_declared = convention.name in declared or convention.is_declared_by(key)
            if convention.quantity != name or not (is_declared or (convention.free and array.shape != shapes[0])):
                continue
            try:
                with np.errstate(all="ignore"):
                    decoded = np.asarray(convention.decode(array, problem), dtype=np.float64)
            except (ValueError, np.linalg.LinAlgError, IndexError):
                continue
            if is_declared or decoded.shape == shapes[0]:
                array = decoded
                note = f"returns {name} as {convention.name}"
                if note not in self.notes and convention.name not in declared:
                    self.notes.append(note)
        return array
