"""Conjugate prior of the Bernoulli and binomial mixtures, as plain numbers that EM and PyMC both read."""

from dataclasses import dataclass

from models.bmm.parameters import BMMParameters
from models.prior import BetaPrior
from models.validation import Array


@dataclass(frozen=True, eq=False, repr=False)
class BMMPrior(BetaPrior):
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
        Second shape parameter c of the beta distribution, positive. If a hyperparameter is below 1, the density has no
        mode inside its range: sampling and variational inference allow that, MAP needs all three at least 1.

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

    hyperparameters = ("successes", "failures")
    parameters_type = BMMParameters
