"""`align` permutes all that belongs to a component, leaves the rest and the input alone, and refuses what cannot be."""

import numpy as np
import pytest
import xarray as xr
from sklearn.mixture import GaussianMixture

from comparisons import align, log_joint
from comparisons.alignment import order_of
from comparisons.alignment.component_draws import Arrays, permute
from comparisons.alignment.responsibilities import LogJoint
from em import GaussianMixtureEM
from models.gmm import GMMParameters

K, CHAINS, DRAWS = 3, 2, 20
TRUTH = GMMParameters(
    np.array([0.5, 0.3, 0.2]), np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]]), np.stack([np.eye(2)] * K)
)
X = np.repeat(TRUTH.means, 2, axis=0) + np.random.default_rng(0).normal(size=(6, 2))
ORDER = np.random.default_rng(1).permuted(np.broadcast_to(np.arange(K), (CHAINS, DRAWS, K)), axis=2)
SAMPLE = ("chain", "draw")


def switched(array, axis=0):
    """Draws of an array whose components, on ``axis``, stand in the planted orders."""
    return np.moveaxis(np.moveaxis(np.asarray(array), axis, 0)[ORDER], 2, 2 + axis)


@pytest.fixture
def draws():
    """The truth in random orders, with components first, last and twice, labels, and what has no component."""
    transitions = np.arange(9.0).reshape(K, K)
    twice = transitions[ORDER[..., :, None], ORDER[..., None, :]]
    places = ORDER.argsort(axis=2)
    posterior = {
        "weights": ((*SAMPLE, "component"), switched(TRUTH.weights)),
        "means": ((*SAMPLE, "component", "feature"), switched(TRUTH.means)),
        "covariances": ((*SAMPLE, "component", "feature", "feature_bis"), switched(TRUTH.covariances)),
        "loadings": (("feature", "component", *SAMPLE), np.moveaxis(switched(TRUTH.means.T, 1), (0, 1), (2, 3))),
        "transitions": ((*SAMPLE, "component", "component_bis"), twice),
        "z": ((*SAMPLE, "obs"), places[..., [0, 0, 1, 1, 2, 2]].astype(np.int8)),
        "temperature": (SAMPLE, np.ones((CHAINS, DRAWS))),
    }
    coords = {"chain": [0, 1], "draw": np.arange(DRAWS), "component": list("abc")}
    groups = {
        "posterior": xr.Dataset(posterior, coords=coords, attrs={"made_by": "hand"}),
        "posterior_predictive": xr.Dataset({"shares": posterior["weights"]}, coords=coords),
        "prior": xr.Dataset({"weights": posterior["weights"]}, coords=coords),
        "observed_data": xr.Dataset({"x": (("obs", "feature"), X)}),
    }
    return xr.DataTree.from_dict(groups)


EVERY_RULE = {
    "pivot": {"reference": TRUTH},
    "ecr": {"reference": TRUTH, "log_joint": log_joint(X, "gmm")},
    "stephens": {"reference": TRUTH, "log_joint": log_joint(X, "gmm")},
}


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_everything_with_a_component_is_permuted_together_and_nothing_else(draws, rule):
    before = draws.copy(deep=True)
    aligned = align(draws, rule, labels="z", **EVERY_RULE[rule])
    assert draws.identical(before)
    posterior = aligned["posterior"].to_dataset()
    for name in ("weights", "means", "covariances"):
        want = TRUTH.arrays()[name]
        np.testing.assert_array_equal(posterior[name], np.broadcast_to(want, posterior[name].shape))
    np.testing.assert_array_equal(
        posterior["loadings"].transpose(*SAMPLE, "feature", "component"),
        np.broadcast_to(TRUTH.means.T, (CHAINS, DRAWS, 2, K)),
    )
    np.testing.assert_array_equal(
        posterior["transitions"], np.broadcast_to(np.arange(9.0).reshape(K, K), (CHAINS, DRAWS, K, K))
    )
    np.testing.assert_array_equal(posterior["z"], np.broadcast_to([0, 0, 1, 1, 2, 2], (CHAINS, DRAWS, 6)))
    np.testing.assert_array_equal(aligned["posterior_predictive"]["shares"], posterior["weights"])
    assert aligned["prior"].identical(before["prior"])
    assert aligned["observed_data"].identical(before["observed_data"])
    for name, variable in before["posterior"].data_vars.items():
        assert (posterior[name].dims, posterior[name].dtype) == (variable.dims, variable.dtype)
    assert posterior["component"].to_numpy().tolist() == list("abc")
    assert posterior.attrs == {"made_by": "hand"}


def test_the_permutations_are_kept_and_lead_from_the_input_to_the_output(draws):
    aligned = align(draws, reference=TRUTH)  # z is relabelled unless told otherwise
    assert aligned["posterior"]["z"].identical(align(draws, reference=TRUTH, labels="z")["posterior"]["z"])
    assert align(draws, reference=TRUTH, labels=())["posterior"]["z"].identical(draws["posterior"]["z"])
    alignment = aligned["alignment"]
    assert alignment["order"].dims == (*SAMPLE, "component")
    assert (alignment.attrs["rule"], alignment.attrs["reference"]) == ("pivot", "GMMParameters")
    again = permute(draws["posterior"].to_dataset(), alignment["order"], ["z"])
    xr.testing.assert_identical(again, aligned["posterior"].to_dataset())


