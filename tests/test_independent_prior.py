"""Normal means, half-normal or inverse-gamma scales, LKJ correlations: density, draws, conditional steps, refusals."""

import warnings
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from random_mixtures import declared_density, random_gmm, random_independent_prior
from scipy import stats

import em
from comparisons import compare
from comparisons.evidence.exact import exact_posterior
from comparisons.gmm import GMM
from em import GaussianMixtureEM, NoMaximumWarning
from em import gmm as em_gmm
from em.gibbs import gibbs
from em.variational import variational
from models import gmm
from models.gmm import GMMIndependentPrior, GMMParameters
from models.gmm.independent_prior import SCALES
from models.gmm.structures import COVARIANCE_TYPES

TOLERANCE = 1e-10  # sums of at most a hundred terms of size 1 to 100, each right to 16 digits
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(40, 2)), [4.0, -3.0] + 0.5 * RNG.normal(size=(60, 2))])
each_scales = pytest.mark.parametrize("scales", SCALES)
each_kind = pytest.mark.parametrize("kind", COVARIANCE_TYPES)


# Density and draws ----------------------------------------------------------------------------------------------------


def log_variances(prior, variances):
    """SciPy's density of the scale, and of the variance by dσ/dv = 1 / (2σ)."""
    if prior.variance_shape is None:
        sd = np.sqrt(variances)
        return stats.halfnorm.logpdf(sd, scale=prior.scale) - np.log(2 * sd)
    return stats.invgamma.logpdf(variances, prior.variance_shape, scale=prior.scale)


def log_matrix(prior, matrix):
    """PyMC's LKJ density of the correlations, and of the matrix by Σ_ij = σ_i σ_j R_ij, which brings Π_i σ_i^(D-1)."""
    sd, D = np.sqrt(np.diag(matrix)), len(matrix)
    log_lkj = 0.0
    if D > 1:  # PyMC's is the density of the Cholesky factor L of R, and ∂R / ∂L = Π_i L_ii^(D-i)
        root = np.linalg.cholesky(matrix / np.outer(sd, sd))
        log_lkj = pm.logp(pm.LKJCorr.dist(n=D, eta=prior.correlation_shape), root).eval(mode="FAST_COMPILE")
        log_lkj -= np.arange(D - 1, -1, -1) @ np.log(np.diag(root))
    return log_lkj + log_variances(prior, sd**2).sum() - (D - 1) * np.log(sd).sum()


@each_kind
@each_scales
@pytest.mark.parametrize("D", [1, 3])
def test_density_is_the_prior_part_of_the_pymc_model_and_that_of_scipy_and_pymc(kind, scales, D):
    rng = np.random.default_rng(D)
    prior, theta = random_independent_prior(2, D, rng, kind, scales), random_gmm(2, D, rng, kind)
    model = gmm.build_marginal_model(rng.normal(size=(3, D)), 2, prior, kind)
    by_pymc = declared_density(model, ["weights", "means", "covariances"])
    expected = stats.dirichlet.logpdf(theta.weights, prior.concentration)
    expected += stats.norm.logpdf(theta.means, prior.mean, prior.mean_sd).sum()
    if kind in ("full", "tied"):
        expected += sum(log_matrix(prior, matrix) for matrix in theta.covariances.reshape(-1, D, D))
    else:
        expected += log_variances(prior, theta.covariances).sum()
    assert prior.log_prob(theta) == pytest.approx(float(by_pymc(theta.arrays())), rel=0, abs=TOLERANCE)
    assert prior.log_prob(theta) == pytest.approx(expected, rel=0, abs=TOLERANCE)


def same_distribution(draws, distribution):
    """Fixed seeds: a p-value below 1e-4 in one of about 50 looks is a wrong distribution, not bad luck."""
    return stats.kstest(draws, distribution.cdf).pvalue > 1e-4


