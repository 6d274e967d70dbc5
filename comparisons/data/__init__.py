"""The data sets of comparisons: real ones with their source, synthetic ones with their truth, and users' files."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.datasets import load_digits, load_iris

from comparisons.data.csv_files import COUNT_COLUMN, expand, read_rows
from models import bmm, gmm
from models.shown import shown
from models.validation import Array

FOLDER = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data matrix and what is known about it.

    Attributes
    ----------
    name, family, story : str
        Name on the command line, "gmm" or "bmm", and one line about it.
    X : ndarray, shape (n, D)
        Samples; NaN where a cell is missing.
    feature_names : tuple of str
        Names of the D columns, with units.
    n_trials : int
        Trials per cell; 1 unless the family is "bmm" and X holds counts.
    truth : GMMParameters, BMMParameters or None
        The parameters that synthetic data were drawn from.
    """

    name: str
    family: str
    story: str
    X: Array
    feature_names: tuple[str, ...]
    n_trials: int = 1
    truth: Any = field(default=None, repr=False)


def load(name: str) -> Dataset:
    """Return a built-in data set by its name; synthetic ones are the same each time.

    Raises
    ------
    ValueError
        If there is none of this name; the message lists them.

    Examples
    --------
    >>> from comparisons.data import load
    >>> load("faithful").X.shape
    (272, 2)
    """
    if name not in BUILT_IN:
        raise ValueError(f"data must be one of {', '.join(sorted(BUILT_IN))}, got {name!r}")
    return BUILT_IN[name]()


def find(data: str, family: str | None = None, n_trials: int = 1) -> Dataset:
    """Return what a command line calls its data: a built-in set by its name, or a user's CSV file.

    Parameters
    ----------
    data : str
        A built-in name, or a path; see :func:`read_csv`.
    family : {"gmm", "bmm"} or None
        The family that is wanted; ``None`` takes a built-in set of either.
    n_trials : int
        Trials per cell of a file; built-in sets know theirs.

    Raises
    ------
    ValueError
        If there are no such data, or a built-in set is of the other family or has other trials.

    Examples
    --------
    >>> from comparisons.data import find
    >>> find("saxony").n_trials
    12
    """
    if data in BUILT_IN:
        dataset = load(data)
        if family not in (None, dataset.family):
            raise ValueError(f"data {data!r} belongs to family {dataset.family}, got {family}")
        if n_trials not in (1, dataset.n_trials):
            raise ValueError(
                f"trials of data {data!r} are {dataset.n_trials}, got {n_trials}; it is for your own files"
            )
        return dataset
    if data.endswith(".csv") or Path(data).exists():
        if family is None:
            raise ValueError(f"family must be gmm or bmm for a file of your own, {data}; got none")
        return read_csv(data, family, n_trials)
    names = [name for name, make in BUILT_IN.items() if family in (None, make().family)]
    raise ValueError(f"data must be a CSV file or one of {', '.join(names)}, got {shown(data)}")


def read_csv(path: str | Path, family: str, n_trials: int = 1) -> Dataset:
    """Return a user's file as a data set of a family; see :func:`comparisons.data.csv_files.read_rows`."""
    path = Path(path)
    if not path.exists():
        raise ValueError(f"data file {path} does not exist; built-in data are {', '.join(sorted(BUILT_IN))}")
    X, names = read_rows(path)
    return Dataset(path.stem, family, path.name, X, names, n_trials)


def _faithful() -> Dataset:
    X = np.loadtxt(FOLDER / "faithful.csv", delimiter=",", skiprows=1)
    story = "Old Faithful geyser, 272 eruptions (Azzalini & Bowman 1990)"
    return Dataset("faithful", "gmm", story, X, ("eruption length (minutes)", "waiting time (minutes)"))


def _galaxies() -> Dataset:
    X = np.loadtxt(FOLDER / "galaxies.csv", delimiter=",", skiprows=1)[:, None] / 1000
    story = "velocities of 82 galaxies (Roeder 1990; row 78 as in R's MASS)"
    return Dataset("galaxies", "gmm", story, X, ("velocity (1000 km/s)",))


def _iris() -> Dataset:
    iris = load_iris()
    return Dataset(
        "iris", "gmm", "150 iris flowers of three species (Fisher 1936)", iris.data, tuple(iris.feature_names)
    )


def _lsat7() -> Dataset:
    values = np.loadtxt(FOLDER / "lsat7.csv", delimiter=",", skiprows=1)
    X, names = expand(FOLDER / "lsat7.csv", [f"item {d}" for d in range(1, 6)] + [COUNT_COLUMN], values)
    return Dataset("lsat7", "bmm", "five LSAT items, 1000 persons (Bock & Lieberman 1970)", X, names)


def _saxony() -> Dataset:
    values = np.loadtxt(FOLDER / "saxony.csv", delimiter=",", skiprows=1)
    X, names = expand(FOLDER / "saxony.csv", ["boys", COUNT_COLUMN], values)
    story = "boys among the first 12 children of 6115 families (Geissler 1889)"
    return Dataset("saxony", "bmm", story, X, names, n_trials=12)


def _digits_binary() -> Dataset:
    pixels = load_digits().data
    story = "1797 handwritten digits, 8 x 8 pixels darker than half (UCI, through scikit-learn)"
    return Dataset("digits-binary", "bmm", story, (pixels >= 8).astype(np.float64), _pixel_names())


