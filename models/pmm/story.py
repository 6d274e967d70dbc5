"""The Poisson mixture as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping
from typing import Any, override

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike

from models.pmm.counts import count_matrix
from models.pmm.parameters import QUANTITIES
from models.pmm.prior import PMMPrior
from models.story import Distribution, Story, Theta, log_factorial, mixture_model
from models.validation import Array


class PoissonStory(Story):
    """x_d ~ Poisson(e_d λ_kd), with Gamma priors."""

    quantities, prior_types = QUANTITIES, (PMMPrior,)

    @override
    def data(self, X: ArrayLike, size: ArrayLike) -> tuple[Array, Array]:
        return count_matrix(X, size)

    @override
    def declare(self, prior: PMMPrior, like: Mapping[str, dict[str, Any]]) -> None:
        pm.Gamma("rates", alpha=prior.shape, beta=prior.rate, **like["rates"])

    @override
    def given_label(self, own: Theta, size: Array) -> Distribution:
        return pm.Poisson, {"mu": size * own["rates"]}

    @override
    def natural(self, theta: Theta) -> tuple[Any, ...]:
        return pt.log(theta["rates"]), -theta["rates"]

    @override
    def statistics(self, x: Any, size: Array) -> tuple[Any, ...]:
        return x, size

    @override
    def log_base(self, x: Any, size: Array) -> Any:
        return x * np.log(np.where(size > 0, size, 1.0)) - log_factorial(x)


POISSON = PoissonStory()


def build_model(X: ArrayLike, n_components: int, prior: PMMPrior | None, exposure: ArrayLike = 1) -> pm.Model:
    """Build the generative story: a label for each sample, then its features given the label.

    ::

        z_i ~ Categorical(π),    x_id | z_i ~ Poisson(e_id λ_{z_i d})

    Parameters
    ----------
    X : array_like, shape (n, D)
        Observed counts of events; NaN where a cell is missing.
    n_components : int
        Number of components K.
    prior : PMMPrior or None
        Prior of weights and rates; ``None`` makes them flat, for maximum likelihood only.
    exposure : number or array_like, shape (D,) or (n, D)
        Exposure e of each cell.

    Returns
    -------
    pymc.Model
        Random variables ``weights`` (component), ``rates`` (component, feature), ``z`` (obs) and the observed ``x``
        (obs, feature).

    Raises
    ------
    ValueError
        If X does not hold counts, exposures are not positive, or the prior is no PMMPrior for K and D.

    Examples
    --------
    >>> from models.pmm import PMMPrior, build_model
    >>> sorted(build_model([[0], [3], [9]], n_components=2, prior=PMMPrior()).named_vars)
    ['rates', 'weights', 'x', 'z']
    """
    return mixture_model(POISSON, X, n_components, prior, exposure, marginal=False)


def build_marginal_model(X: ArrayLike, n_components: int, prior: PMMPrior | None, exposure: ArrayLike = 1) -> pm.Model:
    """Build the same model with z summed out, which is what NUTS, `find_MAP` and LOO work on.

    ::

        log p(x_i | θ) = logsumexp_k { log π_k + Σ_d log Poisson(x_id | e_id λ_kd) }

    Parameters, returned model (which has no ``z``) and errors are those of :func:`build_model`.

    Examples
    --------
    >>> from models.pmm import PMMPrior, build_marginal_model
    >>> sorted(build_marginal_model([[0], [3], [9]], n_components=2, prior=PMMPrior()).named_vars)
    ['rates', 'weights', 'x']
    """
    return mixture_model(POISSON, X, n_components, prior, exposure, marginal=True)
