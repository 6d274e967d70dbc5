"""Map real vectors back to the numbers of a support, with the derivatives of the volume element.

The map to the real line is :meth:`models.supports.Support.unconstrained`. With x the free numbers of an array and y its
real vector, the density of y is that of x times |∂x/∂y|.
"""

import numpy as np

from models.scales import SCALES
from models.supports import Covariance, Simplex, Support
from models.validation import Array


def constrained(support: Support, vectors: Array, shape: tuple[int, ...]) -> Array:
    """Map real vectors (S, p) back to arrays (S, *shape) in a support.

    Examples
    --------
    >>> import numpy as np
    >>> from models.real_line import constrained
    >>> from models.supports import SIMPLEX
    >>> constrained(SIMPLEX, np.log([[2.0, 1.0]]), (3,))
    array([[0.5 , 0.25, 0.25]])
    """
    S = len(vectors)
    match support:
        case Simplex():
            places = support.coordinates(np.arange(shape[-1]))
            y = np.zeros((S, *shape))
            y[..., places] = vectors.reshape(S, *shape[:-1], len(places))
            return support.normalised(np.exp(y - y.max(axis=-1, keepdims=True)))
        case Covariance():
            D, K = shape[-1], int(np.prod(shape[:-2]))
            chol = np.zeros((S, K, D, D))
            chol[..., range(D), range(D)] = np.exp(vectors[:, : K * D].reshape(S, K, D))
            chol[(..., *np.tril_indices(D, -1))] = vectors[:, K * D :].reshape(S, K, -1)
            return (chol @ chol.mT).reshape(S, *shape)
    return np.asarray(SCALES[support.scale].back(vectors.reshape(S, *shape)))


def log_volume_slopes(support: Support, array: Array) -> tuple[Array, Array]:
    """Return the gradient (p,) and minus the Hessian (p, p) of log |∂x/∂y| by the real vector y of an array.

    |∂x/∂y| is x (1 - x) for a logit, the product of all L numbers for a simplex, x for a logarithm, and
    2^D Π_i L_ii^(D - i + 1), i from 0, for a covariance matrix. In the last two its logarithm is linear in y.
    """
    x = array.ravel()
    match support:
        case Simplex():
            L = support.totals(np.ones_like(array))
            own = support.coordinates(np.arange(x.size).reshape(array.shape)).ravel()
            sums = support.totals(np.eye(x.size).reshape(x.size, *array.shape)).reshape(x.size, x.size)
            same_block = sums[np.ix_(own, own)]
            p, n = x[own], L.ravel()[own]
            return 1 - n * p, n * (np.diag(p) - same_block * np.outer(p, p))
        case Covariance():
            D, K = array.shape[-1], int(np.prod(array.shape[:-2]))
            gradient = np.concatenate([np.tile(D + 1.0 - np.arange(D), K), np.zeros(K * D * (D - 1) // 2)])
            return gradient, np.zeros((len(gradient), len(gradient)))
    scale = SCALES[support.scale]
    return scale.bend(x), np.diag(scale.curvature(x))
