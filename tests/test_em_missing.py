"""Missing cells (NaN): the likelihood is that of the observed cells, in EM and in the PyMC marginal model alike."""

import operator
from functools import reduce

import numpy as np
import pandas as pd
import pytest
import reference_data
from families import FAILINGS, FAMILIES, each_family, largest_relative_gap, seeds
from family_bmm import TRIALS
from hypothesis import given
from hypothesis import strategies as st
from random_mixtures import declared_density, random_bmm, random_gmm
from scipy import stats
from scipy.special import logsumexp

import em.gmm.missing
from em import BernoulliMixtureEM, GaussianMixtureEM, bmm, gmm
from em.gmm.missing import incomplete_blocks, incomplete_pass
from models import bmm as model_bmm
from models import gmm as model_gmm
from models.gmm.structures import COVARIANCE_TYPES


def with_holes(X, seed, share=0.3):
    """Remove cells at random, but leave the first two rows whole; one row is left with nothing."""
    holes = np.random.RandomState(seed).uniform(size=X.shape) < share
    holes[:2], holes[2] = False, True
    return np.where(holes, np.nan, X)


@pytest.mark.parametrize("structure", COVARIANCE_TYPES)
def test_gaussian_log_likelihood_is_the_marginal_normals_row_by_row(structure):
    rng = np.random.default_rng(0)
    theta, X = random_gmm(3, 3, rng, structure), with_holes(rng.normal(size=(30, 3)), 0)
    matrices, expected = theta.covariance_matrices, np.zeros(30)
    for i, row in enumerate(X):
        o = np.flatnonzero(~np.isnan(row))
        if len(o):
            parts = [
                np.log(w) + stats.multivariate_normal(m[o], S[np.ix_(o, o)]).logpdf(row[o])
                for w, m, S in zip(theta.weights, theta.means, matrices, strict=True)
            ]
            expected[i] = logsumexp(parts)
    np.testing.assert_allclose(logsumexp(gmm.log_joint(X, theta), axis=1), expected, rtol=1e-11, atol=1e-14)
    density = declared_density(model_gmm.build_marginal_model(X, 3, None, structure), ["x"])
    assert density(theta.arrays()) == pytest.approx(expected.sum(), rel=0, abs=1e-10)


@pytest.mark.parametrize("n_trials", [1, 12])
def test_count_log_likelihood_is_that_of_the_observed_cells(n_trials):
    rng = np.random.default_rng(0)
    theta, X = random_bmm(3, 4, rng), with_holes(rng.binomial(n_trials, 0.5, size=(30, 4)).astype(float), 0)
    cells = stats.binom(n_trials, theta.probs).logpmf(np.nan_to_num(X)[:, None])
    expected = logsumexp(np.log(theta.weights) + np.where(np.isnan(X)[:, None], 0, cells).sum(axis=2), axis=1)
    np.testing.assert_allclose(logsumexp(bmm.log_joint(X, theta, n_trials), axis=1), expected, rtol=1e-12, atol=1e-14)
    density = declared_density(model_bmm.build_marginal_model(X, 3, None, n_trials), ["x"])
    assert density(theta.arrays()) == pytest.approx(expected.sum(), rel=0, abs=1e-10)


def test_every_row_is_in_the_pattern_of_its_missing_cells():
    X = with_holes(np.random.default_rng(0).normal(size=(200, 11)), 0)
    patterns = list(gmm.missing_patterns(X))
    assert sorted(np.concatenate([rows for _, rows in patterns]).tolist()) == list(range(200))
    for observed, rows in patterns:
        assert (np.diff(rows) > 0).all()
        assert (~np.isnan(X[rows]) == observed).all()
    masks = [observed.tolist() for observed, _ in patterns]
    assert masks == sorted(masks)
    assert len(masks) == len(np.unique(np.isnan(X), axis=0))


