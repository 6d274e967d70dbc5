"""The built-in data sets of Poisson mixtures, their standard cases and calibrations."""

from pathlib import Path
from typing import Any

import numpy as np

from comparisons.declarations import Case, Dataset
from models.pmm import PMMParameters, PMMPrior, simulate


def _earthquakes() -> Dataset:
    counts = np.loadtxt(Path(__file__).parent / "earthquakes.csv", delimiter=",", skiprows=1, usecols=[1])
    story = "earthquakes of magnitude 7 or more in each year, 1900-2006 (Zucchini & MacDonald 2009)"
    return Dataset("earthquakes", "pmm", story, counts[:, None], ("earthquakes in a year",))


def _accidents() -> Dataset:
    truth = PMMParameters(np.array([0.6, 0.4]), np.array([[1.0, 4.0, 2.0], [5.0, 1.5, 2.0]]))
    exposure = np.random.RandomState(11).uniform(0.5, 3.0, size=(500, 1)) * np.ones(3)
    X, _ = simulate(truth, 500, exposure, random_state=12)
    story = "three kinds of events in 500 places of different exposures, simulated"
    return Dataset("accidents", "pmm", story, X, ("falls", "burns", "cuts"), {"exposure": exposure}, truth)


DATASETS = {
    "earthquakes": _earthquakes,
    "accidents": _accidents,
    "accidents-missing": lambda: _accidents().with_holes("accidents-missing", 0.1, seed=13),
}
CASES = Case("earthquakes", 2, draws=2000), Case("accidents", 2), Case("accidents-missing", 2)
PRIOR = PMMPrior(np.array(4.0), np.array([2.0, 3.0]), np.array([0.5, 1.0]))
CALIBRATIONS: dict[str, dict[str, Any]] = {
    "exposure": {"prior": PRIOR, "n_samples": 80, "n_features": 2, "options": {"exposure": 1.5}}
}
