"""Conjugate prior of the Poisson mixture, as plain numbers that EM and PyMC both read."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from models.pmm.parameters import PMMParameters
from models.prior import GammaPrior
from models.validation import Array, check_columns, column_names


@dataclass(frozen=True, eq=False, repr=False)
class PMMPrior(GammaPrior):
    """Dirichlet and gamma prior.

    ::

        π ~ Dirichlet(a)
        λ_kd ~ Gamma(b_d, rate c_d)

    The defaults add one pseudo-sample to each component, and one event in one unit of exposure to each rate at the
    mode, which keeps every estimate off 0. That is a lot if events are rare or exposures short:
    :meth:`weakly_informative` scales the prior to the data.

    Parameters
    ----------
    concentration : array_like, shape (K,) or scalar
        Dirichlet concentration a, each positive.
    shape : array_like, shape (D,) or scalar
        Shape b of the gamma distribution, positive: b - 1 events are added at the mode. Below 1 the density has no mode
        inside its range: sampling and variational inference allow that, MAP needs b and the concentration at least 1.
    rate : array_like, shape (D,) or scalar
        Rate c of the gamma distribution, positive, in units of exposure.

    Raises
    ------
    ValueError
        If a value is not finite or not positive.

    Examples
    --------
    >>> from models.pmm import PMMParameters, PMMPrior
    >>> round(PMMPrior().log_prob(PMMParameters([0.5, 0.5], [[1.0], [2.0]])), 6)
    -1.901388
    """

    concentration: Array | float = 2.0
    shape: Array | float = 2.0
    rate: Array | float = 1.0

    hyperparameters = "shape", "rate"
    parameters_type = PMMParameters

    @classmethod
    def weakly_informative(cls, X: ArrayLike, exposure: ArrayLike = 1) -> Self:
        """Return the prior Gamma(2, rate 1 / r_d) of rates, with r_d the mean rate of column d, and Dirichlet(2).

        r_d = Σ_i x_id / Σ_i e_id over observed cells is the prior's mode, and 2 r_d its mean. The prior counts as one
        event. A column without events is given half an event, which keeps the prior proper.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The data that the prior is scaled to; NaN where a cell is missing.
        exposure : number or array_like, shape (D,) or (n, D)
            Exposure of each cell.

        Raises
        ------
        ValueError
            If X does not hold counts, or a column has no observed cell.

        Examples
        --------
        >>> from models.pmm import PMMPrior
        >>> PMMPrior.weakly_informative([[1], [3], [8]]).rate
        array([0.25])
        """
        names = column_names(X)
        events, exposures = PMMParameters.cells.dense(X, exposure, names)
        check_columns((exposures > 0).any(axis=0), names)
        return cls.about(np.maximum(events.sum(axis=0), 0.5) / exposures.sum(axis=0))