def assert_draws_are_those_of(prior, weights, means, covariances):
    """Draws (S, ...): marginals of weights, means and scales, and of each correlation, 2 Beta(b, b) - 1."""
    D, a = means.shape[-1], prior.concentration
    assert same_distribution(weights[:, 0], stats.beta(a[0], a.sum() - a[0]))
    assert same_distribution(((means - prior.mean) / prior.mean_sd).ravel(), stats.norm)
    matrices = prior.covariance_type in ("full", "tied")
    variances = np.diagonal(covariances, axis1=-2, axis2=-1) if matrices else covariances
    if prior.variance_shape is None:
        assert same_distribution((np.sqrt(variances) / prior.scale).ravel(), stats.halfnorm)
    else:
        assert same_distribution((variances / prior.scale).ravel(), stats.invgamma(prior.variance_shape))
    if matrices:
        sd, b = np.sqrt(variances), prior.correlation_shape - 1 + D / 2
        correlations = covariances / (sd[..., :, None] * sd[..., None, :])
        for i, j in zip(*np.triu_indices(D, 1), strict=True):
            assert same_distribution(correlations[..., i, j].ravel(), stats.beta(b, b, loc=-1, scale=2))
        # E|R| = Π_i E(1 - y_i) with y_i ~ Beta((i-1)/2, η + (D-i)/2), which no pair of features alone knows
        i, eta = np.arange(2, D + 1), prior.correlation_shape
        expected = np.prod((eta + (D - i) / 2) / (eta + (D - 1) / 2))
        determinants = np.linalg.det(correlations).ravel()
        error = determinants.std() / np.sqrt(len(determinants))
        assert abs(determinants.mean() - expected) < 4.5 * error


@each_kind
@each_scales
def test_parameters_drawn_with_numpy_have_the_prior_as_their_distribution(kind, scales):
    prior = random_independent_prior(2, 3, np.random.default_rng(1), kind, scales)
    rng = np.random.RandomState(0)
    draws = [gmm.draw_parameters(prior, 2, rng).arrays() for _ in range(1000)]
    assert_draws_are_those_of(prior, **{name: np.stack([draw[name] for draw in draws]) for name in draws[0]})


@pytest.mark.parametrize(("kind", "scales"), [("full", "half-normal"), ("tied", "inverse-gamma")])
def test_forward_draws_of_pymc_have_the_prior_as_their_distribution(kind, scales):
    prior = random_independent_prior(2, 3, np.random.default_rng(1), kind, scales)
    model = gmm.build_marginal_model(np.zeros((2, 3)) + np.eye(3)[:2], 2, prior, kind)
    names = ["weights", "means", "covariances"]
    draws = pm.draw([model[name] for name in names], draws=1000, random_seed=1, mode="FAST_COMPILE")
    assert_draws_are_those_of(prior, *draws)