@pytest.mark.parametrize("block_rows", [7, 4096], ids=["in small blocks", "in one block"])
@pytest.mark.parametrize("structure", COVARIANCE_TYPES)
def test_expected_statistics_are_those_of_a_naive_loop_over_rows(structure, block_rows, monkeypatch):
    monkeypatch.setattr(em.gmm.missing, "BLOCK_ROWS", block_rows)
    rng = np.random.default_rng(1)
    theta, X, times = random_gmm(2, 4, rng, structure), with_holes(rng.normal(size=(40, 4)), 1), rng.integers(1, 4, 40)
    responsibilities, _ = gmm.e_step(X, theta)
    counts, first, second, log_likelihood = np.zeros(2), np.zeros((2, 4)), np.zeros((2, 4, 4)), 0.0
    for x, r, w in zip(X, responsibilities, times, strict=True):
        o, m = np.flatnonzero(~np.isnan(x)), np.flatnonzero(np.isnan(x))
        if not len(m):
            continue
        log_likelihood += w * gmm.e_step(x[None], theta)[1]
        for k, S in enumerate(theta.covariance_matrices):
            B = S[np.ix_(m, o)] @ np.linalg.inv(S[np.ix_(o, o)])
            y, C = np.zeros(4), np.zeros((4, 4))
            y[o] = x[o] - theta.means[k, o]
            y[m] = B @ y[o]
            C[np.ix_(m, m)] = S[np.ix_(m, m)] - B @ S[np.ix_(o, m)]
            counts[k] += w * r[k]
            first[k] += w * r[k] * y
            second[k] += w * r[k] * (np.outer(y, y) + C)
    diagonals = np.diagonal(second, axis1=1, axis2=2)
    kept = {"full": second, "tied": second.sum(axis=0), "diag": diagonals, "spherical": diagonals.sum(axis=1)}
    passes = [incomplete_pass(block, theta) for block in incomplete_blocks(X, times.astype(float), 2)]
    assert sum(one for one, _ in passes) == pytest.approx(log_likelihood, rel=1e-12)
    total = reduce(operator.add, (statistics for _, statistics in passes))
    for found, expected in [(total.counts, counts), (total.first, first), (total.second, kept[structure])]:
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)


@each_family
@given(seed=seeds, K=st.integers(1, 3), D=st.integers(2, 3))
def test_objective_never_decreases_with_missing_cells_and_weights(family, seed, K, D):
    X, start, rng = family.problem(seed, K, D, 50)
    times = rng.randint(1, 4, size=50)
    fit = family.fit(with_holes(X, seed), K, init=start, max_iter=20, quiet=FAILINGS, sample_weight=times)
    history = fit.history_
    assert np.isfinite(history).all()
    assert (np.diff(history) >= -1e-11 * np.abs(history[1:])).all()


@each_family
def test_the_limit_is_a_maximum_of_the_likelihood_of_the_observed_cells(family):
    """At convergence the observed-data objective has no ascent direction, which only the right moments bring about."""
    X, _, rng = family.problem(3, 2, 2, 300)
    holed = with_holes(X, 1)
    fit = family.fit(holed, 2, n_init=3, random_state=0, tol=1e-13, quiet=FAILINGS)
    assert fit.converged_
    objective = family.objective(holed, 2)
    at = np.concatenate([np.log(fit.weights_), family.to_vector(fit.parameters_)])
    assert objective(at) == pytest.approx(fit.objective_, rel=1e-12)
    for _ in range(30):  # a step of h loses about n h²/2 = 2e-4 nats where the gradient is 0, and gains n h where not
        assert objective(at + 1e-3 * rng.normal(size=len(at))) < fit.objective_ + 1e-9


@each_family
def test_complete_data_and_empty_rows_leave_the_fit_alone(family):
    X, start, _ = family.problem(5, 2, 2, 60)
    settings = {"init": start, "max_iter": 8, "quiet": FAILINGS}
    fit = family.fit(X, 2, **settings)
    padded = family.fit(np.vstack([X, np.full((3, 2), np.nan)]), 2, **settings)
    assert largest_relative_gap(padded.parameters_.arrays(), fit.parameters_.arrays()) == 0
    everything = np.vstack([X, np.full((3, 2), np.nan)])
    assert fit.bic(everything) == fit.bic(X)
    np.testing.assert_allclose(fit.predict_proba(everything)[60:], np.tile(fit.weights_, (3, 1)), rtol=1e-14)
    np.testing.assert_allclose(fit.score_samples(everything)[60:], 0, atol=1e-15)


