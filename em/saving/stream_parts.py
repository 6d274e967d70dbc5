"""Hold the parts of a saved stream to each other and to the parameters that follow from its statistics."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from em.streams import StreamSettings
from em.streams.state import Stream
from em.streams.stepwise import Stepwise
from models.validation import count_at_least

Rule = tuple[Any, str, str, Any]  # whether it holds, what must, what it must, and what was given


def rules_of_first_rows(estimator: Any, given: dict[str, Any]) -> Iterator[Rule]:
    """Yield the rules of a stream without a legal fit so far, whose kinds of parts are right."""
    stream, D = given["stream_"], given["n_features_in_"]
    yield not stream.begun, "parameters_", "be there where there are statistics", "nothing"
    yield not {*given} & {"identifiability_", "n_free_parameters_"}, "parameters_", "be there", "nothing"
    estimator._check_model(D)
    yield from _rules_of_rows(given, D)
    if len(stream.rows):
        estimator._check_cells(stream.sample())


def rules_of_stream(estimator: Any, given: dict[str, Any]) -> Iterator[Rule]:
    """Yield the rules of a stream, of an estimator whose other parts fit each other."""
    yield from _rules_of_rows(given, estimator.parameters_.n_features)
    if given["stream_"].begun:
        yield from _rules_of_statistics(estimator, given["stream_"])
        return
    known = isinstance(estimator.init, estimator._parameters_type)
    yield known, "stream_.running", "hold statistics where init is not parameters", "none"


def _rules_of_rows(given: dict[str, Any], D: int) -> Iterator[Rule]:
    """Yield the rules of settings, counts and rows of D features."""
    stream = given["stream_"]
    yield isinstance(stream.settings, StreamSettings), "stream_.settings", "be StreamSettings", stream.settings
    for name in ("n_steps", "n_left_out"):
        count_at_least(f"stream_.{name}", getattr(stream, name), 0)
    counts = stream.n_samples, stream.looked
    numbers = all(type(n) is float for n in counts) and 0 <= stream.looked <= stream.n_samples < np.inf
    yield numbers, "stream_.looked", "be at most n_samples", counts
    seen = given.get("n_samples_seen_")
    yield seen == stream.n_samples, "n_samples_seen_", f"be {stream.n_samples:g} as the stream says", seen
    share = stream.share
    yield type(share) is float and 0 < share <= 1, "stream_.share", "be above 0 and at most 1", share
    said = type(stream.remarks) is tuple and all(type(one) is str for one in stream.remarks)
    yield said, "stream_.remarks", "be strings", stream.remarks
    for rows, weights in (("rows", "row_weights"), ("first_rows", "first_weights")):
        X, w = getattr(stream, rows), getattr(stream, weights)
        shaped = X.ndim == 2 and X.shape[1] == D and w.shape == X.shape[:1] and X.dtype == w.dtype == np.float64
        legal = shaped and not np.isinf(X).any() and (w > 0).all() and np.isfinite(w).all()
        yield legal, f"stream_.{rows}", f"be rows of {D} features with positive weights", described(X)


def _rules_of_statistics(estimator: Any, stream: Stream) -> Iterator[Rule]:
    steps, theta = Stepwise.at_estimate(estimator, stream)
    wanted = {name: array.shape for name, array in steps.expected(stream.first(), theta)[0].items()}
    for name in ("running", "averaged", "expected"):
        statistics = getattr(stream, name)
        shapes = {key: array.shape for key, array in statistics.items()}
        finite = all(array.dtype == np.float64 and np.isfinite(array).all() for array in statistics.values())
        yield shapes == wanted and finite, f"stream_.{name}", f"be finite, of shapes {wanted}", shapes
    yield steps.maximised(stream.running, stream.n_samples)[0] is not None, "stream_.running", "be legal", "others"
    parameters = steps.parameters(stream.averaged, stream.n_samples)
    if parameters is not None:
        for name, array in parameters.arrays().items():
            same = np.array_equal(array, estimator.parameters_.arrays()[name])
            yield same, f"parameters_.{name}", "follow from stream_.averaged", described(array)


def described(array: np.ndarray) -> str:
    """Return shape and type of an array in words."""
    return f"shape {array.shape} of dtype {array.dtype}"
