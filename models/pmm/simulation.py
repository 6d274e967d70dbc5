"""Ancestral simulation of Poisson mixtures: parameters from their prior; the label, then the sample."""

import numpy as np
from numpy.typing import ArrayLike

from models.dirichlet import draw_weights
from models.pmm.counts import exposure_matrix
from models.pmm.parameters import PMMParameters
from models.pmm.prior import PMMPrior
from models.validation import Array, count_at_least_one, random_source


def simulate(
    parameters: PMMParameters,
    n_samples: int,
    exposure: ArrayLike = 1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Array, np.ndarray]:
    """Draw z_i ~ Categorical(π), then x_id | z_i ~ Poisson(e_id λ_{z_i d}).

    Parameters
    ----------
    parameters : PMMParameters
        The mixture.
    n_samples : int
        Number of samples n.
    exposure : number or array_like, shape (D,) or (n, D)
        Exposure e of each cell, positive.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Returns
    -------
    X : ndarray, shape (n, D)
        Counts of events, as float64.
    z : ndarray of int, shape (n,)
        The label of each sample.

    Examples
    --------
    >>> from models.pmm import PMMParameters, simulate
    >>> X, z = simulate(PMMParameters([0.5, 0.5], [[0.0], [100.0]]), 3, random_state=0)
    >>> bool(((X[:, 0] > 0) == z).all())
    True
    """
    n = count_at_least_one("n_samples", n_samples)
    exposures, rng = exposure_matrix(exposure, (n, parameters.n_features)), random_source(random_state)
    z = rng.choice(parameters.n_components, size=n, p=parameters.weights / parameters.weights.sum())
    return rng.poisson(exposures * parameters.rates[z]).astype(np.float64), z


def draw_parameters(
    prior: PMMPrior, n_components: int, n_features: int, random_state: int | np.random.RandomState | None = None
) -> PMMParameters:
    """Draw π ~ Dirichlet(a) and λ_kd ~ Gamma(b_d, rate c_d).

    Parameters
    ----------
    prior : PMMPrior
        The prior.
    n_components, n_features : int
        Numbers of components K and of features D.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Raises
    ------
    ValueError
        If the prior does not fit K components and D features.

    Examples
    --------
    >>> from models.pmm import PMMPrior, draw_parameters
    >>> draw_parameters(PMMPrior(), n_components=3, n_features=2, random_state=0).rates.shape
    (3, 2)
    """
    if not isinstance(prior, PMMPrior):
        raise ValueError(f"prior must be a PMMPrior, got {type(prior).__name__}")
    K, D = count_at_least_one("n_components", n_components), count_at_least_one("n_features", n_features)
    prior.check_fits(K, D)
    rng = random_source(random_state)
    weights = draw_weights(np.asarray(prior.concentration), K, rng)
    return PMMParameters(weights, rng.gamma(prior.shape, 1 / np.asarray(prior.rate), size=(K, D)))
