"""Run many fits as one batch: bootstrap replicates, simulated samples of a test, different numbers of components.

All runs of all fits are one batch of the engine (:mod:`em.engine`). The runs of one fit form one race.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.engine import Run, best_of
from em.estimator import MixtureEM
from em.process.blas import one_blas_thread
from em.samples import Samples
from em.starts.restarts import SearchResult
from models.validation import Array

MOST_NUMBERS = 2**18  # in the samples of one batch
MOST_RESPONSIBILITIES = 2**21  # of all runs: above, padding costs more than a batch saves


def best_runs(estimators: Sequence[MixtureEM[Any]], samples: Sequence[Samples]) -> list[Run[Any]]:
    """Return the best run of each estimator on its own samples, with objectives in the units in which it ran.

    Parameters
    ----------
    estimators : sequence of MixtureEM
        Estimators with the same settings, except their seeds.
    samples : sequence of Samples
        The samples of each, from `MixtureEM._samples`.
    """
    size = max(1, MOST_NUMBERS // samples[0].X.size)
    found: list[Run[Any]] = []
    for start in range(0, len(samples), size):
        some = slice(start, start + size)
        found += _batch(estimators[some], samples[some])
    return found


def _batch(estimators: Sequence[MixtureEM[Any]], samples: Sequence[Samples]) -> list[Run[Any]]:
    distinct = [estimator._distinct(own) for estimator, own in zip(estimators, samples, strict=True)]
    first = estimators[0]._in_standard_units(distinct[0])  # one unit for all, as priors and frozen values need
    moved = [copy(first).set_params(random_state=estimator.random_state) for estimator in estimators]
    standard = [first._standardised(own) for own in distinct]
    problem = first._joint_problem(standard) if len(standard) > 1 else None
    if problem is None or first.n_starts not in (None, first.n_init):
        return [_here(first, one._best(own).best) for one, own in zip(moved, standard, strict=True)]
    starts = [one._starts(own) for one, own in zip(moved, standard, strict=True)]
    races = np.repeat(np.arange(len(starts)), [len(of_one) for of_one in starts])
    flat, best = [start for of_one in starts for start in of_one], []
    runs = first._run(problem.of_runs(races), flat, first.max_iter, races.tolist())
    for number in range(len(starts)):
        own = [runs[r] for r in np.flatnonzero(races == number).tolist()]
        best.append(_here(first, best_of(own, problem)))
    return best


def _here(estimator: MixtureEM[Any], run: Run[Any]) -> Run[Any]:
    try:
        return replace(run, parameters=estimator._in_units_of_data(run.parameters))
    except ValueError:  # a covariance is singular up to rounding
        return replace(run, collapsed=True, converged=False)


def fit_together(estimators: Sequence[MixtureEM[Any]], X: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
    """Fit estimators that differ only in ``n_components`` to X: one, or several for which `go_together` is true.

    Runs with fewer components than the largest are padded with components of weight 0, which EM leaves at 0.
    """
    if len(estimators) == 1:
        estimators[0].fit(X, sample_weight=sample_weight)
        return
    samples = [estimator._samples(X, sample_weight) for estimator in estimators]
    with one_blas_thread():
        distinct = estimators[0]._distinct(samples[0])
        for estimator, own, found in zip(estimators, samples, _each_found(estimators, distinct), strict=True):
            estimator._fitted(found, own)


def go_together(estimators: Sequence[MixtureEM[Any]], samples: Samples) -> bool:
    """Whether fits may run as one batch: by maximum likelihood, from random starts, on few complete rows."""
    K = max(estimator.n_components for estimator in estimators)
    n_responsibilities = samples.X.shape[0] * K * sum(estimator.n_init for estimator in estimators)
    if n_responsibilities > MOST_RESPONSIBILITIES or issparse(samples.X) or not samples.complete:
        return False
    return all(_is_plain(one) and not one._rows_of_part(samples) for one in estimators)


def _each_found(estimators: Sequence[MixtureEM[Any]], samples: Samples) -> Iterator[SearchResult[Any]]:
    """Yield the search result of each estimator on the same distinct samples."""
    moved = [estimator._in_standard_units(samples) for estimator in estimators]
    standard = moved[0]._standardised(samples)
    starts = [there._starts(standard) for there in moved]
    races = np.repeat(np.arange(len(starts)), [len(of_one) for of_one in starts])
    there = max(moved, key=lambda estimator: estimator.n_components)
    problem = there._sized_problem(standard, np.array([estimators[race].n_components for race in races.tolist()]))
    padded = [_padded(start, there) for of_one in starts for start in of_one]
    runs = there._run(problem, padded, there.max_iter, races.tolist())
    for number, (estimator, one) in enumerate(zip(estimators, moved, strict=True)):
        numbers = np.flatnonzero(races == number).tolist()
        of_one = [replace(run, beaten_by=_after(numbers[0], run.beaten_by)) for run in (runs[r] for r in numbers)]
        found = one._ranked(problem, of_one, len(of_one))
        best = replace(found.best, parameters=_cut(found.best.parameters, one))
        found = one._polished(one._problem(standard), standard, found._replace(best=best))
        yield estimator._result_in_units_of_data(one, found, standard, samples)


def _is_plain(estimator: MixtureEM[Any]) -> bool:
    """Whether a fit is by maximum likelihood from random starts, all of which run to the end."""
    given = estimator.prior is not None or estimator.frozen or not isinstance(estimator.init, str)
    return not given and estimator.n_starts in (None, estimator.n_init)


def _after(first: int, number: int | None) -> int | None:
    return None if number is None else number - first


def _padded(start: Any, like: MixtureEM[Any]) -> Any:
    """Pad parameters to an estimator's number of components with copies of the first component, of weight 0."""
    n_more = like.n_components - start.n_components

    def pad(name: str, array: Array) -> Array:
        return np.concatenate([array, np.repeat(array[:1] * (name != "weights"), n_more, axis=0)])

    return like._built(_of_components(start, pad))


def _cut(parameters: Any, like: MixtureEM[Any]) -> Any:
    """Return parameters without the padding."""
    return like._built(_of_components(parameters, lambda _, array: array[: like.n_components]))


def _of_components(parameters: Any, change: Callable[[str, Array], Array]) -> dict[str, Array]:
    """Return the arrays by name, with ``change`` applied to those that have a component axis."""
    of_each = {q.name for q in parameters.quantities if q.dims[:1] == ("component",)}
    return {name: change(name, array) if name in of_each else array for name, array in parameters.arrays().items()}
