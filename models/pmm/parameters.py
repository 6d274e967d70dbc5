"""Parameters of a Poisson mixture: frozen, validated, float64."""

from dataclasses import dataclass

import numpy as np

from models.cells import Counts
from models.parameters import WEIGHTS, Parameters, Quantity
from models.supports import POSITIVE
from models.validation import Array


class Events(Counts):
    """Counts x >= 0 of events, and the exposure e > 0 that each was counted over."""

    size_name = "exposure"


@dataclass(frozen=True, eq=False, repr=False)
class PMMParameters(Parameters):
    """Parameters θ = (π, λ) of a Poisson mixture; exposures belong to the data.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Mixture weights π, non-negative, summing to one.
    rates : array_like, shape (K, D)
        Rates λ_kd >= 0, in events per unit of exposure; exactly 0 is legal.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, the weights are not a probability vector or a rate is negative.

    Examples
    --------
    >>> from models.pmm import PMMParameters
    >>> PMMParameters(weights=[0.4, 0.6], rates=[[1.0, 2.5, 0.0], [9.0, 8.0, 7.0]]).n_features
    3
    """

    rates: Array

    quantities = WEIGHTS, Quantity("rates", ("component", "feature"), POSITIVE)
    cells = Events()

    def draw_samples(self, z: np.ndarray, size: Array, rng: np.random.RandomState) -> Array:
        """Draw x_id ~ Poisson(e_id λ_{z_i d})."""
        return rng.poisson(size * self.rates[z])
