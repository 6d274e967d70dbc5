"""Parameters of a Bernoulli or binomial mixture: frozen, validated, float64."""

from dataclasses import dataclass

import numpy as np

from models.bmm.counts import SUCCESSES
from models.parameters import WEIGHTS, Parameters, Quantity
from models.supports import PROBABILITY
from models.validation import Array

QUANTITIES = WEIGHTS, Quantity("probs", ("component", "feature"), PROBABILITY)


@dataclass(frozen=True, eq=False, repr=False)
class BMMParameters(Parameters):
    """Parameters θ = (π, p) of a Bernoulli mixture, or of a binomial mixture: the number of trials belongs to the data.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Mixture weights π, non-negative, summing to one.
    probs : array_like, shape (K, D)
        Success probabilities p_kd in [0, 1]; exactly 0 and 1 are legal.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, the weights are not a probability vector or a prob is outside [0, 1].

    Examples
    --------
    >>> from models.bmm import BMMParameters
    >>> BMMParameters(weights=[0.4, 0.6], probs=[[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]]).n_features
    3
    """

    probs: Array

    quantities, cells = QUANTITIES, SUCCESSES

    def draw_samples(self, z: np.ndarray, size: Array, rng: np.random.RandomState) -> Array:
        """Draw x_id ~ Binomial(m_id, p_{z_i d})."""
        return np.asarray(rng.binomial(size.astype(int), self.probs[z]), dtype=np.float64)
