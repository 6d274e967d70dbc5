"""Each rule recovers planted orders exactly where components are apart, and the least of its own loss where not.

The least loss is found by trying all permutations: of each draw where the template is given, and otherwise of all draws
at once, (K!)^(S - 1) of them, since the first draw's order only names the components.
"""

from itertools import permutations, product

import numpy as np
import pytest
import xarray as xr
from scipy.special import softmax, xlogy

from benchmarks.alignment import main as benchmark
from comparisons import align, log_joint
from comparisons.alignment.relabelling import assign, commonest, log_mean, pivot, pivot_scale, relabel, total
from models.gmm import GMMParameters

SETS = range(40)
CHAINS = 2


def all_orders(K):
    return np.array(list(permutations(range(K))))


def separated(seed):
    """K unit clouds 8 apart, three samples in each; draws about the truth, in random orders."""
    rng = np.random.default_rng(seed)
    K, draws = int(rng.integers(2, 5)), 10
    truth = GMMParameters(
        rng.dirichlet(np.full(K, 5.0)),
        8.0 * rng.permutation(K)[:, None] + rng.normal(size=(K, 2)),
        np.stack([np.eye(2)] * K),
    )
    X = np.repeat(truth.means, 3, axis=0) + rng.normal(size=(3 * K, 2))
    planted = rng.permuted(np.broadcast_to(np.arange(K), (CHAINS, draws, K)), axis=2)
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    variables = {
        name: (dims[: array.ndim + 2], array[planted] * rng.uniform(0.9, 1.1, size=(CHAINS, draws, *array.shape)))
        for name, array in truth.arrays().items()
        if name != "covariances"
    }
    weights = variables["weights"][1]
    weights /= weights.sum(axis=2, keepdims=True)
    variables["covariances"] = (dims, truth.covariances[planted] * rng.uniform(0.5, 2, size=(*planted.shape, 1, 1)))
    labels = planted.argsort(axis=2)[..., np.repeat(np.arange(K), 3)]
    return truth, X, xr.Dataset(variables | {"z": (("chain", "draw", "obs"), labels)}), planted


@pytest.mark.parametrize("rule", ["pivot", "ecr", "stephens"])
def test_planted_orders_are_recovered_on_separated_sets(rule):
    for seed in SETS:
        truth, X, draws, planted = separated(seed)
        source = {} if rule == "pivot" else {"log_joint": log_joint(X, "gmm")}
        order = align(draws, rule, reference=truth, **source)["alignment"]["order"].to_numpy()
        undone = np.take_along_axis(planted, order, axis=2)
        np.testing.assert_array_equal(undone, np.broadcast_to(np.arange(truth.n_components), undone.shape))


@pytest.mark.parametrize("rule", ["ecr", "stephens"])
def test_planted_orders_are_recovered_without_a_reference(rule):
    for seed in SETS:
        _, X, draws, planted = separated(seed)
        source = {"labels": "z"} if rule == "ecr" and seed % 2 else {"log_joint": log_joint(X, "gmm")}
        aligned = align(draws, rule, **source)
        undone = np.take_along_axis(planted, aligned["alignment"]["order"].to_numpy(), axis=2)
        np.testing.assert_array_equal(undone, np.broadcast_to(undone[0, 0], undone.shape))


def test_pivot_has_the_least_loss_of_all_permutations():
    for seed in SETS:
        rng = np.random.default_rng(seed)
        K, S, E = int(rng.integers(2, 5)), 20, 3
        draws, reference = rng.normal(size=(S, K, E)), rng.normal(size=(K, E))
        scale = pivot_scale(draws, reference)
        losses = [(((draws[:, order] - reference) / scale) ** 2).sum(axis=(1, 2)) for order in all_orders(K)]
        np.testing.assert_allclose(pivot(draws, reference, scale).losses, np.min(losses, axis=0), rtol=1e-12)


@pytest.mark.parametrize("K", range(1, 8))
def test_assignments_are_the_best_of_all_permutations(K):
    """Up to K = 5 by trying them, above by the Hungarian algorithm."""
    costs = np.random.default_rng(K).uniform(size=(30, K, K))
    orders = assign(costs)
    least = np.min([costs[:, order, np.arange(K)].sum(axis=1) for order in all_orders(K)], axis=0)
    np.testing.assert_allclose(total(costs, orders), least, rtol=1e-12)


# ECR and Stephens -----------------------------------------------------------------------------------------------------


def overlapping(seed):
    """Responsibilities (S, K, n) of few draws, noise nearly as large as what tells components apart, random orders."""
    rng = np.random.default_rng(seed)
    K, S = [(2, 8), (3, 4)][seed % 2]
    p = softmax(rng.normal(size=(K, 8)) + 0.7 * rng.normal(size=(S, K, 8)), axis=1)
    return np.stack([q[rng.permutation(K)] for q in p])


