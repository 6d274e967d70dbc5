"""fit(a X + b) takes the path of fit(X): as many iterations, log-likelihood less n D log a, parameters moved along."""

from functools import cache

import numpy as np
import pytest
import reference_data

from em import GaussianMixtureEM, KMeans
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior

KINDS = ["full", "tied", "diag", "spherical"]
UNITS = [(1e-100, 0.0), (3e120, -7e121), (0.37, 1e4), (2.0**40, 2.0**44)]


def clusters(seed=0, n=90):
    rng = np.random.RandomState(seed)
    return rng.normal(size=(n, 2)) * [1.0, 3.0] + np.array([[0, 0], [6, 9]])[rng.randint(2, size=n)]


def moved(parameters, a, b):
    return GMMParameters(
        parameters.weights, a * parameters.means + b, a**2 * parameters.covariances, parameters.covariance_type
    )


def assert_moved(fit, there, a, b, rtol=1e-6):
    """Iterations near the limit may differ by one where rounding of a X + b decides; nothing else may."""
    assert there.converged_ == fit.converged_
    assert abs(there.n_iter_ - fit.n_iter_) <= 1
    wanted = moved(fit.parameters_, a, b)
    np.testing.assert_allclose(there.weights_, wanted.weights, rtol=rtol)
    np.testing.assert_allclose(there.means_, wanted.means, rtol=rtol)
    np.testing.assert_allclose(
        there.covariances_, wanted.covariances, rtol=rtol, atol=rtol * np.abs(wanted.covariances).max()
    )


@cache
def fit_of(kind, holes):
    """Return clusters, of which cells may be missing, and their fit."""
    X = clusters()
    if holes:
        X[np.random.RandomState(1).random(X.shape) < 0.1] = np.nan
    return X, GaussianMixtureEM(2, covariance_type=kind, n_init=3, random_state=0).fit(X)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize(("a", "b"), UNITS)
@pytest.mark.parametrize("kind", KINDS)
def test_maximum_likelihood(kind, a, b, holes):
    X, fit = fit_of(kind, holes)
    there = GaussianMixtureEM(2, covariance_type=kind, n_init=3, random_state=0).fit(a * X + b)
    assert_moved(fit, there, a, b)
    gap = there.log_likelihood_ - fit.log_likelihood_ + np.isfinite(X).sum() * np.log(a)
    assert abs(gap) < 1e-9 * abs(there.log_likelihood_)
    assert there.score(a * X + b) * np.isfinite(X).any(axis=1).sum() == pytest.approx(there.log_likelihood_, rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(1e-60, 0.0), (3e60, -7e61), (0.37, 1e4)])
