"""Find the expression of a student's source that should have been a right intermediate result, such as N_k.

A first call records the values of every expression (:mod:`comparisons.coursework.unlisted.recorder`). Then the right
intermediate results of the step replace one expression after another, as far as their shapes fit. The first expression,
in the order of computing, with which the function is right on every input is the mistake: all that is computed before
it is right, or does not matter.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.slots import GUARD, Mistake, close
from comparisons.coursework.unlisted.intermediates import intermediates
from comparisons.coursework.unlisted.layouts import Layout, layouts
from comparisons.coursework.unlisted.recorder import RECORDER, Recorder, instrument
from comparisons.coursework.unlisted.repair import HINT, PAUSE, SLOWER, Input, calls_of, compile_sources, editable
from models.validation import Array

SHARE_OF_TIME = 0.5  # of what is left until the deadline
WIDEST = 50  # characters of an expression that are shown


def expression_of_step(caller: Caller, quantity: str, inputs: Sequence[Input], deadline: float) -> Mistake | None:
    """Return the mistake of an expression after whose replacement by an array a step is right, or None.

    ``inputs`` are pairs of a problem and its right answers; no expression is replaced by a right answer of the step. At
    ``deadline``, a time of `used_seconds`, the check ends; `SHARE_OF_TIME` of what is left is for all calls.
    """
    functions, recorder = editable(caller.function), Recorder()
    if not functions:
        return None
    inputs = sorted(inputs, key=lambda pair: (pair[0].name != "", pair[0].X.size))
    original, calls = calls_of(caller, inputs, deadline)
    if quantity not in original.values:
        return None
    results = [intermediates(caller.book, caller.step, problem) for problem, _ in inputs]
    begin, most = used_seconds(), SLOWER * original.outcome.seconds + PAUSE
    until = begin + SHARE_OF_TIME * (deadline - begin)
    places, sources = instrument(functions)
    recording = compile_sources(caller.function, sources, most, {RECORDER: recorder})
    if recording is None:
        return None

    def answers() -> Iterator[tuple[Array | None, Array]]:
        for values, (_, right) in zip(calls(recording, most), inputs, strict=True):
            yield values.get(quantity), right[quantity]

    records = _record_answers(recorder, answers(), original.values[quantity])
    if len(records) < len(results):
        return None

    def is_right(place: int, name: str, layout: Layout) -> bool:
        pairs = answers()
        for arrays, record in zip(results, records, strict=True):
            parts = layout.parts(arrays[name], len(record.get(place) or ())) if name in arrays else []
            if not parts:
                return False
            recorder.replace(place, parts)
            yours, right = next(pairs)
            if yours is None or not close(yours, right, GUARD):
                return False
        return True

    for place, name, layout in _candidates(records[0], results[0], inputs[0][1].values()):
        if used_seconds() > until:
            return None
        if is_right(place, name, layout):
            return _mistake_of_expression(*places[place], name)
    return None


def _candidates(
    record: Mapping[int, list[Array] | None], results: Mapping[str, Array], outputs: Iterable[Array]
) -> Iterator[tuple[int, str, Layout]]:
    """Yield the place of a wrong expression, and an intermediate result, in a layout, that may replace its values.

    All are of the first input. What replaces an expression is not an output.
    """
    usable = {name for name, a in results.items() if not any(close(a, b, GUARD) for b in outputs)}
    for place, values in record.items():
        if not values or len({value.shape for value in values}) > 1:
            continue
        fitting = [(name, *one) for name, a in results.items() for one in layouts(a, values)]
        tried = {_digest(values)}
        if any(_digest(parts) in tried for *_, parts in fitting):
            continue  # it is right
        for name, layout, parts in fitting:
            if (digest := _digest(parts)) not in tried and name in usable:
                yield place, name, layout
            tried.add(digest)


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
