"""The same set of rows gives the same fit to the last bit: in any order, repeated or weighted, from every start."""

import warnings

import numpy as np
import pytest
import reference_data
from scipy.sparse import csr_array

import em.gmm.units
import em.starts.restarts
from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans, likelihood_ratio_test
from em.samples import Samples
from em.samples.distinct import distinct_rows, hashes
from models.bmm import BMMPrior
from models.gmm import GMMPrior

KINDS = ["full", "tied", "diag", "spherical"]
STARTS = ["k-means++", "kmeans", "random", "labels"]


def with_holes(X, rng):
    return np.where(rng.random(X.shape) < 0.15, np.nan, X)


def gaussian(kind, seed, rounded, holes, prior):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(60, 3)) + 4 * rng.randint(3, size=(60, 1))
    X = np.round(X) if rounded else X
    X = with_holes(X, rng) if holes else X
    return GaussianMixtureEM(
        2, covariance_type=kind, prior=GMMPrior.weakly_informative(X, 2, kind) if prior else None
    ), X


def counts(seed, trials, holes):
    rng = np.random.RandomState(seed)
    m = rng.randint(1, 5, size=(60, 4)) if trials == "by row" else np.full((60, 4), trials)
    X = rng.binomial(m, np.where(rng.random(60) < 0.4, 0.2, 0.7)[:, None]).astype(float)
    X = with_holes(X, rng) if holes else X
    if trials == 1:
        return BernoulliMixtureEM(2, prior=BMMPrior()), X
    return BinomialMixtureEM(2, n_trials=m if trials == "by row" else trials, prior=BMMPrior()), X


PROBLEMS = {
    **{kind: lambda seed, kind=kind: gaussian(kind, seed, False, False, False) for kind in KINDS},
    **{f"{kind} rounded MAP": lambda seed, kind=kind: gaussian(kind, seed, True, False, True) for kind in KINDS},
    **{f"{kind} holes MAP": lambda seed, kind=kind: gaussian(kind, seed, False, True, True) for kind in KINDS},
    "bernoulli": lambda seed: counts(seed, 1, False),
    "bernoulli holes": lambda seed: counts(seed, 1, True),
    "binomial": lambda seed: counts(seed, 3, False),
    "binomial by row": lambda seed: counts(seed, "by row", False),
}


# Each problem from half of the starts, each start with half of the problems of every kind.
NAMES_AND_STARTS = [
    (name, start) for i, name in enumerate(PROBLEMS) for j, start in enumerate(STARTS) if (i + i // 4 + j) % 2 == 0
]


def fitted(estimator, X, start, rows, weights=None):
    """Fit rows of X, with their trials and labels where they have any."""
    n_trials = estimator.get_params().get("n_trials", 1)
    settings = {"init": np.arange(len(X))[rows] % 2 if start == "labels" else start, "n_init": 2, "random_state": 0}
    if np.ndim(n_trials) == 2:
        settings["n_trials"] = n_trials[rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of collapse and the like, which are the same too
        return estimator.__class__(**{**estimator.get_params(), **settings}).fit(X[rows], sample_weight=weights)


def assert_same_bits(fit, other):
    assert fit.status_ == other.status_
    np.testing.assert_array_equal(fit.history_, other.history_)
    for name, array in fit.parameters_.arrays().items():
        np.testing.assert_array_equal(array, other.parameters_.arrays()[name])


@pytest.mark.parametrize(("name", "start"), NAMES_AND_STARTS)
def test_rows_in_any_order_give_the_same_bits(name, start):
    seed = STARTS.index(start) % 2
    estimator, X = PROBLEMS[name](seed)
    order = np.random.RandomState(seed + 10).permutation(len(X))
    assert_same_bits(fitted(estimator, X, start, np.arange(len(X))), fitted(estimator, X, start, order))


@pytest.mark.parametrize(("name", "start"), NAMES_AND_STARTS)
def test_repeated_rows_give_the_bits_of_weighted_ones(name, start):
    estimator, X = PROBLEMS[name](3)
    times = np.random.RandomState(4).randint(0, 4, size=len(X))
    repeated = fitted(estimator, X, start, np.repeat(np.arange(len(X)), times))
    assert_same_bits(fitted(estimator, X, start, np.arange(len(X)), times), repeated)


@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 2, 60)])
def test_clusters_do_not_depend_on_the_order(weights):
    for seed in range(5):
        X = np.random.RandomState(seed).randint(4, size=(60, 2)).astype(float)  # many ties
        order = np.random.RandomState(seed).permutation(60)
        fit = KMeans(3, n_init=2, random_state=0).fit(X, sample_weight=weights)
        other = KMeans(3, n_init=2, random_state=0).fit(
            X[order], sample_weight=None if weights is None else weights[order]
        )
        np.testing.assert_array_equal(fit.cluster_centers_, other.cluster_centers_)
        np.testing.assert_array_equal(fit.labels_[order], other.labels_)
        sparse = KMeans(3, n_init=2, random_state=0).fit(csr_array(X), sample_weight=weights)
        again = KMeans(3, n_init=2, random_state=0).fit(
            csr_array(X[order]), sample_weight=None if weights is None else weights[order]
        )
        np.testing.assert_array_equal(sparse.cluster_centers_, again.cluster_centers_)


