"""Where chains start: at EM's answers from restarts of their own, with labels in random order."""

from typing import Any

import numpy as np

from comparisons.comparison.problem import Problem
from comparisons.family import Point
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import left_to_the_status


class UnfitPriorError(ValueError):
    """The prior is legal and its posterior on these data is none that can be compared; the message says why."""


class NoModeError(UnfitPriorError):
    """Under the prior every restart of MAP-EM collapsed on these data, which only the fit can tell."""


def refuse_collapsed(fit: Any) -> None:
    """Raise a NoModeError if MAP-EM collapsed: there is no mode to start from, or to compare."""
    if fit.collapsed_:
        raise NoModeError(f"prior must keep variances from 0 on these data, as inverse gammas do: {fit.status_}")


def chain_starts(problem: Problem, mode: Any) -> list[Point]:
    """Return where each chain starts, inside the parameter space.

    With ``starts="restarts"`` each chain starts at the best of ``n_init`` restarts of MAP-EM of its own, with labels in
    random order, so that R-hat can tell of other modes; where all of a chain's collapsed, at the MAP. With "single" all
    start at the MAP.

    Parameters
    ----------
    problem : Problem
        Data, prior and settings.
    mode : parameters
        EM's MAP.
    """
    family, settings = problem.family, problem.settings
    if settings.starts == "single":
        return [family.inside(mode)] * settings.chains
    rng, starts = np.random.default_rng(settings.random_state), []
    of_em = {"prior": problem.prior, "n_init": settings.n_init, "max_iter": 100_000}
    for seed in rng.integers(2**32, size=settings.chains):
        with left_to_the_status(NotIdentifiableWarning, NoMaximumWarning):
            fit = problem.estimator(random_state=int(seed), **of_em).fit(problem.X)
        restart = mode if fit.collapsed_ else fit.parameters_
        starts.append(family.inside(restart.permute(rng.permutation(problem.n_components))))
    return starts