def test_a_monotone_pattern_has_the_closed_form():
    """One component, y missing for some: mean and covariance by regression of y on x (Anderson 1957)."""
    rng = np.random.RandomState(0)
    x = rng.normal(size=200)
    y = 2 + 0.7 * x + rng.normal(size=200)
    X = np.column_stack([x, np.where(np.arange(200) < 120, y, np.nan)])
    fit = GaussianMixtureEM(1, tol=1e-14).fit(X)
    both = X[:120]
    S = np.cov(both, rowvar=False, bias=True)
    slope = S[0, 1] / S[0, 0]
    mean = both[:, 1].mean() + slope * (x.mean() - both[:, 0].mean())
    variance = S[1, 1] + slope**2 * (x.var() - S[0, 0])
    np.testing.assert_allclose(fit.means_[0], [x.mean(), mean], rtol=1e-7)
    np.testing.assert_allclose(
        fit.covariances_[0], [[x.var(), slope * x.var()], [slope * x.var(), variance]], rtol=1e-6
    )


@pytest.mark.parametrize("structure", COVARIANCE_TYPES)
def test_imputed_cells_are_conditional_means(structure):
    X = reference_data.iris()
    fit = GaussianMixtureEM(2, covariance_type=structure, n_init=2, random_state=0).fit(with_holes(X, 2))
    holed = with_holes(X, 3)
    imputed, matrices = fit.impute(holed), fit.parameters_.covariance_matrices
    seen = ~np.isnan(holed)
    np.testing.assert_array_equal(imputed[seen], X[seen])
    for i in (2, 5, 9):
        o, m = np.flatnonzero(seen[i]), np.flatnonzero(~seen[i])
        r = fit.predict_proba(holed[i : i + 1])[0]
        guesses = [
            mean[m] + S[np.ix_(m, o)] @ np.linalg.solve(S[np.ix_(o, o)], holed[i, o] - mean[o])
            for mean, S in zip(fit.means_, matrices, strict=True)
        ]
        np.testing.assert_allclose(imputed[i, m], r @ np.array(guesses), rtol=1e-10)


def test_imputed_counts_are_expected_successes():
    family = next(row for row in FAMILIES if row.name == "binomial-ML")
    X, _, _ = family.problem(0, 2, 3, 80)
    fit = family.fit(with_holes(X, 0), 2, n_init=2, random_state=0, quiet=FAILINGS)
    np.testing.assert_allclose(fit.impute(with_holes(X, 0))[2], TRIALS * fit.weights_ @ fit.probs_, rtol=1e-12)


def test_a_mean_of_categories_that_are_numbers_is_a_number():
    X = reference_data.faithful()
    holed = with_holes(X, 0)
    frame = pd.DataFrame(holed, columns=["eruptions", "waiting"])
    fit = GaussianMixtureEM(2, n_init=2, random_state=0).fit(frame)
    pd.testing.assert_frame_equal(fit.impute(frame.astype({"waiting": "category"})), fit.impute(frame))
    whole = frame.assign(waiting=X[:, 1]).astype({"waiting": "category"})
    assert fit.impute(whole)["waiting"].dtype == whole["waiting"].dtype


def test_a_fit_with_holes_finds_the_clusters():
    X = reference_data.faithful()
    fit = GaussianMixtureEM(2, random_state=0).fit(with_holes(X, 0, 0.2))
    whole = GaussianMixtureEM(2, random_state=0).fit(X)
    order = np.argsort(fit.weights_), np.argsort(whole.weights_)
    np.testing.assert_allclose(fit.means_[order[0]], whole.means_[order[1]], rtol=0.02)


def test_binary_data_may_have_holes_from_any_start():
    X = with_holes(reference_data.lsat7()[::5].astype(float), 0)
    for init in ("k-means++", "kmeans", "random", np.arange(len(X)) % 2):
        fit = BernoulliMixtureEM(2, init=init, n_init=2, random_state=0, tol=1e-2).fit(X)
        assert np.isfinite(fit.objective_)


def test_the_mean_score_is_that_of_rows_with_something_observed():
    X = reference_data.faithful()
    fit = GaussianMixtureEM(2, n_init=2, random_state=0).fit(X)
    padded = np.vstack([X, np.full((100, 2), np.nan)])
    assert fit.score(padded) == pytest.approx(fit.score(X), rel=1e-14)
    assert fit.score(padded, sample_weight=np.ones(len(padded))) == pytest.approx(fit.score(X), rel=1e-14)


def test_masked_cells_are_missing_not_misread():
    masked = np.ma.masked_equal([[0.0], [1.0], [999.0]], 999.0)
    assert GaussianMixtureEM(1).fit(masked).means_.item() == 0.5


def test_columns_without_an_observed_cell_are_refused():
    with pytest.raises(ValueError, match="X must have an observed cell in every column"):
        model_gmm.build_marginal_model([[0.0, np.nan], [1.0, np.nan]], 1, None)
