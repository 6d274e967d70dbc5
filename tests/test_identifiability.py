"""Which Bernoulli and binomial mixtures are identified: a rank, a warning, and a direction that really is free."""

from itertools import product

import numpy as np
import pytest
import reference_data
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from em import BernoulliMixtureEM, BinomialMixtureEM, NotIdentifiableWarning, PoissonMixtureEM
from em.bmm import BINOMIAL
from em.identifiability.rank_test import identify
from models.bmm import BMMParameters, simulate


def random_parameters(seed, K, D):
    rng = np.random.RandomState(seed)
    return BMMParameters(rng.dirichlet(np.full(K, 5.0)), rng.uniform(0.15, 0.85, size=(K, D)))


def cell_probabilities(weights, probs, n_trials):
    """Return P(x) of every cell, by enumeration."""
    cells = np.array(list(product(range(n_trials + 1), repeat=probs.shape[1])))
    return np.exp(binom.logpmf(cells[:, None, :], n_trials, probs).sum(axis=2)) @ weights


def moved(parameters, direction, t):
    """Return weights and probs after a step t along a direction given by parameter names."""
    weights, probs = parameters.weights.copy(), parameters.probs.copy()
    for name, part in direction.items():
        kind, index = name.rstrip("]").split("[")
        if kind == "weights":
            weights[int(index)] += t * part
            weights[-1] -= t * part
        else:
            k, d = index.split(", ")
            probs[int(k), int(d)] += t * part
    return weights, probs


@given(seed=st.integers(0, 2**32 - 1), K=st.integers(2, 5))
def test_coins_flipped_once_are_never_identified(seed, K):
    finding = identify(BINOMIAL, random_parameters(seed, K, 1))
    assert not finding.identified
    assert (finding.rank, finding.n_free_parameters) == (1, 2 * K - 1)


