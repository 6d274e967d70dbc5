"""EM's path: the parameters of each iteration, for plots of the course of EM."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from em.engine.problem import Problem, one_run
from em.engine.run import Parameters

LEAST_GAIN = 1e-4  # nats: a smaller gain is not visible in a plot
MOST_ITERATIONS = 1000


class EMPath[P: Parameters]:
    """Parameters at a start and after each iteration of plain EM.

    Parameters
    ----------
    estimator : MixtureEM
        The mixture that was fitted.
    parameters : sequence of Parameters
        Those of each iteration, the start first.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(2, 5, 30)])[:, None]
    >>> path = GaussianMixtureEM(2, init=[[0.0], [1.0]]).fit(X, keep_path=True).path_
    >>> log_likelihoods = [path.at(i).score(X) for i in range(len(path))]
    >>> bool((np.diff(log_likelihoods) >= 0).all())
    True
    """

    def __init__(self, estimator: Any, parameters: Sequence[P]) -> None:
        self._estimator, self._parameters = estimator, list(parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __getitem__(self, i: int) -> P:
        """Return the parameters after i iterations."""
        return self._parameters[i]

    def __repr__(self) -> str:
        """The number of iterations."""
        return f"EMPath of {len(self) - 1} iterations of {self._estimator!r}"

    def at(self, i: int) -> Any:
        """Return the mixture after i iterations, for predictions and plots; its other attributes are of the fit."""
        other = copy(self._estimator)
        other._keep_parameters(self[i])
        return other


def plain_path[P: Parameters](problem: Problem[P], start: P) -> list[P]:
    """Return the parameters of plain EM, until an iteration gains less than 1e-4 nats, collapses, or is the 1000th."""
    path, first, before = [start], np.zeros(1, dtype=int), -np.inf
    for _ in range(MOST_ITERATIONS):
        theta = one_run(path[-1].arrays())
        log_likelihood, statistics = problem.expect(theta, first)
        objective = float(log_likelihood[0] + problem.log_prior(theta)[0])
        if not objective - before >= LEAST_GAIN:
            break
        after, (why,) = problem.maximise(statistics, first)
        if why:
            break
        path.append(problem.build({name: array[0] for name, array in after.items()}))
        before = objective
    return path
