"""Gaussian E-step where cells are missing: the conditional moments of what was not seen.

Missing at random (Little & Rubin 2020, section 11.2): a sample of which the features o were observed and m were not
has, in component k, the likelihood of its observed part, Normal(x_o | μ_o, Σ_oo), and of the missing part EM needs

    E[x_m | x_o, k]   = μ_m + B (x_o - μ_o),    B = Σ_mo Σ_oo⁻¹
    Cov[x_m | x_o, k] = Σ_mm - B Σ_om = C

so the expected moments of whole samples about μ_k are A M A' + N_k C, with M the moments of the observed parts about
their means and A the matrix that puts x_o in its place and B x_o in that of x_m.
"""

import numpy as np

from em.gmm import GaussianStatistics
from models.gmm import GMMParameters
from models.validation import Array


def complete(seen: GaussianStatistics, parameters: GMMParameters, observed: np.ndarray) -> GaussianStatistics:
    """Return the expected statistics of whole samples from those of their observed features, about the means."""
    K, D = parameters.means.shape
    kind, N, missing = parameters.covariance_type, seen.counts, ~observed
    first = np.zeros((K, D))
    first[:, observed] = seen.first
    match kind:
        case "diag":
            second = np.zeros((K, D))
            second[:, observed] = seen.second
            second[:, missing] = N[:, None] * parameters.covariances[:, missing]
        case "spherical":
            second = seen.second + N * missing.sum() * parameters.covariances
        case _:
            regressions, rests = conditional(parameters, observed)
            first[:, missing] = np.einsum("kmo,ko->km", regressions, seen.first)
            A = np.zeros((K, D, int(observed.sum())))
            A[:, observed] = np.eye(int(observed.sum()))
            A[:, missing] = regressions
            C = np.zeros((K, D, D))
            C[np.ix_(range(K), missing, missing)] = rests
            if kind == "tied":
                second = A[0] @ seen.second @ A[0].T + N.sum() * C[0]
            else:
                second = A @ seen.second @ np.swapaxes(A, 1, 2) + N[:, None, None] * C
    return GaussianStatistics(kind, parameters.means, N, first, second)


def conditional(parameters: GMMParameters, observed: np.ndarray) -> tuple[Array, Array]:
    """Return B (K, m, o) and C (K, m, m) of the missing features given the observed ones."""
    matrices, missing = parameters.covariance_matrices, ~observed
    across = matrices[:, missing][:, :, observed]
    regressions = np.swapaxes(np.linalg.solve(matrices[:, observed][:, :, observed], np.swapaxes(across, 1, 2)), 1, 2)
    rests = matrices[:, missing][:, :, missing] - regressions @ np.swapaxes(across, 1, 2)
    return regressions, (rests + np.swapaxes(rests, 1, 2)) / 2


def conditional_means(X: Array, parameters: GMMParameters, observed: np.ndarray) -> Array:
    """Return E[x | x_o, k], shape (n, K, D), of rows that share one pattern of observed features."""
    gap = X[:, None, observed] - parameters.means[:, observed]
    means = np.empty((len(X), *parameters.means.shape))
    means[:, :, observed] = X[:, None, observed]
    regressions, _ = conditional(parameters, observed)
    means[:, :, ~observed] = parameters.means[:, ~observed] + np.einsum("kmo,nko->nkm", regressions, gap)
    return means
