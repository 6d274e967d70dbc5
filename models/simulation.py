"""Ancestral simulation: draw parameters from their prior, then labels, then samples given the labels."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.prior import draw_weights
from models.validation import Array, count_at_least_one, random_source


def simulate(
    parameters: Any, n_samples: int, size: ArrayLike = 1, random_state: Any = None, **named: Any
) -> tuple[Array, np.ndarray]:
    """Draw z_i ~ Categorical(π), then x_i | z_i from its component, by ``parameters.draw_samples``.

    Parameters
    ----------
    parameters : Parameters
        The mixture.
    n_samples : int
        Number of samples n.
    size : number or array_like, shape (D,) or (n, D)
        Size of each cell, if the family has sizes; also by the family's own name, such as ``exposure``.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Returns
    -------
    X : ndarray, shape (n, D)
        Samples, as float64.
    z : ndarray of int, shape (n,)
        The label of each sample.

    Examples
    --------
    >>> from models.pmm import PMMParameters, simulate
    >>> X, z = simulate(PMMParameters([0.5, 0.5], [[0.0], [100.0]]), 3, exposure=2, random_state=0)
    >>> bool(((X[:, 0] > 0) == z).all())
    True
    """
    n, cells = count_at_least_one("n_samples", n_samples), parameters.cells
    sizes, rng = cells.sizes(cells.size_of(size, named), (n, parameters.n_features)), random_source(random_state)
    z = rng.choice(parameters.n_components, size=n, p=parameters.weights / parameters.weights.sum())
    return parameters.draw_samples(z, sizes, rng).astype(np.float64), z


def simulate_without_sizes(parameters: Any, n_samples: int, random_state: Any = None) -> tuple[Array, np.ndarray]:
    """Draw samples as `simulate` does, for a family whose cells have no sizes, such as `models.gmm` and `models.cmm`.

    Examples
    --------
    >>> from models.gmm import GMMParameters, simulate
    >>> X, z = simulate(GMMParameters([0.5, 0.5], [[0.0], [9.0]], [[[1.0]], [[1.0]]]), 4, random_state=0)
    >>> X.shape, z.shape
    ((4, 1), (4,))
    """
    return simulate(parameters, n_samples, random_state=random_state)


def draw_parameters(prior: Any, n_components: int, n_features: int, random_state: Any = None) -> Any:
    """Draw π ~ Dirichlet(a), and the components from their prior by ``prior.draw_components``.

    Parameters
    ----------
    prior : FeaturePrior
        The prior; the parameters are of its ``parameters_type``.
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
    if not hasattr(prior, "draw_components"):
        raise ValueError(
            f"prior must be that of a mixture of independent features, such as a BMMPrior, got {type(prior).__name__}"
        )
    K, D = count_at_least_one("n_components", n_components), count_at_least_one("n_features", n_features)
    prior.check_fits(K, D)
    rng = random_source(random_state)
    weights = draw_weights(np.asarray(prior.concentration), K, rng)
    components = prior.draw_components((K, D), rng)
    return prior.parameters_type(weights, *(components if isinstance(components, tuple) else (components,)))
