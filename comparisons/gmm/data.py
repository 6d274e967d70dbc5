"""The built-in data sets of Gaussian mixtures, real ones and synthetic ones with their truth, and standard cases."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.datasets import load_iris

from comparisons.data.csv_files import FOLDER, read_rows
from comparisons.declarations import Case, Dataset
from models.gmm import GMMParameters, simulate


def _faithful() -> Dataset:
    X, _ = read_rows(FOLDER / "faithful.csv")
    story = "Old Faithful geyser, 272 eruptions (Azzalini & Bowman 1990)"
    return Dataset("faithful", "gmm", story, X, ("eruption length (minutes)", "waiting time (minutes)"))


def _galaxies() -> Dataset:
    X, _ = read_rows(FOLDER / "galaxies.csv")
    story = "velocities of 82 galaxies (Roeder 1990; row 78 as in R's MASS)"
    return Dataset("galaxies", "gmm", story, X / 1000, ("velocity (1000 km/s)",))


def _iris() -> Dataset:
    iris, story = load_iris(), "150 iris flowers of three species (Fisher 1936)"
    return Dataset("iris", "gmm", story, iris.data, tuple(iris.feature_names))


def _drawn(
    name: str, story: str, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike, n: int, seed: int
) -> Dataset:
    truth = GMMParameters(np.asarray(weights), np.asarray(means), np.asarray(covariances))
    X, _ = simulate(truth, n, random_state=seed)
    return Dataset(name, "gmm", story, X, tuple(f"feature {d}" for d in range(truth.n_features)), truth=truth)


def _separated() -> Dataset:
    covariances = [[[1.0, 0.3], [0.3, 1.0]], [[1.0, -0.4], [-0.4, 0.8]], [[0.6, 0.0], [0.0, 1.2]]]
    means, story = [[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]], "three clusters far apart, 600 samples"
    return _drawn("separated", story, [0.5, 0.3, 0.2], means, covariances, 600, seed=1)


def _overlapping() -> Dataset:
    covariances, story = (
        [[[1.0, 0.2], [0.2, 1.0]], [[1.5, -0.5], [-0.5, 1.0]]],
        "two clusters that overlap, 1500 samples",
    )
    return _drawn("overlapping", story, [0.6, 0.4], [[0.0, 0.0], [2.0, 1.0]], covariances, 1500, seed=2)


def _unequal_weights() -> Dataset:
    means, covariances = [[0.0, 0.0], [4.0, 4.0]], [np.eye(2), 0.5 * np.eye(2)]
    return _drawn("unequal-weights", "nine tenths and one tenth, 800 samples", [0.9, 0.1], means, covariances, 800, 3)


def _ten_dimensions() -> Dataset:
    rng = np.random.RandomState(4)
    roots = rng.normal(size=(3, 10, 10)) / np.sqrt(10)
    covariances = roots @ np.swapaxes(roots, 1, 2) + 0.5 * np.eye(10)
    means, story = 3 * rng.normal(size=(3, 10)), "three clusters in ten dimensions, 1500 samples"
    return _drawn("ten-dimensions", story, [0.4, 0.35, 0.25], means, covariances, 1500, seed=5)


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
    Case("faithful", 2, regular=True),
    # A second mode (weights about .1 .3 .6) holds 1 % of the posterior and keeps a chain for about 100 draws.
    Case("galaxies", 3, draws=4000),
    Case("iris", 2),  # its posterior at K = 3 has several modes of like mass
    Case("separated", 3, regular=True),
    Case("overlapping", 2),
    Case("unequal-weights", 2, regular=True),
    Case("ten-dimensions", 3, regular=True),
    Case("collapsing", 2, verdict="no maximum"),
    Case("faithful", 2, {"covariance_type": "tied"}, regular=True),
    Case("faithful-missing", 2, regular=True),
    Case("separated", 3, {"covariance_type": "diag"}, regular=True),
    Case("unequal-weights", 2, {"covariance_type": "spherical"}, regular=True),
)
