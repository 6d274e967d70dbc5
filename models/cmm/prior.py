"""Conjugate prior of the categorical mixture, as plain numbers that EM and PyMC both read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.cmm.parameters import CMMParameters
from models.prior import FeaturePrior, draw_weights
from models.supports import Simplex
from models.validation import Array, count_at_least_one, random_source


@dataclass(frozen=True, eq=False, repr=False)
class CMMPrior(FeaturePrior):
    """Dirichlet priors.

    ::

        π ~ Dirichlet(a)
        (p_kd1, ..., p_kdL) ~ Dirichlet(b_d)

    The defaults add one pseudo-sample to each component, and one to each level of each item at the mode, which keeps
    every estimate off the boundary.

    Parameters
    ----------
    concentration : array_like, shape (K,) or scalar
        Dirichlet concentration a, each positive.
    pseudo_counts : array_like, shape (C,) or scalar
        Dirichlet concentrations b of the items' levels, one item after the other, positive. If a hyperparameter is
        below 1, the density has no mode inside its range: sampling and variational inference allow that, MAP needs both
        at least 1.

    Raises
    ------
    ValueError
        If a value is not finite or not positive.

    Examples
    --------
    >>> from models.cmm import CMMParameters, CMMPrior
    >>> round(CMMPrior().log_prob(CMMParameters([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], levels=(2,))), 6)
    1.216395
    """

    concentration: Array | float = 2.0
    pseudo_counts: Array | float = 2.0

    hyperparameters = least_one = ("pseudo_counts",)
    parameters_type = CMMParameters

    def check_fits(self, n_components: int, n_features: int, *options: Any) -> None:
        """Raise a ValueError unless the prior fits K components and D items with levels (L_1, ..., L_D)."""
        levels = options[0] if options else ()
        n_cells = sum(levels) if options else np.size(self.pseudo_counts)
        super().check_fits(n_components, n_cells)

    def draw_components(self, shape: tuple[int, tuple[int, ...]], rng: np.random.RandomState) -> Array:
        """Draw p_kd ~ Dirichlet(b_d) of K components and items of these levels, shape (K, C)."""
        K, levels = shape
        of_items = np.split(np.broadcast_to(self.pseudo_counts, sum(levels)), np.cumsum(levels)[:-1])
        return np.array([np.concatenate([draw_weights(b, len(b), rng) for b in of_items]) for _ in range(K)])

    def _log_prob_of_components(self, parameters: CMMParameters) -> float:
        """Return Σ_kd log Dirichlet(p_kd | b_d)."""
        from scipy.special import gammaln, xlogy

        b, levels = np.broadcast_to(self.pseudo_counts, sum(parameters.levels)), parameters.levels
        log_norm = gammaln(Simplex(levels).sums(b)).sum() - gammaln(b).sum()
        return float(parameters.n_components * log_norm + xlogy(b - 1, parameters.probs).sum())


def draw_parameters(
    prior: CMMPrior, n_components: int, levels: Sequence[int], random_state: Any = None
) -> CMMParameters:
    """Draw π ~ Dirichlet(a) and p_kd ~ Dirichlet(b_d).

    Parameters
    ----------
    prior : CMMPrior
        The prior.
    n_components : int
        Number of components K.
    levels : sequence of int, length D
        Number of levels of each item.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Raises
    ------
    ValueError
        If the prior does not fit K components and these levels.

    Examples
    --------
    >>> from models.cmm import CMMPrior, draw_parameters
    >>> draw_parameters(CMMPrior(), n_components=3, levels=(4, 2), random_state=0).probs.shape
    (3, 6)
    """
    if not isinstance(prior, CMMPrior):
        raise ValueError(f"prior must be a CMMPrior, got {type(prior).__name__}")
    K, levels = count_at_least_one("n_components", n_components), tuple(levels)
    prior.check_fits(K, len(levels), levels)
    rng = random_source(random_state)
    weights = draw_weights(np.asarray(prior.concentration), K, rng)
    return CMMParameters(weights, prior.draw_components((K, levels), rng), levels)
