"""The calibrations of Gaussian mixtures: every structure under every prior, fixed before any data are simulated."""

from typing import Any

import numpy as np

from models.gmm import GMMIndependentPrior, GMMPrior
from models.gmm.structures import COVARIANCE_TYPES

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
