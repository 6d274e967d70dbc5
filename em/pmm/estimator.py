"""The estimator of Poisson mixtures by EM, with scikit-learn's interface; the steps are in :mod:`em.pmm`."""

from dataclasses import dataclass
from typing import Any

from em.exponential import ExponentialMixtureEM
from em.pmm import POISSON
from em.sizes import SizesOfRows
from models.pmm import PMMParameters


@dataclass(eq=False, repr=False, kw_only=True)
class PoissonMixtureEM(SizesOfRows, ExponentialMixtureEM[PMMParameters]):
    """Poisson mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    Settings and attributes are those of :class:`em.exponential.ExponentialMixtureEM`, and those below.

    Parameters
    ----------
    exposure : number or array_like, shape (D,) or (n, D), default 1
        What the events of each cell are counted over, such as years or persons; positive. If exposures differ between
        rows, pass those of new rows to the methods, as an argument of the same name (:mod:`em.sizes`).

    Attributes
    ----------
    rates_ : ndarray, shape (K, D)
        Estimates, in events per unit of exposure.

    Examples
    --------
    >>> from em import PoissonMixtureEM
    >>> sorted(PoissonMixtureEM(2, random_state=0).fit([[0], [1], [2], [30], [33]]).rates_.ravel().round(2).tolist())
    [1.0, 31.5]
    """

    exposure: Any = 1

    _steps = POISSON
