"""Call a student's function on a problem in the way that it is written, and read its answer as quantities."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from comparisons.coursework.calling.bundle import Bundle
from comparisons.coursework.calling.outputs import by_quantity, fitted, is_single, named_parts, numbers, part, sortings
from comparisons.coursework.calling.roles import DATA, default_of, plain_name, roles_of, signature_of, without_numbers
from comparisons.coursework.calling.running import Outcome, run
from comparisons.coursework.calling.source import returned_names, transposes
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import GUARD, close
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array


@dataclass(frozen=True)
class Answer:
    """What a function answered on a problem: arrays by quantity, or why there is none."""

    values: dict[str, Array] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)
    single: bool = False

    @property
    def error(self) -> str:
        """The exception, or "" if there was none."""
        return self.outcome.error


class Caller:
    """A student's function with its arguments in order.

    Parameters
    ----------
    function : callable
        The student's.
    book : Textbook
        Of its family.
    step : {"e", "m", "log_likelihood", "q"}
        What it should compute.
    takes, returns : sequence of str
        Declared conventions.
    seconds : float
        How long all calls may take together.
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
        optional = without_numbers(function, book.optional(step), book.quantities, book.all_spellings)
        self.signature = signature_of(function, book.needed(step), optional, book.all_spellings)
        self.returned = returned_names(function)
        self.until = used_seconds() + seconds
        self.notes: list[str] = []
        self.sorting: dict[str, Any] | None = None
        self.flat = False
        self._declare(takes, returns)

    def _declare(self, takes: Sequence[str], returns: Sequence[str]) -> None:
        known = self.book.all_conventions(self.step)
        for name in (*takes, *returns):
            if name not in {convention.name for convention in known}:
                names = ", ".join(repr(convention.name) for convention in known)
                raise ValueError(f"takes and returns must be among {names}, got {name!r}")
        called = {role: plain_name(name) for role, name in self.signature.roles.items()}
        self.inputs = [c for c in known if c.name in takes or any(w in called.get(c.quantity, "") for w in c.words)]
        self.outputs = [c for c in known if c.name in returns]
        for name in self.returned:
            self.outputs += [
                c
                for c in known
                if any(w in plain_name(name) for w in c.words) and c.name not in {o.name for o in self.outputs}
            ]

    def default(self, role: str) -> Any:
        """Return the default of the argument that has a role."""
        return default_of(self.function, self.signature.roles[role])

    @property
    def left(self) -> float:
        """Seconds that are left for calls."""
        return self.until - used_seconds()

    def take(self, function: Callable[..., Any], sorting: dict[str, Any] | None) -> None:
        """Call another function from now on, which has the same arguments and returns."""
        self.function, self.sorting = function, sorting
        if self.signature.object_of is not None:
            self.signature = replace(self.signature, object_of=getattr(function, "__self__", None))

    def settle(self, problems: Sequence[Problem]) -> list[Problem]:
        """Find out how the function is to be called, on the first problems; return the problems that it can take."""
        declared, usable, fits, error = self.inputs, None, False, ""
        for attempt, others in self._attempts():
            if others is not None and fits:
                break
            self.inputs, self.sorting = [*declared, *attempt], None
            self.flat, note, tried = others or (False, "", list(problems))
            answer = self(tried[0])
            if answer.outcome.overtime:
                break
            error = error or answer.error
            score = self._score(answer, tried[0])
            if score == 3:
                note += f"; with two features: {error}" if self.flat and error else ""
                self.notes += [note] if note else [f"takes {c.quantity} as {c.name}" for c in attempt]
                return tried
            fits = fits or (score == 2 and others is None)
            if usable is None or score > usable[0]:
                usable = score, self.inputs, self.flat, self.sorting, tried
        if usable is not None:
            _, self.inputs, self.flat, self.sorting, tried = usable
            return tried
        return list(problems)

    def _attempts(self) -> Iterator[tuple[list[Convention], tuple[bool, str, list[Problem]] | None]]:
        """Yield conventions to try, and problems of another kind, for functions that take no others."""
        yield [], None
        taken = {*self.signature.roles} if not self.signature.bundled else {*self.book.quantities, "responsibilities"}
        declared = {convention.name for convention in self.inputs}
        known = [c for c in self.book.all_conventions(self.step) if c.quantity in taken and c.name not in declared]
        free = [convention for convention in known if convention.free or self._may_mean(convention)]
        yield from (([convention], None) for convention in free)
        for flat, note, problems in self.book.other_problems(self.step):
            others = flat, note, self.book.seen(problems)
            if others[0] and transposes(self.function, self.signature.roles.get(DATA, "")):
                continue
            yield [], others
            yield from (([convention], others) for convention in free if self._may_mean(convention))
        pairs = [[a, b] for a in free for b in free if a.quantity < b.quantity]
        yield from ((pair, (False, "", self.book.problems_of(self.step))) for pair in pairs)

    def _may_mean(self, convention: Convention) -> bool:
        """Whether the name of the argument may declare a convention."""
        return plain_name(self.signature.roles.get(convention.quantity, "")) in convention.maybe

    def _score(self, answer: Answer, problem: Problem) -> int:
        """Return 3 where all is right, 2 where shapes fit, 1 where there is an answer, 0 where there is none."""
        if answer.error or not answer.values:
            return 0
        right = self.book.truth(self.step, problem)
        expected = {q.name: q for q in self.book.expected(self.step, problem)}
        if all(close(value, right[name], GUARD) for name, value in answer.values.items()):
            return 3
        finite = all(np.isfinite(value).any() for value in answer.values.values())
        return 1 + (finite and all(value.shape == expected[name].shapes[0] for name, value in answer.values.items()))

    def arguments(self, problem: Problem) -> tuple[list[Any], dict[str, Any]]:
        """Return what the function is called with."""
        encoded = {c.quantity: c for c in self.inputs}
        flat = self.book.flat(problem) if self.flat else {}
        if self.flat and self.book.two_sets:
            flat |= {f"old {name}": a for name, a in self.book.flat(self.book.at_old(problem)).items()}

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
        """Whether a role is passed: an option with a default that the caller did not give is left alone."""
        optional = role in self.book.size_names and role not in self.book.given
        return not optional or default_of(self.function, self.signature.roles[role]) is None

    def _set_attributes(self, value_of: Callable[[str], Any]) -> None:
        """Set the parameters that a method reads from its object."""
        holder = self.signature.object_of
        used = getattr(getattr(self.function, "__func__", None), "__code__", None)
        names = {*vars(holder), *(used.co_names if used else ())}
        for role in self.book.needed(self.step)[1:]:
            if role not in self.signature.roles:
                for name in names:
                    if role in roles_of(name, self.book.all_spellings, self.book.needed(self.step)):
                        setattr(holder, name, value_of(role))

    def __call__(self, problem: Problem) -> Answer:
        """Call the function on a problem."""
        if self.left <= 0:
            return Answer(outcome=Outcome(error="no answer within the time limit", overtime=True))
        try:
            with np.errstate(all="ignore"):
                args, kwargs = self.arguments(problem)
        except (TypeError, IndexError, ValueError, np.linalg.LinAlgError) as misfit:
            return Answer(outcome=Outcome(error=f"cannot be written so: {misfit}"))
        outcome = run(self.function, args, kwargs, self.left)
        if outcome.error:
            return Answer(outcome=outcome)
        value = by_quantity(outcome.value)
        if value is None:
            value = getattr(self.function, "__self__", None)
        if value is None:
            return Answer(outcome=Outcome(error="returned None: is a return missing?", seconds=outcome.seconds))
        if self.sorting is None:
            self.sorting = self._sorted(value, problem)
        return self._read(value, problem, outcome)

    def _sorted(self, value: Any, problem: Problem) -> dict[str, Any] | None:
        """Return how to read a value: the way that makes most quantities right."""
        expected, right = self.book.expected(self.step, problem), self.book.truth(self.step, problem)
        best, most = None, -1
        for sorting in sortings(value, expected, self.book.all_spellings, self.returned):
            answer = self._read(value, problem, Outcome(), sorting)
            n_right = sum(close(a, right[name], GUARD) for name, a in answer.values.items())
            if n_right > most:
                best, most = sorting, n_right
            if n_right == len(right):
                break
        return best

    def _read(self, value: Any, problem: Problem, outcome: Outcome, sorting: dict[str, Any] | None = None) -> Answer:
        """Return the quantities of a value."""
        sorting = self.sorting if sorting is None else sorting
        values, single = {}, False
        expected = {q.name: q for q in self.book.expected(self.step, problem)}
        keys = named_parts(value) or {}
        for name, key in (sorting or {}).items():
            try:
                raw = part(value, key)
            except (IndexError, KeyError, TypeError):
                continue
            array = numbers(raw)
            if array is None:
                continue
            single = single or is_single(raw)
            values[name] = self._decoded(name, str(key) if key in keys else "", array, expected[name].shapes, problem)
        return Answer(values, outcome, single)

    def _decoded(self, name: str, key: str, array: Array, shapes: Sequence[tuple[int, ...]], problem: Problem) -> Array:
        """Return an array in the textbook's way."""
        if self.flat and array.size == np.prod(shapes[0]) and name != "responsibilities":
            array = array.reshape(shapes[0])
        array, declared = fitted(array, shapes), {convention.name for convention in self.outputs}
        for convention in self.book.all_conventions(self.step):
            if convention.quantity != name:
                continue
            by_key = bool(key) and any(word in plain_name(key) for word in convention.words)
            flipped = convention.free and array.shape != shapes[0] and convention.fits(array, problem, shapes[0])
            if convention.name in declared or by_key or flipped:
                with np.errstate(all="ignore"):
                    try:
                        array = np.asarray(convention.decode(array, problem), dtype=np.float64)
                    except (ValueError, np.linalg.LinAlgError, IndexError):
                        continue
                note = f"returns {name} as {convention.name}"
                if note not in self.notes and convention.name not in declared:
                    self.notes.append(note)
        return array
