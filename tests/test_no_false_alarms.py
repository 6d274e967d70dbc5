"""Data and priors on which a right EM once failed a check, and faults of EM that once passed all of them."""

import re
from copy import copy
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from shared_comparison import of_faithful

import comparisons.comparison.steps
from benchmarks.judged import Data, gibbs_draws, outcome
from comparisons import compare
from comparisons.comparison.density_checks import STATIONARY, Densities, density_checks, rounding_of_counts
from comparisons.comparison.estimates import estimates_of
from comparisons.comparison.fits import fit
from comparisons.comparison.posterior_checks import near_posterior_mean, why_shown
from comparisons.comparison.problem import prepare
from comparisons.gmm import GMM
from comparisons.pmm import PMM
from comparisons.posterior.densities import without_c_compiler
from em import GaussianMixtureEM
from models.bmm import BMMPrior
from models.gmm import GMMPrior
from models.pmm.story import PoissonStory


def clouds(*centers, n=60, seed=0):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(center, 1, size=(n, np.size(center))) for center in centers])


def of_densities(fits):
    with without_c_compiler:
        return {check.name: check for check in density_checks(fits, Densities(fits))}


def test_a_log_density_that_is_not_finite_in_pymc_or_in_em_alone_is_named(monkeypatch):
    X = np.array([[1.0], [0.0], [2.0], [1.0], [30.0], [33.0]])
    fits = fit(prepare(X, "pmm", 2, n_init=2))
    assert all(check.passed for check in of_densities(fits).values())
    truncated = lambda story, own, size: (pm.Truncated, {"dist": pm.Poisson.dist(own["rates"]), "lower": 1})  # noqa: E731
    with monkeypatch.context() as patched:
        patched.setattr(PoissonStory, "given_label", truncated)
        failed = of_densities(fits)["PyMC's log density is finite at MLE"]
    assert (failed.passed, failed.value) == (False, 1)
    assert re.search(r"in PyMC, log p\(x, z\) of row 1 is \[-inf, -inf\] and log p\(x\) -\d", failed.reason)
    with monkeypatch.context() as patched:
        patched.setattr(PoissonStory, "log_base", lambda story, x, size: np.where(x == 30, np.nan, 0.0))
        failed = of_densities(fits)["PyMC's log density is finite at MAP"]
    assert re.search(r"of row 4 is \[-.*\] and log p\(x\) nan$", failed.reason)
    monkeypatch.setattr(PMM, "e_step", lambda pair, X, parameters: (np.full((6, 2), np.nan), np.nan))
    assert of_densities(fits)["EM's log density is finite at MLE"].value == len(X)


def test_log_densities_of_columns_that_are_nearly_one_are_held_to_the_rounding_of_their_covariances():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(100, 1)) + 3e-5 * rng.normal(size=(100, 2)) + np.repeat([0, 5], 50)[:, None]
    checks = of_densities(fit(prepare(X, "gmm", 2, n_init=2)))
    assert all(check.passed for check in checks.values())
    assert 1e-6 < checks["log prior matches at MAP"].tolerance < 1e-3
    assert 1e-9 < checks["responsibilities = p(z|x) at MAP"].tolerance < 1e-5


def test_rounded_variances_are_as_far_off_as_a_cholesky_factor():
    parameters = fit(prepare(clouds([0, 0], [6, 6]), "gmm", 2)).mle.parameters_
    moved = GMM().rounded(parameters).covariances / parameters.covariances - 1
    np.testing.assert_array_equal(moved[:, 0, 1], 0)
    assert 0 < moved.max() < 20 * np.finfo(float).eps
    diagonal = fit(prepare(clouds([0, 0], [6, 6]), "gmm", 2, covariance_type="diag")).mle.parameters_
    assert GMM(covariance_type="diag").rounded(diagonal) is diagonal


