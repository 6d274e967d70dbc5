"""Run many fits as one batch: bootstrap replicates, simulated samples of a test, different numbers of components.

All runs of all fits are one batch of the engine (:mod:`em.engine`). The runs of one fit form one race.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.engine import Run, best_of
from em.engine.blocks import batches
from em.engine.problem import Problem
from em.estimator import MixtureEM
from em.process.blas import one_blas_thread
from em.samples import Samples
from em.starts.restarts import SearchResult
from models.parameters import Parameters
from models.validation import Array

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
    each = batches(len(samples), samples[0].X.size)
    return [run for some in each for run in _batch(estimators[some], samples[some])]


def _batch(estimators: Sequence[MixtureEM[Any]], samples: Sequence[Samples]) -> list[Run[Any]]:
    distinct = [estimator._distinct(own) for estimator, own in zip(estimators, samples, strict=True)]
    first = estimators[0]._in_standard_units(distinct[0])  # one unit for all, as priors and frozen values need
    seeded = [copy(first).set_params(random_state=estimator.random_state) for estimator in estimators]
    standard = [first._standardised(own) for own in distinct]
    problem = first._joint_problem(standard) if len(standard) > 1 else None
    if problem is None or first.n_starts not in (None, first.n_init):
        return [_here(first, one._best(own).best) for one, own in zip(seeded, standard, strict=True)]
    starts = [one._starts(own) for one, own in zip(seeded, standard, strict=True)]
    return [_here(first, best_of(runs, problem)) for runs in _raced(first, problem.of_runs, starts)]


def _raced[P: Parameters](
    estimator: MixtureEM[P], problem_of: Callable[[np.ndarray], Problem[P]], starts: Sequence[Sequence[P]]
) -> Iterator[list[Run[P]]]:
    """Run the starts of several fits as one batch, and yield the runs of each fit, numbered within the fit.

    ``problem_of`` takes the number of each run's fit, shape (R,), and returns the problem of the batch.
    """
    races = np.repeat(np.arange(len(starts)), [len(of_fit) for of_fit in starts])
    runs = estimator._run(problem_of(races), [*chain(*starts)], estimator.max_iter, races.tolist())
    for first, of_fit in zip(np.searchsorted(races, range(len(starts))).tolist(), starts, strict=True):
        own = runs[first : first + len(of_fit)]
        yield [run if (by := run.beaten_by) is None else replace(run, beaten_by=by - first) for run in own]


def _here(estimator: MixtureEM[Any], run: Run[Any]) -> Run[Any]:
    try:
        return replace(run, parameters=estimator._in_units_of_data(run.parameters))
    except ValueError:  # a covariance is singular up to rounding
        return replace(run, collapsed=True, converged=False)


def fit_batch(estimators: Sequence[MixtureEM[Any]], X: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
    """Fit estimators that differ only in ``n_components`` to X: one, or several for which `fits_one_batch` is true.

    Runs with fewer components than the largest are padded with components of weight 0, which EM leaves at 0.
    """
    if len(estimators) == 1:
        estimators[0].fit(X, sample_weight=sample_weight)
        return
    samples = [estimator._samples(X, sample_weight) for estimator in estimators]
    with one_blas_thread():
        distinct = estimators[0]._distinct(samples[0])
        for estimator, own, result in zip(estimators, samples, _each_result(estimators, distinct), strict=True):
            estimator._fitted(result, own)


def fits_one_batch(estimators: Sequence[MixtureEM[Any]], samples: Samples) -> bool:
    """Whether fits may run as one batch: by maximum likelihood, from random starts, on few complete rows."""
    K = max(estimator.n_components for estimator in estimators)
    n_responsibilities = samples.X.shape[0] * K * sum(estimator.n_init for estimator in estimators)
    if n_responsibilities > MOST_RESPONSIBILITIES or issparse(samples.X) or not samples.complete:
        return False
    return all(_is_plain(one) and not one._rows_of_part(samples) for one in estimators)


def _each_result(estimators: Sequence[MixtureEM[Any]], samples: Samples) -> Iterator[SearchResult[Any]]:
    """Yield the search result of each estimator on the same distinct samples."""
    scaled = [estimator._in_standard_units(samples) for estimator in estimators]
    standard, sizes = scaled[0]._standardised(samples), np.array([one.n_components for one in scaled])
    largest = max(scaled, key=lambda one: one.n_components)
    starts = [[_padded(start, largest) for start in one._starts(standard)] for one in scaled]
    batch = _raced(largest, lambda races: largest._sized_problem(standard, sizes[races]), starts)
    for estimator, one, runs in zip(estimators, scaled, batch, strict=True):
        problem = one._problem(standard)
        result = one._ranked(problem, runs, len(runs))
        best = replace(result.best, parameters=_without_padding(result.best.parameters, one))
        result = one._polished(problem, standard, result._replace(best=best))
        yield estimator._result_in_units_of_data(one, result, standard, samples)


def _is_plain(estimator: MixtureEM[Any]) -> bool:
    """Whether a fit is by maximum likelihood from random starts, all of which run to the end."""
    given = estimator.prior is not None or estimator.frozen or not isinstance(estimator.init, str)
    return not given and estimator.n_starts in (None, estimator.n_init)


def _padded(start: Any, like: MixtureEM[Any]) -> Any:
    """Pad parameters to an estimator's number of components with copies of the first component, of weight 0."""
    n_more = like.n_components - start.n_components

    def pad(name: str, array: Array) -> Array:
        return np.concatenate([array, np.repeat(array[:1] * (name != "weights"), n_more, axis=0)])

    return like._built(_of_components(start, pad))


def _without_padding(parameters: Any, like: MixtureEM[Any]) -> Any:
    """Return parameters without the padding."""
    return like._built(_of_components(parameters, lambda _, array: array[: like.n_components]))


def _of_components(parameters: Any, change: Callable[[str, Array], Array]) -> dict[str, Array]:
    """Return the arrays by name, with ``change`` applied to those that have a component axis."""
    of_each = {q.name for q in parameters.quantities if q.dims[:1] == ("component",)}
    return {name: change(name, array) if name in of_each else array for name, array in parameters.arrays().items()}
