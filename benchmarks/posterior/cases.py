"""The measured posteriors: data, the prior's family, and the common start."""

from dataclasses import dataclass

import numpy as np

from comparisons.data import load
from em import BernoulliMixtureEM, GaussianMixtureEM
from models import bmm, gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior
from models.validation import Array

WEIGHTS = np.array([0.3, 0.3, 0.4])
CLOUDS = GMMParameters(
    WEIGHTS,
    np.array([[0.0, 0.0], [3.0, 2.0], [-2.0, 3.0]]),
    np.array([[[1.0, 0.5], [0.5, 1.0]], [[0.7, -0.3], [-0.3, 1.5]], [[1.0, 0.0], [0.0, 0.5]]]),
)
CLASSES = BMMParameters(
    WEIGHTS,
    np.array([[0.1, 0.2, 0.1, 0.2, 0.1, 0.2], [0.8, 0.9, 0.8, 0.2, 0.1, 0.2], [0.9, 0.8, 0.9, 0.8, 0.9, 0.8]]),
)


@dataclass(frozen=True)
class Posterior:
    """A data set, its number of components, and the prior: "LKJ", "conjugate" or, for a BMM, "beta"; n = 0 is lsat7."""

    n: int
    K: int
    prior: str

    @property
    def family(self) -> str:
        """The family: "gmm" or "bmm"."""
        return "bmm" if self.prior == "beta" else "gmm"

    def __str__(self) -> str:
        return f"{self.family} {f'n={self.n:,}' if self.n else 'lsat7'} K={self.K} {self.prior}"

    def data(self) -> Array:
        """Return X (n, D)."""
        if not self.n:
            return np.asarray(load("lsat7").X, dtype=float)
        family, truth = (gmm, CLOUDS) if self.family == "gmm" else (bmm, CLASSES)
        return np.asarray(family.simulate(truth, self.n, random_state=0)[0], dtype=float)


CASES = [
    Posterior(1_000, 3, "LKJ"),
    Posterior(1_000, 3, "conjugate"),
    Posterior(20_000, 3, "LKJ"),
    Posterior(20_000, 3, "conjugate"),
    Posterior(2_000, 3, "beta"),
    Posterior(0, 2, "beta"),
]
QUICK = [Posterior(100, 3, "LKJ"), Posterior(100, 3, "conjugate"), Posterior(100, 3, "beta")]


def start_of(case: Posterior, X: Array) -> dict[str, Array]:
    """Return EM's MAP under the conjugate prior, the start of all chains: EM has no MAP under the LKJ prior."""
    if case.family == "gmm":
        estimator = GaussianMixtureEM(case.K, prior=GMMPrior.weakly_informative(X, case.K), random_state=0)
    else:
        estimator = BernoulliMixtureEM(case.K, prior=BMMPrior(), random_state=0)
    return estimator.fit(X).parameters_.arrays()
