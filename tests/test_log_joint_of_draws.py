"""The log joint density of draws is that of EM for each draw, and draws of another structure are refused."""

from itertools import product

import numpy as np
import pytest
from random_mixtures import random_bmm, random_gmm

from comparisons import log_joint
from em import bmm as em_bmm
from em import gmm as em_gmm
from models.bmm import BMMParameters
from models.gmm import GMMParameters

K = 3


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("missing", [False, True])
def test_gaussian_log_joint_of_draws_is_that_of_em_for_each_draw(kind, missing):
    rng = np.random.default_rng(4)
    points = [random_gmm(K, 2, rng, kind) for _ in range(5)]
    rows = 1e4 + 3 * rng.normal(size=(7, 2))
    points = [GMMParameters(p.weights, 1e4 + p.means, p.covariances, kind) for p in points]
    if missing:
        rows[[0, 3, 3], [1, 0, 1]] = np.nan
    stacked = {name: np.stack([p.arrays()[name] for p in points]) for name in points[0].arrays()}
    found = log_joint(rows, "gmm", covariance_type=kind).given(stacked)(slice(0, 7))
    for p, of_draw in zip(points, found, strict=True):
        np.testing.assert_allclose(of_draw.T, em_gmm.log_joint(rows, p), rtol=1e-9)


@pytest.mark.parametrize("missing", [False, True])
def test_binomial_log_joint_of_draws_is_that_of_em_for_each_draw(missing):
    rng = np.random.default_rng(5)
    points = [random_bmm(K, 3, rng) for _ in range(4)] + [BMMParameters([1.0, 0.0, 0.0], np.eye(3))]
    trials = rng.integers(1, 5, size=(6, 3))
    rows = rng.binomial(trials, 0.5).astype(float)
    if missing:
        rows[2, 1] = np.nan
    stacked = {name: np.stack([p.arrays()[name] for p in points]) for name in points[0].arrays()}
    found = log_joint(rows, "bmm", n_trials=trials).given(stacked)(slice(0, 6))
    for p, of_draw in zip(points, found, strict=True):
        np.testing.assert_allclose(of_draw.T, em_bmm.log_joint(rows, p, trials), rtol=1e-10)


def test_draws_of_another_covariance_structure_are_refused():
    """At K = D the shapes of "tied" and "diag" are the same."""
    of_kind = {"full": np.eye(2)[None, None], "tied": np.eye(2)[None], "diag": np.array([[[1.0, 2.0], [3.0, 4.0]]])}
    of_kind |= {"spherical": np.ones((1, 2))}
    shapes = {"full": (3, 2, 2, 2), "tied": (3, 2, 2), "diag": (3, 2, 2), "spherical": (3, 2)}
    common = {"weights": np.full((3, 2), 0.5), "means": np.zeros((3, 2, 2))}
    for of_draws, asked in product(of_kind, repeat=2):
        given = log_joint(np.zeros((4, 2)), "gmm", covariance_type=asked).given
        draws = common | {"covariances": np.broadcast_to(of_kind[of_draws], shapes[of_draws])}
        if of_draws == asked:
            assert given(draws)(slice(0, 4)).shape == (3, 2, 4)
        else:
            with pytest.raises(ValueError, match=f"covariance_type must be that of the draws, got '{asked}'"):
                given(draws)