def test_levels_that_few_samples_have_are_as_skewed_as_their_few_events():
    rng = np.random.RandomState(3)
    first = rng.rand(250) < 0.4
    items = [np.where(first, rng.randint(0, 20, 250), rng.randint(10, 30, 250)) for _ in range(4)]
    assert outcome(Data("cmm", np.stack(items, axis=1).astype(float), 2, {}), 0) == "passed"


def test_the_mle_of_great_counts_beside_small_ones_is_stationary_to_their_rounding():
    rng = np.random.default_rng(40)
    seldom = rng.random(250) < 0.4
    X = np.stack([rng.poisson(np.where(seldom, 0.2, 1.5)), rng.poisson(np.where(seldom, 9e4, 9.1e4))], axis=1)
    fits = fit(prepare(X, "pmm", 2, n_init=2))
    check = of_densities(fits)[STATIONARY]
    assert check.passed
    assert check.tolerance == pytest.approx(np.sqrt(2 * rounding_of_counts(fits)))


def test_a_prior_that_empties_a_component_leaves_it_no_labelled_samples():
    rng = np.random.RandomState(0)
    X = (rng.random((250, 6)) < np.where(rng.random((250, 1)) < 0.5, 0.2, 0.8)).astype(float)
    assert why_shown(fit(prepare(X, "bmm", 2))) == ""
    assert "smallest component" in why_shown(fit(prepare(X, "bmm", 2, prior=BMMPrior(2.0, 200.0, 2.0))))


def test_an_mle_that_the_prior_moves_far_is_not_held_to_the_posterior():
    """The prior's scale is the variance of the data, a thousand times that of the smallest of three nested clusters."""
    X = np.concatenate([np.random.default_rng(6).normal(0, sd, size=(150, 2)) for sd in (0.3, 2, 10)])
    fits = fit(prepare(X, "gmm", 3, covariance_type="diag"))
    of_mle, of_map = near_posterior_mean(fits, estimates_of(fits, gibbs_draws(fits, 0)), 1000, ["mle", "map"], "")
    assert of_mle.value > of_mle.tolerance
    assert "the prior moves an estimate by" in of_mle.why_shown
    assert of_map.passed


def test_draws_are_aligned_to_the_map_where_the_prior_says_the_weights():
    """By their weights they would be aligned to the MLE at random, as these are far nearer to each other than to it."""
    X = np.concatenate([clouds([0, 0]), clouds([6, 6], n=40)])
    prior = replace(GMMPrior.weakly_informative(X, 2), concentration=1e5)
    assert outcome(Data("gmm", X, 2, {"prior": prior}), 0) == "passed"


def test_levels_that_no_sample_has_are_no_crash():
    rng = np.random.RandomState(0)
    X = np.where(rng.random((150, 1)) < 0.4, rng.choice(3, (150, 5), p=[0.7, 0.2, 0.1]), rng.choice(3, (150, 5)))
    comparison = compare(X, "cmm", 2, levels=(5, 3, 3, 4, 3), draws=500, tune=100, chains=2)
    assert comparison.posterior["posterior"]["probs"].shape[-1] == 18
    assert all(row["mean_field"] is not None for row in comparison.spreads)


def in_a_lesser_maximum(problem):
    """Fit, and put in the places of MLE and MAP what EM finds when the two clouds on the right are one component."""
    fits, start = fit(problem), (problem.X[:, 0] > 2.5).astype(int)
    mle, mode = (
        GaussianMixtureEM(2, init=start, prior=prior, tol=1e-12).fit(problem.X) for prior in (None, problem.prior)
    )
    assert fits.mle.objective_ > mle.objective_ + 1
    return replace(fits, mle=mle, map=mode)


def test_restarts_that_missed_the_maximum_are_too_few_and_em_is_not_wrong(monkeypatch):
    monkeypatch.setattr(comparisons.comparison.steps, "fit", in_a_lesser_maximum)
    comparison = compare(clouds([0, 0], [5, 5], [11, 11]), "gmm", 2, draws=500, tune=200, chains=2)
    assert comparison.verdict == "inconclusive", comparison.explanation
    assert "from a draw EM finds a maximum" in comparison.explanation
    assert "n_init=40 (--restarts 40)" in comparison.explanation


