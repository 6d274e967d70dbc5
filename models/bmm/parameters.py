"""Parameters of a Bernoulli or binomial mixture: frozen, validated, float64."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.cells import Counts
from models.parameters import WEIGHTS, Parameters, Quantity
from models.shown import listed
from models.supports import PROBABILITY
from models.validation import Array


class Successes(Counts):
    """Counts of successes, and numbers of trials."""

    size_name, wanted_size = "n_trials", "whole numbers of at least 1"

    def size_misfits(self, size: Array) -> np.ndarray:
        """Return which numbers of trials are not whole, or less than 1."""
        return ~np.isfinite(size) | (size < 1) | (size % 1 != 0)

    def misfits(self, x: Array, size: Array) -> np.ndarray:
        """Return which cells are not counts, or are larger than their number of trials."""
        return super().misfits(x, size) | (size < x)

    def wanted(self, size: Array) -> str:
        """Return a description of legal counts for error messages."""
        if (size <= 1).all():
            return "only 0 and 1 (or booleans), because n_trials is 1"
        return f"whole numbers from 0 to n_trials ({size.max():.15g} at most)"

    def advice(self, X: Array, size: Array, names: Sequence[str] | None) -> str:
        """Return how to recode items of two values as 0 and 1, if that makes the data legal, or ""."""
        if (size > 1).any():
            return ""
        values = [set(x[m > 0].tolist()) for x, m in zip(X.T, size.T, strict=True)]
        if all(of_column <= {1.0, 2.0} for of_column in values):
            return ". Every value is 1 or 2: subtract 1 from X"
        misfits = [d for d, of_column in enumerate(values) if not of_column <= {0.0, 1.0}]
        if all(values[d] == {1.0, 2.0} for d in misfits):
            return f". Subtract 1 from {listed(misfits, names)}, whose values are 1 and 2"
        if all(len(values[d]) == 2 and all(value.is_integer() for value in values[d]) for d in misfits):
            return f". Encode the two values of {listed(misfits, names)} as 0 and 1"
        return ""


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

    quantities = WEIGHTS, Quantity("probs", ("component", "feature"), PROBABILITY)
    cells = Successes()

    def draw_samples(self, z: np.ndarray, size: Array, rng: np.random.RandomState) -> Array:
        """Draw x_id ~ Binomial(m_id, p_{z_i d})."""
        return np.asarray(rng.binomial(size.astype(int), self.probs[z]), dtype=np.float64)
