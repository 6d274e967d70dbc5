"""The zero-truncated Poisson mixture, whose distribution PyMC does not have: the story of the how-to page, and EM."""

import numpy as np
import pymc as pm
import pytest
from random_mixtures import NUMPY, all_labellings, declared_density, joint_density_of_labels
from scipy.special import logsumexp
from scipy.stats import ks_2samp, poisson
from toy_families import files_of, toy

import em
from comparisons import compare

LEAST_P = 1e-4
REST = {
    "models/ztp/__init__.py": """
from models.lazy import builders_of
from models.simulation import draw_parameters, simulate
from models.ztp.prior import ZTPParameters, ZTPPrior
__getattr__ = builders_of(__name__)
""",
    "models/ztp/prior.py": """
from dataclasses import dataclass
import numpy as np
from models.cells import PositiveCounts
from models.parameters import WEIGHTS, Parameters, Quantity
from models.prior import GammaPrior
from models.supports import POSITIVE

@dataclass(frozen=True, eq=False, repr=False)
class ZTPParameters(Parameters):
    rates: np.ndarray
    quantities = WEIGHTS, Quantity("rates", ("component", "feature"), POSITIVE)
    cells = PositiveCounts()

    def draw_samples(self, z, size, rng):
        rates = self.rates[z]
        first = -np.log1p(rng.uniform(size=rates.shape) * np.expm1(-rates))
        return 1.0 + rng.poisson(np.maximum(rates - first, 0.0))

@dataclass(frozen=True, eq=False, repr=False)
class ZTPPrior(GammaPrior):
    concentration: np.ndarray | float = 2.0
    shape: np.ndarray | float = 2.0
    rate: np.ndarray | float = 1.0
    conjugate = False
    hyperparameters, parameters_type = ("shape", "rate"), ZTPParameters
""",
    "em/ztp/__init__.py": '''
import numpy as np
from scipy.special import gammaln
from scipy.stats import poisson
from em.bound import log_of
from em.steps.newton import NewtonSteps
from models.ztp import ZTPPrior

class ZTPSteps(NewtonSteps):
    """T = (x - 1, 1, 0), η = (log λ, -log((e^λ - 1) / λ), -λ), log h = -log x!"""

    prior_type, hyper_offsets = ZTPPrior, (0.0,) * 3

    def statistics(self, X, size):
        return np.where(size > 0, X - 1, 0.0), size, np.zeros(X.shape)

    def log_base_of_cells(self, x, size):
        return -gammaln(x + 1)

    def natural(self, theta):
        rates, some = theta["rates"], np.maximum(theta["rates"], 1e-300)
        return log_of(rates), -rates - np.log(-np.expm1(-some) / some), -rates

    def slopes(self, theta):
        x = theta["rates"]
        far, near = np.maximum(x, 0.1), np.minimum(x, 0.1)
        first = 1 / far + 1 / np.expm1(-far)
        series = -1 / 2 - near / 12 + near**3 / 720 - near**5 / 30240
        second = np.exp(-far) / np.expm1(-far) ** 2 - 1 / far**2
        of_series = -1 / 12 + near**2 / 240 - near**4 / 6048
        of_ratio = np.where(x < 0.1, series, first), np.where(x < 0.1, of_series, second)
        return (1 / x, -1 / x**2), of_ratio, (-np.ones_like(x), np.zeros_like(x))

    def expected(self, theta, size):
        some = np.maximum(theta["rates"], 1e-300)
        mean, zero = some / -np.expm1(-some), np.zeros(np.broadcast(theta["rates"], size).shape)
        return size * mean, (size * (mean - 1), size + zero, zero)

    def values(self, theta, size):
        return [range(1, int(most) + 2) for most in poisson.isf(1e-13, theta["rates"].max(axis=0))]

    def chi_of(self, prior):
        return np.asarray(prior.shape) - 1, np.zeros(()), np.asarray(prior.rate)

    def start(self, chi):
        return {"rates": chi[0] / (chi[1] / 2 + chi[2])}

ZTP = ZTPSteps()
e_step = ZTP.e_step
''',
    "em/ztp/estimator.py": """
from em.exponential import ExponentialMixtureEM
from em.ztp import ZTP

class ZTPMixtureEM(ExponentialMixtureEM):
    _steps = ZTP
""",
    "comparisons/ztp/__init__.py": """
from comparisons.independent import IndependentFamily
from models.ztp import ZTPPrior

class ZeroTruncated(IndependentFamily):
    name, title, estimator_name, prior_types = "ztp", "Zero-truncated Poisson mixture", "ZTPMixtureEM", (ZTPPrior,)

FAMILY = ZeroTruncated
""",
}
ztp = toy("ztp", REST | files_of("docs/howto/add_a_family_by_newton.md", "ztp"))


