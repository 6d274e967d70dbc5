"""Binomial log-likelihoods keep their digits with many trials (Loader's deviance form)."""

import mpmath
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import binom

from em import BinomialMixtureEM, bmm
from em.bmm.deviance import MANY_TRIALS, deviance, log_saturated
from models.bmm import BMMParameters


def exact(x, m, p):
    with mpmath.workdps(60):
        x, m, p = mpmath.mpf(int(x)), mpmath.mpf(int(m)), mpmath.mpf(p)
        choose = mpmath.loggamma(m + 1) - mpmath.loggamma(x + 1) - mpmath.loggamma(m - x + 1)
        return float(choose + x * mpmath.log(p) + (m - x) * mpmath.log1p(-p))


@pytest.mark.parametrize("m", [1, 16, 999, MANY_TRIALS, MANY_TRIALS + 1, 10**6, 10**9, 10**12, 10**15])
@pytest.mark.parametrize("p", [0.4, 0.02, 0.999])
def test_densities_are_those_of_sixty_digits(m, p):
    sd = np.sqrt(m * p * (1 - p))
    for x in {0, 1, m, int(m * p), int(max(0, m * p - sd)), int(min(m, m * p + 2 * sd)), m // 3}:
        log_prob = float(bmm.component_log_prob([[x]], BMMParameters([1.0], [[p]]), m)[0, 0])
        # p is a float: a rounding of p moves the mean by m p EPS, which the slope (x - m p) / (m p q) m p multiplies
        rounding = 1e-12 * (1 + abs(exact(x, m, p))) + 1e-16 * abs(x - m * p) / (1 - p)
        assert abs(log_prob - exact(x, m, p)) <= rounding


def test_published_modes():
    for m, value, digits in [(10**9, -10.5670133, 7), (10**12, -14.0209, 4), (10**15, -17.47, 2)]:
        log_prob = bmm.component_log_prob([[4 * m // 10]], BMMParameters([1.0], [[0.4]]), m)[0, 0]
        assert round(log_prob, digits) == value


def test_both_forms_are_the_same_number():
    x = np.arange(0.0, 41)
    p = 0.3
    np.testing.assert_allclose(
        log_saturated(x, np.full(41, 40.0)) - deviance(x, 40.0, p), binom.logpmf(x, 40, p), rtol=1e-12
    )


@pytest.mark.parametrize("trials", [5000, [4, 5000, 2_000_000]])
def test_fits_and_scores_agree_dense_and_sparse(trials):
    rng = np.random.RandomState(0)
    X = rng.binomial(trials, np.array([0.2, 0.25])[rng.randint(2, size=60)][:, None], size=(60, 3)).astype(float)
    fit = BinomialMixtureEM(2, n_trials=trials, n_init=2, random_state=0).fit(X)
    sparse = BinomialMixtureEM(2, n_trials=trials, n_init=2, random_state=0).fit(csr_array(X))
    joint = [
        np.log(w) + sum(exact(x, m, p) for x, m, p in zip(row, np.broadcast_to(trials, 3), ps, strict=True))
        for row in X
        for w, ps in zip(fit.weights_, fit.probs_, strict=True)
    ]
    wanted = np.logaddexp.reduce(np.reshape(joint, (60, 2)), axis=1).sum()
    assert fit.log_likelihood_ == pytest.approx(wanted, rel=1e-12)
    assert fit.score(X) * 60 == pytest.approx(wanted, rel=1e-12)
    assert sparse.log_likelihood_ == pytest.approx(wanted, rel=1e-10)
    assert sparse.score(csr_array(X)) * 60 == pytest.approx(sparse.log_likelihood_, rel=1e-12)


def test_impossible_counts_of_many_trials_are_impossible():
    parameters = BMMParameters([1.0], [[0.0, 1.0]])
    log_prob = bmm.component_log_prob([[0, 5000], [1, 5000], [0, 4999]], parameters, 5000)
    assert log_prob.ravel().tolist() == [0, -np.inf, -np.inf]


def test_a_mixture_of_so_many_trials_is_fitted_and_its_values_are_never_listed():
    X = np.array([[3e11], [3.1e11], [7e11], [7.2e11]])
    fit = BinomialMixtureEM(2, n_trials=10**12, random_state=0).fit(X)
    assert fit.identifiability_.identified
    assert np.sort(fit.probs_[:, 0]) == pytest.approx([0.305, 0.71])
