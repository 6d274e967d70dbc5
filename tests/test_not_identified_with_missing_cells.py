"""Columns that were never observed together leave a covariance free, or a latent class model: every family says so."""

import numpy as np
import pandas as pd
import pytest

from comparisons import compare
from em import BernoulliMixtureEM, GaussianMixtureEM, NotIdentifiableWarning
from em.bmm import BINOMIAL
from em.gmm.coverage import coverage
from em.identifiability.rank_test import identify, largest_patterns
from em.samples import Samples
from models.bmm import BMMParameters
from models.gmm import GMMPrior

NEVER = "height and weight are never observed together"


def halves(n=120, seed=0):
    """Three correlated columns, of which the first two are never observed together."""
    rows = np.random.RandomState(seed).normal(size=(n, 3))
    X = [0, 5, 9] + rows @ np.linalg.cholesky(0.5 + 0.5 * np.eye(3)).T
    X[: n // 2, 0] = X[n // 2 :, 1] = np.nan
    return pd.DataFrame(X, columns=["height", "weight", "age"])


@pytest.mark.parametrize("K", [1, 2])
@pytest.mark.parametrize(
    ("kind", "free"), [("full", "covariances[0, height, weight]"), ("tied", "covariances[height, weight]")]
)
def test_the_pair_is_named(kind, free, K):
    frame = halves()
    with pytest.warns(NotIdentifiableWarning, match=NEVER):
        fit = GaussianMixtureEM(K, covariance_type=kind, n_init=2, random_state=0).fit(frame)
    assert not fit.identifiability_.identified
    assert free in fit.identifiability_.free_direction
    n_free = fit.n_free_parameters_
    assert fit.identifiability_.rank == n_free - (K if kind == "full" else 1)
    assert NEVER in fit.status_


def test_the_free_covariance_really_is_free():
    frame = halves()
    with pytest.warns(NotIdentifiableWarning):
        fit = GaussianMixtureEM(1).fit(frame)
    covariances = fit.covariances_.copy()
    covariances[0, 0, 1] = covariances[0, 1, 0] = covariances[0, 0, 1] - 0.1
    other = type(fit.parameters_)(fit.weights_, fit.means_, covariances)
    fit.parameters_ = other
    assert fit.score(frame) * len(frame) == pytest.approx(fit.log_likelihood_, rel=1e-12)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_without_covariances_nothing_is_free(kind):
    assert GaussianMixtureEM(1, covariance_type=kind).fit(halves()).identifiability_.identified


def test_rows_that_show_both_are_enough():
    frame = halves()
    frame.loc[:9, "height"] = np.random.RandomState(5).normal(size=10)
    assert GaussianMixtureEM(1).fit(frame).identifiability_.identified


def test_frozen_covariances_are_not_asked_about():
    frozen = {"covariances": np.eye(3)}
    assert GaussianMixtureEM(1, covariance_type="tied", frozen=frozen).fit(halves()).identifiability_.identified


def test_under_a_prior_it_is_said_too():
    frame = halves()
    prior = GMMPrior.weakly_informative(frame, 1)
    with pytest.warns(NotIdentifiableWarning, match=NEVER):
        GaussianMixtureEM(1, prior=prior).fit(frame)


def test_a_component_that_never_shows_a_feature_is_named():
    rng = np.random.RandomState(1)
    X = np.concatenate([rng.normal(size=(40, 2)), 100 + rng.normal(size=(40, 2))])
    X[:40, 1] = np.nan
    with pytest.warns(NotIdentifiableWarning, match="component . has no sample with column 1 observed"):
        fit = GaussianMixtureEM(2, covariance_type="diag", n_init=2, random_state=0).fit(X)
    assert {name.split("[")[0] for name in fit.identifiability_.free_direction} == {"means"}


def test_coverage_is_the_naive_sum():
    X = halves(20).to_numpy()
    with pytest.warns(NotIdentifiableWarning):
        fit = GaussianMixtureEM(2, covariance_type="tied", n_init=1, random_state=0).fit(X)
    w, r, seen = np.linspace(1, 2, 20), fit.predict_proba(X), ~np.isnan(X)
    wanted = np.zeros((2, 3, 3))
    for i in range(20):
        for k in range(2):
            wanted[k] += w[i] * r[i, k] * np.outer(seen[i], seen[i])
    np.testing.assert_allclose(coverage(Samples(X, w, np.ones(20, dtype=bool), 20), fit.parameters_), wanted)


def test_compare_reaches_the_verdict():
    """With NUTS and `find_MAP` on missing cells, which no other test of a comparison runs."""
    settings = {"draws": 1000, "tune": 500, "chains": 2, "n_init": 2, "random_state": 0}
    result = compare(halves(60), family="gmm", n_components=1, **settings)
    assert result.verdict == "not identified"
    assert NEVER in result.explanation


def test_answers_seen_two_at_a_time_do_not_identify_two_classes():
    rng = np.random.RandomState(2)
    X = (rng.random((600, 6)) < np.where(rng.random(600) < 0.5, 0.8, 0.2)[:, None]).astype(float)
    assert BernoulliMixtureEM(2, n_init=2, random_state=0).fit(X).identifiability_.identified
    for start, columns in enumerate([(0, 1), (2, 3), (4, 5)]):
        others = [d for d in range(6) if d not in columns]
        X[start * 200 : (start + 1) * 200, others] = np.nan
    with pytest.warns(NotIdentifiableWarning, match="samples show at most 2 of 6 features together"):
        fit = BernoulliMixtureEM(2, n_init=2, random_state=0).fit(X)
    # each pair knows 3 numbers of its own 5, and the three pairs share the weight
    assert fit.identifiability_.rank == 9


def test_patterns_that_are_part_of_another_add_nothing():
    whole = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]], dtype=bool)
    assert largest_patterns(whole, 4).tolist() == [[True, True, True, False], [False, False, True, True]]
    parameters = BMMParameters([0.4, 0.6], [[0.2, 0.3, 0.4, 0.1, 0.6], [0.7, 0.8, 0.6, 0.9, 0.3]])
    everything = np.ones((1, 5), dtype=bool)
    assert identify(BINOMIAL, parameters, patterns=everything) == identify(BINOMIAL, parameters)
