"""The multisecant leap: its metric is the complete data's information; on linear residuals it lands on the limit."""

from functools import partial

import numpy as np
import pytest
from leaps_of_points import leap_from as leap_of
from random_mixtures import random_bmm, random_gmm

from comparisons.data import load
from em import BernoulliMixtureEM
from em.bmm import BINOMIAL
from em.engine import leaps
from em.engine.leaps import FEWEST_SECANTS
from em.gmm import information as gmm_information
from em.pmm import POISSON
from em.uncertainty import independent
from models.bmm import BMMParameters
from models.gmm.structures import COVARIANCE_TYPES, full_matrices

SMALL = 1e-4  # step of a second difference: its error is about SMALL of the value, rounding 1e-16 / SMALL²
seeds = pytest.mark.parametrize("seed", range(3))


def apart(weights, others):
    return np.sum(weights * np.log(weights / others))


def gaussian_divergence(one, other):
    """Kullback-Leibler divergence of two joint distributions of label and sample."""
    K, D = one.means.shape
    matrices, others = (full_matrices(p.covariance_type, p.covariances, K, D) for p in (one, other))
    total = apart(one.weights, other.weights)
    for w, m, S, mo, So in zip(one.weights, one.means, matrices, other.means, others, strict=True):
        P, gap = np.linalg.inv(So), m - mo
        log_ratio = np.linalg.slogdet(So)[1] - np.linalg.slogdet(S)[1]
        total += w * (np.trace(P @ S) - D + gap @ P @ gap + log_ratio) / 2
    return total


def count_divergence(trials):
    def divergence(one, other):
        p, q = one.probs, other.probs
        cells = trials * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
        return apart(one.weights, other.weights) + one.weights @ cells.sum(axis=1)

    return divergence


def whitened_counts(trials):
    return partial(independent.whitened, steps=BINOMIAL, size=trials)


def assert_is_the_information(parameters, direction, whitened, divergence):
    """Twice the divergence of a small step is the squared norm of the step."""
    forth, back = (
        type(parameters)(
            **{name: array + sign * SMALL * direction[name] for name, array in parameters.arrays().items()},
            **({"covariance_type": parameters.covariance_type} if hasattr(parameters, "covariance_type") else {}),
        )
        for sign in (1, -1)
    )
    at = {name: array[None] for name, array in parameters.arrays().items()}
    norm = np.sum(whitened(at, {name: step[None, None] for name, step in direction.items()}) ** 2)
    curvature = (divergence(parameters, forth) + divergence(parameters, back)) / SMALL**2
    np.testing.assert_allclose(norm, curvature, rtol=1e-4)


@seeds
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_the_metric_is_the_information_of_the_complete_data_of_a_gaussian_mixture(kind, seed):
    rng = np.random.RandomState(seed)
    parameters = random_gmm(3, 2, rng, kind)
    direction = {name: 0.1 * rng.normal(size=array.shape) for name, array in parameters.arrays().items()}
    direction["weights"] = parameters.weights * (direction["weights"] - parameters.weights @ direction["weights"])
    spread = direction["covariances"]
    direction["covariances"] = (
        parameters.covariances * 0.1 * (spread + spread.swapaxes(-1, -2) if kind in ("full", "tied") else spread)
    )
    metric = partial(gmm_information.whitened, covariance_type=kind)
    assert_is_the_information(parameters, direction, metric, gaussian_divergence)


@seeds
def test_the_metric_is_the_information_of_the_complete_data_of_a_binomial_mixture(seed):
    rng, trials = np.random.RandomState(seed), np.array([1, 3, 12])
    parameters = random_bmm(3, 3, rng)
    direction = {name: 0.1 * rng.normal(size=array.shape) for name, array in parameters.arrays().items()}
    direction["weights"] = parameters.weights * (direction["weights"] - parameters.weights @ direction["weights"])
    direction["probs"] *= parameters.probs * (1 - parameters.probs)

    assert_is_the_information(parameters, direction, whitened_counts(trials), count_divergence(trials))


def leap_from(*points, acceleration="multisecant"):
    return leap_of(*points, acceleration=acceleration, whitened=whitened_counts(np.ones(points[0].n_features)))


def towards(limit, gaps, rates, n_points=6):
    return [BMMParameters([1.0], [limit + gaps * rates**t]) for t in range(n_points)]


@pytest.fixture
def all_digits(monkeypatch):
    """Leaps that are not rounded."""
    monkeypatch.setattr(leaps, "DIGITS", 2.0**50)


