"""Fits of disjoint data become one by adding their statistics, so that no row has to travel.

With s_j the mean statistics of n_j samples, each under the responsibilities at its own fit's parameters,

    θ = M((n_1 s_1 + n_2 s_2) / (n_1 + n_2)),    the prior beside n_1 + n_2 samples

Components are matched first: on the rows that both fits keep as samples of theirs, by the one-to-one matching of
least total distance between their responsibilities, Σ_i (r_ik - r'_ij)². Where frozen parameters or a prior that is not
exchangeable give the labels, they are not matched.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import fields, is_dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from em.bound import normalise
from em.engine.problem import Arrays
from em.process.blas import one_blas_thread
from em.samples import Samples
from em.status import left_to_the_status
from em.streams.state import Stream
from em.streams.stepwise import Stepwise
from em.uncertainty.bootstrap import nearest_order
from models.validation import Array

OF_SEARCH = {"init", "n_init", "n_starts", "tol", "max_iter", "acceleration", "random_state"}


def merge(first: Any, *others: Any) -> Any:
    """Return the mixture of all data that fits of disjoint data saw, by adding their sufficient statistics.

    Streams (`partial_fit`) have their statistics. A fit by `fit` gets them from `begin_stream(X)`, where its rows are;
    what is merged then may come from files (`em.load`).

    Parameters
    ----------
    first, *others : MixtureEM
        Fits of one class and the same settings, those of the search apart. Labels, names and units are those of
        ``first``.

    Returns
    -------
    estimator
        A stream of as many samples as all have seen, which `partial_fit` continues.

    Raises
    ------
    TypeError
        If one is not a mixture with statistics.
    ValueError
        If settings or features differ.

    Notes
    -----
    Exact: where all statistics are taken at the same parameters, as by ``begin_stream`` of copies of one fit, the
    merged parameters are the M-step of all rows together: an iteration of EM on data that nobody has in one place.
    Repeated, this is EM.

    Not exact: where fits differ, each row keeps the responsibilities that its own fit gave, and where a component of
    one fit has no counterpart in another, the matching still makes a pair. So streams that took steps look back at
    their sample of all rows once they are merged, unless they forget (:mod:`em.streams`); others do so in the next
    `partial_fit`.

    Examples
    --------
    >>> from em import PoissonMixtureEM, merge
    >>> here, there = [[0], [1], [2], [30]] * 20, [[1], [33], [35]] * 20
    >>> fits = [PoissonMixtureEM(2, random_state=0).fit(X).begin_stream(X) for X in (here, there)]
    >>> merged = merge(*fits)
    >>> merged.n_samples_seen_, sorted(merged.rates_.ravel().round(2).tolist())
    (140, [1.0, 32.67])
    """
    for number, fit in enumerate((first, *others)):
        if not getattr(getattr(fit, "stream_", None), "begun", False):
            raise TypeError(
                f"merge takes mixtures that keep statistics, got a {type(fit).__name__} without in place {number}: "
                "call its begin_stream(X), or partial_fit, first"
            )
    with one_blas_thread():
        merged: Any = reduce(_merged, others, first)
    return copy(first) if merged is first else merged


def _merged(one: Any, other: Any) -> Any:
    _check_alike(one, other)
    mine, theirs = one.stream_, other.stream_
    steps, arrays = Stepwise.at_estimate(one, mine)
    shared = steps.there._shared
    order = np.arange(len(one.parameters_.weights)) if steps.labelled else _matched(one, other)
    there = Stepwise(other, theirs).there
    n = [stream.settings.remembered(stream.n_samples) for stream in (mine, theirs)]
    looks = mine.settings.half_life is None and mine.n_steps + theirs.n_steps > 0

    def together(name: str) -> dict[str, Array]:
        own: Arrays = {key: a if key in shared else a[order] for key, a in getattr(theirs, name).items()}
        return steps.mean(getattr(mine, name), steps.there._of_other_units(own, there), n[1] / sum(n), arrays)

    stream: Stream = replace(
        mine.joined(theirs.kept(steps.unit), steps.unit),
        **{name: together(name) for name in ("running", "averaged", "expected")},
        n_samples=mine.n_samples + theirs.n_samples,
        looked=mine.n_samples + theirs.n_samples if looks else max(mine.looked, theirs.looked),
        n_steps=mine.n_steps + theirs.n_steps,
        n_left_out=mine.n_left_out + theirs.n_left_out,
    )
    result = copy(one)
    if looks:
        with left_to_the_status():
            stream = Stepwise(one, stream).looked(stream)
    result._keep_stream(result._remarked(steps, stream), steps)
    return result


def _matched(one: Any, other: Any) -> np.ndarray:
    """Return which component of the other each of one is, shape (K,)."""
    rows = np.concatenate([fit.stream_.rows for fit in (one, other)])
    samples = Samples(rows, None, np.arange(len(rows)), len(rows))
    mine, theirs = (normalise(fit._log_joint_at(samples, fit.parameters_))[0] for fit in (one, other))
    return nearest_order(theirs, mine)


def _check_alike(one: Any, other: Any) -> None:
    """Raise a ValueError or a TypeError unless two fits are of the same model."""
    if type(one) is not type(other):
        raise TypeError(f"merge takes mixtures of one class, got {type(one).__name__} and {type(other).__name__}")
    parts = [name for name in one.get_params(deep=False) if name not in OF_SEARCH]
    parts += [name for name in ("n_features_in_", "feature_names_in_", "levels_") if hasattr(one, name)]
    for name in parts:
        if not _same(getattr(one, name), getattr(other, name, None)):
            raise ValueError(f"merge takes mixtures of the same {name}, got two that differ")
    if (settings := one.stream_.settings) != other.stream_.settings:
        raise ValueError(f"merge takes streams of the same settings, got {settings} and {other.stream_.settings}")


def _same(one: Any, other: Any) -> bool:
    """Whether two settings are of the same numbers, be they in lists or in arrays."""
    if is_dataclass(one):
        parts = [field.name for field in fields(one)]
        return type(one) is type(other) and all(_same(getattr(one, name), getattr(other, name)) for name in parts)
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    return one == other if isinstance(one, tuple) else np.array_equal(one, other)
