"""Simulated data sets, and the start that all contestants get."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from models.bmm import BMMParameters
from models.gmm import GMMParameters

DENSITY = 0.02  # share of ones in sparse data


@dataclass(frozen=True)
class Case:
    """A family and a shape (n, D, K).

    The families are "full", "tied", "diag", "spherical", "bernoulli", and "sparse": Bernoulli with few ones, as CSR.
    """

    kind: str
    n: int
    D: int
    K: int

    @property
    def n_flops(self) -> float:
        """Multiplications and additions that a pass needs at least, in the products of E-step and M-step."""
        per_cell = {"full": 2 * (self.D + 1), "tied": self.D + 3}.get(self.kind, 4)
        return float(self.n * self.K * self.D * per_cell) * (DENSITY if self.kind == "sparse" else 1)

    @property
    def n_bytes(self) -> float:
        """Bytes of data, which a pass reads once."""
        return 12.0 * DENSITY * self.n * self.D if self.kind == "sparse" else 8.0 * self.n * self.D

    def __str__(self) -> str:
        return f"{self.kind} ({self.n:.0e}, {self.D}, {self.K})".replace("e+0", "e")


CASES = [
    Case("full", 1_000_000, 2, 5),
    Case("full", 1_000_000, 10, 10),
    Case("full", 1_000_000, 10, 50),
    Case("full", 200_000, 32, 16),
    Case("full", 100_000, 64, 10),
    Case("tied", 1_000_000, 10, 10),
    Case("diag", 1_000_000, 20, 10),
    Case("spherical", 1_000_000, 20, 10),
    Case("bernoulli", 1_000_000, 50, 10),
    Case("sparse", 200_000, 2_000, 20),
]
QUICK = [Case("full", 2_000, 3, 2), Case("bernoulli", 2_000, 6, 2), Case("sparse", 2_000, 100, 2)]


def make_data(case: Case) -> Any:
    """Return X (n, D): overlapping Gaussian clusters, or 0/1 rows of latent classes."""
    rng = np.random.default_rng(0)
    if case.kind == "sparse":
        probs = DENSITY * rng.uniform(0, 2, size=(case.K, case.D))
        z = np.array_split(rng.integers(case.K, size=case.n), max(case.n // 1000, 1))
        return vstack([csr_array(rng.random((len(part), case.D)) < probs[part]) for part in z]).astype(np.float64)
    centers = rng.normal(scale=1.5, size=(case.K, case.D))
    X = rng.normal(size=(case.n, case.D))
    X += centers[rng.integers(case.K, size=case.n)]
    return (X > 0).astype(np.float64) if case.kind == "bernoulli" else X


def make_start(case: Case, X: Any) -> GMMParameters | BMMParameters:
    """Return the start: equal weights, samples as means and the data's covariance; or probs about those of the data."""
    rng = np.random.default_rng(1)
    weights, part = np.full(case.K, 1 / case.K), X[:10_000]
    if case.kind in ("bernoulli", "sparse"):
        return BMMParameters(weights, 0.5 * part.mean(axis=0) + 0.5 * rng.uniform(0.1, 0.9, size=(case.K, case.D)))
    covariance = np.cov(part.T).reshape(case.D, case.D)
    variances = np.diagonal(covariance)
    covariances = {
        "full": np.repeat(covariance[None], case.K, axis=0),
        "tied": covariance,
        "diag": np.repeat(variances[None], case.K, axis=0),
        "spherical": np.full(case.K, variances.mean()),
    }[case.kind]
    return GMMParameters(weights, X[rng.choice(len(part), case.K, replace=False)], covariances, case.kind)
