"""NUTS warms up briefly and makes quarter turns where the posterior falls as a normal does, and only there."""

import arviz as az
import numpy as np
import pytest
import xarray as xr

from comparisons import compare
from comparisons.data import load
from comparisons.posterior import sample
from comparisons.posterior.densities import without_c_compiler
from comparisons.posterior.nuts import Chain
from comparisons.posterior.tuning import ANY_SHAPE, NEAR_NORMAL, median_gap, tuning_of
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
    assert median_gap(Tailed(2.0), MODE, ROOT, np.random.default_rng(0)) == pytest.approx(0, abs=1e-12)
    assert tuning_of(Tailed(2.0), [(MODE, ROOT)] * 4, seed=0) == NEAR_NORMAL


def test_the_gap_of_another_scale_is_known():
    """With R twice as large as it should be, log p falls by 4 |v|²/2, so the relative gap is 3 for every v."""
    assert median_gap(Tailed(2.0), MODE, 2 * ROOT, np.random.default_rng(0)) == pytest.approx(3)


@pytest.mark.parametrize("power", [1.0, 4.0])
def test_one_start_that_is_not_near_normal_is_enough_for_a_long_warm_up(power):
    assert tuning_of(Tailed(power), [(MODE, ROOT)], seed=0) == ANY_SHAPE
    assert tuning_of(Tailed(2.0), [(MODE, ROOT), (MODE, 2 * ROOT)], seed=0) == ANY_SHAPE


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


def test_squared_lengths_mix_better_by_quarter_turns_and_for_fewer_gradients():
    """The energy of a standard normal is nearly independent after a quarter turn, and the same after a half turn."""

    class Standard:
        size = 10

        def value_and_gradient(self, v):
            return -(v @ v) / 2, -v

    ess, steps = {}, {}
    for depth in (NEAR_NORMAL.max_depth, ANY_SHAPE.max_depth):
        settings = {"draws": 1000, "tune": NEAR_NORMAL.tune, "max_depth": depth, "target_accept": 0.8}
        chains = [Chain(Standard(), np.zeros(10), np.eye(10), seed, **settings) for seed in range(4)]
        for chain in chains:
            chain.wait()
        draws, stats = zip(*(chain.drawn() for chain in chains), strict=True)
        lengths = [(v**2).sum(axis=1) for v in draws]
        ess[depth] = float(az.ess(xr.DataArray(np.stack(lengths), dims=("chain", "draw")).to_dataset(name="s"))["s"])
        steps[depth] = np.mean([of_chain["n_steps"].mean() for of_chain in stats])
    assert steps[2] == 3
    assert steps[10] > 4.5
    assert ess[2] / steps[2] > 1.5 * ess[10] / steps[10]


def test_a_comparison_has_the_settings_that_were_used_and_they_make_it_again():
    X, options = load("coins-ten-flips").X, {"n_trials": 10, "draws": 500, "chains": 2, "n_init": 2}
    first = compare(X, "bmm", 2, **options)
    settings = first.settings
    assert (settings.tune, settings.max_depth) in (NEAR_NORMAL, ANY_SHAPE)
    again = compare(X, "bmm", 2, **options, tune=settings.tune, max_depth=settings.max_depth)
    for name, draws in first.unaligned.items():
        np.testing.assert_array_equal(draws, again.unaligned[name])
