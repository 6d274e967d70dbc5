"""M-step of the Gaussian mixture under a prior with independent means and covariances, by conditional modes (ECM).

The joint mode of means and variances has no closed form, but each has one given the other. With N, x̄ and S of
:mod:`models.gmm`, and the prior of a variance written log p(v) = p log v - (a v + b / v) / 2 + const
(:meth:`models.gmm.GMMIndependentPrior.variance_terms`)::

    v | μ    B / (c + sqrt(c² + a B)),    B = b + S_dd + N (x̄_d - μ_d)²,    c = N / 2 - p
    μ | v    m0 + N (x̄ - m0) / (N + v / s²)

v is the positive root of a v² + 2 c v = B. For "spherical", B sums the squares over all features, and c has D N in
place of N. Full covariance matrices have no such step, except for a single feature, where they are variances.

Each step maximises the objective given the other parameters, so no cycle lowers it. The cycles start at the centres of
the statistics, which in EM are the current means, and end when the means no longer move. The result is a mode of Q plus
log prior and no worse than the current parameters, as EM requires.

Reference: Meng & Rubin (1993), Maximum likelihood estimation via the ECM algorithm, Biometrika 80, 267-278.
"""

from collections.abc import Mapping

import numpy as np

from models.gmm import GMMIndependentPrior
from models.gmm.structures import covariances_shape
from models.validation import Array

MOST_CYCLES = 1000
STILL = 1e-14  # largest move of a mean, in standard deviations, that ends the cycles


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
        The prior; it has the structure of the covariances.
    counts, averages, scatter : ndarray, shapes (K,), (K, D), and that of the covariances
        N_k, x̄_k, and the part of S_k that the structure needs.
    centers : ndarray, shape (K, D)
        Means to start from. Like the three arrays above, it may have a leading axis for runs.
    frozen : mapping
        Values of "means" or "covariances" that are not estimated.

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
        modes = [conditional_modes(prior, *run, frozen) for run in runs]
        return np.stack([means for means, _ in modes]), np.stack([covariances for _, covariances in modes])
    kind, (K, D), N = prior.covariance_type, averages.shape, counts[:, None]
    shape = {"tied": (1, 1), "spherical": (K, 1)}.get(kind, (K, D))  # of the variances, to broadcast with (K, D)
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
            B = np.maximum(b + moments, 0)  # rounding may make it negative
            variances = B / (c + np.sqrt(c**2 + a * B))
        if "means" in frozen:
            break
        before, means = means, prior.mean + N * (averages - prior.mean) / (N + variances * (1 / prior.mean_sd) ** 2)
        if (np.abs(means - before) <= STILL * np.sqrt(variances) + np.spacing(np.abs(means))).all():
            break
    return means, variances.reshape(covariances_shape(kind, K, D))
