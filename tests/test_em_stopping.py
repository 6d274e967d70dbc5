"""tol bounds the gain still to come, in nats: measured by running on until nothing moves."""

import numpy as np
import pytest
import reference_data

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, NotConvergedWarning, bmm, gmm
from models.bmm import BMMParameters
from models.gmm import GMMParameters, GMMPrior


def overlapping_clouds(seed):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(size=(150, 2)), np.array([1.5, 0.5]) + rng.normal(size=(150, 2))])


def towards_the_boundary():
    """One feature that a component never shows: its prob sinks to 0, and gains shrink no faster than steps."""
    rng = np.random.RandomState(3)
    z = rng.randint(2, size=300)
    X = (rng.uniform(size=(300, 5)) < np.where(z[:, None] == 0, 0.35, 0.65)).astype(float)
    X[:, 0] = (z == 1) & (rng.uniform(size=300) < 0.3)
    return X


SLOW = {
    "lsat7": (BernoulliMixtureEM, {}, reference_data.lsat7(), 2),
    "boundary": (BernoulliMixtureEM, {}, towards_the_boundary(), 2),
    "saxony": (BinomialMixtureEM, {"n_trials": 12}, reference_data.saxony(), 2),
    "clouds": (GaussianMixtureEM, {}, overlapping_clouds(0), 2),
}


@pytest.fixture(scope="module")
def to_the_end():
    """Fit by name, from the same start, until nothing moves."""
    cache = {}

    def fit(name):
        if name not in cache:
            estimator, options, X, K = SLOW[name]
            cache[name] = estimator(K, tol=1e-13, n_init=1, max_iter=50_000, random_state=0, **options).fit(X)
        return cache[name]

    return fit


@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("name", SLOW)
def test_gain_still_to_come_is_within_tol(name, tol, to_the_end):
    estimator, options, X, K = SLOW[name]
    fit = estimator(K, tol=tol, n_init=1, max_iter=50_000, random_state=0, **options).fit(X)
    limit = to_the_end(name)
    assert fit.converged_
    assert limit.converged_
    # Aitken's extrapolation has the geometric series' last two terms to go by: right to a factor, not to a digit. The
    # second term is the rounding of two sums over the samples.
    assert limit.objective_ - fit.objective_ <= 1.5 * tol + 1e-12 * abs(limit.objective_)


def zigzag(gap, K, D, n, seed):
    rng, k = np.random.RandomState(seed), np.arange(K)
    means = np.zeros((K, D))
    means[:, 0], means[:, 1] = gap * np.sqrt(0.9) * k, gap * np.sqrt(0.1) * (k % 2)
    z = rng.randint(K, size=n)
    return means[z] + rng.normal(size=(n, D))


@pytest.mark.parametrize(
    ("acceleration", "K", "D", "n", "seed", "with_prior"),
    [("squarem", 4, 3, 600, 0, True), ("multisecant", 2, 5, 1000, 1, False)],
)
def test_a_leap_does_not_hide_what_is_still_to_come(acceleration, K, D, n, seed, with_prior):
    """The plain steps after a leap look fast: by them alone these stopped 15 and 1.6 nats from the limit."""
    X, tol = zigzag(2.0, K, D, n, seed), 1e-2
    settings = {"acceleration": acceleration, "prior": GMMPrior.weakly_informative(X, K) if with_prior else None}
    fit = GaussianMixtureEM(K, tol=tol, n_init=1, random_state=1, **settings).fit(X)
    limit = GaussianMixtureEM(K, tol=1e-10, init=fit.parameters_, **settings).fit(X)
    assert limit.objective_ - fit.objective_ <= 1.5 * tol


@pytest.mark.parametrize("name", SLOW)
def test_the_last_step_of_plain_em_alone_would_have_stopped_too_early(name):
    estimator, options, X, K = SLOW[name]
    settings = {"tol": 1e-9, "n_init": 1, "max_iter": 50_000, "random_state": 0, "acceleration": None}
    history = estimator(K, **settings, **options).fit(X).history_
    by_last_gain = int(np.argmax(np.diff(history) < 1e-6)) + 1
    assert history[-1] - history[by_last_gain] > 3e-6


