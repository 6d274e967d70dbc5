"""The built-in data sets of Gaussian mixtures (synthetic ones with their truth), standard cases and calibrations."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.declarations import Case, Dataset
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior, simulate
from models.gmm.structures import COVARIANCE_TYPES


def _faithful() -> Dataset:
    names, story = ("eruptions (min)", "waiting (min)"), "Old Faithful geyser, 272 eruptions"
    return Dataset.published("faithful", "gmm", f"{story} (Azzalini & Bowman 1990)", names)


def _galaxies() -> Dataset:
    story = "velocities of 82 galaxies (Roeder 1990; row 78 as in R's MASS)"
    dataset = Dataset.published("galaxies", "gmm", story, ("velocity (1000 km/s)",))
    return replace(dataset, X=dataset.X / 1000)


def _iris() -> Dataset:
    from sklearn.datasets import load_iris

    iris, story = load_iris(), "150 iris flowers of three species (Fisher 1936)"
    return Dataset("iris", "gmm", story, iris.data, tuple(iris.feature_names))


def _drawn(name: str, story: str, n: int, seed: int, *theta: ArrayLike) -> Dataset:
    """Draw n samples from a mixture with these weights, means and covariances."""
    weights, means, covariances = map(np.asarray, theta)
    truth = GMMParameters(weights, means, covariances)
    X, _ = simulate(truth, n, random_state=seed)
    return Dataset(name, "gmm", story, X, tuple(f"feature {d}" for d in range(truth.n_features)), truth=truth)


def _separated() -> Dataset:
    means, story = [[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]], "three clusters far apart, 600 samples"
    covariances = [[[1.0, 0.3], [0.3, 1.0]], [[1.0, -0.4], [-0.4, 0.8]], [[0.6, 0.0], [0.0, 1.2]]]
    return _drawn("separated", story, 600, 1, [0.5, 0.3, 0.2], means, covariances)


def _overlapping() -> Dataset:
    means, story = [[0.0, 0.0], [2.0, 1.0]], "two clusters that overlap, 1500 samples"
    covariances = [[[1.0, 0.2], [0.2, 1.0]], [[1.5, -0.5], [-0.5, 1.0]]]
    return _drawn("overlapping", story, 1500, 2, [0.6, 0.4], means, covariances)


def _unequal_weights() -> Dataset:
    means, covariances = [[0.0, 0.0], [4.0, 4.0]], [np.eye(2), 0.5 * np.eye(2)]
    return _drawn("unequal-weights", "nine tenths and one tenth, 800 samples", 800, 3, [0.9, 0.1], means, covariances)


def _ten_dimensions() -> Dataset:
    rng, story = np.random.RandomState(4), "three clusters in ten dimensions, 1500 samples"
    roots = rng.normal(size=(3, 10, 10)) / np.sqrt(10)
    covariances = roots @ np.swapaxes(roots, 1, 2) + 0.5 * np.eye(10)
    return _drawn("ten-dimensions", story, 1500, 5, [0.4, 0.35, 0.25], 3 * rng.normal(size=(3, 10)), covariances)


def _collapsing() -> Dataset:
    cloud = np.random.RandomState(6).normal(size=(120, 2))
    X = np.vstack([cloud, np.tile([8.0, 8.0], (15, 1))])
    story = "a cloud and fifteen copies of one point: the likelihood runs away"
    return Dataset("collapsing", "gmm", story, X, ("feature 0", "feature 1"))


DATASETS = {
    "faithful": _faithful,
    "faithful-missing": lambda: _faithful().with_holes("faithful-missing", 0.1, seed=9),
    "galaxies": _galaxies,
    "iris": _iris,
    "separated": _separated,
    "overlapping": _overlapping,
    "unequal-weights": _unequal_weights,
    "ten-dimensions": _ten_dimensions,
    "collapsing": _collapsing,
}
CASES = (
    Case("faithful", 2),
    # A second mode (weights about .1 .3 .6) holds 1 % of the posterior and keeps a chain for about 100 draws.
    Case("galaxies", 3, draws=4000),
    Case("iris", 2),  # its posterior at K = 3 has several modes of like mass
    Case("separated", 3),
    Case("overlapping", 2),
    Case("unequal-weights", 2),
    Case("ten-dimensions", 3),
    Case("collapsing", 2, verdict="no maximum"),
    Case("faithful", 2, {"covariance_type": "tied"}),
    Case("faithful-missing", 2),
    Case("separated", 3, {"covariance_type": "diag"}),
    Case("unequal-weights", 2, {"covariance_type": "spherical"}),
)
# All priors are fixed before data are simulated.
CONCENTRATION, MEAN = np.array(4.0), np.array([1.0, -1.0])
MATRIX = np.array([[3.0, 1.0], [1.0, 3.0]])
SCALES = {"full": MATRIX, "tied": MATRIX, "diag": np.array([3.0, 6.0]), "spherical": np.array(4.0)}
CONJUGATE = {kind: GMMPrior(CONCENTRATION, MEAN, 0.05, 6.0, SCALES[kind], kind) for kind in COVARIANCE_TYPES}


def _independent(kind: str, scale: list[float], variance_shape: float | None) -> GMMIndependentPrior:
    own = np.array(scale[0] if kind == "spherical" else scale)
    return GMMIndependentPrior(CONCENTRATION, MEAN, np.array([4.0, 5.0]), own, variance_shape, 2.0, kind)


CALIBRATIONS: dict[str, dict[str, Any]] = {
    **{kind: {"prior": prior} for kind, prior in CONJUGATE.items()},
    "full-3": {"prior": CONJUGATE["full"], "n_components": 3, "n_samples": 150},
    "full-missing": {"prior": CONJUGATE["full"], "share_missing": 0.2},
    **{f"{kind}-half-normal": {"prior": _independent(kind, [1.0, 1.5], None)} for kind in COVARIANCE_TYPES},
    **{f"{kind}-inverse-gamma": {"prior": _independent(kind, [2.0, 3.0], 3.0)} for kind in COVARIANCE_TYPES},
}
