"""What is calibrated: every model with every prior, each prior fixed here, before any data are simulated."""

import numpy as np

from comparisons.simulations import Setting
from models.bmm import BMMPrior
from models.gmm import GMMIndependentPrior, GMMPrior
from models.gmm.structures import COVARIANCE_TYPES

SCALE_MATRIX = np.array([[3.0, 1.0], [1.0, 3.0]])
CONJUGATE_SCALES = {"full": SCALE_MATRIX, "tied": SCALE_MATRIX, "diag": [3.0, 6.0], "spherical": 4.0}


def _conjugate(kind: str) -> GMMPrior:
    return GMMPrior(4.0, [1.0, -1.0], 0.05, 6.0, CONJUGATE_SCALES[kind], kind)


def _independent(kind: str, scales: str) -> GMMIndependentPrior:
    scale, shape = ([1.0, 1.5], None) if scales == "half-normal" else ([2.0, 3.0], 3.0)
    return GMMIndependentPrior(
        concentration=4.0,
        mean=[1.0, -1.0],
        mean_sd=[4.0, 5.0],
        scale=scale[0] if kind == "spherical" else scale,
        variance_shape=shape,
        correlation_shape=2.0,
        covariance_type=kind,
    )


_COUNTS = BMMPrior(4.0, [1.5, 1.5, 1.5, 1.5, 2.0], [1.5, 1.5, 1.5, 1.5, 1.5])
SETTINGS = {
    **{f"gmm-{kind}": Setting(_conjugate(kind)) for kind in COVARIANCE_TYPES},
    "gmm-full-3": Setting(_conjugate("full"), n_components=3, n_samples=150),
    "gmm-full-missing": Setting(_conjugate("full"), share_missing=0.2),
    **{f"gmm-{kind}-half-normal": Setting(_independent(kind, "half-normal")) for kind in COVARIANCE_TYPES},
    **{f"gmm-{kind}-inverse-gamma": Setting(_independent(kind, "inverse-gamma")) for kind in COVARIANCE_TYPES},
    "bmm-bernoulli": Setting(_COUNTS, n_samples=150, n_features=5),
    "bmm-binomial": Setting(_COUNTS, n_samples=60, n_features=5, n_trials=4),
    "bmm-bernoulli-missing": Setting(_COUNTS, n_samples=150, n_features=5, share_missing=0.1),
}
BROKEN = ("gmm-full", "bmm-bernoulli")  # shown to fail without their Jacobian
