"""Ancestral simulation of the Gaussian mixture: first the label, then the sample."""

import numpy as np
from sklearn.utils import check_random_state

from models.gmm.parameters import GMMParameters
from models.validation import Array, count_at_least_one


def simulate(
    parameters: GMMParameters, n_samples: int, random_state: int | np.random.RandomState | None = None
) -> tuple[Array, np.ndarray]:
    """Draw z_i ~ Categorical(π), then x_i | z_i ~ Normal(μ_{z_i}, Σ_{z_i}).

    Parameters
    ----------
    parameters : GMMParameters
        The mixture.
    n_samples : int
        Number of samples n.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Returns
    -------
    X : ndarray, shape (n, D)
        Samples.
    z : ndarray of int, shape (n,)
        The label of each.

    Examples
    --------
    >>> from models.gmm import GMMParameters, simulate
    >>> X, z = simulate(GMMParameters([0.5, 0.5], [[0.0], [9.0]], [[[1.0]], [[1.0]]]), 4, random_state=0)
    >>> X.shape, z.shape
    ((4, 1), (4,))
    """
    n = count_at_least_one("n_samples", n_samples)
    rng = check_random_state(random_state)
    z = rng.choice(parameters.n_components, size=n, p=parameters.weights / parameters.weights.sum())
    noise = rng.standard_normal((n, parameters.n_features))
    roots = np.linalg.cholesky(parameters.covariance_matrices)
    return parameters.means[z] + np.einsum("nde,ne->nd", roots[z], noise), z
