"""Many samples fitted at once: bootstrap replicates, and simulated samples of a likelihood-ratio test.

All runs on all samples are one batch of the engine (:mod:`em.engine`), and those on one sample are in one race.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from em.engine import Run, best_of, run_em
from em.estimator import MixtureEM
from em.samples import Samples

MOST_NUMBERS = 2**22  # in the samples that make one batch


def best_runs(estimators: Sequence[MixtureEM[Any]], samples: Sequence[Samples]) -> list[Run[Any]]:
    """Return the best run of each estimator on its own samples; objectives are those of the units in which it ran.

    Parameters
    ----------
    estimators : sequence of MixtureEM
        Of the same settings but for their seeds.
    samples : sequence of Samples
        What each is fitted to, from `MixtureEM._samples`.
    """
    size = max(1, MOST_NUMBERS // samples[0].X.size)
    found: list[Run[Any]] = []
    for start in range(0, len(samples), size):
        some = slice(start, start + size)
        found += _batch(estimators[some], samples[some])
    return found


def _batch(estimators: Sequence[MixtureEM[Any]], samples: Sequence[Samples]) -> list[Run[Any]]:
    pairs = [(estimator, estimator._distinct(own)) for estimator, own in zip(estimators, samples, strict=True)]
    moved = [estimator._moved(own, pairs[0][1]) for estimator, own in pairs]  # priors and frozen values are in one unit
    problem = moved[0][0]._joint_problem([own for _, own in moved])
    if problem is None or estimators[0].n_starts not in (None, estimators[0].n_init):
        return [_here(estimator, estimator._best(own).best) for estimator, own in moved]
    starts = [estimator._starts(own) for estimator, own in moved]
    races = np.repeat(np.arange(len(starts)), [len(of_one) for of_one in starts])
    first, flat, best = estimators[0], [start for of_one in starts for start in of_one], []
    runs = run_em(
        problem.of_runs(races),
        flat,
        tol=first.tol,
        max_iter=first.max_iter,
        acceleration=first.acceleration,
        races=races.tolist(),
    )
    for number in range(len(starts)):
        of_one = problem.of_runs(np.array([number]))
        leading = best_of([runs[r] for r in np.flatnonzero(races == number).tolist()], of_one)
        best.append(_here(moved[number][0], first._freed(of_one, leading)))
    return best


def _here(estimator: MixtureEM[Any], run: Run[Any]) -> Run[Any]:
    try:
        return replace(run, parameters=estimator._back(run.parameters))
    except ValueError:  # a covariance is so nearly singular that rounding decides
        return replace(run, collapsed=True, converged=False)
