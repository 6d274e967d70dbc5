"""Sparse counts: the fits and figures of the same dense X, without ever making X dense."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array

import em
from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans, is_anomaly, likelihood_ratio_test, select
from models.bmm import BMMParameters, BMMPrior, simulate

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]


def rare_counts(n=300, D=6, m=1, seed=0):
    """Draw counts, mostly 0, of two classes; return them with a start."""
    rng = np.random.RandomState(seed)
    X, _ = simulate(BMMParameters([0.4, 0.6], rng.uniform(0.02, 0.5, size=(2, D))), n, m, rng)
    return X, BMMParameters([0.5, 0.5], rng.uniform(0.1, 0.6, size=(2, D)))


def estimator_of(m, **settings):
    return BinomialMixtureEM(2, n_trials=m, **settings) if np.max(m) > 1 else BernoulliMixtureEM(2, **settings)


def assert_same_fit(fit, dense):
    """The same sums in another order, over rows that the dense fit collapses to patterns."""
    np.testing.assert_allclose(fit.history_, dense.history_, rtol=1e-12)
    for name in ("weights_", "probs_"):
        np.testing.assert_allclose(getattr(fit, name), getattr(dense, name), rtol=0, atol=1e-10)


@pytest.mark.parametrize("m", [1, 3, [1, 2, 3, 4, 5, 6]], ids=["bernoulli", "binomial", "trials by column"])
@pytest.mark.parametrize("prior", [None, BMMPrior()], ids=["ML", "MAP"])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_and_dense_fits_from_the_same_start_are_the_same(m, prior, weighted):
    X, start = rare_counts(m=m)
    times = np.random.RandomState(1).randint(0, 4, size=len(X)) if weighted else None
    labels = np.random.RandomState(2).randint(2, size=len(X))
    for init in (start, labels):
        one, other = (estimator_of(m, prior=prior, init=init, max_iter=20, tol=1e9) for _ in range(2))
        fit, dense = one.fit(csr_array(X), sample_weight=times), other.fit(X, sample_weight=times)
        assert_same_fit(fit, dense)
