"""Draws come as samplers and ArviZ leave them: dimensions by any name and in any order, entries that are fixed."""

import arviz as az
import numpy as np
import pytest
import xarray as xr

from comparisons import align, log_joint, name_components
from models.gmm import GMMParameters

K, CHAINS = 3, 2
SAMPLE = ("chain", "draw")


def relabelled(means, seed=2):
    """Draws (CHAINS, 100, K, ...) about means, their components in random orders."""
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.broadcast_to(np.arange(len(means)), (CHAINS, 100, len(means))), axis=2)
    return np.asarray(means)[order] + rng.normal(scale=0.1, size=(CHAINS, 100, *np.shape(means)))


@pytest.mark.parametrize("noise", [0.0, 1e-16])
def test_an_entry_that_is_the_same_in_all_draws_decides_nothing(noise):
    means = np.array([0.0, 10.0, 20.0])
    weights = 1 / 3 + noise * np.random.default_rng(3).choice([-1, 1], (CHAINS, 100, K))
    draws = {"weights": ((*SAMPLE, "component"), weights), "mu": ((*SAMPLE, "component"), relabelled(means))}
    aligned = align(xr.Dataset(draws), reference={"weights": [0.3, 0.33, 0.37], "mu": means})
    np.testing.assert_allclose(aligned["posterior"]["mu"], np.broadcast_to(means, (CHAINS, 100, K)), atol=1)
    assert aligned["alignment"]["loss"].max() < 100


def test_parameters_know_their_components_wherever_draws_have_them():
    fit = GMMParameters([0.5, 0.5], [[0.0, 5.0], [3.0, 9.0]], np.stack([np.eye(2)] * 2))
    draws = xr.Dataset(
        {
            "weights": ((*SAMPLE, "component"), np.full((CHAINS, 100, 2), 0.5)),
            "means": ((*SAMPLE, "feature", "component"), relabelled(fit.means).swapaxes(2, 3)),
            "covariances": (("component", "feature", "feature_bis", *SAMPLE), np.ones((2, 2, 2, CHAINS, 100))),
        }
    )
    means = align(draws, reference=fit)["posterior"]["means"].transpose(*SAMPLE, "component", "feature")
    np.testing.assert_allclose(means, np.broadcast_to(fit.means, (CHAINS, 100, 2, 2)), atol=1)


@pytest.mark.parametrize("rule", ["pivot", "ecr", "stephens"])
def test_a_single_feature_may_lack_its_axis(rule):
    fit = GMMParameters([0.5, 0.5], [[0.0], [9.0]], [[[1.0]], [[1.0]]])
    source = {} if rule == "pivot" else {"log_joint": log_joint([[0.1], [8.7], [9.2]], "gmm")}
    sizes = ("weights", np.full((CHAINS, 100, 2), 0.5)), ("covariances", np.ones((CHAINS, 100, 2)))
    draws = {name: ((*SAMPLE, "component"), array) for name, array in sizes}
    draws["means"] = ((*SAMPLE, "component"), relabelled(fit.means[:, 0]))
    means = align(xr.Dataset(draws), rule, reference=fit, **source)["posterior"]["means"]
    np.testing.assert_allclose(means, np.broadcast_to([0.0, 9.0], (CHAINS, 100, 2)), atol=1)


def test_dimensions_by_arviz_get_one_name_and_until_then_a_warning():
    means = np.array([0.0, 10.0, 20.0])
    draws = az.from_dict({"posterior": {"mu": relabelled(means), "theta": relabelled(means), "tau": np.ones((2, 100))}})
    with pytest.warns(UserWarning, match="dims theta_dim_0 are as long as mu_dim_0 and stay as they are"):
        align(draws, reference={"mu": means}, component="mu_dim_0")
    named = name_components(draws, ["mu_dim_0", "theta_dim_0"])
    assert "mu_dim_0" in draws["posterior"].dims
    aligned = align(named, reference={"mu": means})["posterior"]
    assert (aligned["mu"].dims, aligned["tau"].dims) == ((*SAMPLE, "component"), SAMPLE)
    for name in ("mu", "theta"):
        np.testing.assert_allclose(aligned[name], np.broadcast_to(means, (CHAINS, 100, K)), atol=1)
    for dims, message in [
        (["nu_dim_0"], "dims must be dimensions of the draws .*, got nu_dim_0"),
        (["mu_dim_0", "chain"], "got chain"),
    ]:
        with pytest.raises(ValueError, match=message):
            name_components(draws, dims)
    longer = xr.Dataset({"a": ((*SAMPLE, "i"), np.ones((1, 2, 3))), "b": ((*SAMPLE, "j"), np.ones((1, 2, 4)))})
    with pytest.raises(ValueError, match="dims must all be as long as there are components, got"):
        name_components(longer, ["i", "j"])
    square = xr.Dataset({"a": ((*SAMPLE, "i", "j"), np.ones((1, 2, 3, 3)))})
    with pytest.raises(ValueError, match="dims must be at most one of each variable, got i, j of 'a'"):
        name_components(square, ["i", "j"])
    with pytest.raises(ValueError, match="dims must be at most one of each variable, got i, component of 'a'"):
        name_components(square.rename(j="component"), ["i"])