@pytest.mark.parametrize("cells", ["complete", "missing"])
@pytest.mark.parametrize("least", [0.5, 1e-12, 0.0])
def test_both_models_and_em_have_its_density_at_any_rate(ztp, least, cells):
    package = ztp["models"]
    theta, prior = package.ZTPParameters([0.3, 0.7], [[least, 3.0], [2.0, 7.0]]), package.ZTPPrior(1.5, 1.0, 0.5)
    X = np.array([[1, 1], [2, 1], [5, 12], [1, 1.0]])
    if cells == "missing":
        X[1, 0] = X[3] = np.nan
    rates = np.maximum(theta.rates, 1e-200)  # scipy's share of x > 0 is 0 at a rate of 0
    with np.errstate(under="ignore"):
        of_cells = poisson.logpmf(X[:, None], rates) - np.log(-np.expm1(-rates))
    by_hand = logsumexp(np.log(theta.weights) + np.nansum(of_cells, axis=2), axis=1).sum()
    of_labels = joint_density_of_labels(package.build_model(X, 2, prior))(theta, all_labellings(2, 4))
    assert logsumexp(of_labels) - prior.log_prob(theta) == pytest.approx(by_hand, abs=1e-10)
    marginal = declared_density(package.build_marginal_model(X, 2, prior), ["x"])(theta.arrays())
    assert [marginal, ztp["em"].e_step(X, theta)[1]] == pytest.approx([by_hand] * 2, abs=1e-10)


@pytest.mark.parametrize("build", ["build_model", "build_marginal_model"])
def test_draws_of_both_models_are_those_of_the_simulator(ztp, build):
    package, n = ztp["models"], 2000
    theta = package.ZTPParameters([0.3, 0.7], [[1e-9, 3.0], [2.0, 0.5]])
    model = pm.do(getattr(package, build)(np.ones((n, 2)), 2, package.ZTPPrior()), theta.arrays(), prune_vars=True)
    drawn, (X, _) = pm.draw(model["x"], random_seed=2, mode=NUMPY), package.simulate(theta, n, random_state=1)
    assert drawn.min() == X.min() == 1
    for ours, theirs in zip(X.T, drawn.T, strict=True):
        assert ks_2samp(ours, theirs, method="asymp").pvalue > LEAST_P


def test_the_comparison_agrees_where_a_rate_is_0(ztp):
    package, rng = ztp["models"], np.random.RandomState(0)
    X, _ = package.simulate(package.ZTPParameters([0.5, 0.5], [[0.0, 1.0], [6.0, 4.0]]), 200, random_state=rng)
    fit = em.ZTPMixtureEM(2, random_state=0).fit(X)
    assert fit.rates_.min() < 1e-8
    comparison = compare(X, "ztp", 2, draws=300, tune=200, n_init=2, random_state=1)
    assert comparison.verdict == "agree", comparison.explanation
    assert any(check.name == "boundary estimates cannot move inwards" for check in comparison.checks)
    assert not any("conjugate" in check.reason for check in comparison.checks)


def test_counts_from_1_are_refused_below_and_are_not_sparse(ztp):
    with pytest.raises(ValueError, match=r"X must hold whole numbers of at least 1, got .* X\[1, 0\] = 0"):
        em.ZTPMixtureEM(1).fit([[1], [0], [3]])
    assert em.ZTPMixtureEM(1).fit([[1], [np.nan], [3]]).rates_.shape == (1, 1)
    assert not em.ZTPMixtureEM(1).__sklearn_tags__().input_tags.sparse
