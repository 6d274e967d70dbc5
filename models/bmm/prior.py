"""Conjugate prior of the Bernoulli and binomial mixtures, as plain numbers that EM and PyMC both read."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betaln, gammaln, xlog1py, xlogy

from models.bmm.parameters import BMMParameters
from models.one_line import one_line
from models.validation import Array, number_or_vector, positive


@dataclass(frozen=True, eq=False)
class BMMPrior:
    """Dirichlet and beta prior.

    ::

        π ~ Dirichlet(a)
        p_kd ~ Beta(b_d, c_d)

    The defaults add one pseudo-sample to each component, and one success and one failure to each prob at the mode
    (Laplace's rule of succession), which keeps every estimate off the boundary.

    Parameters
    ----------
    concentration : array_like, shape (K,) or scalar
        Dirichlet concentration a, each positive.
    successes : array_like, shape (D,) or scalar
        First shape parameter b of the beta distribution, positive.
    failures : array_like, shape (D,) or scalar
        Second shape parameter c of the beta distribution, positive. Below 1 a density has no mode inside its range:
        sampling and variational inference take it, MAP needs all three at least 1.

    Raises
    ------
    ValueError
        If a value is not finite or not positive.

    Examples
    --------
    >>> from models.bmm import BMMParameters, BMMPrior
    >>> round(BMMPrior().log_prob(BMMParameters([0.5, 0.5], [[0.5], [0.5]])), 6)
    1.216395
    """

    concentration: Array | float = 2.0
    successes: Array | float = 2.0
    failures: Array | float = 2.0

    conjugate: ClassVar[bool] = True
    __repr__ = one_line

    def __post_init__(self) -> None:
        for name in ("concentration", "successes", "failures"):
            object.__setattr__(self, name, positive(name, number_or_vector(name, getattr(self, name))))

    def check_fits(self, n_components: int, n_features: int) -> None:
        """Raise a ValueError unless the prior is one for K components and D features."""
        for name, size in [("concentration", n_components), ("successes", n_features), ("failures", n_features)]:
            shape = np.shape(getattr(self, name))
            if shape not in [(), (size,)]:
                raise ValueError(f"prior.{name} must be a number or have shape ({size},), got {shape}")

    def check_mode(self) -> None:
        """Raise a ValueError unless the posterior has a mode away from its edges, as MAP needs."""
        for name in ("concentration", "successes", "failures"):
            if (np.asarray(getattr(self, name)) < 1).any():
                raise ValueError(
                    f"prior.{name} must be at least 1 for MAP, got {getattr(self, name)}: below 1 the posterior mode "
                    "lies at the edge or nowhere, so MAP is undefined"
                )

    @property
    def exchangeable(self) -> bool:
        """Whether the prior treats all components alike, so that labels may be aligned after sampling."""
        return bool(np.ptp(self.concentration) == 0)

    def log_prob(self, parameters: BMMParameters, given: Collection[str] = ()) -> float:
        """Return log p(θ) in nats: the density of weights and probs, no Jacobian of any transform.

        Parameters
        ----------
        parameters : BMMParameters
            Where to evaluate; K and D must fit the prior.
        given : collection of str, default ()
            "weights" or "probs" where they are known: the density is that of the other.
        """
        K, D = parameters.n_components, parameters.n_features
        self.check_fits(K, D)
        a, b, c = np.broadcast_to(self.concentration, K), np.asarray(self.successes), np.asarray(self.failures)
        log_dirichlet = gammaln(a.sum()) - gammaln(a).sum() + xlogy(a - 1, parameters.weights).sum()
        log_beta = xlogy(b - 1, parameters.probs) + xlog1py(c - 1, -parameters.probs) - betaln(b, c)
        of_weights, of_probs = "weights" not in given, "probs" not in given
        return float((log_dirichlet if of_weights else 0.0) + (log_beta.sum() if of_probs else 0.0))
