"""Merge fits of disjoint data by adding their sufficient statistics, so that no row has to be sent.

Let s_j be the mean statistics of n_j samples, each under the responsibilities at its own fit's parameters. Then

    θ = M((n_1 s_1 + n_2 s_2) / (n_1 + n_2)),    with the prior combined with n_1 + n_2 samples

Components are matched first, by the one-to-one matching of least total distance between the responsibilities of the two
fits, Σ_i (r_ik - r'_ij)², on the sampled rows that both fits keep. If frozen parameters or a prior that is not
exchangeable fix the labels, components are not matched.
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
from em.samples import samples_of
from em.status import left_to_the_status
from em.streams.state import Stream
from em.streams.stepwise import Stepwise
from em.uncertainty.bootstrap import nearest_order
from models.shown import shown
from models.validation import Array

OF_SEARCH = {"init", "n_init", "n_starts", "tol", "max_iter", "acceleration", "random_state"}


def merge(first: Any, *others: Any) -> Any:
    """Merge fits of disjoint data into one mixture of all data, by adding their sufficient statistics.

    Streams (`partial_fit`) keep their statistics. After `fit`, call `begin_stream(X)` where the rows are. Fits may be
    loaded from files (`em.load`) before they are merged.

    Parameters
    ----------
    first, *others : MixtureEM
        Fits of one class and of the same settings, except those of the search. Labels, names and units are those of
        ``first``.

    Returns
    -------
    estimator
        A stream of as many samples as all have seen, which `partial_fit` continues.

    Raises
    ------
    TypeError
        If one does not keep statistics.
    ValueError
        If settings or features differ.

    Notes
    -----
    The result is exact if all statistics are taken at the same parameters, as by ``begin_stream`` of copies of one fit.
    The merged parameters are then the M-step of all rows together: one iteration of EM on data that are never in one
    place. Repeated, this is EM.

    It is not exact if the fits differ: each row keeps the responsibilities that its own fit gave it, and the matching
    pairs components even if one has no counterpart. So merged streams that took steps look back at their sample of all
    rows (:mod:`em.streams`), unless they have a half-life. Other fits look back in the next `partial_fit`.

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
                f"merge takes mixtures that keep statistics, got none in argument {number}, a {type(fit).__name__}: "
                "call its begin_stream(X), or partial_fit, first"
            )
    with one_blas_thread():
        merged: Any = reduce(_merged, others, first)
    return copy(first) if merged is first else merged


def _merged(one: Any, other: Any) -> Any:
    _check_alike(one, other)
    mine, theirs = one.stream_, other.stream_
    steps, arrays = Stepwise.at_estimate(one, mine)
    shared = steps.scaled._shared
    order = np.arange(len(one.parameters_.weights)) if steps.labelled else _matched(one, other)
    scaled = Stepwise(other, theirs).scaled
    n = [stream.settings.remembered(stream.n_samples) for stream in (mine, theirs)]
    looks = mine.settings.half_life is None and mine.n_steps + theirs.n_steps > 0

    def together(name: str) -> dict[str, Array]:
        own: Arrays = {key: a if key in shared else a[order] for key, a in getattr(theirs, name).items()}
        return steps.mean(getattr(mine, name), steps.scaled._in_own_units(own, scaled), n[1] / sum(n), arrays)

    stream: Stream = replace(
        mine.with_sample(theirs.row_sample(steps.unit), steps.unit),
        **{name: together(name) for name in ("running", "averaged", "expected")},
        n_samples=mine.n_samples + theirs.n_samples,
        looked=mine.n_samples + theirs.n_samples if looks else max(mine.looked, theirs.looked),
        n_steps=mine.n_steps + theirs.n_steps,
        n_left_out=mine.n_left_out + theirs.n_left_out,
    )
    result = copy(one)
    if looks:
        with left_to_the_status():
            stream = Stepwise(one, stream).looked_back(stream)
    result._keep_stream(result._remarked(steps, stream), steps)
    return result


def _matched(one: Any, other: Any) -> np.ndarray:
    """Return for each component of ``one`` the matching component of ``other``, shape (K,)."""
    samples = samples_of(np.concatenate([fit.stream_.rows for fit in (one, other)]))
    mine, theirs = (normalise(fit._log_joint_at(samples, fit.parameters_))[0] for fit in (one, other))
    return nearest_order(theirs, mine)


def _check_alike(one: Any, other: Any) -> None:
    """Raise a ValueError or a TypeError unless two fits have the same model."""
    if type(one) is not type(other):
        raise TypeError(f"merge takes mixtures of one class, got {type(one).__name__} and {type(other).__name__}")
    parts = [name for name in one.get_params(deep=False) if name not in OF_SEARCH]
    parts += [name for name in ("n_features_in_", "feature_names_in_", "levels_") if hasattr(one, name)]
    for name in parts:
        values = getattr(one, name), getattr(other, name, None)
        if not _same(*values):
            raise ValueError(f"merge takes mixtures of the same {name}, got {' and '.join(map(shown, values))}")
    if (settings := one.stream_.settings) != other.stream_.settings:
        raise ValueError(f"merge takes streams of the same settings, got {settings} and {other.stream_.settings}")


def _same(one: Any, other: Any) -> bool:
    """Whether two settings hold the same numbers, in lists or in arrays."""
    if is_dataclass(one):
        parts = [field.name for field in fields(one)]
        return type(one) is type(other) and all(_same(getattr(one, name), getattr(other, name)) for name in parts)
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    return one == other if isinstance(one, tuple) else np.array_equal(one, other)
