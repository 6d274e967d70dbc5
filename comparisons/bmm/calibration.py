"""The calibrations of Bernoulli and binomial mixtures, the prior fixed before any data are simulated."""

from typing import Any

import numpy as np

from models.bmm import BMMPrior

PRIOR = BMMPrior(np.array(4.0), np.array([1.5, 1.5, 1.5, 1.5, 2.0]), np.full(5, 1.5))
CALIBRATIONS: dict[str, dict[str, Any]] = {
    "bernoulli": {"prior": PRIOR, "n_samples": 150, "n_features": 5},
    "binomial": {"prior": PRIOR, "n_samples": 60, "n_features": 5, "options": {"n_trials": 4}},
    "bernoulli-missing": {"prior": PRIOR, "n_samples": 150, "n_features": 5, "share_missing": 0.1},
}
