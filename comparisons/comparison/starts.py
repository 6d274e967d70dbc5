"""Where chains start: at EM's answers from restarts of their own, with labels in random order."""

from typing import Any

import numpy as np

from comparisons.family import Family, Point
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import left_to_the_status
from models.validation import Array


class UnfitPriorError(ValueError):
    """The prior is legal and its posterior on these data is none that can be compared; the message says why."""


class NoModeError(UnfitPriorError):
    """Under the prior every restart of MAP-EM collapsed on these data, which only the fit can tell."""


def refuse_collapsed(fit: Any) -> None:
    """Raise a NoModeError if MAP-EM collapsed: there is no mode to start from, or to compare."""
    if fit.collapsed_:
        raise NoModeError(f"prior must keep variances from 0 on these data, as inverse gammas do: {fit.status_}")


def chain_starts(
    family: Family, X: Array, mode: Any, prior: Any, *, starts: str, chains: int, n_init: int, seed: int
) -> list[Point]:
    """Return where each chain starts, inside the parameter space.

    Parameters
    ----------
    family : Family
        The family.
    X : ndarray, shape (n, D)
        Samples.
    mode : parameters
        EM's MAP.
    prior : prior
        The prior it is under.
    starts : {"restarts", "single"}
        "restarts": each chain at the best of ``n_init`` restarts of MAP-EM of its own, with labels in random order, so
        that R-hat can tell of other modes; where all of a chain's collapsed, at the MAP. "single": all at the MAP.
    chains, n_init : int
        Number of chains, and of restarts for each.
    seed : int
        The same seed gives the same starts.
    """
    if starts == "single":
        return [family.inside(mode)] * chains
    rng, K = np.random.default_rng(seed), mode.n_components
    found = []
    for seed_of_chain in rng.integers(2**32, size=chains):
        of_em = {"n_init": n_init, "max_iter": 100_000, "random_state": int(seed_of_chain)}
        with left_to_the_status(NotIdentifiableWarning, NoMaximumWarning):
            fit = family.estimator(n_components=K, prior=prior, **of_em).fit(X)
        restart = mode if fit.collapsed_ else fit.parameters_
        found.append(family.inside(restart.permute(rng.permutation(K))))
    return found