def one_hot(p):
    return (p.argmax(axis=1)[:, None] == np.arange(p.shape[1])[:, None]).astype(float)


def every_labelling(S, K):
    """Orders (m, S, K) of all draws at once, the first draw as it is."""
    rest = np.array(list(product(range(len(all_orders(K))), repeat=S - 1)))
    return all_orders(K)[np.hstack([np.zeros((len(rest), 1), dtype=int), rest])]


def loss_of(rule, p, orders):
    """The loss of orders (..., S, K) as the rule's definition says, by plain sums."""
    placed = np.take_along_axis(np.broadcast_to(p, (*orders.shape[:-2], *p.shape)), orders[..., None], axis=-2)
    q = placed.mean(axis=-3, keepdims=True)
    if rule == "stephens":
        return (xlogy(placed, placed) - xlogy(placed, q)).sum(axis=(-3, -2, -1))
    return (len(p) * (1 - q.max(axis=-2, keepdims=True))).sum(axis=(-3, -2, -1))


RULES = {"stephens": (lambda p: p, log_mean), "ecr": (one_hot, commonest)}


def starts_of(p, seed):
    """Every draw, and the means of 24 pairs of draws in some order: from draws alone two or four sets in 300 miss."""
    S, K, _ = p.shape
    pairs = [(p[a] + p[b][order]).T / 2 for a in range(S) for b in range(a) for order in all_orders(K)]
    return [*range(S), *(pairs[i] for i in np.random.default_rng(seed).permutation(len(pairs))[:24])]


@pytest.mark.parametrize("rule", RULES)
def test_iterations_reach_the_least_loss_of_all_labellings_on_overlapping_sets(rule):
    prepare, score = RULES[rule]
    for seed in SETS:
        p = prepare(overlapping(seed))
        S, K, _ = p.shape
        relabelled = relabel(lambda p=p: [p[:, :, :5], p[:, :, 5:]], score, starts_of(p, seed))
        assert relabelled.converged
        least = loss_of(rule, p, every_labelling(S, K)).min()
        assert relabelled.losses.sum() == pytest.approx(least, rel=1e-10, abs=1e-10), seed


@pytest.mark.parametrize("rule", RULES)
def test_where_an_iteration_stops_each_draw_is_the_best_given_the_template(rule):
    prepare, score = RULES[rule]
    for seed in SETS:
        p = prepare(overlapping(seed))
        relabelled = relabel(lambda p=p: [p], score, [0])
        placed = np.take_along_axis(p, relabelled.orders[..., None], axis=1)
        template = score(placed.mean(axis=0).T).T
        losses = [(xlogy(p, p) - p[:, order] * template).sum(axis=(1, 2)) for order in all_orders(p.shape[1])]
        np.testing.assert_allclose(relabelled.losses, np.min(losses, axis=0), rtol=1e-10, atol=1e-10)
        assert relabelled.losses.sum() == pytest.approx(loss_of(rule, p, relabelled.orders), rel=1e-10, abs=1e-10)


def test_ecr_to_a_pivot_has_the_fewest_disagreements_of_all_permutations():
    for seed in SETS:
        rng = np.random.default_rng(seed)
        K = int(rng.integers(2, 5))
        z, pivot = rng.integers(K, size=(1, 20, 9)), rng.integers(K, size=9)
        draws = xr.Dataset(
            {"z": (("chain", "draw", "obs"), z), "w": (("chain", "draw", "component"), np.ones((1, 20, K)))}
        )
        aligned = align(draws, "ecr", labels="z", reference=pivot)
        disagreements = [(z[0] != order[pivot]).sum(axis=1) for order in all_orders(K)]
        np.testing.assert_array_equal(aligned["alignment"]["loss"][0], np.min(disagreements, axis=0))
        np.testing.assert_array_equal(
            (aligned["posterior"]["z"][0] != pivot).sum("obs"), aligned["alignment"]["loss"][0]
        )


def test_blocks_of_rows_do_not_change_the_answer(monkeypatch):
    truth, X, draws, _ = separated(0)
    wide = draws.assign(means=draws["means"] + 3 * np.random.default_rng(0).normal(size=draws["means"].shape))
    one = align(wide, "stephens", log_joint=log_joint(X, "gmm"))["alignment"]
    monkeypatch.setattr("comparisons.alignment.responsibilities.BLOCK_CELLS", 4 * 20 * truth.n_components)
    monkeypatch.setattr("comparisons.alignment.responsibilities.CACHE_CELLS", 12)
    many = align(wide, "stephens", log_joint=log_joint(X, "gmm"))["alignment"]
    np.testing.assert_array_equal(one["order"], many["order"])
    np.testing.assert_allclose(one["loss"], many["loss"], rtol=1e-10, atol=1e-12)


def test_the_benchmark_prints_a_table_for_each_rule(capsys):
    benchmark(quick=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines if not line.startswith(" ")] == ["pivot", "ecr", "stephens"]