def test_more_rows_than_are_sorted_give_the_same_fit_to_rounding(monkeypatch):
    """Above so many cells rows stay where they are; starts look at a part that their order does not decide."""
    X = reference_data.faithful()
    order = np.random.RandomState(0).permutation(len(X))
    monkeypatch.setattr(em.starts.restarts, "START_CELLS", 200)
    monkeypatch.setattr(em.starts.restarts, "worth_sorting", lambda X: False)
    monkeypatch.setattr(em.gmm.units, "MOST_CELLS_COPIED", 200)
    fits = [GaussianMixtureEM(2, n_init=3, random_state=0).fit(rows) for rows in (X, X[order])]
    np.testing.assert_allclose(fits[0].history_, fits[1].history_, rtol=1e-12)
    np.testing.assert_allclose(fits[0].means_, fits[1].means_, rtol=1e-9)


def test_distinct_rows_are_each_kind_once_with_the_sum_of_their_weights():
    rng = np.random.RandomState(0)
    X = np.where(rng.random((200, 3)) < 0.1, np.nan, rng.randint(3, size=(200, 3)).astype(float))
    w = rng.randint(1, 5, size=200).astype(float)
    wanted = {}
    for row, weight in zip(np.where(np.isnan(X), -1, X).tolist(), w, strict=True):
        wanted[tuple(row)] = wanted.get(tuple(row), 0) + weight
    for hashed in (False, True):
        chosen, weights = distinct_rows(X, w, hashed=hashed)
        found = dict(zip(map(tuple, np.where(np.isnan(X[chosen]), -1, X[chosen]).tolist()), weights, strict=True))
        assert found == wanted
    samples = Samples(X, w, np.ones(200, dtype=bool), 200).distinct()
    assert samples.total == w.sum()
    np.testing.assert_array_equal(samples.X, X[samples.kept])


def test_hashes_of_small_whole_numbers_differ_and_are_those_of_sparse_rows():
    """Whole numbers differ in their highest bits only; products with odd numbers alone would confuse them."""
    X = np.array(np.meshgrid(*[np.arange(4.0)] * 6)).reshape(6, -1).T
    assert len(np.unique(hashes(X))) == len(X) == 4**6
    np.testing.assert_array_equal(hashes(csr_array(X)), hashes(X))
    np.testing.assert_array_equal(hashes(-0.0 * X), hashes(0.0 * X))


def test_bootstraps_and_likelihood_ratio_tests_do_not_depend_on_the_order():
    X = reference_data.faithful()[:80]
    order = np.random.RandomState(1).permutation(80)
    fit = GaussianMixtureEM(1).fit(X)
    for kind in ("bootstrap", "parametric bootstrap"):
        here, there = (fit.uncertainty(Z, kind=kind, n_bootstrap=20, random_state=0) for Z in (X, X[order]))
        np.testing.assert_allclose(here.replicates, there.replicates, rtol=1e-9)
    estimator = GaussianMixtureEM(n_init=2, tol=1e-4)
    here, there = (likelihood_ratio_test(Z, estimator, 1, n_bootstrap=3, random_state=0) for Z in (X, X[order]))
    np.testing.assert_allclose(here.bootstrap_statistics, there.bootstrap_statistics, atol=1e-6)
