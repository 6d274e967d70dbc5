"""Detect that a Gaussian likelihood has no maximum: constant or collinear data, and components that collapse.

The density of a component that shrinks onto a sample grows without bound. A run whose component does so has collapsed:
it is counted and never ranked (McLachlan & Peel 2000, section 3.8).
"""

import numpy as np

from em.samples import Samples
from models.shown import counted, listed, shown
from models.validation import Array

SMALLEST_SCALED_EIGENVALUE = 1e-8
SMALLEST_DEVIATION, LARGEST_DEVIATION = 1e-149, 1e151  # of a column; a cluster may have 1e-8 of its variance
FLAT_DATA = 1e-12  # smallest eigenvalue of the correlation matrix; below it an inverse keeps fewer than four digits


def check_range(samples: Samples) -> None:
    """Raise a ValueError if the variance of a column of X, or of a cluster in it, would not fit a float."""
    deviation = samples.deviation
    unfit = ~((deviation > SMALLEST_DEVIATION) & (deviation < LARGEST_DEVIATION)) & ~samples.constant
    if unfit.any():
        raise ValueError(
            "X must have columns whose variances fit a float, got standard deviations "
            f"{shown(deviation[unfit])} in {listed(np.flatnonzero(unfit), samples.names)}: rescale X, to "
            f"standard deviations from {SMALLEST_DEVIATION:g} to {LARGEST_DEVIATION:g}"
        )


def refuse_constant_columns(samples: Samples, covariance_type: str, bounded: str) -> None:
    """Raise a ValueError if constant columns would give every component a variance of 0.

    Spherical covariances, which average the variances of all columns, need only one column that varies. ``bounded`` is
    Python code of a prior that helps.
    """
    constant, D = np.flatnonzero(samples.constant), samples.X.shape[1]
    if len(constant) == D or (len(constant) and covariance_type != "spherical"):
        raise ValueError(
            f"X must not have constant columns for maximum likelihood, got constant "
            f"{listed(constant, samples.names)}: their variance would be 0. What helps here: "
            f"{'drop them, or ' * (len(constant) < D)}pass {bounded}"
        )


def smallest_eigenvalues_of_correlations(covariances: Array) -> Array:
    """Return the smallest eigenvalue of each correlation matrix, shape (...), of covariance matrices (..., D, D).

    It is 0 up to rounding if columns are collinear or constant.
    """
    deviations = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    units = np.where(deviations > 0, deviations, 1.0)
    return np.asarray(np.linalg.eigvalsh(covariances / (units[..., :, None] * units[..., None, :]))[..., 0])


def why_collapsed(
    covariance_type: str, covariances: Array, counts: Array, scales: Array, own_means: bool = True
) -> list[str]:
    """Return a sentence for each of R runs that has collapsed, "" for the others.

    A run has collapsed if a component keeps too few samples or its covariance is nearly singular. A covariance matrix
    needs more than D samples of its component, variances need more than one; a shared covariance needs none, and
    neither do covariances about given means. Nearly singular means an eigenvalue below 1e-8 relative to the data's
    covariance (for variances, to the data's variances).

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.
    covariances, counts : ndarray, shapes (R, ...) and (R, K)
        The declared covariances, and the number of samples of each component.
    scales : ndarray, shape (1, ...) or (R, ...)
        :func:`scales_of` the data's covariance, one for all runs or one for each.
    own_means : bool, default True
        Whether the means are estimated, not given.
    """
    kind, D = covariance_type, scales.shape[-1]
    too_few = {"full": D, "tied": 0, "diag": 1, "spherical": 1}[kind]
    eigenvalues = _smallest_scaled_eigenvalues(kind, covariances, scales)
    fewest, singular = counts.min(axis=1), ~(eigenvalues >= SMALLEST_SCALED_EIGENVALUE)
    why = [""] * len(counts)
    for r in np.flatnonzero(singular.any(axis=1) | (own_means & (fewest <= too_few))).tolist():
        if own_means and fewest[r] <= too_few:
            need = f"at most the {counted(D, 'feature')}" if kind == "full" else f"at most {too_few}"
            why[r] = f"component {int(np.argmin(counts[r]))} keeps {fewest[r]:.3g} samples, {need}"
        else:
            k = int(np.argmax(singular[r]))
            whose, share = "the shared covariance" if kind == "tied" else f"component {k}", max(eigenvalues[r, k], 0.0)
            why[r] = f"{whose} fell onto a point or a plane: its covariance is {share:.2g} of the data's"
    return why


def scales_of(covariance_type: str, spreads: Array) -> Array:
    """Return the scales of covariances: L⁻¹ of the data's covariances L L', (R, D, D), or their variances (R, D)."""
    if covariance_type in ("full", "tied"):
        return np.linalg.inv(np.linalg.cholesky(spreads))
    return np.diagonal(spreads, axis1=1, axis2=2)


def _smallest_scaled_eigenvalues(covariance_type: str, covariances: Array, scales: Array) -> Array:
    """Return the smallest eigenvalue of each declared covariance relative to the data's, shape (R, K) or (R, 1).

    For matrices it is that of S^(-1/2) Σ S^(-1/2), S the data's covariance, and does not depend on the coordinates; for
    variances it is the smallest ratio to the data's. If a cheap lower bound shows that all are large enough, the bound
    is returned.
    """
    match covariance_type:
        case "full" | "tied":
            root = scales[:, None] if covariance_type == "full" else scales
            bounds = _least_eigenvalues(covariances, root).reshape(len(covariances), -1)
            if (bounds >= SMALLEST_SCALED_EIGENVALUE).all():
                return bounds
            finite = np.isfinite(covariances).all(axis=(-2, -1))
            scaled = root @ np.where(finite[..., None, None], covariances, 0.0) @ root.mT
            return np.where(finite, np.linalg.eigvalsh(scaled)[..., 0], np.nan).reshape(len(covariances), -1)
        case "diag":
            return np.asarray((covariances / scales[:, None]).min(axis=-1))
        case _:
            return np.asarray(covariances / scales.mean(axis=1)[:, None])


def _least_eigenvalues(covariances: Array, root: Array) -> Array:
    """Return a lower bound of the eigenvalues of each A = root Σ root': det A ((D - 1) / tr A)^(D - 1).

    It holds because the product of the other D - 1 eigenvalues is at most the (D - 1)-th power of their mean. All
    bounds are 0 unless every Σ is positive definite, for a determinant can be positive with two negative eigenvalues.
    """
    D = root.shape[-1]
    try:
        diagonals = [np.diagonal(factor, axis1=-2, axis2=-1) for factor in (root, np.linalg.cholesky(covariances))]
    except np.linalg.LinAlgError:
        return np.zeros(covariances.shape[:-2])
    trace = ((root.mT @ root) * covariances).sum(axis=(-2, -1))
    log_det = 2 * np.log(diagonals[0] * diagonals[1]).sum(axis=-1)
    return np.exp(log_det - (D - 1) * np.log(trace / max(D - 1, 1)))
