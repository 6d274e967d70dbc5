"""Maximum likelihood reaches the values known from the literature and from other programs, by the best of restarts."""

import pytest
import reference_data

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM

# Each log-likelihood is printed to six decimals, and tol=1e-8 nats leaves the fit well inside the last of them.
PRINTED = 1e-6


@pytest.mark.parametrize(
    ("X", "K", "log_likelihood"),
    [
        pytest.param(reference_data.faithful(), 2, -1130.263960, id="faithful"),
        pytest.param(reference_data.waiting(), 2, -1034.001750, id="waiting"),
        pytest.param(reference_data.galaxies(), 3, -203.179228, id="galaxies"),
        pytest.param(reference_data.iris(), 3, -180.185477, id="iris"),
    ],
)
def test_gaussian_mixture_reaches_the_reference(X, K, log_likelihood):
    fit = GaussianMixtureEM(K, random_state=0).fit(X)
    assert fit.converged_
    assert fit.log_likelihood_ == pytest.approx(log_likelihood, rel=0, abs=PRINTED)


@pytest.mark.parametrize(
    ("X", "K", "structure", "log_likelihood", "n_free"),
    [
        pytest.param(reference_data.faithful(), 3, "tied", -1126.315928, 11, id="faithful tied 3"),  # mclust's EEE,3
        pytest.param(reference_data.faithful(), 2, "tied", -1140.186759, 8, id="faithful tied 2"),
        pytest.param(reference_data.faithful(), 2, "diag", -1147.806353, 9, id="faithful diag"),
        pytest.param(reference_data.faithful(), 2, "spherical", -1709.529282, 7, id="faithful spherical"),
        pytest.param(reference_data.iris(), 3, "spherical", -384.314095, 17, id="iris spherical"),
        pytest.param(reference_data.iris(), 3, "tied", -256.354043, 24, id="iris tied"),
    ],
)
def test_each_structure_reaches_the_reference(X, K, structure, log_likelihood, n_free):
    fit = GaussianMixtureEM(K, covariance_type=structure, random_state=0).fit(X)
    assert fit.converged_
    assert fit.log_likelihood_ == pytest.approx(log_likelihood, rel=0, abs=PRINTED)
    assert fit.n_free_parameters_ == n_free


def test_bernoulli_mixture_reaches_the_reference_on_lsat7():
    fit = BernoulliMixtureEM(2, random_state=0).fit(reference_data.lsat7())
    assert fit.converged_
    assert fit.log_likelihood_ == pytest.approx(-2660.296827, rel=0, abs=PRINTED)


def test_binomial_mixture_reaches_the_reference_on_saxony():
    fit = BinomialMixtureEM(2, n_trials=12, n_init=3, random_state=0).fit(reference_data.saxony())
    assert fit.converged_
    assert fit.log_likelihood_ == pytest.approx(-12492.406222, rel=0, abs=PRINTED)
