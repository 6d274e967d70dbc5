"""M-step of the Gaussian mixture under a prior that does not tie means to covariances, by conditional modes (ECM).

The joint mode of means and variances has no closed form, but each has one given the other. With N, x̄ and S of
:mod:`models.gmm`, and the prior of a variance written log p(v) = p log v - (a v + b / v) / 2 + const
(:meth:`models.gmm.GMMIndependentPrior.variance_terms`)::

    v | μ    B / (c + sqrt(c² + a B)),    B = b + S_dd + N (x̄_d - μ_d)²,    c = N / 2 - p
    μ | v    m0 + N (x̄ - m0) / (N + v / s²)

v is the positive root of a v² + 2 c v = B. One variance for all features ("spherical") has the sum of their squares,
and D N in place of N in c. Matrices of correlations have no such step, except of a single feature, where they are
variances.

Each step maximises what it is given, so that no cycle lowers the objective. The cycles start at the centres of the
statistics, which in EM are the current means, and go on until they stand still: what they reach is a mode of Q plus log
prior that is no worse than the current parameters, as EM asks.

Reference: Meng & Rubin (1993), Maximum likelihood estimation via the ECM algorithm, Biometrika 80, 267-278.
"""

from collections.abc import Mapping

import numpy as np

from models.gmm import GMMIndependentPrior
from models.gmm.structures import covariances_shape
from models.validation import Array

MOST_CYCLES = 1000
STILL = 1e-14  # standard deviations that a mean moves


def conditional_modes(
    prior: GMMIndependentPrior,
    counts: Array,
    averages: Array,
    scatter: Array,
    centers: Array,
    frozen: Mapping[str, Array],
) -> tuple[Array, Array]:
    """Return means (K, D) and covariances, of the structure's shape, at the joint mode.

    Parameters
    ----------
    prior : GMMIndependentPrior
        The prior, which says the structure too.
    counts, averages, scatter : ndarray, shapes (K,), (K, D), and that of the covariances
        N_k, x̄_k, and the part of S_k that the structure needs.
    centers : ndarray, shape (K, D)
        Means to start from. These four may have a leading axis for runs.
    frozen : mapping
        "means" or "covariances" that keep their values.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gmm.conditional_modes import conditional_modes
    >>> from models.gmm import GMMIndependentPrior
    >>> prior = GMMIndependentPrior(1.0, [0.0], 1e3, 1.0, variance_shape=1.0, covariance_type="diag")
    >>> N, xbar, S = np.array([4.0]), np.array([[2.0]]), np.array([[6.0]])
    >>> means, variances = conditional_modes(prior, N, xbar, S, xbar, {})
    >>> means.round(3), variances.round(3)  # (2 β + S) / (2 (α + 1) + N)
    (array([[2.]]), array([[1.]]))
    """
    if counts.ndim > 1:  # each run has cycles of its own
        runs = zip(counts, averages, scatter, centers, strict=True)
        found = [conditional_modes(prior, *run, frozen) for run in runs]
        return np.stack([means for means, _ in found]), np.stack([covariances for _, covariances in found])
    kind, (K, D), N = prior.covariance_type, averages.shape, counts[:, None]
    shape = {"tied": (1, 1), "spherical": (K, 1)}.get(kind, (K, D))  # of the variances, to go with (K, D)
    shared = tuple(axis for axis in (0, 1) if shape[axis] == 1)
    p, a, b = prior.variance_terms()
    c = {"tied": N.sum(), "spherical": D * N}.get(kind, N) / 2 - p
    means = frozen.get("means", centers)
    for _ in range(MOST_CYCLES):
        if "covariances" in frozen:
            variances = frozen["covariances"].reshape(shape)
        else:
            squares = N * (averages - means) ** 2
            moments = scatter.reshape(shape) + squares.sum(axis=shared, keepdims=True)
            B = np.maximum(b + moments, 0)  # rounding may fall below 0
            variances = B / (c + np.sqrt(c**2 + a * B))
        if "means" in frozen:
            break
        before, means = means, prior.mean + N * (averages - prior.mean) / (N + variances * (1 / prior.mean_sd) ** 2)
        if (np.abs(means - before) <= STILL * np.sqrt(variances) + np.spacing(np.abs(means))).all():
            break
    return means, variances.reshape(covariances_shape(kind, K, D))