def test_restarts_that_only_find_map_beats_are_too_few_and_em_is_not_wrong(monkeypatch):
    """In many dimensions no draw comes near the density of the mode, so that none tells of a better one."""
    steps = comparisons.comparison.steps
    in_two_dimensions = steps.draw

    def far_below_the_mode(*of_model):
        draws = in_two_dimensions(*of_model)
        return replace(draws, pointwise=draws.pointwise - 10)

    monkeypatch.setattr(steps, "fit", in_a_lesser_maximum)
    monkeypatch.setattr(steps, "draw", far_below_the_mode)
    monkeypatch.setattr(steps, "posterior_checks", lambda *_: [])
    comparison = compare(clouds([0, 0], [5, 5], [11, 11]), "gmm", 2, draws=500, tune=200, chains=2)
    (moved,) = [check for check in comparison.checks if check.name == "find_MAP moved"]
    assert moved.passed is None
    assert moved.why_shown == "PyMC ends in a better maximum than EM's, which may be near its start"
    assert comparison.verdict == "inconclusive", comparison.explanation
    assert "from PyMC's maximum EM finds a maximum" in comparison.explanation
    assert "n_init=40 (--restarts 40)" in comparison.explanation


def with_a_lesser_map(problem):
    """Fit, and put in the place of MAP what EM finds when the two clouds on the right are one component."""
    fits, start = fit(problem), (problem.X[:, 0] > 2.5).astype(int)
    assert not fits.has_maximum
    mode = GaussianMixtureEM(2, init=start, prior=problem.prior, tol=1e-12).fit(problem.X)
    assert fits.map.objective_ > mode.objective_ + 1
    return replace(fits, map=mode)


def test_restarts_that_missed_the_map_are_too_few_where_the_likelihood_runs_away(monkeypatch):
    """The last column is constant but for three cells, so that every restart of maximum likelihood collapses."""
    monkeypatch.setattr(comparisons.comparison.steps, "fit", with_a_lesser_map)
    monkeypatch.setattr(comparisons.comparison.steps, "find_map_checks", lambda *_: ([], None))  # they take 12 s each
    X = clouds([0, 0], [5, 5], [11, 11])
    X = np.column_stack([X, np.isin(np.arange(len(X)), [3, 70, 120])])
    comparison = compare(X, "gmm", 2, draws=500, tune=200, chains=2, n_init=3)
    assert comparison.verdict == "inconclusive", comparison.explanation
    assert comparison.explanation.startswith("the restarts are too few to tell: from a draw EM finds a maximum ")


def test_a_likelihood_that_runs_away_from_a_draw_has_no_maximum():
    """But for one cell the second column is constant; the restarts' split of the first column is a lesser maximum."""
    X = np.stack([np.random.default_rng(8).normal(size=150) + np.repeat([0, 7], 75), np.zeros(150)], axis=1)
    X[3, 1] = 1
    comparison = compare(X, "gmm", 2, covariance_type="tied", draws=500, tune=200, chains=2)
    assert comparison.verdict == "no maximum", comparison.explanation
    assert comparison.explanation.startswith("from the likeliest draw, all 1 restart collapsed")


@pytest.mark.parametrize("at", ["mle", "map"])
@pytest.mark.parametrize("name", ["log_likelihood_", "objective_"])
def test_a_constant_left_out_of_what_a_fit_reports_is_seen(at, name):
    kept = of_faithful()
    wrong = copy(getattr(kept.fits, at))
    setattr(wrong, name, getattr(wrong, name) + 1e-3)
    made = density_checks(replace(kept.fits, **{at: wrong}), kept.densities)
    assert {check.name for check in made if check.passed is False} == {f"log-likelihood matches at {at.upper()}"}
