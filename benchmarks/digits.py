"""Compare the log-likelihood at given parameters with a 50-digit reference, for one kind of difficult data at a time.

The reference takes the numbers as stored. The error is that of Σ log p(x), in units of Σ |log p(x)|. Large data repeat
a few distinct rows, so that the reference stays exact.

R packages are not run. The source of poLCA multiplies plain probabilities, starting from the largest double
(github.com/dlinzer/poLCA, src/poLCA.c, `ylik`): rows less probable than about 1e-616 lose digits there.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import mpmath
import numpy as np
from rich.table import Table

from benchmarks.contestants import installed
from em.bmm import BINOMIAL
from em.gmm.passes import gaussian_pass
from em.steps.problem import e_step
from models.bmm import BMMParameters
from models.gmm import GMMParameters
from models.validation import Array

DIGITS = 50
ALLOWED = 1e-12
N_ROWS = 100
NOT_RUN = "Not run: mclust and poLCA, which are R packages; pomegranate, which needs PyTorch."

type LogLikelihood = Callable[[Array, Any], float]


@dataclass(frozen=True)
class Stress:
    """Rows with the number of their copies, dtype and memory order, and the parameters."""

    name: str
    rows: Array
    parameters: Any
    n_copies: int = 1
    order: Literal["C", "F"] = "C"

    @cached_property
    def reference(self) -> tuple[mpmath.mpf, mpmath.mpf]:
        """Σ log p(x) and Σ |log p(x)| of the rows, in 50-digit arithmetic."""
        density = bernoulli_density if isinstance(self.parameters, BMMParameters) else gaussian_density
        with mpmath.workdps(DIGITS):
            log_prob = [mpmath.log(density(row, self.parameters)) for row in self.rows.astype(np.float64).tolist()]
            return mpmath.fsum(log_prob), mpmath.fsum(log_prob, absolute=True)

    def error(self, log_likelihood: LogLikelihood) -> float:
        """Return the error of a contestant's log-likelihood in units of the sum of absolute terms."""
        X = np.array(np.tile(self.rows, (self.n_copies, 1)), order=self.order)
        value = log_likelihood(X, self.parameters)
        total, absolute = self.reference
        with mpmath.workdps(DIGITS):
            return float(abs(value - self.n_copies * total) / (self.n_copies * absolute))


def gaussian_density(x: list[float], parameters: GMMParameters) -> mpmath.mpf:
    """Return Σ_k π_k exp(-1/2 (x - μ_k)' Σ_k⁻¹ (x - μ_k)) / √|2π Σ_k|."""
    density = mpmath.mpf(0)
    for weight, mean, covariance in zip(*(array.tolist() for array in parameters.arrays().values()), strict=True):
        gap, matrix = mpmath.matrix(x) - mpmath.matrix(mean), mpmath.matrix(covariance)
        distance = (gap.T * mpmath.lu_solve(matrix, gap))[0]
        density += weight * mpmath.exp(-distance / 2) / mpmath.sqrt(mpmath.det(2 * mpmath.pi * matrix))
    return density


def bernoulli_density(x: list[float], parameters: BMMParameters) -> mpmath.mpf:
    """Return Σ_k π_k Π_d p_kd^x_d (1 - p_kd)^(1 - x_d)."""
    density = mpmath.mpf(0)
    for weight, probs in zip(parameters.weights.tolist(), parameters.probs.tolist(), strict=True):
        density += weight * mpmath.fprod(p if one else 1 - mpmath.mpf(p) for one, p in zip(x, probs, strict=True))
    return density


def gaussian_stresses(n_copies: int) -> list[Stress]:
    """Return stresses of two clusters in two dimensions, whose centres are about 1 apart."""

    def stress(name: str, offset: float = 0, scale: float = 1, weight: float = 0.3) -> Stress:
        rng = np.random.RandomState(0)
        means = offset + np.array([[0.0, 0.0], [1.0, -1.0]])
        rows = means[rng.randint(2, size=N_ROWS)] + scale * rng.normal(size=(N_ROWS, 2))
        shape = np.array([[1.0, 0.4], [0.4, 0.7]])
        covariances = scale**2 * np.array([shape, 2 * shape])
        return Stress(name, rows, GMMParameters(np.array([weight, 1 - weight]), means, covariances))

    return [
        *variants(stress("plain"), n_copies),
        stress("offset 1e8 spreads", offset=1e8),
        stress("scale 1e-6 of the spread", scale=1e-6),
        stress("weight 1e-12", weight=1e-12),
        stress("offset 1e4, scale 1e-4", offset=1e4, scale=1e-4),
    ]