@pytest.mark.usefixtures("all_digits")
def test_as_many_secants_as_there_are_directions_find_the_limit():
    limit, gaps, rates = np.array([0.4, 0.6, 0.5]), np.array([0.3, -0.2, 0.1]), np.array([0.3, 0.7, 0.95])
    points = towards(limit, gaps, rates)
    _, leap = leap_from(*points)
    # three directions are told apart to about 1e-3 of their size, the slowest is 1 / 0.05 steps away
    np.testing.assert_allclose(leap.probs[0], limit, rtol=0, atol=1e-10)
    _, one_secant = leap_from(*points, acceleration="squarem")
    assert np.abs(one_secant.probs[0] - limit).max() > 1e-3


@pytest.mark.parametrize("rate", [1.02, -0.8])
def test_where_steps_grow_or_turn_back_the_leap_is_squarems(rate):
    """Eigenvalue 1 - ρ below 0, or above what is believed."""
    points = towards(np.array([0.4, 0.6]), np.array([0.1, 0.1]), np.array([0.5, rate]))
    _, expected = leap_from(*points, acceleration="squarem")
    multisecant, leap = leap_from(*points)
    assert not multisecant.by_secants
    assert (leap is None) == (expected is None)
    if leap is not None:
        np.testing.assert_array_equal(leap.probs, expected.probs)


def test_a_refusal_costs_an_e_step_and_forgets_the_secants_that_misled():
    multisecant, _ = leap_from(*towards(np.array([0.4, 0.6]), np.array([0.3, -0.2]), np.array([0.3, 0.9])))
    assert multisecant.by_secants
    multisecant.refused(np.array([True]))
    assert multisecant.n_refused == 1
    assert multisecant.n_secants < FEWEST_SECANTS  # so that the next leap is SQUAREM's


def test_weights_sum_to_one_after_a_leap_whatever_rounding_it_carries_along():
    """Too much weight in all would be a gain of the objective that the next step of EM loses again."""

    def point(t):
        probs = [[0.2 + 0.1 * 0.7**t], [0.7 - 0.1 * 0.9**t]]
        return BMMParameters([0.4 + 0.1 * 0.8**t, 0.6 - 0.1 * 0.8**t + 1e-9], probs)

    multisecant, leap = leap_from(*map(point, range(6)))
    assert multisecant.by_secants
    assert abs(leap.weights.sum() - 1) <= np.finfo(float).eps


def test_what_plain_em_holds_still_the_leap_holds_still():
    def point(t):
        return BMMParameters([0.1, 0.9, 0.0], [[0.0, 0.4 + 0.3 * 0.5**t], [1.0, 0.7], [0.3, 0.6 - 0.2 * 0.8**t]])

    multisecant, leap = leap_from(*map(point, range(6)))
    assert multisecant.by_secants
    np.testing.assert_array_equal(leap.weights, [0.1, 0.9, 0.0])
    np.testing.assert_array_equal(leap.probs[:, 0], [0.0, 1.0, 0.3])
    assert leap.probs[1, 1] == 0.7


@pytest.mark.usefixtures("all_digits")
def test_a_number_that_would_cross_an_edge_goes_half_of_the_way_and_the_others_leap():
    limit, gaps, rates = np.array([-0.05, 0.4, 1.2]), np.array([0.3, -0.2, -0.4]), np.array([0.8, 0.5, 0.9])
    points = towards(limit, gaps, rates)
    multisecant, leap = leap_from(*points)
    assert multisecant.by_secants
    np.testing.assert_allclose(leap.probs[0, 0], points[-1].probs[0, 0] / 2, rtol=1e-12)
    np.testing.assert_allclose(leap.probs[0, 1], 0.4, rtol=0, atol=1e-8)
    np.testing.assert_allclose(1 - leap.probs[0, 2], (1 - points[-1].probs[0, 2]) / 2, rtol=1e-12)


def test_latent_classes_with_probs_at_an_edge_need_fewer_e_steps_than_squarem_alone():
    """Five items, three classes, single starts; leaps that were dropped at every edge saved none of them."""

    def e_steps(acceleration):
        fits = [
            BernoulliMixtureEM(3, n_init=1, acceleration=acceleration, random_state=seed).fit(load("lsat7").X)
            for seed in range(4)
        ]
        return sum(fit.n_e_steps_ for fit in fits)

    assert e_steps("multisecant") <= 0.8 * e_steps("squarem")


def test_lengths_of_moves_are_finite_where_a_rate_is_nearly_0_beside_others():
    theta = {"weights": np.array([[0.5, 0.5]]), "rates": np.array([[[1e-200], [2.0]]])}
    moves = {"weights": np.zeros((1, 1, 2)), "rates": np.full((1, 1, 2, 1), 1e-3)}
    assert np.isfinite(independent.whitened(theta, moves, POISSON, np.ones(1))).all()
