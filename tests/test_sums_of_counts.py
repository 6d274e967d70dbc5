"""Sums of m - x from those of x keep their digits, where these nearly cancel too, and what is 0 stays 0."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from em.steps.rows import NEAR, Shifted

TRIALS = np.array([1.0, 12.0, 1.0, 5.0])


def problem(seed=0, n=500, K=3):
    """Counts, of which the third are all m and the last nearly all, and weights of which some are 0."""
    rng = np.random.RandomState(seed)
    X = rng.binomial(TRIALS.astype(int), [0.3, 0.6, 1.0, 0.999], size=(n, 4)).astype(float)
    return X, rng.dirichlet(np.ones(K), size=n).T * (rng.random((K, n)) < 0.8)


@pytest.mark.parametrize("seed", range(5))
def test_sums_are_those_of_the_matrix(seed):
    X, weights = problem(seed)
    of_X = weights @ X
    exact = weights @ (TRIALS - X)
    sums = Shifted(TRIALS, -1.0, X).sums(weights, of_X)
    np.testing.assert_allclose(sums, exact, rtol=1e-13 / NEAR)
    np.testing.assert_array_equal(sums[:, 2], 0.0)
    np.testing.assert_allclose(sums[:, 3], exact[:, 3], rtol=1e-14)
    np.testing.assert_allclose(Shifted(TRIALS, -1.0, X).sums(weights[0], of_X[0]), exact[0], rtol=1e-13 / NEAR)


def test_sums_of_sparse_rows_are_never_negative():
    X, weights = problem()
    sums = Shifted(TRIALS, -1.0, csr_array(X)).sums(weights, weights @ X)
    assert (sums >= 0).all()
    np.testing.assert_allclose(sums, weights @ (TRIALS - X), atol=1e-10)
