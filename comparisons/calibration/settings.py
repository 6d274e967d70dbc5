"""What is calibrated: every model with every prior, each prior fixed here, before any data are simulated."""

import numpy as np

from comparisons.calibration.simulations import Setting
from models.bmm import BMMPrior
from models.gmm import GMMIndependentPrior, GMMPrior
from models.gmm.structures import COVARIANCE_TYPES
from models.validation import Array

CONCENTRATION, MEAN = np.array(4.0), np.array([1.0, -1.0])
MATRIX = np.array([[3.0, 1.0], [1.0, 3.0]])
CONJUGATE_SCALES = {"full": MATRIX, "tied": MATRIX, "diag": np.array([3.0, 6.0]), "spherical": np.array(4.0)}


def _conjugate(kind: str) -> GMMPrior:
    return GMMPrior(CONCENTRATION, MEAN, 0.05, 6.0, CONJUGATE_SCALES[kind], kind)


def _independent(kind: str, scale: Array, variance_shape: float | None) -> GMMIndependentPrior:
    scale = scale[0] if kind == "spherical" else scale
    return GMMIndependentPrior(CONCENTRATION, MEAN, np.array([4.0, 5.0]), scale, variance_shape, 2.0, kind)


def _half_normal(kind: str) -> GMMIndependentPrior:
    return _independent(kind, np.array([1.0, 1.5]), None)


def _inverse_gamma(kind: str) -> GMMIndependentPrior:
    return _independent(kind, np.array([2.0, 3.0]), 3.0)


_COUNTS = BMMPrior(CONCENTRATION, np.array([1.5, 1.5, 1.5, 1.5, 2.0]), np.full(5, 1.5))
SETTINGS = {
    **{f"gmm-{kind}": Setting(_conjugate(kind)) for kind in COVARIANCE_TYPES},
    "gmm-full-3": Setting(_conjugate("full"), n_components=3, n_samples=150),
    "gmm-full-missing": Setting(_conjugate("full"), share_missing=0.2),
    **{f"gmm-{kind}-half-normal": Setting(_half_normal(kind)) for kind in COVARIANCE_TYPES},
    **{f"gmm-{kind}-inverse-gamma": Setting(_inverse_gamma(kind)) for kind in COVARIANCE_TYPES},
    "bmm-bernoulli": Setting(_COUNTS, n_samples=150, n_features=5),
    "bmm-binomial": Setting(_COUNTS, n_samples=60, n_features=5, n_trials=4),
    "bmm-bernoulli-missing": Setting(_COUNTS, n_samples=150, n_features=5, share_missing=0.1),
}
BROKEN = ("gmm-full", "bmm-bernoulli")  # shown to fail without their Jacobian
