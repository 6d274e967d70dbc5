"""The default prior moves with the data: units and origin do not matter."""

import numpy as np
import pytest

from models.gmm import GMMPrior
from models.gmm.structures import COVARIANCE_TYPES


def test_hyperparameters_are_those_of_fraley_and_raftery():
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1, 10, 100]
    prior = GMMPrior.weakly_informative(X, n_components=4)
    np.testing.assert_array_equal(prior.concentration, [2, 2, 2, 2])
    np.testing.assert_allclose(prior.mean, X.mean(axis=0))
    assert (prior.mean_precision, prior.degrees_of_freedom) == (0.01, 5)
    np.testing.assert_allclose(prior.scale, np.cov(X, rowvar=False) / 4 ** (2 / 3))


@pytest.mark.parametrize("D", [1, 3])
def test_prior_follows_any_affine_change_of_the_data(D):
    """Of A x + b the mean is A m0 + b and the scale A Psi0 A'; nothing else changes."""
    rng = np.random.default_rng(D)
    X, A, b = rng.normal(size=(40, D)), rng.normal(size=(D, D)), rng.normal(size=D)
    before, after = GMMPrior.weakly_informative(X, 2), GMMPrior.weakly_informative(X @ A.T + b, 2)
    np.testing.assert_allclose(after.mean, A @ before.mean + b)
    np.testing.assert_allclose(after.scale, A @ before.scale @ A.T)
    np.testing.assert_array_equal(after.concentration, before.concentration)
    assert after.mean_precision == before.mean_precision
    assert after.degrees_of_freedom == before.degrees_of_freedom


def test_integers_booleans_and_float32_are_computed_in_float64():
    X = np.array([[0, 1], [1, 1], [1, 0], [0, 0], [1, 1]])
    expected = GMMPrior.weakly_informative(X.astype(float), 2)
    for same in (X, X.astype(bool), X.astype(np.float32), np.asfortranarray(X), X.tolist()):
        prior = GMMPrior.weakly_informative(same, 2)
        np.testing.assert_array_equal(prior.scale, expected.scale)
        assert prior.scale.dtype == np.float64


@pytest.mark.parametrize("seed", range(20))
def test_collinear_columns_keep_their_variances_only(seed):
    """Rounding decides whether such a covariance passes for positive definite: the prior must not depend on it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 2))
    X = np.hstack([X, X @ rng.normal(size=(2, 1))]) * [1, 1e3, 1e-3]
    np.testing.assert_allclose(GMMPrior.weakly_informative(X, 1).scale, np.diag(X.var(axis=0, ddof=1)))


@pytest.mark.parametrize("structure", COVARIANCE_TYPES)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_weights_give_the_prior_of_the_repeated_rows(structure, share):
    rng = np.random.default_rng(1)
    X, times = rng.normal(size=(30, 3)), rng.integers(0, 4, size=30)
    X[rng.uniform(size=X.shape) < share] = np.nan
    weighted = GMMPrior.weakly_informative(X, 2, structure, sample_weight=times)
    repeated = GMMPrior.weakly_informative(np.repeat(X, times, axis=0), 2, structure)
    np.testing.assert_allclose(weighted.mean, repeated.mean)
    np.testing.assert_allclose(weighted.scale, repeated.scale)


def test_where_cells_are_missing_variances_are_those_of_the_observed_cells_and_correlations_shrink():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(20_000, 3)) @ rng.normal(size=(3, 3)) * [1, 10, 100]
    holed = np.where(rng.uniform(size=X.shape) < 0.2, np.nan, X)
    prior = GMMPrior.weakly_informative(holed, 1)
    np.testing.assert_allclose(prior.mean, np.nanmean(holed, axis=0))
    np.testing.assert_allclose(np.diagonal(prior.scale), np.nanvar(holed, axis=0, ddof=1))
    sd = np.sqrt(np.diagonal(prior.scale))
    correlations, whole = prior.scale / np.outer(sd, sd), np.corrcoef(X, rowvar=False)
    # of the pairs of cells a share of 0.8 keeps its partner; 1 / sqrt(20,000) is 0.007
    np.testing.assert_allclose(correlations[np.triu_indices(3, 1)], 0.8 * whole[np.triu_indices(3, 1)], atol=0.03)


def test_columns_never_seen_together_are_uncorrelated_in_the_prior():
    X = np.where(np.tile(np.eye(3), (4, 1)) == 1, np.random.default_rng(3).normal(size=(12, 3)), np.nan)
    np.testing.assert_allclose(GMMPrior.weakly_informative(X, 1).scale, np.diag(np.nanvar(X, axis=0, ddof=1)))


def test_fewer_rows_than_columns_still_give_a_proper_prior():
    X = np.random.default_rng(0).normal(size=(3, 5))
    assert (np.linalg.eigvalsh(GMMPrior.weakly_informative(X, 2).scale) > 0).all()


def test_one_row_has_no_scale():
    with pytest.raises(ValueError, match=r"X must have at least two samples in every column .* columns 0, 1"):
        GMMPrior.weakly_informative([[1.0, 2.0]], 2)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("unit", [1.0, 1e-30])
def test_a_constant_column_has_the_typical_spread_of_the_others(kind, unit):
    X = unit * np.column_stack([[0.0, 2.0, 4.0], [7.0, 7.0, 7.0], [1.0, 9.0, 5.0]])  # deviations 2, -, 4
    scale = GMMPrior.weakly_informative(X, 1, kind).scale / unit**2
    variances = [4.0, 8.0, 16.0]  # 8 is the geometric mean of 4 and 16
    wanted = {"diag": variances, "spherical": np.mean(variances)}
    np.testing.assert_allclose(wanted.get(kind, variances), scale if scale.ndim < 2 else np.diagonal(scale), rtol=1e-12)
    np.testing.assert_allclose(GMMPrior.weakly_informative(np.ones((3, 2)), 1, "diag").scale, 1.0)
