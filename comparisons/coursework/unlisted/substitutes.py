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
from comparisons.coursework.unlisted.recorder import RECORDER, Recorder, instrument
from comparisons.coursework.unlisted.repair import HINT, SLOWER, Input, calls_of, compile_sources, editable
from models.validation import Array

SHARE_OF_TIME = 0.5  # of what is left until the deadline
WIDEST = 50  # characters of an expression that are shown
Arrays = Mapping[str, Array]


def expression_of_step(caller: Caller, quantity: str, inputs: Sequence[Input], deadline: float) -> Mistake | None:
    """Return the mistake of an expression in a step that should have been a right intermediate result, or None.

    ``inputs`` are pairs of a problem and its right answers; no expression is replaced by a right answer of the step.
    """
    if not editable(caller.function):
        return None
    inputs = sorted(inputs, key=lambda pair: (pair[0].name != "", pair[0].X.size))
    original, calls = calls_of(caller, inputs, deadline)
    yours = original.values.get(quantity)
    if yours is None:
        return None

    def answers(function: Callable[..., Any], seconds: float) -> Iterator[tuple[Array | None, Array]]:
        for values, (_, right) in zip(calls(function, seconds), inputs, strict=True):
            yield values.get(quantity), right[quantity]

    results = [intermediates(caller.book, caller.step, problem) for problem, _ in inputs]
    outputs = list(inputs[0][1].values())
    return expression_of(caller.function, answers, yours, results, outputs, original.outcome.seconds, deadline)


def expression_of(
    function: Callable[..., Any],
    answers: Callable[[Callable[..., Any], float], Iterator[tuple[Array | None, Array]]],
    original: Array,
    results: Sequence[Arrays],
    outputs: Sequence[Array],
    taken: float,
    deadline: float,
) -> Mistake | None:
    """Return the mistake of an expression after whose replacement by an array a function is right, or None.

    Parameters
    ----------
    function : callable
        The student's function.
    answers : callable
        Takes a function and the seconds for each call; yields the function's answer and the right one on each input.
    original : ndarray
        The student's answer on the first input.
    results : sequence of mapping
        Right intermediate results on each input, by name.
    outputs : sequence of ndarray
        Right answers on the first input, which replace no expression.
    taken : float
        Seconds that a call of the function takes.
    deadline : float
        Time of `used_seconds` at which the check ends; `SHARE_OF_TIME` of what is left is for all calls.
    """
    functions, recorder, most = editable(function), Recorder(), SLOWER * taken + 0.02
    begin = used_seconds()
    until = begin + SHARE_OF_TIME * (deadline - begin)
    places, sources = instrument(functions) if functions else ([], {})
    recording = compile_sources(function, sources, most, {RECORDER: recorder}) if functions else None
    records = [] if recording is None else _record_answers(recorder, answers(recording, most), original)
    if recording is None or len(records) < len(results):
        return None

    def is_right(place: int, name: str, layout: Layout) -> bool:
        pairs = answers(recording, most)
        for arrays, record in zip(results, records, strict=True):
            parts = layout.parts(arrays[name], len(record.get(place) or ())) if name in arrays else []
            recorder.replace(place, parts)
            yours, right = next(pairs) if parts else (None, original)
            if yours is None or not close(yours, right, GUARD):
                return False
        return True

    usable = {name for name, a in results[0].items() if not any(close(a, b, GUARD) for b in outputs)}
    for place, values in records[0].items():
        if not values or len({value.shape for value in values}) > 1:
            continue
        fitting = [(name, *one) for name, a in results[0].items() for one in layouts(a, values)]
        tried = {_digest(values)}
        if any(_digest(parts) in tried for *_, parts in fitting):
            continue  # it is right
        for name, layout, parts in fitting:
            if used_seconds() > until:
                return None
            if (digest := _digest(parts)) not in tried and name in usable and is_right(place, name, layout):
                return _mistake_of_expression(*places[place], name)
            tried.add(digest)
    return None


def _record_answers(
    recorder: Recorder, answers: Iterator[tuple[Array | None, Array]], original: Array
) -> list[dict[int, list[Array] | None]]:
    """Return the values of all expressions on each input; none if recording changes the answer to the first input."""
    records: list[dict[int, list[Array] | None]] = []
    recorder.record()
    for yours, _ in answers:
        if yours is None or not (records or close(yours, original, GUARD)):
            return []
        records.append(recorder.values)
        recorder.record()
    return records


def _mistake_of_expression(text: str, line: int, name: str) -> Mistake:
    text = text if len(text) <= WIDEST else f"{text[:WIDEST]}..."
    why = f"In line {line}, `{text}` should be {name}: with that your function is right."
    return Mistake(f"`{text}` in line {line}, where {name} belongs", HINT.format(line), why)


def _digest(parts: Sequence[Array]) -> bytes:
    """Return bytes that are the same for arrays that are equal to rounding."""
    return str(parts[0].shape).encode() + b"|".join((np.round(part, 9) + 0.0).tobytes() for part in parts)
