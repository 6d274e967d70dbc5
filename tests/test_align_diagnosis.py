"""Chains are judged by label-free quantities first; modes that survive alignment are reported, others are not."""

import re

import numpy as np
import pytest
import xarray as xr

from comparisons import align, diagnose, log_joint
from comparisons.alignment.component_draws import permute
from comparisons.alignment.mixing import label_free, second_mode
from em import gmm

CHAINS, DRAWS, K = 4, 500, 2
WEIGHTS, MEANS = np.array([0.4, 0.6]), np.array([[0.0], [5.0]])
X = np.array([[-0.5], [0.2], [4.6], [5.1], [5.9]])
REFERENCE = {"weights": WEIGHTS, "means": MEANS}
SAMPLE = ("chain", "draw")


def posterior(shift=0.0, seed=0):
    """Independent draws about the weights and means, labels in random orders; ``shift`` moves the first mean."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(50 * WEIGHTS, size=(CHAINS, DRAWS))
    means = MEANS + 0.3 * rng.normal(size=(CHAINS, DRAWS, K, 1))
    means[..., 0, 0] += shift
    order = rng.permuted(np.broadcast_to(np.arange(K), weights.shape), axis=2)
    dims = (*SAMPLE, "component", "feature", "feature_bis")
    draws = xr.Dataset(
        {"weights": (dims[:3], weights), "means": (dims[:4], means), "covariances": (dims, np.ones((*means.shape, 1)))}
    )
    return permute(draws, xr.DataArray(order, dims=dims[:3]))


def test_mixed_chains_pass_and_switched_labels_do_not_matter():
    diagnosis = diagnose(align(posterior(), reference=REFERENCE), log_joint=log_joint(X, "gmm"))
    assert diagnosis.status == "the chains have mixed"
    assert diagnosis.second_modes == ()
    assert [q.name for q in diagnosis.label_free if q.name[:8] != "together"] == [
        "log_likelihood",
        "entropy_of_weights",
        "sorted_weights[0]",
        "sorted_weights[1]",
    ]
    assert "aligned by rule pivot:" in repr(diagnosis)
    assert len(diagnosis.table) == len(diagnosis.label_free) + len(diagnosis.parameters)


def test_before_alignment_parameters_are_not_judged():
    diagnosis = diagnose(posterior(), log_joint=log_joint(X, "gmm"))
    assert diagnosis.parameters == ()
    assert "not aligned" in diagnosis.status


def test_chains_in_different_places_are_seen_without_labels_and_no_alignment_is_blamed():
    elsewhere = np.zeros((CHAINS, DRAWS))
    elsewhere[3] = 2.0
    diagnosis = diagnose(align(posterior(elsewhere), reference=REFERENCE), log_joint=log_joint(X, "gmm"))
    assert diagnosis.status.startswith("the chains have not mixed, and label switching is not the reason (R-hat of ")


def test_labels_left_mixed_in_one_chain_are_blamed_on_the_alignment():
    aligned = align(posterior(), reference=REFERENCE)
    order = np.tile(np.arange(K), (CHAINS, DRAWS, 1))
    order[3] = [1, 0]
    swapped = permute(aligned["posterior"].to_dataset(), xr.DataArray(order, dims=(*SAMPLE, "component")))
    aligned["posterior"] = xr.DataTree(swapped)
    diagnosis = diagnose(aligned, log_joint=log_joint(X, "gmm"))
    assert diagnosis.status.startswith("label-free quantities have mixed, aligned parameters have not (R-hat of means")


def test_a_second_mode_that_is_no_relabelling_is_reported_with_its_share():
    """Each chain visits it as often as the others, so that R-hat has nothing to say."""
    shift = np.where(np.arange(DRAWS) % 25 == 0, -4.0, 0.0) * np.ones((CHAINS, 1))
    diagnosis = diagnose(align(posterior(shift), reference=REFERENCE), log_joint=log_joint(X, "gmm"))
    (parameter,) = [q for q in diagnosis.parameters if q.second_mode]
    assert parameter.name == "means[0, 0]"
    assert parameter.second_mode.share == pytest.approx(0.04, abs=0.002)
    assert parameter.second_mode.at == pytest.approx(-4.0, abs=0.5)
    assert parameter.mixed
    assert "a second mode that relabelling does not explain" in diagnosis.status


@pytest.mark.parametrize("size", [400, 4000])
def test_one_mode_is_not_taken_for_two(size):
    """Of 100 samples of each shape, skew, flat or with heavy tails too, at most one looks like two."""
    rng = np.random.default_rng(size)
    shapes = {
        "normal": rng.normal,
        "exponential": rng.exponential,
        "uniform": rng.uniform,
        "t with 3 degrees": lambda size: rng.standard_t(3, size),
        "inverse gamma": lambda size: 1 / rng.gamma(3, size=size),
    }
    for name, shape in shapes.items():
        assert sum(second_mode(shape(size=size)) is not None for _ in range(100)) <= 1, name


def test_what_does_not_vary_has_no_second_mode():
    assert second_mode(np.full(500, 0.3)) is None
    assert second_mode(np.append(np.zeros(9999), 1.0)) is None
    assert second_mode(np.concatenate([np.zeros(9000), np.full(980, 1e-9), np.ones(20)])) is None


def test_label_free_quantities_do_not_see_labels_and_are_those_of_em():
    draws = posterior()
    flipped = permute(draws, xr.DataArray(np.broadcast_to([1, 0], (CHAINS, DRAWS, K)), dims=(*SAMPLE, "component")))
    zeros = np.zeros((CHAINS, DRAWS))
    xr.testing.assert_allclose(label_free(draws, zeros), label_free(flipped, zeros))
    one, other = (diagnose(d, log_joint=log_joint(X, "gmm")).label_free for d in (draws, flipped))
    np.testing.assert_allclose([q.mean for q in one], [q.mean for q in other], rtol=1e-12)
    first = draws.isel(chain=[0, 1], draw=slice(0, 4))  # R-hat wants four draws
    parameters = [
        gmm.GMMParameters(*(first[name].to_numpy()[c, s] for name in ("weights", "means", "covariances")))
        for c in range(2)
        for s in range(4)
    ]
    steps = [gmm.e_step(X, p) for p in parameters]
    by_name = {q.name: q.mean for q in diagnose(first, log_joint=log_joint(X, "gmm")).label_free}
    assert by_name["log_likelihood"] == pytest.approx(np.mean([log_likelihood for _, log_likelihood in steps]))
    assert by_name["together[4, 1]"] == pytest.approx(np.mean([r[4] @ r[1] for r, _ in steps]))


def test_log_likelihood_is_taken_from_its_group_where_no_density_is_given():
    pointwise = np.random.default_rng(0).normal(size=(CHAINS, DRAWS, 5))
    groups = {"posterior": posterior(), "log_likelihood": xr.Dataset({"x": ((*SAMPLE, "obs"), pointwise)})}
    diagnosis = diagnose(xr.DataTree.from_dict(groups))
    assert diagnosis.label_free[0].name == "log_likelihood"
    assert diagnosis.label_free[0].mean == pytest.approx(pointwise.sum(axis=2).mean())


def test_of_very_many_entries_the_worst_are_shown_and_the_rest_counted():
    many = np.random.default_rng(0).normal(size=(CHAINS, DRAWS, 2, 100))
    many[0, :, 1, 70] += 9
    aligned = align(posterior().assign(many=((*SAMPLE, "component", "obs"), many)), reference={"means": MEANS})
    printed = repr(diagnose(aligned))
    assert "many[1, 70]" in printed
    assert re.search(r"\.\.\. and \d+ more, which mixed better: see table", printed)
    only = diagnose(aligned, var_names=["means"])
    assert {q.name.partition("[")[0] for q in only.parameters} == {"means"}


def test_draws_without_what_is_judged_are_refused():
    draws = posterior()
    with pytest.raises(ValueError, match=r"draws must be at least 2 chains of 4 draws, .* got 1 x"):
        diagnose(draws.isel(chain=[0]))
    with pytest.raises(ValueError, match=f"draws must be at least 2 chains of 4 draws, .* got {CHAINS} x 3"):
        diagnose(draws.isel(draw=slice(0, 3)))
    with pytest.raises(ValueError, match="draws must have the variable 'weights', got means"):
        diagnose(draws.drop_vars("weights"))
    with pytest.raises(ValueError, match="log_joint or weights must be given"):
        diagnose(draws, weights=None)
    with pytest.raises(ValueError, match="weights must have the dims chain, draw and component, got"):
        diagnose(draws, weights="means")
    pointwise = xr.Dataset({"x": ((*SAMPLE, "obs"), np.zeros((CHAINS, DRAWS // 2, 5)))})
    with pytest.raises(ValueError, match="draws must have the same chains and draws in all groups, got log_likelihood"):
        diagnose(xr.DataTree.from_dict({"posterior": draws, "log_likelihood": pointwise}))
    with pytest.raises(ValueError, match="draws must be finite, got NaN or infinity in 'entropy_of_weights'"):
        diagnose(draws.assign(weights=draws["weights"].where(draws["draw"] > 0)))
