"""Poisson mixtures fitted by EM, in scikit-learn's manner; the steps are those of :mod:`em.pmm`."""

from collections.abc import Mapping
from typing import Any

from em.estimator import MixtureEM
from em.exponential import ExponentialMixtureEM
from em.pmm import POISSON, PoissonSteps
from em.sizes import SizesOfRows
from models.pmm import PMMParameters, PMMPrior


class PoissonMixtureEM(SizesOfRows, ExponentialMixtureEM[PMMParameters]):
    """Poisson mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    Settings and attributes are those of :class:`em.exponential.ExponentialMixtureEM`, and those below.

    Parameters
    ----------
    exposure : number or array_like, shape (D,) or (n, D), default 1
        What the events of each cell are counted over, positive, such as years or persons. Where exposures differ
        between rows, the methods take those of new rows as an argument of the same name (:mod:`em.sizes`).

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

    _steps: PoissonSteps = POISSON
    _parameters_type = PMMParameters

    def __init__(
        self,
        n_components: int = 1,
        *,
        exposure: Any = 1,
        prior: PMMPrior | None = None,
        n_init: int = 10,
        n_starts: int | None = None,
        init: Any = "k-means++",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        frozen: Mapping[str, Any] | None = None,
        acceleration: str | None = "multisecant",
        random_state: Any = None,
    ) -> None:
        common = prior, n_init, n_starts, init, tol, max_iter, frozen, acceleration, random_state
        MixtureEM.__init__(self, n_components, *common)
        self.exposure = exposure
