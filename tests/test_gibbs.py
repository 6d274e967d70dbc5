"""The Gibbs sampler draws from the posterior: exact answers, closed forms, and Geweke's joint distribution."""

import numpy as np
import pytest
from random_mixtures import random_bmm, random_gmm
from scipy.stats import beta, invgamma, invwishart, kstest, norm, t

from comparisons.evidence.exact import exact_posterior
from comparisons.posterior.gibbs import as_datatree
from em import bmm, gmm
from em.families import conjugate_mixture
from em.gibbs import draw_labels, gibbs, one_hot
from em.gmm.conjugate import GaussianConjugate
from em.gmm.posterior import inverse_wishart_root
from em.steps.conjugate import ConjugateMixture
from models.bmm import BMMPrior
from models.gmm import GMMParameters, GMMPrior
from models.gmm.structures import COVARIANCE_TYPES, full_matrices, quantities

LEAST_P_VALUE = 1e-4  # some 70 p-values at fixed seeds: a right sampler fails with a chance of 1 in 140
MOST_ERRORS = 4.0  # Monte Carlo standard errors


def gaussian_prior(kind, D=2, concentration=1.5):
    scale = {"diag": np.linspace(0.8, 1.2, D), "spherical": 0.9}.get(kind, 0.3 + np.eye(D))
    return GMMPrior(concentration, np.linspace(-0.5, 0.5, D), 0.5, D + 5.0, scale, kind)


def stacked(parameters):
    """Return several parameters as one dict with an axis for chains."""
    return {name: np.stack([each.arrays()[name] for each in parameters]) for name in parameters[0].arrays()}


def assert_within_errors(of_chains, exact, name):
    """Compare averages over independent chains (chains, ...) with the exact value."""
    error = of_chains.std(axis=0, ddof=1) / np.sqrt(len(of_chains))
    np.testing.assert_array_less(np.abs(of_chains.mean(axis=0) - exact), MOST_ERRORS * error + 1e-12, err_msg=name)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_each_chain_takes_the_e_step_of_em(kind):
    rng = np.random.default_rng(0)
    X, chains = rng.normal(size=(7, 2)), [random_gmm(3, 2, rng, kind) for _ in range(4)]
    joint = GaussianConjugate(X, gaussian_prior(kind)).log_joint(stacked(chains))
    expected = [gmm.log_joint(X, parameters) for parameters in chains]
    np.testing.assert_allclose(joint, expected, rtol=1e-10, atol=1e-10)  # condition of the covariances under 1e4


@pytest.mark.parametrize("trials", [1, [3, 5]], ids=str)
def test_each_chain_takes_the_e_step_of_em_on_counts(trials):
    rng = np.random.default_rng(0)
    X, chains = rng.binomial(trials, 0.5, size=(7, 2)), [random_bmm(3, 2, rng) for _ in range(4)]
    joint = conjugate_mixture(X, BMMPrior(), n_trials=trials).log_joint(stacked(chains))
    np.testing.assert_allclose(joint, [bmm.log_joint(X, each, trials) for each in chains], rtol=1e-12)


def test_labels_are_drawn_with_their_responsibilities():
    with np.errstate(divide="ignore"):
        log_joint = np.tile(np.log([[0.1, 0.2, 0.3], [0.0, 1.0, 0.0]]), (20_000, 1, 1))
    z, log_likelihood = draw_labels(log_joint, np.random.RandomState(0))
    frequencies = np.bincount(z[:, 0], minlength=3) / 20_000
    np.testing.assert_allclose(frequencies, [1 / 6, 1 / 3, 1 / 2], atol=4 * 0.5 / np.sqrt(20_000))
    assert (z[:, 1] == 1).all()
    np.testing.assert_allclose(log_likelihood, np.log(0.6), rtol=1e-12)


