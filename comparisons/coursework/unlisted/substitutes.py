"""Find the expression of a student's source that should have been a right intermediate result, such as N_k.

A first call records the values of every expression (:mod:`comparisons.coursework.unlisted.recorder`). Then the right
intermediate results of the step replace one expression after another, as far as their shapes fit. The first expression,
in the order of computing, with which the function is right on every input is the mistake: all that is computed before
it is right, or does not matter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.slots import GUARD, Mistake, close
from comparisons.coursework.unlisted.intermediates import intermediates
from comparisons.coursework.unlisted.layouts import Layout, layouts
from comparisons.coursework.unlisted.recorder import RECORDER, Recorder, instrumented
from comparisons.coursework.unlisted.repair import HINT, SLOWER, Input, calls_of, compiled, editable
from models.validation import Array

SHARE_OF_TIME = 0.5  # of what is left until the deadline
WIDEST = 50  # characters of an expression that are shown
Known = Mapping[str, Array]


def substituted(caller: Caller, quantity: str, inputs: Sequence[Input], deadline: float) -> Mistake | None:
    """Return which expression should have been which intermediate result, or None.

    The right answers stand beside the inputs. No answer of the step itself replaces an expression.
    """
    if not editable(caller.function):
        return None
    inputs = sorted(inputs, key=lambda pair: (pair[0].name != "", pair[0].X.size))
    own, calls = calls_of(caller, inputs, deadline)
    if quantity not in own.values:
        return None

    def answers(function: Callable[..., Any], seconds: float) -> Iterator[tuple[Array | None, Array]]:
        for values, (_, right) in zip(calls(function, seconds), inputs, strict=True):
            yield values.get(quantity), right[quantity]

    known = [intermediates(caller.book, caller.step, problem) for problem, _ in inputs]
    outputs = list(inputs[0][1].values())
    return expression_of(caller.function, answers, own.values[quantity], known, outputs, own.outcome.seconds, deadline)


def expression_of(
    function: Callable[..., Any],
    answers: Callable[[Callable[..., Any], float], Iterator[tuple[Array | None, Array]]],
    own: Array,
    known: Sequence[Known],
    outputs: Sequence[Array],
    taken: float,
    deadline: float,
) -> Mistake | None:
    """Return which expression of a function should have been which of some arrays, or None.

    Parameters
    ----------
    function : callable
        The student's.
    answers : callable
        Yields, of a function and the seconds for each call, its answers on some inputs with the right ones.
    own : ndarray
        The student's answer on the first input.
    known : sequence of mapping
        Intermediate results on each input.
    outputs : sequence of ndarray
        Arrays that replace no expression, on the first input.
    taken : float
        Seconds that a call of the function takes.
    deadline : float
        A time of `used_seconds`, by which it ends; a share of what is left is for all calls.
    """
    functions, recorder, most = editable(function), Recorder(), SLOWER * taken + 0.02
    begin = used_seconds()
    until = begin + SHARE_OF_TIME * (deadline - begin)
    places, sources = instrumented(functions) if functions else ([], {})
    made = compiled(function, sources, most, {RECORDER: recorder}) if functions else None
    recorded = [] if made is None else _recorded(recorder, answers(made, most), own)
    if made is None or len(recorded) < len(known):
        return None

    def is_right(place: int, name: str, layout: Layout) -> bool:
        whole = answers(made, most)
        for arrays, seen in zip(known, recorded, strict=True):
            parts = layout.parts(arrays[name], len(seen.get(place) or ())) if name in arrays else []
            recorder.replace(place, parts)
            yours, right = next(whole) if parts else (None, own)
            if yours is None or not close(yours, right, GUARD):
                return False
        return True

    usable = {n: a for n, a in known[0].items() if not any(a.shape == b.shape and close(a, b, GUARD) for b in outputs)}
    for place, values in recorded[0].items():
        if not values or len({value.shape for value in values}) > 1:
            continue
        fitting = [(name, *one) for name, a in known[0].items() for one in layouts(a, values)]
        tried = {_digest(values)}
        if any(_digest(parts) in tried for *_, parts in fitting):
            continue  # it is right
        for name, layout, parts in fitting:
            if used_seconds() > until:
                return None
            if (digest := _digest(parts)) not in tried and name in usable and is_right(place, name, layout):
                return _said(*places[place], name)
            tried.add(digest)
    return None


def _recorded(
    recorder: Recorder, answers: Iterator[tuple[Array | None, Array]], own: Array
) -> list[dict[int, list[Array] | None]]:
    """Return the values of the expressions on each input; none if the answers are not the function's own."""
    found: list[dict[int, list[Array] | None]] = []
    recorder.record()
    for yours, _ in answers:
        if yours is None or not (found or close(yours, own, GUARD)):
            return []
        found.append(recorder.seen)
        recorder.record()
    return found


def _said(text: str, line: int, name: str) -> Mistake:
    text = text if len(text) <= WIDEST else f"{text[:WIDEST]}..."
    why = f"In line {line}, `{text}` should be {name}: with that your function is right."
    return Mistake(f"`{text}` in line {line}, where {name} belongs", HINT.format(line), why)


def _digest(parts: Sequence[Array]) -> bytes:
    """Return what is the same for arrays that are equal to rounding."""
    return str(parts[0].shape).encode() + b"|".join((np.round(part, 9) + 0.0).tobytes() for part in parts)