@pytest.mark.parametrize("kind", KINDS)
def test_map_under_a_prior_that_is_moved_along(kind, a, b):
    X = clusters()
    priors = [lambda Z: GMMPrior.weakly_informative(Z, 2, kind)]
    if kind in ("diag", "spherical"):
        priors += [
            lambda Z, scales=scales: GMMIndependentPrior.weakly_informative(Z, 2, kind, scales)
            for scales in ("half-normal", "inverse-gamma")
        ]
    for prior in priors:
        fit, there = (
            GaussianMixtureEM(2, covariance_type=kind, prior=prior(Z), n_init=3, random_state=0).fit(Z)
            for Z in (X, a * X + b)
        )
        assert_moved(fit, there, a, b)
        np.testing.assert_allclose(
            there.objective_, there.log_likelihood_ + there.prior.log_prob(there.parameters_), rtol=1e-9
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_prior_in_standard_units_is_the_same_density(kind):
    """Divided by the product of the units of means and covariances, as :mod:`em.gmm.units` says."""
    X, (a, b) = clusters(), (0.2, 5.0)
    location, scale = np.full(2, -b / a), np.full(2, 1 / a)  # units in which X is a X + b
    for prior in (GMMPrior.weakly_informative(X, 2, kind), GMMIndependentPrior.weakly_informative(X, 2, kind)):
        theta = GaussianMixtureEM(2, covariance_type=kind, n_init=1, random_state=0).fit(X).parameters_
        n_numbers = {"full": 2 * 3, "tied": 3, "diag": 2 * 2, "spherical": 2}[kind]
        there = prior.standardised(location, scale).log_prob(moved(theta, a, b))
        assert there == pytest.approx(prior.log_prob(theta) - (4 + 2 * n_numbers) * np.log(a), rel=1e-12)


@pytest.mark.parametrize("offset", [1e9, 1e10])
@pytest.mark.parametrize("kind", KINDS)
def test_far_from_the_origin_map_converges(kind, offset):
    for seed in range(5):
        rng = np.random.RandomState(seed)
        X = np.concatenate([rng.normal(size=(30, 2)), 5 + rng.normal(size=(30, 2))]) + offset
        prior = GMMPrior.weakly_informative(X, 2, kind)
        fit = GaussianMixtureEM(2, covariance_type=kind, prior=prior, n_init=2, max_iter=300, random_state=0).fit(X)
        assert fit.converged_


def test_julian_days_take_a_few_iterations():
    """Leaps and plain steps once took turns inside rounding: 10,000 iterations, and an unknown gain."""
    rng = np.random.RandomState(3)
    X = np.concatenate([rng.normal(size=(40, 2)), 6 + rng.normal(size=(40, 2))]) * 0.02 + 2.46e6
    prior = GMMPrior.weakly_informative(X, 2, "tied")
    fit = GaussianMixtureEM(2, covariance_type="tied", prior=prior, random_state=0).fit(X)
    near = GaussianMixtureEM(2, covariance_type="tied", prior=prior.standardised(np.full(2, 2.46e6), np.ones(2)))
    near = near.set_params(random_state=0).fit(X - 2.46e6)
    assert fit.n_iter_ < 30
    assert fit.objective_ == pytest.approx(near.objective_, rel=1e-8)


def test_frozen_means_and_starts_are_moved_along():
    X, (a, b) = clusters(), (1e-50, 3e-50)
    theta = GaussianMixtureEM(2, n_init=2, random_state=0).fit(X).parameters_
    for settings in ({"frozen": {"means": a * theta.means + b}}, {"init": moved(theta, a, b)}):
        plain = {"frozen": {"means": theta.means}} if "frozen" in settings else {"init": theta}
        fit, there = (
            GaussianMixtureEM(2, random_state=0, **plain).fit(X),
            GaussianMixtureEM(2, random_state=0, **settings),
        )
        there.fit(a * X + b)
        np.testing.assert_allclose(there.covariances_, a**2 * fit.covariances_, rtol=1e-6)
        if "frozen" in settings:
            np.testing.assert_array_equal(there.means_, settings["frozen"]["means"])


@pytest.mark.parametrize("a", [1e-120, 1e-3, 1e120])
def test_clusters_scale(a):
    X = reference_data.faithful()
    fit, there = (KMeans(3, n_init=3, random_state=0).fit(Z) for Z in (X, a * X))
    np.testing.assert_allclose(there.cluster_centers_, a * fit.cluster_centers_, rtol=1e-12)
    assert there.inertia_ == pytest.approx(a**2 * fit.inertia_, rel=1e-12)
    assert there.n_iter_ == fit.n_iter_


@pytest.mark.parametrize("a", [1e-170, 1e160])
@pytest.mark.parametrize(
    "estimator", [KMeans(2), GaussianMixtureEM(2), GaussianMixtureEM(2, covariance_type="spherical")]
)
def test_numbers_whose_squares_fit_no_float_are_refused_by_name(estimator, a):
    with pytest.raises(ValueError, match=r"X must have .* rescale X"):
        estimator.fit(a * reference_data.faithful())


def test_under_a_prior_such_numbers_are_refused_too():
    X = reference_data.faithful()
    prior = GMMPrior.weakly_informative(X, 2)
    with pytest.raises(ValueError, match="X must have columns whose variances fit a float"):
        GaussianMixtureEM(2, prior=prior).fit(1e-160 * X)


@pytest.mark.parametrize("a", [1e-100, 1e90])
@pytest.mark.parametrize("kind", KINDS)
def test_standard_errors_scale(kind, a):
    X = reference_data.faithful()
    fit, there = (GaussianMixtureEM(2, covariance_type=kind, n_init=2, random_state=0).fit(Z) for Z in (X, a * X))
    here, far = fit.uncertainty(X), there.uncertainty(a * X)
    units = np.array([{"weights": 1.0, "means": a, "covariances": a**2}[name.split("[")[0]] for name in here.names])
    np.testing.assert_allclose(far.standard_errors, units * here.standard_errors, rtol=1e-6)
    np.testing.assert_allclose(far.low, units * here.low, rtol=1e-6)
    assert far.status == here.status