def test_bartlett_draws_are_inverse_wishart():
    scale, nu = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.5]]), 5.3
    root = inverse_wishart_root(np.full(4000, nu), np.broadcast_to(scale, (4000, 3, 3)), np.random.RandomState(0))
    covariances = root @ root.transpose(0, 2, 1)
    for d in range(3):
        marginal = invgamma((nu - 2) / 2, scale=scale[d, d] / 2)
        assert kstest(covariances[:, d, d], marginal.cdf).pvalue > LEAST_P_VALUE
    rival = invwishart(nu, scale).rvs(4000, random_state=1)
    for what in (lambda matrices: matrices[:, 0, 1], lambda matrices: np.linalg.slogdet(matrices)[1]):
        assert kstest(what(covariances), what(rival)).pvalue > LEAST_P_VALUE


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_draws_of_one_component_follow_its_closed_form_posterior(kind):
    """The marginals are Student's t and inverse gamma; with one component every sweep is an independent draw."""
    rng = np.random.default_rng(1)
    X, prior, D = rng.normal(size=(9, 2)), gaussian_prior(kind), 2
    sampled = gibbs(X, 1, prior, draws=20, tune=0, chains=200, random_state=2)
    n, kappa0 = len(X), prior.mean_precision
    kappa, m = kappa0 + n, (kappa0 * prior.mean + X.sum(axis=0)) / (kappa0 + n)
    gap = X.mean(axis=0) - prior.mean
    A = (X - X.mean(axis=0)).T @ (X - X.mean(axis=0)) + kappa0 * n / kappa * np.outer(gap, gap)
    if kind in ("full", "tied"):
        nu, psi = prior.degrees_of_freedom + n - D + 1, np.diag(prior.scale + A)
    elif kind == "diag":
        nu, psi = prior.degrees_of_freedom + n, prior.scale + np.diag(A)
    else:
        nu, psi = prior.degrees_of_freedom + D * n, np.full(D, prior.scale + np.trace(A))
    variances = np.diagonal(full_matrices(kind, sampled["covariances"], 1, D)[..., 0, :, :], axis1=-2, axis2=-1)
    for d in range(D):
        means = sampled["means"][..., 0, d].ravel()
        assert kstest(means, t(nu, m[d], np.sqrt(psi[d] / (kappa * nu))).cdf).pvalue > LEAST_P_VALUE
        assert kstest(variances[..., d].ravel(), invgamma(nu / 2, scale=psi[d] / 2).cdf).pvalue > LEAST_P_VALUE


CASES = [*COVARIANCE_TYPES, "bernoulli", "binomial", "sparse weights"]


def problem(case):
    """Return (X, prior, sizes of the cells by name, points) of a few samples that overlap."""
    rng = np.random.default_rng(3)
    if case in ("bernoulli", "binomial"):
        trials = 1 if case == "bernoulli" else [4, 2]
        X = rng.binomial(trials, np.where(np.arange(7)[:, None] < 3, 0.35, 0.65), size=(7, 2))
        return X, BMMPrior([1.0, 2.0], 1.5, 0.8), {"n_trials": trials}, X[:2]
    X = rng.normal(size=(7, 2)) + 2.0 * (np.arange(7)[:, None] < 3)
    prior = gaussian_prior("full", concentration=0.2) if case == "sparse weights" else gaussian_prior(case)
    return X, prior, {}, X[:2]


@pytest.mark.parametrize("case", CASES)
def test_averages_over_chains_equal_the_exact_posterior(case):
    X, prior, sizes, points = problem(case)
    chains, draws, K = 300, 30, 2
    sampled = gibbs(X, K, prior, **sizes, draws=draws, tune=40, chains=chains, random_state=4)
    exact, z = exact_posterior(X, K, prior, **sizes), sampled["z"]
    together = (z[..., :, None] == z[..., None, :]).mean(axis=1)
    assert_within_errors(together, exact.co_clustering, "co-clustering")
    occupied = np.stack([(z == k).any(axis=-1) for k in range(K)], axis=-1).sum(axis=-1)
    assert_within_errors((occupied == 1).mean(axis=1), exact.n_occupied[1], "number of occupied components")
    for name in exact.means:
        assert_within_errors(sampled[name].mean(axis=1), exact.means[name], name)
    flat = {name: sampled[name].reshape(-1, *sampled[name].shape[2:]) for name in exact.means}
    density = (
        np.exp(conjugate_mixture(points, prior, **sizes).log_joint(flat))
        .sum(axis=-1)
        .reshape(chains, draws, -1)
        .mean(axis=1)
    )
    assert_within_errors(density, np.exp(exact.log_predictive(points, **sizes)), "predictive density")


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_joint_distribution_of_parameters_and_data_is_left_as_it_was(kind):
    """Geweke (2004): parameters from the prior by SciPy, then sweeps in turn with new data leave them at the prior."""
    rng, chains, n, K, D = np.random.RandomState(5), 1500, 6, 2, 2
    prior = gaussian_prior(kind, concentration=2.5)
    parameters = prior_draws(prior, chains, K, rng)
    z = (rng.uniform(size=(chains, n)) > parameters["weights"][:, :1]).astype(int)
    for _ in range(8):
        roots = np.linalg.cholesky(full_matrices(kind, parameters["covariances"], K, D))
        of_each = np.arange(chains)[:, None], z
        noise = rng.normal(size=(chains, n, D))
        X = parameters["means"][of_each] + np.einsum("cnde,cne->cnd", roots[of_each], noise)
        sweep = GaussianConjugate(X, prior)
        z, _ = draw_labels(sweep.log_joint(parameters), rng)
        parameters = sweep.posterior(one_hot(z, K)).draw(rng)
    assert kstest(parameters["weights"][:, 0], beta(2.5, 2.5).cdf).pvalue > LEAST_P_VALUE
    nu = prior.degrees_of_freedom - (D - 1) * (kind in ("full", "tied"))
    psi = np.diag(prior.scale) if prior.scale.ndim == 2 else np.broadcast_to(prior.scale, D)
    matrices = full_matrices(kind, parameters["covariances"], K, D)
    for d in range(D):
        marginal = t(nu, prior.mean[d], np.sqrt(psi[d] / (prior.mean_precision * nu)))
        assert kstest(parameters["means"][:, 0, d], marginal.cdf).pvalue > LEAST_P_VALUE
        assert kstest(matrices[:, 1, d, d], invgamma(nu / 2, scale=psi[d] / 2).cdf).pvalue > LEAST_P_VALUE
    whitened = (parameters["means"] - prior.mean)[:, 1] * np.sqrt(prior.mean_precision)
    whitened = np.linalg.solve(np.linalg.cholesky(matrices[:, 1]), whitened[..., None])
    assert kstest(whitened.ravel(), norm.cdf).pvalue > LEAST_P_VALUE  # the mean belongs to its own covariance
    assert kstest((z == 0).mean(axis=1), prior_shares(chains, n, rng)).pvalue > LEAST_P_VALUE


