"""The log joint density of draws is that of EM for each draw, and draws of another structure are refused."""

from itertools import product

import numpy as np
import pytest
from random_mixtures import random_bmm, random_gmm
from scipy.stats import norm

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
    joint = log_joint(rows, "gmm", covariance_type=kind).given(stacked)(slice(0, 7))
    assert repr(log_joint(rows, "gmm", covariance_type=kind)) == "LogJoint(n_samples=7)"
    for p, of_draw in zip(points, joint, strict=True):
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
    joint = log_joint(rows, "bmm", n_trials=trials).given(stacked)(slice(0, 6))
    for p, of_draw in zip(points, joint, strict=True):
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


@pytest.mark.parametrize("variances", [np.ones((3, 2, 2)), 1e-10 * np.array([[[1.0, 2.0], [3.0, 4.0]]] * 3)])
def test_variances_that_look_like_a_matrix_are_no_tied_one(variances):
    draws = {"weights": np.full((3, 2), 0.5), "means": np.zeros((3, 2, 2)), "covariances": variances}
    rows = np.sqrt(variances[0])
    joint = log_joint(rows, "gmm", covariance_type="diag").given(draws)(slice(0, 2))
    wanted = np.log(0.5) + norm.logpdf(rows, 0, np.sqrt(variances[0])[:, None]).sum(axis=2)
    np.testing.assert_allclose(joint[0], wanted, rtol=1e-12)


def test_what_draws_call_parameters_but_is_none_is_refused():
    good = {
        "weights": np.full((3, 2), 0.5),
        "means": np.zeros((3, 2, 2)),
        "covariances": np.array([[np.eye(2)] * 2] * 3),
    }
    root = np.tril(np.ones((3, 2, 2, 2)))
    for change, message in [
        ({"covariances": root}, "draws must have symmetric covariances, got others: Cholesky factors"),
        (
            {"weights": np.full((3, 2), 2.5)},
            "draws of weights must be non-negative and sum to 1, got sums from 5",
        ),
        ({"weights": np.full((3, 3), 1 / 3)}, r"draws must have weights of the shape \(3, 2\)"),
        ({"covariances": -good["covariances"]}, "draws must have positive definite covariances"),
    ]:
        with pytest.raises(ValueError, match=message):
            log_joint(np.zeros((4, 2)), "gmm").given(good | change)
    with pytest.raises(ValueError, match="draws must have positive variances as covariances, got -1"):
        log_joint(np.zeros((4, 2)), "gmm", covariance_type="spherical").given(good | {"covariances": -np.ones((3, 2))})
    with pytest.raises(ValueError, match=r"draws of probs must lie in \[0, 1\], got values from 0.0 to 1.2"):
        log_joint(np.zeros((4, 2)), "bmm").given(good | {"probs": np.array([[[0.0, 1.2]] * 2] * 3)})
