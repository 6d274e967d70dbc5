"""Mixture weights drawn from a Dirichlet, as small as its concentration may be."""

import numpy as np

from models.validation import Array


def draw_weights(concentration: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """Draw π ~ Dirichlet(a), shape (K,): independent Gamma(a_k) over their sum.

    In logarithms, log g + log(u) / a with g ~ Gamma(a + 1) and u uniform, because Gamma(a) itself rounds to 0 for a
    small a.
    """
    a = np.broadcast_to(concentration, n_components)
    log_gammas = np.log(rng.standard_gamma(a + 1)) + np.log1p(-rng.uniform(size=n_components)) / a
    gammas = np.exp(log_gammas - log_gammas.max())
    return gammas / gammas.sum()