def _digits_counts() -> Dataset:
    story = "1797 handwritten digits, 8 x 8 pixels of 16 grey levels as binomial(16) (UCI, through scikit-learn)"
    return Dataset("digits-counts", "bmm", story, load_digits().data, _pixel_names(), n_trials=16)


def _pixel_names() -> tuple[str, ...]:
    return tuple(f"pixel {row},{column}" for row in range(8) for column in range(8))


def _gmm(weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> gmm.GMMParameters:
    return gmm.GMMParameters(np.asarray(weights), np.asarray(means), np.asarray(covariances))


def _bmm(weights: ArrayLike, probs: ArrayLike) -> bmm.BMMParameters:
    return bmm.BMMParameters(np.asarray(weights), np.asarray(probs))


def _gaussian(name: str, story: str, truth: gmm.GMMParameters, n: int, seed: int) -> Dataset:
    X, _ = gmm.simulate(truth, n, random_state=seed)
    return Dataset(name, "gmm", story, X, tuple(f"feature {d}" for d in range(truth.n_features)), truth=truth)


def _separated() -> Dataset:
    covariances = [[[1.0, 0.3], [0.3, 1.0]], [[1.0, -0.4], [-0.4, 0.8]], [[0.6, 0.0], [0.0, 1.2]]]
    truth = _gmm([0.5, 0.3, 0.2], [[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]], covariances)
    return _gaussian("separated", "three clusters far apart, 600 samples", truth, 600, seed=1)


def _overlapping() -> Dataset:
    covariances = [[[1.0, 0.2], [0.2, 1.0]], [[1.5, -0.5], [-0.5, 1.0]]]
    truth = _gmm([0.6, 0.4], [[0.0, 0.0], [2.0, 1.0]], covariances)
    return _gaussian("overlapping", "two clusters that overlap, 1500 samples", truth, 1500, seed=2)


def _unequal_weights() -> Dataset:
    truth = _gmm([0.9, 0.1], [[0.0, 0.0], [4.0, 4.0]], [np.eye(2), 0.5 * np.eye(2)])
    return _gaussian("unequal-weights", "nine tenths and one tenth, 800 samples", truth, 800, seed=3)


def _ten_dimensions() -> Dataset:
    rng = np.random.RandomState(4)
    roots = rng.normal(size=(3, 10, 10)) / np.sqrt(10)
    covariances = roots @ np.swapaxes(roots, 1, 2) + 0.5 * np.eye(10)
    truth = _gmm([0.4, 0.35, 0.25], 3 * rng.normal(size=(3, 10)), covariances)
    return _gaussian("ten-dimensions", "three clusters in ten dimensions, 1500 samples", truth, 1500, seed=5)


def _collapsing() -> Dataset:
    cloud = np.random.RandomState(6).normal(size=(120, 2))
    X = np.vstack([cloud, np.tile([8.0, 8.0], (15, 1))])
    story = "a cloud and fifteen copies of one point: the likelihood runs away"
    return Dataset("collapsing", "gmm", story, X, ("feature 0", "feature 1"))


def _coins(name: str, n_flips: int, story: str) -> Dataset:
    truth = _bmm([0.5, 0.5], [[0.3], [0.8]])
    X, _ = bmm.simulate(truth, 400, n_flips, random_state=7)
    return Dataset(name, "bmm", story, X, (f"heads in {n_flips}",), n_flips, truth)


def _binary_vectors() -> Dataset:
    probs = np.array([[0.9, 0.8, 0.85, 0.1, 0.2, 0.15, 0.5, 0.3], [0.15, 0.2, 0.1, 0.85, 0.8, 0.9, 0.4, 0.6]])
    truth = _bmm([0.6, 0.4], probs)
    X, _ = bmm.simulate(truth, 800, random_state=8)
    story = "binary vectors of two kinds, 800 samples"
    return Dataset("binary-vectors", "bmm", story, X, tuple(f"feature {d}" for d in range(8)), truth=truth)


def _with_holes(dataset: Dataset, name: str, share: float, seed: int) -> Dataset:
    """Return the data set with so large a share of its cells removed, completely at random."""
    holes = np.random.RandomState(seed).uniform(size=dataset.X.shape) < share
    story = f"{dataset.story}; {share:.0%} of the cells removed at random"
    return replace(dataset, name=name, story=story, X=np.where(holes, np.nan, dataset.X))


BUILT_IN: dict[str, Callable[[], Dataset]] = {
    "faithful": _faithful,
    "faithful-missing": lambda: _with_holes(_faithful(), "faithful-missing", 0.1, seed=9),
    "galaxies": _galaxies,
    "iris": _iris,
    "separated": _separated,
    "overlapping": _overlapping,
    "unequal-weights": _unequal_weights,
    "ten-dimensions": _ten_dimensions,
    "collapsing": _collapsing,
    "lsat7": _lsat7,
    "lsat7-missing": lambda: _with_holes(_lsat7(), "lsat7-missing", 0.1, seed=10),
    "saxony": _saxony,
    "digits-binary": _digits_binary,
    "digits-counts": _digits_counts,
    "coins": lambda: _coins("coins", 1, "two kinds of coin, one flip each, 400 coins: not identifiable"),
    "coins-ten-flips": lambda: _coins("coins-ten-flips", 10, "two kinds of coin, ten flips each, 400 coins"),
    "binary-vectors": _binary_vectors,
}