def test_density_is_zero_outside_the_positive_definite_matrices():
    prior = random_independent_prior(1, 2, np.random.default_rng(0))
    density = declared_density(gmm.build_marginal_model(X, 1, prior), ["covariances"])
    for outside in ([[1.0, 2.0], [2.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        assert density({"weights": [1.0], "means": [[0.0, 0.0]], "covariances": [outside]}) == -np.inf


# MAP-EM ---------------------------------------------------------------------------------------------------------------


def objective_of(rows, prior):
    """Return log-likelihood plus log prior as a function of means and covariances, weights being given."""

    def objective(weights, means, covariances):
        theta = GMMParameters(weights, means, covariances, prior.covariance_type)
        return em_gmm.e_step(rows, theta)[1] + prior.log_prob(theta)

    return objective


def test_m_step_is_no_worse_than_the_current_means_where_the_objective_has_two_modes():
    """Four samples at 10 against m0 = 0: one mode believes the samples, one the prior; EM stays with the better one."""
    prior = GMMIndependentPrior(1.0, [0.0], 1.0, 5.0, covariance_type="diag")
    rows, ones = np.array([[9.9], [10.0], [10.0], [10.1]]), np.ones((4, 1))
    objective = objective_of(rows, prior)
    modes = []
    for start in (0.0, 10.0):
        statistics = em_gmm.sufficient_statistics(rows, ones, np.array([[start]]), "diag")
        estimate = em_gmm.mode(statistics, prior)
        modes.append(float(estimate.means[0, 0]))
        for variance in np.geomspace(1e-3, 1e3, 30):
            assert objective(*estimate.arrays().values()) >= objective([1.0], [[start]], [[variance]])
    assert modes[0] < 1 < 9 < modes[1]


@pytest.mark.parametrize("kind", ["full", "tied"])
@each_scales
def test_matrices_of_one_feature_have_closed_steps_and_are_variances(kind, scales):
    x, shape = X[:, :1], (2, 1, 1) if kind == "full" else (1, 1)
    prior = GMMIndependentPrior.weakly_informative(x, 2, kind, scales)
    start = GMMParameters([0.5, 0.5], [[0.0], [4.0]], np.ones(shape), kind)
    fit = GaussianMixtureEM(2, covariance_type=kind, prior=prior, init=start, tol=1e-13).fit(x)
    objective, h = objective_of(x, prior), 1e-4
    weights, means, covariances = fit.parameters_.arrays().values()
    for k in range(2):
        step = h * np.eye(2)[k][:, None]
        slope = objective(weights, means + step, covariances) - objective(weights, means - step, covariances)
        assert abs(slope) / (2 * h) < 1e-4  # h² / 6 of third derivatives of order 1e3, rounding of 1e-13 / h
        step = step.reshape(shape) if kind == "full" else np.full(shape, h)
        slope = objective(weights, means, covariances + step) - objective(weights, means, covariances - step)
        assert abs(slope) / (2 * h) < 1e-3
    if kind == "full":
        narrow = GMMParameters([0.5, 0.5], [[0.0], [4.0]], np.ones((2, 1)), "diag")
        of_variances = GaussianMixtureEM(
            2, covariance_type="diag", prior=replace(prior, covariance_type="diag"), init=narrow, tol=1e-13
        ).fit(x)
        assert fit.objective_ == pytest.approx(of_variances.objective_, rel=1e-12)


def test_find_map_reaches_the_mode_over_declared_matrices_that_em_refuses():
    """In JAX, with its gradient: around the answer every direction of the declared quantities goes down."""
    prior, rng = GMMIndependentPrior.weakly_informative(X, 1), np.random.default_rng(0)
    start = {"weights": np.ones(1), "means": np.zeros((1, 2)), "covariances": 2 * np.eye(2)[None]}
    with gmm.build_marginal_model(X, 1, prior), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The optimizer did not converge: ABNORMAL", UserWarning)  # rounding's floor
        tree = pm.find_MAP(
            initvals=start,
            jitter=False,
            backend="jax",
            progressbar=False,
            gtol=1e-10,
            ftol=1e-15,
            return_inferencedata=True,
        )
    mode = {name: tree["posterior"][name].to_numpy()[0, 0] for name in start}
    objective = objective_of(X, prior)
    best, h = objective(mode["weights"], mode["means"], mode["covariances"]), 2e-4
    for _ in range(10):
        means, root = rng.normal(size=(1, 2)), rng.normal(size=(2, 2))
        ends = [
            objective(
                mode["weights"], mode["means"] + sign * h * means, mode["covariances"] + sign * h * (root + root.T)
            )
            for sign in (1, -1)
        ]
        assert max(ends) < best
        assert abs(ends[0] - ends[1]) < 1e-2 * (best - min(ends))  # third derivatives are about 20 times second ones


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_map_em_with_correlations_is_refused_with_the_reason_before_any_work(kind):
    prior = GMMIndependentPrior.weakly_informative(X, 2, kind)
    reason = rf"GMMPrior for MAP by EM with covariance_type '{kind}'.* no closed form.*find_MAP work"
    for refused in (
        lambda: GaussianMixtureEM(2, covariance_type=kind, prior=prior).fit(X),
        lambda: em_gmm.m_step(X, np.full((len(X), 2), 0.5), prior, kind),
        lambda: compare(X, "gmm", 2, prior, covariance_type=kind),
    ):
        with pytest.raises(ValueError, match=reason):
            refused()


def test_samplers_that_need_a_conjugate_prior_say_so():
    prior = GMMIndependentPrior.weakly_informative(X, 2, "diag")
    for posterior_of in (gibbs, variational, exact_posterior):
        with pytest.raises(ValueError, match=r"prior must be conjugate, .* got GMMIndependentPrior"):
            posterior_of(X[:5], 2, prior)


def test_half_normal_scales_leave_collapse_possible_and_inverse_gammas_do_not():
    """As the variance of a component goes to 0 the half-normal's density grows too: no maximum, which is said."""
    twins = np.concatenate([np.zeros((30, 2)), [[5.0, 1.0]] * 30]) + 1e-9 * np.random.default_rng(0).normal(
        size=(60, 2)
    )
    half_normal, inverse_gamma = (GMMIndependentPrior.weakly_informative(twins, 2, "diag", name) for name in SCALES)
    labels = np.repeat([0, 1], 30)
    with pytest.warns(NoMaximumWarning, match="collapsed"):
        assert GaussianMixtureEM(2, covariance_type="diag", prior=half_normal, init=labels).fit(twins).collapsed_
    fit = GaussianMixtureEM(2, covariance_type="diag", prior=inverse_gamma, init=labels).fit(twins)
    assert fit.converged_
    v = twins.var(axis=0) * 60 / 59
    np.testing.assert_allclose(fit.covariances_[0], v / 2 / (30 + 5), rtol=1e-3)  # 2β / (N + 2α + 2), 2α = 3


@each_scales
def test_a_saved_fit_comes_back_with_its_prior(scales, tmp_path):
    prior = GMMIndependentPrior.weakly_informative(X, 2, "spherical", scales)
    fit = GaussianMixtureEM(2, covariance_type="spherical", prior=prior, random_state=0, n_init=1).fit(X)
    em.save(fit, tmp_path / "fit.json")
    back = em.load(tmp_path / "fit.json")
    assert back.prior.log_prob(back.parameters_) == prior.log_prob(fit.parameters_)


# Comparison -----------------------------------------------------------------------------------------------------------


@each_scales
def test_gaps_to_the_posterior_mean_are_those_of_the_posterior_on_a_grid(scales):
    """One component of one feature: the joint density of mean and variance, given a sample's moments, in numbers."""
    n, xbar, v = 20_000, 1.0, 2.0
    prior = GMMIndependentPrior(2.0, [3.0], 0.4, 0.3, None if scales == "half-normal" else 3.0, 1.0, "diag")
    of_mle, of_map = GMM(covariance_type="diag").conjugate_gaps(GMMParameters([1.0], [[xbar]], [[v]], "diag"), n, prior)
    mode = em_gmm.mode(
        em_gmm.GaussianStatistics(
            "diag", np.array([[xbar]]), np.array([float(n)]), np.zeros((1, 1)), np.array([[n * v]])
        ),
        prior,
    )
    sd_mean, sd_v = np.sqrt(v / n), v * np.sqrt(2 / n)
    mu = mode.means[0, 0] + sd_mean * np.linspace(-8, 8, 401)[:, None]
    variance = mode.covariances[0, 0] + sd_v * np.linspace(-8, 8, 401)
    log_density = -n / 2 * np.log(variance) - n * (v + (mu - xbar) ** 2) / (2 * variance)
    log_density += stats.norm.logpdf(mu, prior.mean, prior.mean_sd) + log_variances(prior, variance)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    mean_of_v, mean_of_mu = (density * variance).sum(), (density * mu).sum()
    # gaps are right to first order: the pull of the prior, a few percent of sd, leaves a few percent of itself
    assert of_mle["means"].item() == pytest.approx(abs(mean_of_mu - xbar) / sd_mean, rel=0.05)
    assert of_mle["covariances"].item() == pytest.approx(abs(mean_of_v - v) / sd_v, rel=0.05)
    assert of_map["covariances"].item() == pytest.approx(abs(mean_of_v - mode.covariances.item()) / sd_v, rel=0.05)


# Weakly informative, bad input ----------------------------------------------------------------------------------------


@each_kind
@each_scales
def test_weakly_informative_follows_the_units_of_the_data(kind, scales):
    prior = GMMIndependentPrior.weakly_informative(X, 3, kind, scales)
    moved = GMMIndependentPrior.weakly_informative(100 + 10 * X, 3, kind, scales)
    np.testing.assert_allclose(moved.mean, 100 + 10 * prior.mean)
    np.testing.assert_allclose(moved.mean_sd, 10 * prior.mean_sd)
    np.testing.assert_allclose(moved.scale, prior.scale * (10 if scales == "half-normal" else 100))
    np.testing.assert_allclose(prior.mean_sd, 2 * X.std(axis=0, ddof=1))
    if scales == "half-normal" and kind != "spherical":
        np.testing.assert_allclose(prior.scale, X.std(axis=0, ddof=1))
    if scales == "inverse-gamma" and kind in ("diag", "spherical"):  # the conjugate prior's marginal
        conjugate = gmm.GMMPrior.weakly_informative(X, 3, kind)
        np.testing.assert_allclose(2 * prior.scale, conjugate.scale)
        assert 2 * prior.variance_shape == conjugate.degrees_of_freedom


GOOD = {"concentration": 2.0, "mean": [0.0, 1.0], "mean_sd": 1.0, "scale": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"concentration": 0.0}, "concentration must be positive, got 0.0"),
        ({"mean": [0.0, np.nan]}, "mean must be finite"),
        ({"mean": 0.0}, "mean must have shape"),
        ({"mean_sd": [1.0, 0.0]}, "mean_sd must be positive, got"),
        ({"mean_sd": [1.0, 2.0, 3.0]}, r"mean_sd must have shape \(2\), got \(3,\)"),
        ({"mean_sd": "wide"}, "mean_sd must hold numbers, got 'wide'"),
        ({"mean_sd": [[1.0, 2.0]]}, r"mean_sd must have shape \(2\), got \(1, 2\)"),
        ({"scale": -1.0}, "scale must be positive, got"),
        ({"scale": [1.0, np.inf]}, "scale must be finite"),
        ({"scale": np.eye(2)}, r"scale must have shape \(2\), got \(2, 2\)"),
        ({"covariance_type": "spherical"}, r"scale must have shape \(\), got \(2,\)"),
        ({"variance_shape": 0.0}, "variance_shape must be finite and greater than 0, got 0.0"),
        ({"variance_shape": [1.0, 2.0]}, "variance_shape must be a number"),
        ({"correlation_shape": 0.0}, "correlation_shape must be finite and greater than 0, got 0.0"),
        ({"correlation_shape": np.nan}, "correlation_shape must be finite and greater than 0, got nan"),
        ({"covariance_type": "round"}, "covariance_type must be one of full, tied, diag, spherical, got 'round'"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        GMMIndependentPrior(**(GOOD | bad))


def test_a_prior_that_does_not_fit_is_refused():
    prior = GMMIndependentPrior(**GOOD, covariance_type="diag")
    with pytest.raises(ValueError, match=r"prior.covariance_type must be 'full' like the mixture's, got 'diag'"):
        gmm.build_model(X, 2, prior)
    with pytest.raises(ValueError, match=r"prior.mean must have shape \(1,\) like a row of X, got \(2,\)"):
        gmm.build_marginal_model(X[:, :1], 2, prior, "diag")
    with pytest.raises(ValueError, match=r"prior.concentration must be at least 1 for MAP, got 0.5"):
        GaussianMixtureEM(2, covariance_type="diag", prior=replace(prior, concentration=0.5)).fit(X)
    with pytest.raises(ValueError, match="scales must be one of half-normal, inverse-gamma, got 'uniform'"):
        GMMIndependentPrior.weakly_informative(X, 2, scales="uniform")
