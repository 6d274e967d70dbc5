"""The built-in data sets of Bernoulli and binomial mixtures, their standard cases and calibrations."""

from typing import Any

import numpy as np

from comparisons.declarations import Case, Dataset
from models.bmm import BMMParameters, BMMPrior, simulate

PIXELS = tuple(f"pixel {row},{column}" for row in range(8) for column in range(8))


def _lsat7() -> Dataset:
    story = "five LSAT items, 1000 persons (Bock & Lieberman 1970)"
    return Dataset.published("lsat7", "bmm", story, tuple(f"item {d}" for d in range(1, 6)))


def _saxony() -> Dataset:
    story = "boys among the first 12 children of 6115 families (Geissler 1889)"
    return Dataset.published("saxony", "bmm", story, ("boys",), n_trials=12)


def _digits_binary() -> Dataset:
    from sklearn.datasets import load_digits

    story = "1797 handwritten digits, 8 x 8 pixels darker than half (UCI, through scikit-learn)"
    return Dataset("digits-binary", "bmm", story, (load_digits().data >= 8).astype(np.float64), PIXELS)


def _digits_counts() -> Dataset:
    from sklearn.datasets import load_digits

    story = "1797 handwritten digits, 8 x 8 pixels of 16 grey levels as binomial(16) (UCI, through scikit-learn)"
    return Dataset("digits-counts", "bmm", story, load_digits().data, PIXELS, {"n_trials": 16})


def _coins(name: str, n_flips: int, story: str) -> Dataset:
    truth = BMMParameters(np.array([0.5, 0.5]), np.array([[0.3], [0.8]]))
    X, _ = simulate(truth, 400, n_flips, random_state=7)
    return Dataset(name, "bmm", story, X, (f"heads in {n_flips}",), {"n_trials": n_flips}, truth)


def _binary_vectors() -> Dataset:
    probs = [[0.9, 0.8, 0.85, 0.1, 0.2, 0.15, 0.5, 0.3], [0.15, 0.2, 0.1, 0.85, 0.8, 0.9, 0.4, 0.6]]
    truth = BMMParameters(np.array([0.6, 0.4]), np.array(probs))
    X, _ = simulate(truth, 800, random_state=8)
    story = "binary vectors of two kinds, 800 samples"
    return Dataset("binary-vectors", "bmm", story, X, tuple(f"feature {d}" for d in range(8)), truth=truth)


DATASETS = {
    "lsat7": _lsat7,
    "lsat7-missing": lambda: _lsat7().with_holes("lsat7-missing", 0.1, seed=10),
    "saxony": _saxony,
    "digits-binary": _digits_binary,
    "digits-counts": _digits_counts,
    "coins": lambda: _coins("coins", 1, "two kinds of coin, one flip each, 400 coins: not identifiable"),
    "coins-ten-flips": lambda: _coins("coins-ten-flips", 10, "two kinds of coin, ten flips each, 400 coins"),
    "binary-vectors": _binary_vectors,
}
CASES = (
    Case("lsat7", 2),
    Case("lsat7-missing", 2),
    Case("saxony", 2, draws=4000),
    Case("binary-vectors", 2),
    Case("coins-ten-flips", 2),
    Case("coins", 2, verdict="not identified"),
    Case("digits-binary", 10, single_start=True),
    Case("digits-counts", 2),  # from K = 3 on, one restart in ten finds the best maximum; at 10 one in hundreds
)
# All priors are fixed before data are simulated.
PRIOR = BMMPrior(np.array(4.0), np.array([1.5, 1.5, 1.5, 1.5, 2.0]), np.full(5, 1.5))
CALIBRATIONS: dict[str, dict[str, Any]] = {
    "bernoulli": {"prior": PRIOR, "n_samples": 150, "n_features": 5},
    "binomial": {"prior": PRIOR, "n_samples": 60, "n_features": 5, "options": {"n_trials": 4}},
    "bernoulli-missing": {"prior": PRIOR, "n_samples": 150, "n_features": 5, "share_missing": 0.1},
}
