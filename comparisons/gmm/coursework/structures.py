"""From scatters to the covariances of a structure, and the other structures that students end up with."""

from collections.abc import Callable
from typing import Any

import numpy as np

from comparisons.gmm.coursework.density import kept_diagonal
from models.validation import Array


def _per(S: Array, N: Array) -> Array:
    return S / np.reshape(N, (-1, 1, 1))


def _diag(S: Array) -> Array:
    return np.asarray(np.diagonal(S, axis1=-2, axis2=-1))


def _trace(S: Array) -> Array:
    return np.asarray(np.trace(S, axis1=-2, axis2=-1))


STRUCTURES: dict[str, Callable[..., Any]] = {
    "full": lambda S, N, p: _per(S, N),
    "tied": lambda S, N, p: S.sum(axis=0) / np.sum(np.broadcast_to(N, (p.K, 1))),
    "diag": lambda S, N, p: _diag(_per(S, N)),
    "spherical": lambda S, N, p: _trace(_per(S, N)) / p.D,
}
OTHER_STRUCTURES: dict[str, dict[str, Callable[..., Any]]] = {
    "full": {
        "only the diagonal kept": lambda S, N, p: kept_diagonal(_per(S, N)),
        "averaged over the components, as tied": lambda S, N, p: np.repeat(_per(S, N).mean(axis=0)[None], p.K, axis=0),
        "pooled, as tied": lambda S, N, p: np.repeat((S.sum(axis=0) / p.n)[None], p.K, axis=0),
        "pooled, as tied, one matrix": lambda S, N, p: S.sum(axis=0) / p.n,
        "spherical in place of full": lambda S, N, p: (_trace(_per(S, N)) / p.D)[:, None, None] * np.eye(p.D),
        "variances only, as diag": lambda S, N, p: _diag(_per(S, N)),
        "upper triangle only": lambda S, N, p: np.triu(_per(S, N)),
        "lower triangle only": lambda S, N, p: np.tril(_per(S, N)),
        "added up over the components": lambda S, N, p: np.cumsum(_per(S, N), axis=0),
        "sums never reset": lambda S, N, p: _per(np.cumsum(S, axis=0), N),
        "correlations returned": lambda S, N, p: S / np.sqrt(_diag(S)[:, :, None] * _diag(S)[:, None, :]),
        "off-diagonals doubled": lambda S, N, p: 2 * _per(S, N) - kept_diagonal(_per(S, N)),
        "sign of the off-diagonals": lambda S, N, p: 2 * kept_diagonal(_per(S, N)) - _per(S, N),
        "diagonal set to zero": lambda S, N, p: _per(S, N) - kept_diagonal(_per(S, N)),
    },
    "tied": {
        "average of the components' covariances": lambda S, N, p: _per(S, N).mean(axis=0),
        "sum of the components' covariances": lambda S, N, p: _per(S, N).sum(axis=0),
        "weighted by the old weights": lambda S, N, p: np.einsum("k,kde->de", p.theta["weights"], _per(S, N)),
        "divided by n - 1": lambda S, N, p: S.sum(axis=0) / (p.n - 1),
        "divided by n - K": lambda S, N, p: S.sum(axis=0) / (p.n - p.K),
        "divided by K": lambda S, N, p: S.sum(axis=0) / p.K,
        "divided by n K": lambda S, N, p: S.sum(axis=0) / (p.n * p.K),
        "not divided by n": lambda S, N, p: S.sum(axis=0),
        "last component's covariance": lambda S, N, p: _per(S, N)[-1],
        "first component's covariance": lambda S, N, p: _per(S, N)[0],
        "last component's scatter over n": lambda S, N, p: S[-1] / p.n,
        "one covariance for each component": lambda S, N, p: _per(S, N),
        "only the diagonal kept": lambda S, N, p: kept_diagonal(S.sum(axis=0) / p.n),
    },
    "diag": {
        "full matrices in place of variances": lambda S, N, p: _per(S, N),
        "averaged over the features, as spherical": lambda S, N, p: np.repeat(
            (_trace(_per(S, N)) / p.D)[:, None], p.D, axis=1
        ),
        "row sums of the covariance": lambda S, N, p: _per(S, N).sum(axis=-1),
        "variances divided by D": lambda S, N, p: _diag(_per(S, N)) / p.D,
        "pooled over the components": lambda S, N, p: np.repeat((_diag(S).sum(axis=0) / p.n)[None], p.K, axis=0),
        "pooled over the components, one row": lambda S, N, p: _diag(S).sum(axis=0) / p.n,
    },
    "spherical": {
        "not divided by D": lambda S, N, p: _trace(_per(S, N)),
        "divided by D squared": lambda S, N, p: _trace(_per(S, N)) / p.D**2,
        "divided by D - 1": lambda S, N, p: _trace(_per(S, N)) / (p.D - 1),
        "mean of the standard deviations, squared": lambda S, N, p: np.sqrt(_diag(_per(S, N))).mean(axis=1) ** 2,
        "mean of the standard deviations": lambda S, N, p: np.sqrt(_diag(_per(S, N))).mean(axis=1),
        "first feature only": lambda S, N, p: _per(S, N)[:, 0, 0],
        "last feature only": lambda S, N, p: _per(S, N)[:, -1, -1],
        "largest variance": lambda S, N, p: _diag(_per(S, N)).max(axis=1),
        "determinant to the power 1/D": lambda S, N, p: np.linalg.det(_per(S, N)) ** (1 / p.D),
        "geometric mean of the variances": lambda S, N, p: np.exp(np.log(_diag(_per(S, N))).mean(axis=1)),
        "determinant": lambda S, N, p: np.linalg.det(_per(S, N)),
        "variances of each feature, as diag": lambda S, N, p: _diag(_per(S, N)),
        "mean of all entries": lambda S, N, p: _per(S, N).mean(axis=(1, 2)),
        "sum of all entries": lambda S, N, p: _per(S, N).sum(axis=(1, 2)),
        "pooled over the components": lambda S, N, p: np.full(p.K, _trace(S).sum() / (p.D * p.n)),
        "norm of the covariance": lambda S, N, p: np.linalg.norm(_per(S, N), axis=(1, 2)),
    },
}