@pytest.mark.parametrize(
    ("K", "D", "n_trials", "rank", "n_free"),
    [
        (2, 2, 1, 3, 5),
        (3, 4, 1, 13, 14),  # although 15 free cell probabilities outnumber the parameters
        (2, 3, 1, 7, 7),
        (3, 5, 1, 17, 17),
        (2, 5, 1, 11, 11),
        (2, 1, 2, 2, 3),  # one binomial feature needs n_trials >= 2 K - 1
        (2, 1, 3, 3, 3),
        (3, 1, 4, 4, 5),
        (3, 1, 5, 5, 5),
        (4, 1, 6, 6, 7),
        (4, 1, 7, 7, 7),
        (1, 1, 1, 1, 1),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_rank_is_the_known_one(K, D, n_trials, rank, n_free, seed):
    finding = identify(BINOMIAL, random_parameters(seed, K, D), n_trials)
    assert (finding.rank, finding.n_free_parameters) == (rank, n_free)
    assert finding.identified == (rank == n_free)
    assert bool(finding.free_direction) == (rank < n_free)


@pytest.mark.parametrize(("K", "D", "n_trials"), [(2, 1, 1), (3, 1, 1), (2, 2, 1), (3, 4, 1), (2, 1, 2), (3, 1, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_the_named_direction_changes_cell_probabilities_to_second_order_only(K, D, n_trials, seed):
    parameters = random_parameters(seed, K, D)
    direction = identify(BINOMIAL, parameters, n_trials).free_direction
    assert np.linalg.norm(list(direction.values())) == pytest.approx(1.0, rel=1e-12)
    at = cell_probabilities(parameters.weights, parameters.probs, n_trials)
    for t in (1e-2, 1e-3, 1e-4):
        change = np.abs(cell_probabilities(*moved(parameters, direction, t), n_trials) - at).max()
        assert change < 50 * t**2  # second derivatives of a cell probability are at most (D n_trials)^2 / 0.15^2 or so


def test_a_direction_that_is_not_free_changes_cell_probabilities_to_first_order():
    parameters = random_parameters(0, 2, 2)
    at = cell_probabilities(parameters.weights, parameters.probs, 1)
    for direction in ({"weights[0]": 1.0}, {"probs[0, 0]": 1.0}):
        assert np.abs(cell_probabilities(*moved(parameters, direction, 1e-4), 1) - at).max() > 100 * 1e-8


def test_the_estimator_says_what_is_known_of_the_coins():
    X = np.array([[1]] * 54 + [[0]] * 46)
    with pytest.warns(NotIdentifiableWarning, match=r"only sum_k weights_k probs_k = 0\.54 is known"):
        fit = BernoulliMixtureEM(2, random_state=0).fit(X)
    assert "not identified: rank 1 of 3 free parameters" in fit.status_
    assert not fit.identifiability_.identified
    assert fit.weights_ @ fit.probs_[:, 0] == pytest.approx(0.54, rel=1e-12)


def test_the_estimator_names_a_free_direction():
    X, _ = simulate(random_parameters(0, 2, 2), 300, 1, 0)
    with pytest.warns(NotIdentifiableWarning, match=r"rank 3 of 5 .* free direction, largest parts: \w+\[.*\] [+-]0\."):
        fit = BernoulliMixtureEM(2, random_state=0).fit(X)
    assert set(fit.identifiability_.free_direction) <= {
        "weights[0]",
        *(f"probs[{k}, {d}]" for k in (0, 1) for d in (0, 1)),
    }


def test_lsat7_with_two_classes_is_identified():
    fit = BernoulliMixtureEM(2, n_init=1, random_state=0).fit(reference_data.lsat7())
    assert fit.identifiability_.identified
    assert (fit.identifiability_.rank, fit.identifiability_.n_free_parameters) == (11, 11)
    assert "not identified" not in fit.status_


def test_saxony_with_two_components_is_identified():
    fit = BinomialMixtureEM(2, n_trials=12, n_init=1, random_state=0).fit(reference_data.saxony())
    assert fit.identifiability_.identified


def test_equal_components_are_not_identified_where_they_stand():
    finding = identify(BINOMIAL, BMMParameters([0.5, 0.5], np.full((2, 5), 0.3)))
    assert not finding.identified
    assert "at the estimate" in finding.sentence


def test_estimates_on_the_boundary_are_held_there():
    probs = random_parameters(0, 2, 5).probs.copy()
    probs[0, 0], probs[1, 3] = 0.0, 1.0
    finding = identify(BINOMIAL, BMMParameters([0.4, 0.6], probs))
    assert finding.identified
    assert (finding.rank, finding.n_free_parameters) == (9, 9)


def test_no_direction_is_named_where_the_boundary_pins_the_rest():
    finding = identify(BINOMIAL, BMMParameters([0.4, 0.6], [[0.0, 0.0], [0.7, 0.6]]))
    assert not finding.identified  # the model is not: rank 3 of 5
    assert finding.free_direction == {}
    assert "on the boundary" in finding.sentence


def test_probs_of_an_emptied_component_are_free():
    probs = np.vstack([random_parameters(0, 2, 64).probs, np.full((1, 64), 0.5)])
    probs[:2] = np.where(probs[:2] < 0.5, 1e-7, 1 - 1e-7)  # cells that the others all but rule out: ratios overflow
    finding = identify(BINOMIAL, BMMParameters([0.4, 0.6, 0.0], probs))
    assert not finding.identified
    assert finding.free_direction == {"probs[2, 0]": 1.0}
    assert "no sample has a share of component 2" in finding.sentence


def test_of_differing_trials_the_row_that_knows_most_decides():
    parameters = random_parameters(0, 2, 1)
    assert not identify(BINOMIAL, parameters, np.array([[1], [2], [2]])).identified
    assert identify(BINOMIAL, parameters, np.array([[1], [3], [2]])).identified


def test_many_features_are_tested_on_drawn_cells():
    finding = identify(BINOMIAL, random_parameters(0, 3, 30))  # 2^30 cells
    assert finding.identified
    assert (finding.rank, finding.n_free_parameters) == (92, 92)


def test_rates_of_a_column_of_zeros_are_on_the_boundary_and_no_number_is_divided_by_zero():
    fit = PoissonMixtureEM(2, n_init=1, random_state=0).fit([[0, 1], [0, 2], [0, 30], [0, 33]])
    assert "2 of 4 rates on the boundary" in fit.status_


def test_counts_beyond_those_that_can_be_listed_are_tested_on_drawn_cells():
    counts = 1e15 * np.random.RandomState(0).poisson([[3.0, 5.0]], (40, 2))
    assert PoissonMixtureEM(2, n_init=1, random_state=0).fit(counts).identifiability_.identified
