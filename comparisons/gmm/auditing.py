"""The audit of Gaussian mixtures: structure by shape, collapsing variances, log densities in sixty digits."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, override

import numpy as np

from comparisons.auditing.digits import cholesky, exact, log_det, log_normal, log_sum_exp, sixty_digits
from comparisons.auditing.family import FamilyAudit
from models.gmm.structures import COVARIANCE_TYPES, MATRICES, covariances_shape
from models.shown import counted
from models.validation import Array

COLLAPSED, NEARLY = 1e-8, 1e-4  # smallest eigenvalue of a covariance, in units of the data's covariance


class GaussianAudit(FamilyAudit):
    """The parts of the audit that depend on the family, for Gaussian mixtures."""

    @override
    def structure(self, arrays: Mapping[str, Array], options: Mapping[str, Any], n_features: int) -> dict[str, Any]:
        if "covariance_type" in options:
            return dict(options)
        K, shape = len(arrays["weights"]), np.shape(arrays.get("covariances", ()))
        kinds = [kind for kind in COVARIANCE_TYPES if shape == covariances_shape(kind, K, n_features)]
        if len(kinds) != 1:
            why = f"{shape} is the shape of {' and of '.join(kinds)}" if kinds else f"{shape} is the shape of none"
            wanted = f"of {K} components and {n_features} features"
            raise ValueError(f"covariance_type must be given: {why}, {wanted}")
        return {**options, "covariance_type": kinds[0]}

    @override
    def suspects(self, parameters: Any, counts: Array, rows: Any, responsibilities: Array) -> list[tuple[bool, str]]:
        """Find components with too few samples for a covariance of their own, or with too small a variance."""
        kind, D = parameters.covariance_type, parameters.n_features
        needed = {"full": D, "tied": 0, "diag": 1, "spherical": 1}[kind]
        flatness, labels = _flatness(parameters.covariance_matrices, rows), responsibilities.argmax(axis=1)
        suspects = []
        for k, (n, flat) in enumerate(zip(counts, flatness, strict=True)):
            if n < 1e-8:
                suspects.append((False, "is empty: no sample has a share in it"))
            elif n <= needed or flat < COLLAPSED:
                suspects.append((True, f"keeps {n:.3g} samples, its smallest variance is {flat:.1e} of the data's"))
            elif 0 < (distinct := len(np.unique(rows[labels == k], axis=0))) <= needed:
                suspects.append((True, f"holds {counted(distinct, 'distinct sample')}, repeated {n:.3g} times"))
            elif n < 2 * (needed + 1) or (flat < NEARLY and n < 5 * (needed + 1)):
                suspects.append((False, f"keeps {n:.3g} samples, its smallest variance is {flat:.1e} of the data's"))
            else:
                suspects.append((False, ""))
        return suspects

    @override
    def smallest_variances(self, parameters: Any) -> Array:
        return np.linalg.eigvalsh(parameters.covariance_matrices)[:, 0]

    @override
    def with_added_variances(self, parameters: Any, added: Array) -> Any:
        kind, covariances = parameters.covariance_type, parameters.covariances
        if kind in MATRICES:
            more = np.asarray(added).mean() if kind == "tied" else np.asarray(added)[:, None, None]
            return replace(parameters, covariances=covariances + more * np.eye(parameters.n_features))
        return replace(parameters, covariances=covariances + (added[:, None] if kind == "diag" else added))

    @override
    def log_density_in_digits(self, rows: Any, parameters: Any) -> list[Decimal]:
        """Return log Σ_k π_k Normal(x_o | μ_ko, Σ_koo) of the observed cells o of each row."""
        matrices, used, log_densities = parameters.covariance_matrices, np.flatnonzero(parameters.weights > 0), []
        roots: dict[bytes, list[tuple[Any, Decimal]]] = {}
        with sixty_digits():
            log_weights = [weight.ln() for weight in exact(parameters.weights[used])]
            means = [exact(mean) for mean in parameters.means[used]]
            for row in rows:
                seen = np.flatnonzero(~np.isnan(row))
                key = seen.tobytes()
                if key not in roots:
                    own = [cholesky(matrices[k][np.ix_(seen, seen)].tolist()) for k in used]
                    roots[key] = [(root, log_det(root)) for root in own]
                x, each = exact(row[seen]), zip(log_weights, means, roots[key], strict=True)
                terms = [w + log_normal(x, [mean[d] for d in seen], *root) for w, mean, root in each]
                log_densities.append(log_sum_exp(terms))
        return log_densities


def _flatness(matrices: Array, rows: Any) -> Array:
    """Return the smallest eigenvalue of each matrix (K,), in units of the covariance of the rows."""
    complete = rows[~np.isnan(rows).any(axis=1)]
    many = len(complete) > rows.shape[1]
    spread = np.cov(complete, rowvar=False, ddof=0) if many else np.diag(np.nanvar(rows, axis=0))
    values, vectors = np.linalg.eigh(np.atleast_2d(spread))
    whitener = vectors / np.sqrt(np.maximum(values, values[-1] * 1e-14))
    return np.linalg.eigvalsh(whitener.T @ matrices @ whitener)[:, 0]


AUDIT = GaussianAudit()