def prior_draws(prior, chains, K, rng):
    """Draw parameters from the prior, by SciPy."""
    D, kind, shape = len(prior.mean), prior.covariance_type, (chains, K)
    if kind in ("full", "tied"):
        count = chains * K if kind == "full" else chains
        covariances = invwishart(prior.degrees_of_freedom, prior.scale).rvs(count, random_state=rng)
        covariances = covariances.reshape(*shape[: 1 + (kind == "full")], D, D)
    else:
        size = (*shape, D) if kind == "diag" else shape
        covariances = invgamma(prior.degrees_of_freedom / 2, scale=prior.scale / 2).rvs(size, random_state=rng)
    roots = np.linalg.cholesky(full_matrices(kind, covariances, K, D) / prior.mean_precision)
    means = prior.mean + np.einsum("ckde,cke->ckd", roots, rng.normal(size=(*shape, D)))
    weights = rng.dirichlet(np.full(K, float(prior.concentration)), size=chains)
    return {"weights": weights, "means": means, "covariances": covariances}


def prior_shares(chains, n, rng):
    return rng.binomial(n, rng.beta(2.5, 2.5, size=20 * chains)) / n


def test_joint_distribution_of_counts_is_left_as_it_was():
    rng, chains, n, K, trials = np.random.RandomState(6), 1500, 6, 2, np.array([1.0, 4.0])
    prior = BMMPrior(1.5, [2.0, 0.7], [1.0, 3.0])
    parameters = {"weights": rng.dirichlet([1.5, 1.5], size=chains)}
    parameters["probs"] = rng.beta([2.0, 0.7], [1.0, 3.0], size=(chains, K, 2))
    z = (rng.uniform(size=(chains, n)) > parameters["weights"][:, :1]).astype(int)
    for _ in range(8):
        X = rng.binomial(trials.astype(int), parameters["probs"][np.arange(chains)[:, None], z]).astype(float)
        sweep = ConjugateMixture.stacked([conjugate_mixture(of_chain, prior, n_trials=trials) for of_chain in X])
        z, _ = draw_labels(sweep.log_joint(parameters), rng)
        parameters = sweep.posterior(one_hot(z, K)).draw(rng)
    assert kstest(parameters["weights"][:, 0], beta(1.5, 1.5).cdf).pvalue > LEAST_P_VALUE
    for d, (b, c) in enumerate([(2.0, 1.0), (0.7, 3.0)]):
        for k in range(K):
            assert kstest(parameters["probs"][:, k, d], beta(b, c).cdf).pvalue > LEAST_P_VALUE


def test_log_likelihood_and_labels_belong_to_their_draw():
    rng = np.random.default_rng(7)
    X, prior = np.concatenate([rng.normal(size=(10, 2)), rng.normal(size=(10, 2)) + 30]), gaussian_prior("tied")
    sampled = gibbs(X, 2, prior, draws=3, tune=1, chains=2, random_state=0)
    for c in range(2):
        for s in range(3):
            arrays = {name: sampled[name][c, s] for name in ("weights", "means", "covariances")}
            r, log_likelihood = gmm.e_step(X, GMMParameters(**arrays, covariance_type="tied"))
            assert sampled["log_likelihood"][c, s] == pytest.approx(log_likelihood, rel=1e-12)
            np.testing.assert_array_equal(sampled["z"][c, s], r.argmax(axis=1))