def test_one_more_step_moves_nothing_at_a_tolerance_below_rounding():
    X = overlapping_clouds(0)
    fit = GaussianMixtureEM(2, tol=1e-12, n_init=2, random_state=0).fit(X)
    again = gmm.m_step(X, gmm.e_step(X, fit.parameters_)[0])
    # a step dw of a weight gains about n dw^2 / (2 w (1 - w)), so a gain of 1e-12 is a step of at most 4e-8
    np.testing.assert_allclose(again.weights, fit.weights_, rtol=0, atol=4e-8)
    np.testing.assert_allclose(again.means, fit.means_, rtol=0, atol=1e-7)
    np.testing.assert_allclose(again.covariances, fit.covariances_, rtol=0, atol=1e-7)

    X = reference_data.lsat7()
    fit = BernoulliMixtureEM(2, tol=1e-12, n_init=2, random_state=0).fit(X)
    again = bmm.m_step(X, bmm.e_step(X, fit.parameters_)[0])
    np.testing.assert_allclose(again.weights, fit.weights_, rtol=0, atol=4e-8)
    np.testing.assert_allclose(again.probs, fit.probs_, rtol=0, atol=4e-8)


@pytest.mark.parametrize("tol", [0.0, 1e-14, 1e-12, 1e-8])
def test_a_start_at_the_limit_stops_soon(tol):
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(100, 5)) + shift for shift in (0.0, 1.5)])
    limit = GaussianMixtureEM(2, tol=1e-14, n_init=2, random_state=0).fit(X)
    again = GaussianMixtureEM(2, tol=tol, init=limit.parameters_).fit(X)
    assert again.converged_
    assert again.n_iter_ < limit.n_iter_


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_zero_tolerance_ends_where_steps_are_rounding(shift):
    fit = GaussianMixtureEM(2, tol=0.0, n_init=1, random_state=0).fit(overlapping_clouds(0) + shift)
    assert fit.converged_


def test_start_with_all_means_at_zero_converges():
    X = np.random.RandomState(0).standard_t(3, size=(400, 1))
    X -= X.mean(axis=0)
    start = GMMParameters([0.5, 0.5], [[0.0], [0.0]], [[[1.0]], [[4.0]]])
    assert GaussianMixtureEM(2, init=start).fit(X).converged_
    assert GaussianMixtureEM(1, tol=0.0).fit(X).converged_


def test_a_start_where_some_samples_are_impossible_recovers():
    X = reference_data.lsat7()
    start = BMMParameters([0.5, 0.5], [[0.0, 0.5, 0.5, 0.5, 0.5], [0.0, 0.6, 0.6, 0.6, 0.6]])
    fit = BernoulliMixtureEM(2, init=start).fit(X)
    assert fit.history_[0] == -np.inf
    assert np.isfinite(fit.history_[1:]).all()
    assert (np.diff(fit.history_[1:]) >= -1e-10 * abs(fit.objective_)).all()  # rounding of sums over 1000 samples
    assert fit.converged_


def test_max_iter_is_obeyed_and_told():
    X = reference_data.lsat7()
    for max_iter in (1, 2, 5):
        with pytest.warns(NotConvergedWarning, match=f"stopped at max_iter={max_iter} with .* raise max_iter or tol"):
            fit = BernoulliMixtureEM(2, max_iter=max_iter, random_state=0).fit(X)
        assert fit.n_iter_ == max_iter
        assert not fit.converged_
        assert len(fit.history_) == max_iter + 1


@pytest.mark.parametrize("seed", [26, 60, 101, 116])
def test_a_slow_fit_that_converged_has_converged_when_it_is_taken_up_for_one_iteration(seed):
    """Leaps end where plain steps shrink by a few percent each: it takes some of them to tell the rate."""
    rng = np.random.default_rng(seed)
    X = (rng.random((60, 5)) < rng.random((3, 5))[rng.integers(3, size=60)]).astype(float)
    fit = BernoulliMixtureEM(3, n_init=2, random_state=0).fit(X)
    again = BernoulliMixtureEM(3, init=fit.parameters_, max_iter=1).fit(X)
    assert fit.converged_
    assert again.converged_
    assert again.objective_ >= fit.objective_