def bernoulli_stresses(n_copies: int) -> list[Stress]:
    """Return stresses of two classes of fifty items."""

    def stress(name: str, weight: float = 0.3, smallest: float = 0.02) -> Stress:
        rng = np.random.RandomState(0)
        probs = rng.uniform(0.02, 0.98, size=(2, 50))
        rows = rng.binomial(1, probs[rng.randint(2, size=N_ROWS)]).astype(np.float64)
        probs[:, :5] *= smallest
        return Stress(name, rows, BMMParameters(np.array([weight, 1 - weight]), probs))

    plain = stress("plain", smallest=1.0)
    return [*variants(plain, n_copies), stress("weight 1e-12", weight=1e-12), stress("probs 1e-20", smallest=1e-20)]


def variants(plain: Stress, n_copies: int) -> list[Stress]:
    """Return the rows unchanged, repeated many times, in single precision, and in column order."""
    return [
        plain,
        replace(plain, name=f"n = {N_ROWS * n_copies:.0e}".replace("e+0", "e"), n_copies=n_copies),
        replace(plain, name="float32", rows=plain.rows.astype(np.float32)),
        replace(plain, name="Fortran order", order="F"),
    ]


def ours(X: Array, parameters: Any) -> float:
    """Return our log-likelihood."""
    if isinstance(parameters, GMMParameters):
        return gaussian_pass(X, parameters)[0]
    theta = {name: array[None] for name, array in parameters.arrays().items()}
    return float(e_step(BINOMIAL, BINOMIAL.rows(X, lean=True))(theta, np.zeros(1, dtype=int))[0][0])


def scikit_learn(X: Array, parameters: GMMParameters) -> float:
    """Return n times the score of scikit-learn's GaussianMixture with the parameters given."""
    from sklearn.mixture import GaussianMixture
    from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

    model = GaussianMixture(parameters.n_components)
    model.weights_, model.means_, model.covariances_ = parameters.arrays().values()
    model.precisions_cholesky_ = _compute_precision_cholesky(parameters.covariances, "full")
    return float(model.score(X)) * len(X)


def hmmlearn(X: Array, parameters: GMMParameters) -> float:
    """Return the score of hmmlearn's GMMHMM with one state, which is a Gaussian mixture."""
    from hmmlearn.hmm import GMMHMM

    model = GMMHMM(1, parameters.n_components, covariance_type="full")
    model.startprob_, model.transmat_ = np.ones(1), np.ones((1, 1))
    model.weights_, model.means_, model.covars_ = (array[None] for array in parameters.arrays().values())
    return float(model.score(X))


def stepmix(X: Array, parameters: BMMParameters) -> float:
    """Return n times the score of StepMix with the parameters given."""
    from stepmix.stepmix import StepMix

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fit only creates the attributes that hold the parameters
        model = StepMix(parameters.n_components, measurement="binary", max_iter=1, progress_bar=0).fit(X[:N_ROWS])
    given = {"weights": parameters.weights, "measurement": {"pis": parameters.probs}}
    model.set_parameters(model.get_parameters() | given)
    return float(model.score(X)) * len(X)


OURS: dict[str, LogLikelihood] = {"ours": ours}
RIVALS: dict[str, dict[str, LogLikelihood]] = {
    "Gaussian": {"scikit-learn": scikit_learn, "hmmlearn": hmmlearn},
    "Bernoulli": {"StepMix": stepmix},
}


def table(quick: bool) -> Table:
    """Return a line for each stress and a column for each contestant."""
    n_copies = 10 if quick else 1_000_000 // N_ROWS
    stresses = {"Gaussian": gaussian_stresses(n_copies), "Bernoulli": bernoulli_stresses(n_copies)}
    result = Table(
        title=f"Error of the log-likelihood, in units of the sum of absolute terms; ! is above {ALLOWED:g}",
        caption=NOT_RUN,
    )
    rivals = [name for those in RIVALS.values() for name in those]
    for heading in ["stress", *OURS, *rivals]:
        result.add_column(heading)
    for family, those in stresses.items():
        for stress in those:
            cells = [cell(stress, (OURS | RIVALS[family]).get(who), who) for who in [*OURS, *rivals]]
            result.add_row(f"{family}, {stress.name}", *cells)
    return result


def cell(stress: Stress, log_likelihood: LogLikelihood | None, who: str) -> str:
    """Return a contestant's cell in a line."""
    if log_likelihood is None:
        return ""
    if who not in OURS and not installed(who):
        return "not installed"
    error = stress.error(log_likelihood)
    return f"{error:.0e}" + ("" if error <= ALLOWED else " !")