def test_a_dataset_another_dimension_and_a_draw_as_reference_will_do(draws):
    plain = draws["posterior"].to_dataset()[["weights", "means"]].rename(component="class")
    one = plain.isel(chain=1, draw=3)
    aligned = align(plain, reference=one, component="class")
    np.testing.assert_array_equal(aligned["posterior"]["means"], np.broadcast_to(one["means"], (CHAINS, DRAWS, K, 2)))


def test_given_responsibilities_and_computed_ones_lead_to_the_same_orders(draws):
    posterior = draws["posterior"].to_dataset()
    arrays = Arrays(posterior, "component")
    blocks = log_joint(X, "gmm").normalised(arrays)
    p = np.concatenate([p for p, _ in blocks], axis=2).swapaxes(1, 2).reshape(CHAINS, DRAWS, 6, K)
    named = posterior.assign(p=((*SAMPLE, "obs", "component"), p))
    for rule in ("ecr", "stephens"):
        computed = align(posterior, rule, log_joint=log_joint(X, "gmm"))["alignment"]
        for given in (align(posterior, rule, responsibilities=p), align(named, rule, responsibilities="p")):
            assert computed.identical(given["alignment"])


def test_an_aligned_file_comes_back(draws, tmp_path):
    aligned = align(draws, reference=TRUTH)
    aligned.to_netcdf(tmp_path / "aligned.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "aligned.nc", engine="h5netcdf") as back:
        np.testing.assert_array_equal(back["alignment"]["order"], aligned["alignment"]["order"])


def test_a_point_is_matched_by_the_same_map_as_the_draws(draws):
    aligned = align(draws, reference=TRUTH)
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        assert (
            TRUTH.permute(order).permute(order_of(TRUTH.permute(order), aligned)).means.tolist() == TRUTH.means.tolist()
        )


def test_a_node_of_the_tree_and_one_of_its_draws_are_taken_for_the_posterior(draws):
    aligned = align(draws["posterior"], reference=draws["posterior"].isel(chain=0, draw=0))
    same = align(draws, reference=draws["posterior"].to_dataset().isel(chain=0, draw=0))
    xr.testing.assert_identical(aligned["posterior"].to_dataset(), same["posterior"].to_dataset())


def test_ecr_takes_the_labels_of_one_draw_for_its_pivot(draws):
    one = draws.isel(chain=0, draw=0)["posterior"]
    aligned = align(draws, "ecr", labels="z", reference=one)
    assert aligned.identical(align(draws, "ecr", labels="z", reference=draws.isel(chain=0, draw=0)))
    np.testing.assert_array_equal(aligned["posterior"]["z"], np.broadcast_to(one["z"], (CHAINS, DRAWS, 6)))


def test_responsibilities_of_32_bits_in_any_order_of_dims_will_do(draws):
    posterior = draws["posterior"].to_dataset()
    blocks = log_joint(X, "gmm").normalised(Arrays(posterior))
    p = np.concatenate([p for p, _ in blocks], axis=2).reshape(CHAINS, DRAWS, K, 6)
    given = xr.DataArray(p.astype(np.float32), dims=(*SAMPLE, "component", "obs"))
    orders = [
        align(posterior, "stephens", **source)["alignment"]["order"]
        for source in (LOG_JOINT, {"responsibilities": given})
    ]
    np.testing.assert_array_equal(*orders)


# What cannot be -------------------------------------------------------------------------------------------------------


def without(name):
    return lambda tree: tree["posterior"].to_dataset().drop_vars(name)


def with_nan(tree):
    posterior = tree["posterior"].to_dataset()
    return posterior.assign(means=posterior["means"].where(posterior["draw"] != 3))


def with_fewer_predictive_draws(tree):
    return xr.DataTree.from_dict(
        {
            "posterior": tree["posterior"].to_dataset(),
            "posterior_predictive": tree["posterior_predictive"].isel(draw=slice(5)),
        }
    )


def with_other_draw_numbers(tree):
    other = tree["posterior_predictive"].to_dataset().assign_coords(draw=np.arange(DRAWS) + 1)
    return xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset(), "posterior_predictive": other})


def with_other_labels(tree):
    posterior = tree["posterior"].to_dataset()
    return xr.DataTree.from_dict({"posterior": posterior, "predictions": posterior[["z"]] * 0 + 7})


def same(tree):
    return tree


