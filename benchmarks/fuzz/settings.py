"""Settings of a case: start, stopping rule, leaps, frozen parameters, prior."""

from typing import Any

import numpy as np

from benchmarks.fuzz.cases import Case
from benchmarks.fuzz.data import Draws, on_grid, scarce
from models.bmm import BMMPrior
from models.gmm import GMMIndependentPrior, GMMPrior
from models.validation import Array


def draw_settings(case: Case, rng: Draws, z: np.ndarray, truth: Any) -> dict[str, Any]:
    """Return the settings of the estimator, in plain units."""
    n_init = int(rng.choice([1, 2, 3], p=[0.6, 0.2, 0.2]))
    settings: dict[str, Any] = {
        "prior": draw_prior(case, rng, truth) if case.family != "kmeans" and rng.random() < 0.45 else None,
        "frozen": draw_frozen(rng, truth) if rng.random() < 0.15 else None,
        "n_init": n_init,
        "n_starts": None if rng.random() < 0.7 else n_init + int(rng.integers(5)),
        "init": draw_init(case, rng, z, truth),
        "tol": float(rng.choice([1e-8, 1e-4, 1e-12, 0.0, 1.0], p=[0.6, 0.15, 0.1, 0.1, 0.05])),
        "max_iter": int(rng.choice([1000, 1, 2, 10], p=[0.8, 0.06, 0.06, 0.08])),
        "acceleration": [None, "squarem", "multisecant"][rng.choice(3, p=[0.25, 0.25, 0.5])],
        "random_state": int(rng.integers(2**31)),
    }
    if case.gaussian:
        settings["covariance_type"] = case.family
    return settings


def draw_init(case: Case, rng: Draws, z: np.ndarray, truth: Any) -> Any:
    """Return the name of a start, labels or parameters."""
    kind = rng.choice(["k-means++", "kmeans", "random", "labels", "parameters"], p=[0.35, 0.1, 0.15, 0.15, 0.25])
    if case.family == "kmeans":
        return truth.means if kind == "parameters" else "k-means++"
    if kind == "labels":
        return draw_labels(case.weights, truth.n_components, rng, z)
    if kind == "parameters":
        return truth
    return str(kind)


def draw_labels(weights: Array, K: int, rng: Draws, z: np.ndarray) -> np.ndarray:
    """Return labels, one in ten of them drawn anew; no component is empty if there are enough rows.

    Empty components would be equal, and rounding would decide between them.
    """
    labels = np.where(rng.random(len(z)) < 0.1, rng.integers(K, size=len(z)), z)
    heavy = rng.permutation(np.flatnonzero(weights > 0))[:K]
    labels[heavy] = np.arange(len(heavy))
    return labels


def draw_frozen(rng: Draws, truth: Any) -> dict[str, Array]:
    """Return some of the parameters, or all."""
    return {name: array for name, array in truth.arrays().items() if rng.random() < 0.5}


def draw_prior(case: Case, rng: Draws, truth: Any) -> Any:
    """Return a weakly informative prior, one that is nearly flat, or an extreme one that is legal."""
    kind = str(rng.choice(["weak", "flat", "strong", "extreme"]))
    size = {"weak": 1.0, "flat": 1e-6, "strong": 100.0}.get(kind, 10 ** rng.uniform(-8, 8))
    concentration = 1 + size * rng.uniform(0.5, 2, size=() if rng.random() < 0.7 else truth.n_components)
    if not case.gaussian:
        shapes = 1 + size * rng.uniform(0.2, 2, size=(2, truth.n_features))
        return BMMPrior(concentration, shapes[0], shapes[1])
    counts = (case.weights[:, None] * ~np.isnan(case.plain)).sum(axis=0)
    if kind == "weak" and not scarce(case) and (counts > 1).all():
        return GMMPrior.weakly_informative(
            case.plain, truth.n_components, case.family, sample_weight=case.sample_weight
        )
    mean = on_grid(rng.normal(size=truth.n_features))
    D, matrices = truth.n_features, case.family in ("full", "tied")
    vector = () if case.family == "spherical" else (D,)
    if not matrices and rng.random() < 0.5:
        shape = None if rng.random() < 0.5 else 1 + size
        return GMMIndependentPrior(
            concentration, mean, rng.uniform(1, 4, size=D), rng.uniform(0.3, 2, size=vector), shape, 2.0, case.family
        )
    spread = np.diag(rng.uniform(0.3, 2, size=D)) if matrices else rng.uniform(0.3, 2, size=vector)
    degrees = D - 1 + size if matrices else size
    return GMMPrior(concentration, mean, 0.01 * size, degrees, size * spread, case.family)
