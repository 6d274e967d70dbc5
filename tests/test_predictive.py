"""Responsibilities, co-clustering and predictive checks of draws: against enumeration, and on models that are wrong."""

import numpy as np
import pytest
import xarray as xr
from random_mixtures import random_gmm
from scipy.stats import binom

import comparisons.alignment.responsibilities
import comparisons.posterior.predictive
from comparisons import align, log_joint
from comparisons.evidence.exact import exact_posterior
from comparisons.posterior.gibbs import as_datatree
from comparisons.posterior.predictive import co_clustering, posterior_responsibilities, predictive_check
from comparisons.posterior.predictive_result import PredictiveCheck
from em import gmm
from em.gibbs import gibbs
from models.bmm import BMMParameters, BMMPrior
from models.bmm import simulate as simulate_counts
from models.gmm import GMMParameters, GMMPrior, simulate

CASES = {
    "gmm": (np.array([[-2.1], [-1.4], [-0.2], [0.4], [1.9], [2.6]]), GMMPrior(1.5, [0.0], 0.3, 4.0, [[1.5]])),
    "bmm": (np.array([[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [1, 0, 1]]), BMMPrior(1.0, 0.5, 0.5)),
}


def fixed(parameters, draws=400):
    """Return draws that are all the same."""
    dims = {"weights": ("component",), "probs": ("component", "feature"), "means": ("component", "feature")}
    dims["covariances"] = ("component", "feature", "feature_bis")
    return xr.Dataset(
        {name: (("chain", "draw", *dims[name]), np.stack([a] * draws)[None]) for name, a in parameters.arrays().items()}
    )


def test_counts_that_happen_to_be_0_and_1_are_checked_as_counts():
    X = np.repeat([[0.0], [1.0]], 100, axis=0)
    rates = xr.Dataset(
        {"weights": (("chain", "draw", "component"), np.ones((1, 200, 1)))}
        | {"rates": (("chain", "draw", "component", "feature"), np.full((1, 200, 1, 1), 0.5))}
    )
    assert "variance[0]" in predictive_check(X, rates, "pmm", random_state=0).suspects  # of 0.25, not 0.5


@pytest.mark.parametrize("family", CASES)
def test_co_clustering_is_that_of_enumeration_within_monte_carlo_error(family):
    X, prior = CASES[family]
    draws = as_datatree(gibbs(X, 2, prior, draws=1500, chains=8, random_state=0), prior)
    exact, joint = exact_posterior(X, 2, prior).co_clustering, log_joint(X, family)
    of_chains = np.array([co_clustering(draws.isel(chain=[c]), joint) for c in range(8)])
    error = of_chains.std(axis=0, ddof=1) / np.sqrt(8)
    np.testing.assert_array_less(np.abs(of_chains.mean(axis=0) - exact), 5 * error + 1e-12)  # t with 7 degrees
    np.testing.assert_allclose(co_clustering(draws, joint), of_chains.mean(axis=0), rtol=1e-10)


@pytest.mark.parametrize("cells", [3, 50, 2**21])
def test_blocks_of_draws_and_rows_change_nothing(cells, monkeypatch):
    X, prior = CASES["gmm"]
    draws = as_datatree(gibbs(X, 2, prior, draws=20, chains=2, random_state=0), prior)
    p = np.array(
        [
            gmm.e_step(X, gmm_of(draws, c, s))[0]  # one E-step after the other
            for c in range(2)
            for s in range(20)
        ]
    )
    together = np.einsum("sik,sjk->ij", p, p) / len(p)
    np.fill_diagonal(together, 1)
    for module in (comparisons.posterior.predictive, comparisons.alignment.responsibilities):
        monkeypatch.setattr(module, "BLOCK_CELLS", cells)
    joint = log_joint(X, "gmm")
    np.testing.assert_allclose(co_clustering(draws, joint), together, rtol=1e-10)
    np.testing.assert_allclose(posterior_responsibilities(draws, joint), p.mean(axis=0), rtol=1e-10)
    some = np.array([4, 0, 4])
    np.testing.assert_allclose(co_clustering(draws, joint, rows=some), together[np.ix_(some, some)], rtol=1e-10)


def gmm_of(draws, c, s):
    names = ("weights", "means", "covariances")
    return GMMParameters(**{name: draws["posterior"][name].to_numpy()[c, s] for name in names})


def test_responsibilities_of_aligned_draws_know_the_planted_labels():
    truth = GMMParameters([0.4, 0.6], [[-5.0], [5.0]], [[[1.0]], [[2.0]]])
    X, z = simulate(truth, 60, random_state=0)
    prior = GMMPrior.weakly_informative(X, 2)
    draws = as_datatree(gibbs(X, 2, prior, draws=100, random_state=1), prior)
    aligned = align(draws, reference=truth)
    np.testing.assert_array_equal(posterior_responsibilities(aligned, log_joint(X, "gmm")).argmax(axis=1), z)


def test_replicates_have_the_moments_of_the_mixture():
    parameters, n, R = random_gmm(2, 2, np.random.default_rng(1)), 50, 400
    X, _ = simulate(parameters, n, random_state=0)
    check = predictive_check(X, fixed(parameters), "gmm", n_replicates=R, random_state=0)
    of = dict(zip(check.names, check.replicated.T, strict=True))
    mean = parameters.weights @ parameters.means
    gaps = parameters.means - mean
    second = parameters.covariances + gaps[:, :, None] * gaps[:, None]
    covariance = np.tensordot(parameters.weights, second, 1)
    for d in range(2):
        error = of[f"mean[{d}]"].std() / np.sqrt(R)
        assert abs(of[f"mean[{d}]"].mean() - mean[d]) < 4 * error
        error = of[f"variance[{d}]"].std() / np.sqrt(R)
        assert abs(of[f"variance[{d}]"].mean() - covariance[d, d] * (1 - 1 / n)) < 4 * error
    assert check.suspects == ()


def test_p_values_of_true_parameters_are_uniform_and_ties_count_half():
    parameters, p = BMMParameters([0.3, 0.7], [[0.2, 0.9, 0.5], [0.8, 0.4, 0.5]]), []
    for seed in range(60):
        X, _ = simulate_counts(parameters, 40, random_state=seed)
        p.append(predictive_check(X, fixed(parameters), "bmm", n_replicates=40, random_state=seed).p_values)
    p = np.array(p)
    assert p.shape == (60, 7)
    assert np.abs(p.mean(axis=0) - 0.5).max() < 4 * np.sqrt(1 / 12 / 60)  # sd of a uniform, 60 of them
    assert p.std(axis=0).min() > 0.2


@pytest.mark.parametrize("R", [20, 99, 200])
def test_a_true_model_is_suspected_once_in_a_hundred_however_many_statistics_there_are(R):
    rng, names, checks = np.random.default_rng(R), tuple(map(str, range(40))), 2000
    every = rng.normal(size=(checks, R + 1, 40)) + rng.normal(
        size=(checks, R + 1, 1)
    )  # statistics depend on each other
    alarms = sum(bool(PredictiveCheck(names, of[0], of[1:]).suspects) for of in every)
    level = np.floor(0.01 * (R + 1)) / (R + 1)  # ranks among R + 1 alike
    assert binom.ppf(0.001, checks, level) <= alarms <= binom.ppf(0.999, checks, level)


def test_a_statistic_that_is_one_number_in_all_replicates_is_suspected_if_the_data_have_another():
    replicated = np.column_stack([np.zeros(200), np.random.default_rng(0).normal(size=200)])
    assert PredictiveCheck(("minimum", "mean"), np.array([1.0, 0.0]), replicated).suspects == ("minimum",)
    assert PredictiveCheck(("minimum", "mean"), np.array([0.0, 9.0]), replicated).suspects == ("mean",)
    assert repr(PredictiveCheck(("minimum", "mean"), np.array([0.0, 9.0]), replicated)).splitlines()[1][:4] == "mean"


def test_draws_of_32_bits_and_of_a_single_feature_without_its_axis_will_do():
    X, prior = CASES["gmm"]
    draws = as_datatree(gibbs(X, 2, prior, draws=40, chains=2, random_state=0), prior)
    posterior, joint = draws["posterior"].to_dataset(), log_joint(X, "gmm")
    flat = posterior.isel(feature=0, feature_bis=0)
    for other, error in [(flat, 1e-12), (posterior.astype(np.float32), 1e-5)]:
        np.testing.assert_allclose(co_clustering(other, joint), co_clustering(draws, joint), atol=error)
        replicated, same = (predictive_check(X, d, "gmm", random_state=0).replicated for d in (other, draws))
        np.testing.assert_allclose(replicated, same, atol=100 * error)


def test_pairs_that_go_together_contradict_a_single_component():
    X, _ = simulate_counts(BMMParameters([0.5, 0.5], [[0.1] * 4, [0.9] * 4]), 200, random_state=0)
    for K, surprising in [(1, True), (2, False)]:
        prior = BMMPrior(1.0, 1.0, 1.0)
        draws = as_datatree(gibbs(X, K, prior, draws=100, chains=2, random_state=0), prior)
        check = predictive_check(X, draws, "bmm", n_replicates=300, random_state=0)
        assert ("both[0, 1]" in check.suspects) == surprising
        assert "mean[0]" not in check.suspects
    assert "statistics" in repr(check)


def test_missing_cells_are_missing_in_replicates():
    parameters = random_gmm(2, 2, np.random.default_rng(1))
    X, _ = simulate(parameters, 50, random_state=0)
    X[::3, 0] = np.nan
    check = predictive_check(X, fixed(parameters), "gmm", n_replicates=50, random_state=0)
    assert np.isfinite(check.replicated).all()
    assert check.observed[0] == pytest.approx(np.nanmean(X[:, 0]))


def test_the_figure_shows_every_statistic():
    parameters = random_gmm(1, 2, np.random.default_rng(1))
    X, _ = simulate(parameters, 30, random_state=0)
    ax = predictive_check(X, fixed(parameters), "gmm", n_replicates=20, random_state=0).plot()
    assert len(ax.get_yticklabels()) == 11


def test_bad_input_is_named():
    X, prior = CASES["gmm"]
    draws = as_datatree(gibbs(X, 2, prior, draws=5, chains=1, random_state=0), prior)
    joint = log_joint(X, "gmm")
    for rows in ([6], [0.5], [[0]], []):
        with pytest.raises(ValueError, match="rows must"):
            co_clustering(draws, joint, rows=rows)
    many = log_joint(np.zeros((5001, 1)), "gmm")
    with pytest.raises(ValueError, match="5000"):
        co_clustering(draws, many)
    with pytest.raises(ValueError, match="X must have 1 columns"):
        predictive_check(np.zeros((3, 2)), draws, "gmm")
    with pytest.raises(ValueError, match="'probs'"):
        predictive_check(CASES["bmm"][0], draws, "bmm")
    with pytest.raises(ValueError, match="n_replicates must be a whole number of at least 2, got 1"):
        predictive_check(X, draws, "gmm", n_replicates=1)
    with pytest.raises(ValueError, match="X must have an observed cell in every column"):
        predictive_check(np.full((3, 1), np.nan), draws, "gmm")
    posterior = draws["posterior"].to_dataset()
    for name, change, message in [
        (
            "weights",
            lambda w: 2 * w,
            "draws of weights must be non-negative and sum to 1, got sums from 2 to 2",
        ),
        (
            "means",
            lambda m: m.expand_dims("more"),
            "draws must have means of the dims chain, draw, component and feature",
        ),
        ("covariances", lambda c: -c, "draws must have positive definite covariances"),
    ]:
        with pytest.raises(ValueError, match=message):
            co_clustering(posterior.assign({name: change(posterior[name])}), joint)