LOG_JOINT = {"log_joint": log_joint(X, "gmm")}
TWO = GMMParameters(TRUTH.weights[:2] / TRUTH.weights[:2].sum(), TRUTH.means[:2], TRUTH.covariances[:2])
REVERSED = xr.Dataset({"weights": ("component", TRUTH.weights[::-1])}, coords={"component": list("cba")})
BAD = {
    "unknown rule": (same, "pivotal", {}, "rule must be one of pivot, ecr, stephens, got 'pivotal'"),
    "no draws": (lambda tree: tree["posterior"]["means"], "pivot", {}, "draws must be an xarray DataTree or Dataset"),
    "no posterior": (lambda tree: tree.drop_nodes("posterior"), "pivot", {}, "draws must have a group posterior, got"),
    "no chain": (lambda t: t["posterior"].to_dataset().isel(chain=0), "pivot", {}, "has no chain"),
    "no component": (same, "pivot", {"component": "cluster"}, "component must name a dimension of the draws"),
    "no reference": (same, "pivot", {}, "reference must be given for rule 'pivot'"),
    "reference of no kind": (
        same,
        "pivot",
        {"reference": 3.0},
        "reference must be parameters, a fitted estimator or arrays by name, got float",
    ),
    "no such variable": (without("means"), "pivot", {"reference": TRUTH}, "reference must have variables of the draws"),
    "of another library": (same, "pivot", {"reference": GaussianMixture(3)}, "got GaussianMixture"),
    "not fitted": (
        same,
        "pivot",
        {"reference": GaussianMixtureEM(3)},
        "a fitted estimator or arrays by name, got GaussianMixtureEM",
    ),
    "another K": (same, "pivot", {"reference": TWO}, r"reference weights must have shape \(3\), got \(2,\)"),
    "another D": (same, "pivot", {"reference": {"means": np.ones((3, 4))}}, "reference means must have shape"),
    "NaN in reference": (same, "pivot", {"reference": {"weights": [np.nan] * 3}}, "reference weights must be finite"),
    "other coordinates": (
        same,
        "pivot",
        {"reference": REVERSED},
        "reference weights must have the draws' dims and coordinates: .*'component'",
    ),
    "nothing to compare": (same, "pivot", {"reference": {"temperature": 1.0}}, "reference must hold a variable with"),
    "NaN in draws": (with_nan, "pivot", {"reference": TRUTH}, "draws must be finite, got NaN or infinity in 'means'"),
    "NaN in draws, rows": (with_nan, "stephens", LOG_JOINT, "draws must be finite, got NaN or infinity in 'means'"),
    "variable of the density": (without("means"), "stephens", LOG_JOINT, "draws must have the variable 'means', got"),
    "fewer draws": (
        with_fewer_predictive_draws,
        "pivot",
        {"reference": TRUTH},
        "the same chains, draws and components in all groups, got others in 'shares': .* 'draw'",
    ),
    "other draws": (
        with_other_draw_numbers,
        "pivot",
        {"reference": TRUTH},
        "the same chains, draws and components in all groups, got others in 'shares'",
    ),
    "no source": (same, "stephens", {}, "one of log_joint and responsibilities must be given, or labels.*neither"),
    "both sources": (same, "ecr", LOG_JOINT | {"responsibilities": "p"}, "one of log_joint and.*got both"),
    "other columns": (same, "ecr", {"log_joint": log_joint(X[:, :1], "gmm")}, "X must have 2 columns like the means"),
    "labels too large": (
        lambda t: t["posterior"].to_dataset().assign(z=t["posterior"]["z"] + 1),
        "ecr",
        {"labels": "z"},
        "labels must be variables with values 0 to 2, the components, got 'z' from 1 to 3: subtract 1",
    ),
    "labels of replicates": (
        with_other_labels,
        "pivot",
        {"reference": TRUTH, "labels": "z"},
        "labels must be variables with values 0 to 2, the components, got 'z' from 7 to 7",
    ),
    "no such labels": (same, "ecr", {"labels": "y"}, "draws must have the variable 'y'"),
    "responsibilities of a shape": (
        same,
        "stephens",
        {"responsibilities": np.ones((2, 20, 3))},
        r"\(chain, draw, n, K\)",
    ),
    "no distribution": (
        same,
        "stephens",
        {"responsibilities": np.ones((2, 20, 6, 3))},
        "responsibilities must be non-",
    ),
    "pivot of a length": (
        same,
        "ecr",
        LOG_JOINT | {"reference": [0, 1]},
        "reference must be parameters .with log_joint.",
    ),
    "pivot out of range": (
        same,
        "ecr",
        LOG_JOINT | {"reference": [0, 1, 2, 3, 0, 0]},
        "reference must hold labels from 0",
    ),
    "parameters without density": (same, "ecr", {"labels": "z", "reference": TRUTH}, "parameters need log_joint"),
    "density of a shape": (
        same,
        "ecr",
        {"log_joint": LogJoint(6, lambda draws: lambda rows: np.zeros((2, 3)))},
        "log_joint must return the shape",
    ),
    "density of NaN": (
        same,
        "ecr",
        {"log_joint": LogJoint(6, lambda d: lambda rows: d["weights"][:, :, None] * np.full(6, np.nan))},
        "log_joint must return log probabilities, got NaN",
    ),
    "no starts": (same, "ecr", {"labels": "z", "n_init": 0}, "n_init must be a whole number of at least 1"),
}


@pytest.mark.parametrize(("change", "rule", "options", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_aligned_is_refused_with_a_reason(draws, change, rule, options, message):
    with pytest.raises(ValueError, match=message):
        align(change(draws), rule, **options)
