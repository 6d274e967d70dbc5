"""NUTS warms up briefly and makes quarter turns where the posterior falls as a normal does, and only there."""

import arviz as az
import numpy as np
import pytest

from comparisons import compare
from comparisons.data import load
from comparisons.posterior import sample
from comparisons.posterior.densities import without_c_compiler
from comparisons.posterior.nuts import Chain
from comparisons.posterior.tuning import ANY_SHAPE, NEAR_NORMAL, SHORT_STEPS, most_gap, tuning_of
from models.bmm import BMMPrior, build_marginal_model

MODE, ROOT = np.array([1.0, -2.0, 3.0]), np.array([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, -0.3, 0.4]])


class Tailed:
    """log density -Σ_j |w_j|^power / power of w = R⁻¹ (u - û): the normal N(û, R R') for power 2."""

    size = 3

    def __init__(self, power):
        self.power = power

    def value_and_gradient(self, u):
        w = np.linalg.solve(ROOT, u - MODE)
        return -(np.abs(w) ** self.power).sum() / self.power, np.zeros(3)


def test_a_normal_falls_as_a_normal_does():
    assert most_gap(Tailed(2.0), MODE, ROOT, np.random.default_rng(0)) == pytest.approx(0, abs=1e-12)
    assert tuning_of(Tailed(2.0), [(MODE, ROOT)] * 4, seed=0) == NEAR_NORMAL


def test_the_gap_of_another_scale_is_known():
    """With R twice as large as it should be, log p falls by 4 |v|²/2, so the relative gap is 3 for every v."""
    assert most_gap(Tailed(2.0), MODE, 2 * ROOT, np.random.default_rng(0)) == pytest.approx(3)


@pytest.mark.parametrize("power", [1.0, 4.0])
def test_one_start_that_is_not_near_normal_is_enough_for_a_long_warm_up(power):
    assert tuning_of(Tailed(power), [(MODE, ROOT)], seed=0) == ANY_SHAPE
    assert tuning_of(Tailed(2.0), [(MODE, ROOT), (MODE, 2 * ROOT)], seed=0) == ANY_SHAPE


class OneSkewed:
    """Independent coordinates: the first skewed, log density (1 + 3 v - exp(3 v)) / 9, the other 19 standard normal."""

    size = 20

    def value_and_gradient(self, v):
        growth = np.exp(min(3 * v[0], 300))  # finite for any step that is tried
        value = (1 + 3 * v[0] - growth) / 9 - v[1:] @ v[1:] / 2
        return value, np.concatenate([[(1 - growth) / 3], -v[1:]])


def chains_of(density, tuning, draws=1000, target_accept=0.8):
    """Return draws, shape (4, draws, p), and the mean number of steps of a draw."""
    settings = tuning._asdict() | {"draws": draws, "target_accept": target_accept}
    p = density.size
    chains = [Chain(density, (np.zeros(p), np.eye(p)), seed, **settings) for seed in range(4)]
    for chain in chains:
        chain.wait()
    draws, stats = zip(*(chain.drawn() for chain in chains), strict=True)
    return np.stack(draws), np.mean([of_chain["n_steps"].mean() for of_chain in stats])


def effective(values):
    return float(az.ess(values, chain_axis=0, draw_axis=1))


def test_one_skewed_direction_among_many_is_seen_and_needs_long_trajectories():
    density = OneSkewed()
    assert tuning_of(density, [(np.zeros(20), np.eye(20))], seed=0) == ANY_SHAPE
    short, long = (chains_of(density, tuning)[0][..., 0] for tuning in (NEAR_NORMAL, ANY_SHAPE))
    assert effective(long) > 1.4 * effective(short)


def test_where_a_density_is_not_finite_it_is_not_near_normal():
    class Bounded(Tailed):
        def value_and_gradient(self, u):
            return -np.inf, np.zeros(3)

    assert tuning_of(Bounded(2.0), [(MODE, ROOT)], seed=0) == ANY_SHAPE


@pytest.mark.parametrize(("ones", "zeros", "tuning"), [(400, 600, NEAR_NORMAL), (0, 1, ANY_SHAPE)])
def test_draws_say_how_they_were_made_and_what_is_given_holds(ones, zeros, tuning):
    X = np.repeat([1, 0], [ones, zeros])[:, None]
    start = {"weights": np.ones(1), "probs": np.full((1, 1), max(ones / (ones + zeros), 0.1))}
    with without_c_compiler:
        model = build_marginal_model(X, 1, BMMPrior(1.0, 1.1, 1.1))
    sizes = {"draws": 50, "chains": 2, "seed": 0}
    made = sample(model, start, **sizes)["sample_stats"].attrs
    assert (made["tuning_steps"], made["max_depth"]) == tuning
    made = sample(model, start, **sizes, tune=40, max_depth=3)["sample_stats"].attrs
    assert (made["tuning_steps"], made["max_depth"]) == (40, 3)
    made = sample(model, start, **sizes, tune=40)["sample_stats"].attrs
    assert (made["tuning_steps"], made["max_depth"]) == (40, tuning.max_depth)


class Standard:
    def __init__(self, size):
        self.size = size

    def value_and_gradient(self, v):
        return -(v @ v) / 2, -v


def test_squared_lengths_mix_better_by_quarter_turns_and_for_fewer_gradients():
    """The energy of a standard normal is nearly independent after a quarter turn, and the same after a half turn."""
    (short, few), (long, many) = (
        chains_of(Standard(10), NEAR_NORMAL._replace(max_depth=tuning.max_depth)) for tuning in (NEAR_NORMAL, ANY_SHAPE)
    )
    assert few == 3
    assert many > 4.5
    short, long = (effective((v**2).sum(axis=-1)) for v in (short, long))
    assert short / few > 1.5 * long / many


@pytest.mark.parametrize(("p", "target_accept"), [(200, 0.8), (30, 0.95)])
def test_short_steps_need_deeper_trees_for_a_quarter_turn(p, target_accept):
    scale = np.zeros(p), np.eye(p)
    assert tuning_of(Standard(p), [scale], 0, target_accept) == SHORT_STEPS
    deep, shallow = (
        np.mean(
            [effective(of_one) for of_one in np.moveaxis(chains_of(Standard(p), tuning, 500, target_accept)[0], 2, 0)]
        )
        for tuning in (SHORT_STEPS, NEAR_NORMAL)
    )
    assert deep / 7 > 1.1 * shallow / 3


@pytest.mark.parametrize("target_accept", [0.8, 0.9])
def test_a_comparison_has_the_settings_that_were_used_and_they_make_it_again(target_accept):
    X, options = (
        load("coins-ten-flips").X,
        {"n_trials": 10, "draws": 500, "chains": 2, "n_init": 2, "target_accept": target_accept},
    )
    first = compare(X, "bmm", 2, **options)
    settings = first.settings
    assert (settings.tune, settings.max_depth) in (NEAR_NORMAL, SHORT_STEPS, ANY_SHAPE)
    again = compare(X, "bmm", 2, **options, tune=settings.tune, max_depth=settings.max_depth)
    for name, draws in first.unaligned.items():
        np.testing.assert_array_equal(draws, again.unaligned[name])
