"""The gamma mixture of the how-to page: two quantities, no conjugate prior, an M-step by Newton's method."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import digamma, logsumexp
from scipy.stats import gamma
from toy_families import files_of, log_densities, toy

import em
from comparisons import compare
from comparisons.evidence.exact import exact_posterior
from comparisons.evidence.smc import smc_evidence
from em.gibbs import gibbs
from em.status import NoMaximumWarning
from em.variational import variational

gammas = toy("gammas", files_of("docs/howto/add_a_family_by_newton.md", "gammas"))
SHAPES, RATES = np.array([[2.0, 9.0], [4.0, 3.0]]), np.array([[2.0, 1.0], [0.5, 3.0]])


@pytest.fixture(scope="module", name="X")
def samples():
    rng = np.random.RandomState(0)
    z = (rng.uniform(size=300) > 0.4).astype(int)
    return rng.gamma(SHAPES[z], 1 / RATES[z])


@pytest.fixture(scope="module")
def fit(gammas, X):
    return em.GammasMixtureEM(2, random_state=0, tol=1e-12).fit(X)


def best_gamma(x, b=1.0, c=0.0, d=1.0, e=0.0):
    """Return shape and rate at the maximum: (n α + d - 1) / (Σ x + e) is the rate, and the shape a root."""

    def rate(a):
        return (len(x) * a + d - 1) / (x.sum() + e)

    def slope(a):
        return len(x) * (np.log(rate(a)) - digamma(a)) + np.log(x).sum() + (b - 1) / a - c

    a = brentq(slope, 1e-3, 1e4, xtol=1e-14, rtol=1e-14)
    return a, rate(a)


def test_one_component_is_the_root_of_the_textbook(gammas, X):
    prior = gammas["models"].GammasPrior(2.0, [1.2, 3.0], 0.4, 2.3, 0.6)
    alone, mode = em.GammasMixtureEM(1).fit(X), em.GammasMixtureEM(1, prior=prior).fit(X)
    for d in range(2):
        by_likelihood, by_prior = best_gamma(X[:, d]), best_gamma(X[:, d], prior.b[d], 0.4, 2.3, 0.6)
        np.testing.assert_allclose([alone.shapes_[0, d], alone.rates_[0, d]], by_likelihood, rtol=1e-10)
        np.testing.assert_allclose([mode.shapes_[0, d], mode.rates_[0, d]], by_prior, rtol=1e-10)


def test_a_frozen_quantity_leaves_the_other_at_its_maximum(gammas, X):
    held = em.GammasMixtureEM(1, frozen={"shapes": [[3.0, 5.0]]}).fit(X)
    np.testing.assert_array_equal(held.shapes_, [[3.0, 5.0]])
    np.testing.assert_allclose(held.rates_[0], [3.0, 5.0] / X.mean(axis=0), rtol=1e-10)
    held = em.GammasMixtureEM(1, frozen={"rates": [[3.0, 5.0]]}).fit(X)
    np.testing.assert_allclose(digamma(held.shapes_[0]), np.log(X).mean(axis=0) + np.log([3.0, 5.0]), atol=1e-10)


def test_the_maximum_is_stationary_and_louis_information_is_the_numerical_hessian(gammas, fit, X):
    e_step, Parameters = gammas["em"].e_step, gammas["models"].GammasParameters

    def log_likelihood(vector):
        return e_step(X, Parameters([vector[0], 1 - vector[0]], *vector[1:].reshape(2, 2, 2)))[1]

    at = np.concatenate([fit.weights_[:1], fit.shapes_.ravel(), fit.rates_.ravel()])
    steps = 1e-3 * np.diag(at)
    hessian = [
        [
            sum(s * t * log_likelihood(at + s * a + t * b) for s in (1, -1) for t in (1, -1)) / (4 * a.sum() * b.sum())
            for a in steps
        ]
        for b in steps
    ]
    errors = np.sqrt(np.diag(np.linalg.inv(-np.array(hessian))))
    np.testing.assert_allclose(fit.uncertainty(X).standard_errors, [errors[0], *errors], rtol=1e-2)
    for step in steps:
        slope = (log_likelihood(at + 1e-2 * step) - log_likelihood(at - 1e-2 * step)) / (2e-2 * step.sum())
        assert abs(slope) * errors[step.argmax()] < 1e-3
    assert fit.identifiability_.sentence == "identified: rank 9 of 9 free parameters"


@pytest.mark.parametrize("cells", ["complete", "missing"])
def test_both_models_and_em_are_one_mixture_by_enumeration(gammas, cells):
    package = gammas["models"]
    theta, prior = package.GammasParameters([0.3, 0.7], SHAPES, RATES), package.GammasPrior(1.5, 2.0, 3.0, 1.5, 0.5)
    rows = np.array([[0.4, 1.0], [5.0, 0.2], [2.0, 3.0], [2.0, 2.0]])
    if cells == "missing":
        rows[1, 0] = rows[3] = np.nan
    by_hand = np.log(theta.weights) + np.nansum(gamma.logpdf(rows[:, None], SHAPES, scale=1 / RATES), axis=2)
    expected = logsumexp(by_hand, axis=1).sum()
    assert log_densities(gammas, rows, theta, prior) == pytest.approx([expected] * 3, abs=1e-10)


def test_the_comparison_agrees_where_cells_are_missing(gammas, X, tmp_path):
    holes = np.where(np.random.RandomState(1).uniform(size=X.shape) < 0.15, np.nan, X)
    comparison = compare(holes, "gammas", 2, draws=500, tune=500, n_init=2, random_state=1)
    assert comparison.verdict == "agree", comparison.explanation
    comparison.save(tmp_path)
    assert (tmp_path / "data.png").exists()


def test_what_needs_a_conjugate_prior_is_refused_by_name(gammas, X):
    prior = gammas["models"].GammasPrior()
    for call in (gibbs, variational, exact_posterior):
        with pytest.raises(ValueError, match=r"must be conjugate, and models\.gammas has no such one: .* GammasPrior"):
            call(X, 2, prior)
    model = gammas["models"].build_marginal_model(X[:20], 1, prior)
    exact = smc_evidence(model, draws=500, chains=2, seed=0)
    assert exact.log_evidence == pytest.approx(evidence_on_a_grid(X[:20], prior), abs=5 * exact.standard_error + 0.1)


def evidence_on_a_grid(X, prior):
    """Return log p(X | one component), each feature on its own: a sum over log shape and log rate."""
    u = np.linspace(-6, 6, 401)
    a, rate = np.exp(u)[:, None], np.exp(u)
    log_prior = gamma.logpdf(a, prior.b, scale=1 / prior.c) + gamma.logpdf(rate, prior.d, scale=1 / prior.e)
    of_columns = [
        logsumexp(log_prior + u[:, None] + u + sum(gamma.logpdf(x, a, scale=1 / rate) for x in column))
        for column in X.T
    ]
    return sum(of_columns) + 4 * np.log(u[1] - u[0])


def test_its_summary_has_the_title_of_the_family(gammas, fit, X):
    assert fit.summary(X).model == "Gamma mixture of 2 components by maximum likelihood"


def test_a_component_that_falls_onto_a_point_has_collapsed(gammas):
    with pytest.warns(NoMaximumWarning, match="falls onto a point"):
        em.GammasMixtureEM(2, random_state=0).fit([[1.0], [1.0], [1.0], [2.0], [3.0]])
