"""What a message advises works when it is followed."""

import re

import numpy as np
import pytest

from em import GaussianMixtureEM, NoMaximumWarning, select
from em.status import left_to_the_status
from models.gmm import GMMIndependentPrior, GMMPrior

KINDS = ["full", "tied", "diag", "spherical"]
NAMES = {"GMMPrior": GMMPrior, "GMMIndependentPrior": GMMIndependentPrior}
DATA = {
    "two points repeated": np.repeat([[0.0, 0.0], [1.0, 5.0]], 50, axis=0),
    "three points, rounded": np.repeat([[0.0, 1.0], [2.0, 1.0], [5.0, 9.0]], [30, 20, 10], axis=0),
    "collinear": np.outer(np.random.RandomState(0).normal(size=40), [1.0, 2.0, -1.0]),
    "fewer rows than columns": np.random.RandomState(1).normal(size=(4, 6)),
}


def followed(advice, X, kind):
    """Return the estimators that each piece of advice in a message stands for."""
    found = []
    for prior in re.findall(r"prior=(GMM\w+\.weakly_informative\([^)]*\))", advice):
        own = eval(prior, {**NAMES, "X": X})  # the message's own Python
        found.append(GaussianMixtureEM(2, covariance_type=kind, prior=own, n_init=3, random_state=0))
    return found


@pytest.mark.filterwarnings("ignore::em.CollapseWarning")  # of some restarts
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DATA)
def test_what_is_advised_after_a_collapse_has_a_maximum(name, kind):
    X = DATA[name]
    try:
        GaussianMixtureEM(2, covariance_type=kind, n_init=3, random_state=0).fit(X)
    except NoMaximumWarning as warning:
        advised = followed(str(warning), X, kind)
        assert advised
        for estimator in advised:
            with left_to_the_status():  # some restarts may collapse, and be left out
                assert not estimator.fit(X).collapsed_


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [[1], [0, 1, 2]])
def test_a_constant_column_is_told_what_works(kind, columns):
    X = np.random.RandomState(0).normal(size=(60, 3))
    X[:, columns] = 7.0
    if kind == "spherical" and len(columns) < 3:
        assert GaussianMixtureEM(2, covariance_type=kind, n_init=3, random_state=0).fit(X).converged_
        return
    with pytest.raises(ValueError, match="X must not have constant columns") as caught:
        GaussianMixtureEM(2, covariance_type=kind, n_init=3, random_state=0).fit(X)
    assert ("drop them" in str(caught.value)) == (len(columns) < 3)
    (estimator,) = followed(str(caught.value), X, kind)
    assert estimator.fit(X).converged_


def test_half_normal_scales_are_told_of_inverse_gammas():
    X = DATA["two points repeated"]
    prior = GMMIndependentPrior.weakly_informative(X, 2, "diag")
    with pytest.warns(NoMaximumWarning, match='scales="inverse-gamma"'):
        GaussianMixtureEM(2, covariance_type="diag", prior=prior, n_init=3, random_state=0).fit(X)
    better = GMMIndependentPrior.weakly_informative(X, 2, "diag", scales="inverse-gamma")
    assert not GaussianMixtureEM(2, covariance_type="diag", prior=better, n_init=3, random_state=0).fit(X).collapsed_


def test_select_advises_what_its_simplest_candidate_needs():
    X = DATA["two points repeated"]
    with pytest.warns(NoMaximumWarning, match=r"none of 2 fits .* prior=GMMPrior.weakly_informative\(X, 2, 'full'\)"):
        select(X, GaussianMixtureEM(n_init=2, random_state=0), [2, 3])