def test_the_same_seed_gives_the_same_draws_and_chains_start_apart():
    X, prior, *_ = problem("full")
    one, other = (gibbs(X, 2, prior, draws=5, tune=0, chains=3, random_state=1) for _ in range(2))
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])
    assert len(np.unique(one["log_likelihood"])) == 15


def test_given_labels_are_where_a_chain_starts():
    """Far apart and with one draw the components keep the order of the labels given."""
    X = np.array([[0.0], [0.1], [90.0], [90.1]])
    starts = np.array([[0, 0, 1, 1], [1, 1, 0, 0]])
    prior = GMMPrior(1.0, [45.0], 0.01, 3.0, [[1.0]])
    sampled = gibbs(X, 2, prior, draws=1, tune=0, chains=2, starts=starts, random_state=0)
    np.testing.assert_array_equal(sampled["z"][:, 0], starts)


def test_a_missing_count_is_left_out():
    X = np.array([[1.0, np.nan], [0.0, 1.0], [1.0, 0.0]])
    sampled = gibbs(X, 1, BMMPrior(1.0, 1.0, 1.0), draws=20, tune=0, chains=200, random_state=0)
    assert kstest(sampled["probs"][..., 0, 1].ravel(), beta(2, 2).cdf).pvalue > LEAST_P_VALUE


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_datatree_has_the_names_and_dims_of_pymc(kind):
    prior = gaussian_prior(kind)
    sampled = gibbs(np.random.default_rng(0).normal(size=(6, 2)), 3, prior, draws=4, tune=0, chains=2, random_state=0)
    tree = as_datatree(sampled, prior)
    posterior = tree["posterior"].to_dataset()
    assert posterior["weights"].dims == ("chain", "draw", "component")
    assert posterior["means"].dims == ("chain", "draw", "component", "feature")
    assert posterior["covariances"].dims == ("chain", "draw", *quantities(kind)[2].dims)
    assert posterior["z"].dims == ("chain", "draw", "obs")
    assert "log_likelihood" not in posterior
    np.testing.assert_array_equal(tree["sample_stats"]["log_likelihood"], sampled["log_likelihood"])
    np.testing.assert_array_equal(posterior["component"], [0, 1, 2])
    with pytest.raises(
        ValueError, match=r"under the prior, a BMMPrior: .* weights, probs, z, log_likelihood, got weights, means"
    ):
        as_datatree(sampled, BMMPrior())
    without_weights = {name: array for name, array in sampled.items() if name != "weights"}
    with pytest.raises(ValueError, match="weights, means, covariances, z, log_likelihood, got means, covariances, z"):
        as_datatree(without_weights, prior)
    with pytest.raises(ValueError, match=r"draws must be what em\.gibbs\.gibbs returned under .*, got DataTree"):
        as_datatree(tree, prior)


def test_bad_input_is_named():
    prior, X = GMMPrior(1.0, [0.0], 1.0, 3.0, [[1.0]]), np.arange(4.0)[:, None]
    for arguments, settings, message in [
        (([[np.nan]], 2, prior), {}, "X must have no missing cell under a GMMPrior"),
        ((X, 0, prior), {}, "n_components must be a whole number of at least 1, got 0"),
        ((X, 2, None), {}, "prior must be conjugate, such as a GMMPrior, got NoneType"),
        ((np.zeros((4, 2)), 2, prior), {}, r"prior.mean must have shape \(2,\)"),
        ((X + 0.5, 2, BMMPrior()), {}, "X must hold only 0 and 1"),
        ((X, 2, prior), {"draws": 0}, "draws must be a whole number of at least 1, got 0"),
        ((X, 2, prior), {"tune": -1}, "tune must be a whole number of at least 0, got -1"),
        ((X, 2, prior), {"chains": 1.5}, "chains must be a whole number"),
        ((X, 2, prior), {"starts": [[0, 0, 0, 2]] * 4}, "starts must be integer labels from 0 to 1, .* from 0 to 2"),
        ((X, 2, prior), {"starts": [0, 0, 1, 1]}, r"starts must be .* of shape \(4, 4\), got shape \(4,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            gibbs(*arguments, **settings)
    with pytest.raises(TypeError, match="n_trials must be left out under a GMMPrior"):
        gibbs(X, 2, prior, n_trials=3)


def test_a_prior_that_draws_singular_covariances_is_refused_by_name():
    prior = GMMPrior([50.0, 0.01], [0.0, 0.0], 1.0, 1.001, np.eye(2))
    with pytest.raises(
        ValueError, match=r"prior.scale or prior.degrees_of_freedom must be larger: .* got GMMPrior.*=1\.001"
    ):
        gibbs(np.random.default_rng(0).normal(size=(5, 2)), 2, prior, random_state=0)
