"""Parameters and priors are frozen, validated values with one home."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from random_mixtures import random_bmm, random_bmm_prior, random_gmm, random_gmm_prior

from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior

RNG = np.random.default_rng(0)
VALUES = [random_gmm(3, 2, RNG), random_bmm(3, 2, RNG), random_gmm_prior(3, 2, RNG), random_bmm_prior(3, 2, RNG)]


def arrays_of(value):
    return {name: array for name, array in vars(value).items() if isinstance(array, np.ndarray)}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_attribute_can_be_set_and_no_array_written(value):
    for name in vars(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 1.0)
    for array in arrays_of(value).values():
        assert array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.5


def test_changing_the_given_arrays_later_changes_nothing():
    weights, probs = np.array([0.5, 0.5]), np.array([[0.1], [0.9]])
    parameters = BMMParameters(weights, probs)
    weights[:], probs[:] = 0.0, 0.0
    assert parameters.weights.tolist() == [0.5, 0.5]
    assert parameters.probs.tolist() == [[0.1], [0.9]]
    scale = np.eye(1)
    prior = GMMPrior(2.0, [0.0], 1.0, 3.0, scale)
    scale[:] = 9.0
    assert prior.scale.tolist() == [[1.0]]


@pytest.mark.parametrize("parameters", VALUES[:2], ids=lambda value: type(value).__name__)
def test_permuting_moves_every_array_and_permuting_back_restores_it(parameters):
    order = np.array([2, 0, 1])
    permuted = parameters.permute(order)
    for name, array in arrays_of(parameters).items():
        np.testing.assert_array_equal(arrays_of(permuted)[name], array[order])
        np.testing.assert_array_equal(arrays_of(permuted.permute(np.argsort(order)))[name], array)
    assert (parameters.n_components, parameters.n_features) == (3, 2)


@pytest.mark.parametrize("order", [[0, 0, 1], [0, 1], [0, 1, 3], [[0, 1, 2]], ["a", "b", "c"], 1])
def test_an_order_that_is_no_permutation_is_refused(order):
    with pytest.raises(ValueError, match="order must hold"):
        VALUES[0].permute(order)
    with pytest.raises(ValueError, match="order must hold"):
        VALUES[1].permute(order)


def test_free_parameters_are_counted():
    assert random_gmm(1, 1, RNG).n_free_parameters == 2
    assert random_gmm(3, 4, RNG).n_free_parameters == 2 + 12 + 30
    assert random_bmm(3, 4, RNG).n_free_parameters == 2 + 12


def test_cholesky_factors_are_those_of_the_covariances():
    parameters = VALUES[0]
    product = parameters.cholesky @ np.swapaxes(parameters.cholesky, 1, 2)
    np.testing.assert_allclose(product, parameters.covariances, rtol=1e-13)
    assert (np.triu(parameters.cholesky, 1) == 0).all()


def test_lists_integers_and_booleans_are_good_input():
    gaussian = GMMParameters([1], [[0, 0]], [[[2, 1], [1, 2]]])
    assert gaussian.covariances.dtype == np.float64
    count = BMMParameters([1], [[True, False]])
    assert count.probs.tolist() == [[1.0, 0.0]]
    prior = BMMPrior(2, [1, 2], 3)
    assert prior.successes.tolist() == [1.0, 2.0]


I2 = np.eye(2)
GOOD_GMM = {"weights": [0.5, 0.5], "means": np.zeros((2, 2)), "covariances": np.stack([I2, I2])}
GOOD_BMM = {"weights": [0.5, 0.5], "probs": [[0.1, 0.2], [0.3, 0.4]]}
GOOD_GMM_PRIOR = {
    "concentration": 2.0,
    "mean": [0.0, 0.0],
    "mean_precision": 0.1,
    "degrees_of_freedom": 4.0,
    "scale": I2,
}
GOOD_BMM_PRIOR = {"concentration": 2.0, "successes": 2.0, "failures": 2.0}
REFUSED = [
    (GMMParameters, GOOD_GMM, "weights", [0.5, 0.6], r"weights must be non-negative and sum to 1, got .*1\.1"),
    (GMMParameters, GOOD_GMM, "weights", [1.5, -0.5], "weights must be non-negative and sum to 1"),
    (GMMParameters, GOOD_GMM, "weights", [np.nan, 0.5], "weights must be finite, got NaN"),
    (GMMParameters, GOOD_GMM, "weights", [], r"weights must not be empty, got shape \(0,\)"),
    (GMMParameters, GOOD_GMM, "weights", ["0.5", "0.5"], "weights must hold numbers, got '0.5' of type str"),
    (GMMParameters, GOOD_GMM, "weights", [0.5 + 0j, 0.5], "weights must hold numbers"),
    (GMMParameters, GOOD_GMM, "weights", 1.0, r"weights must have shape \(any\), got \(\)"),
    (GMMParameters, GOOD_GMM, "means", np.zeros((3, 2)), r"means must have shape \(2, any\), got \(3, 2\)"),
    (GMMParameters, GOOD_GMM, "means", np.zeros(2), r"means must have shape \(2, any\), got \(2,\)"),
    (GMMParameters, GOOD_GMM, "means", [[0.0], [0.0, 1.0]], "means must hold numbers in rows of equal length"),
    (GMMParameters, GOOD_GMM, "means", [[np.inf, 0], [0, 0]], "means must be finite"),
    (GMMParameters, GOOD_GMM, "covariances", np.ones((2, 3, 3)), r"covariances must have shape \(2, 2, 2\)"),
    (GMMParameters, GOOD_GMM, "covariances", [I2, -I2], "covariances must be positive definite"),
    (GMMParameters, GOOD_GMM, "covariances", [I2, 0 * I2], "covariances must be positive definite"),
    (GMMParameters, GOOD_GMM, "covariances", [I2, [[1, 0.5], [0, 1]]], "covariances must be symmetric"),
    (BMMParameters, GOOD_BMM, "weights", [1.0], r"probs must have shape \(1, any\), got \(2, 2\)"),
    (
        BMMParameters,
        GOOD_BMM,
        "probs",
        [[0.1, 1.2], [0.3, 0.4]],
        r"probs must lie in \[0, 1\], got .* 0.1 to 1.2",
    ),
    (BMMParameters, GOOD_BMM, "probs", [[0.1, -0.2], [0.3, 0.4]], r"probs must lie in \[0, 1\]"),
    (BMMParameters, GOOD_BMM, "probs", [[0.1, np.nan], [0.3, 0.4]], "probs must be finite"),
    (BMMParameters, GOOD_BMM, "probs", None, "probs must hold numbers, got None"),
    (GMMPrior, GOOD_GMM_PRIOR, "concentration", 0.0, "concentration must be positive, got 0.0"),
    (GMMPrior, GOOD_GMM_PRIOR, "concentration", [2.0, -0.5], "concentration must be positive"),
    (GMMPrior, GOOD_GMM_PRIOR, "concentration", [[2.0]], r"concentration must have shape \(any\), got \(1, 1\)"),
    (GMMPrior, GOOD_GMM_PRIOR, "concentration", "2", "concentration must hold numbers"),
    (GMMPrior, GOOD_GMM_PRIOR, "mean", [np.nan, 0.0], "mean must be finite"),
    (GMMPrior, GOOD_GMM_PRIOR, "mean", 0.0, r"mean must have shape \(any\), got \(\)"),
    (GMMPrior, GOOD_GMM_PRIOR, "mean", [0.0], r"scale must have shape \(1, 1\), got \(2, 2\)"),
    (GMMPrior, GOOD_GMM_PRIOR, "mean_precision", 0.0, "mean_precision must be finite and greater than 0, got 0"),
    (GMMPrior, GOOD_GMM_PRIOR, "mean_precision", np.nan, "mean_precision must be finite"),
    (GMMPrior, GOOD_GMM_PRIOR, "mean_precision", [1.0], "mean_precision must be a number"),
    (
        GMMPrior,
        GOOD_GMM_PRIOR,
        "degrees_of_freedom",
        1.0,
        "degrees_of_freedom must be .* greater than 1, got 1",
    ),
    (GMMPrior, GOOD_GMM_PRIOR, "degrees_of_freedom", "4", "degrees_of_freedom must be a number, got '4'"),
    (GMMPrior, GOOD_GMM_PRIOR, "degrees_of_freedom", np.inf, "degrees_of_freedom must be finite"),
    (GMMPrior, GOOD_GMM_PRIOR, "scale", -I2, "scale must be positive definite"),
    (GMMPrior, GOOD_GMM_PRIOR, "scale", [[1, 2], [0, 1]], "scale must be symmetric"),
    (GMMPrior, GOOD_GMM_PRIOR, "scale", np.eye(3), r"scale must have shape \(2, 2\), got \(3, 3\)"),
    (BMMPrior, GOOD_BMM_PRIOR, "concentration", 0.0, "concentration must be positive, got 0.0"),
    (BMMPrior, GOOD_BMM_PRIOR, "successes", -0.5, "successes must be positive, got -0.5"),
    (BMMPrior, GOOD_BMM_PRIOR, "failures", [2.0, 0.0], "failures must be positive"),
    (BMMPrior, GOOD_BMM_PRIOR, "failures", np.inf, "failures must be finite"),
    (BMMPrior, GOOD_BMM_PRIOR, "successes", np.ones((2, 2)), r"successes must have shape \(any\), got \(2, 2\)"),
    (BMMPrior, GOOD_BMM_PRIOR, "successes", [], "successes must not be empty"),
]


@pytest.mark.parametrize(("kind", "good", "name", "bad", "message"), REFUSED)
def test_bad_values_are_refused_by_name_with_what_was_given(kind, good, name, bad, message):
    kind(**good)
    with pytest.raises(ValueError, match=message):
        kind(**good | {name: bad})


@pytest.mark.parametrize(
    ("prior", "parameters", "message"),
    [
        (GMMPrior(**GOOD_GMM_PRIOR | {"concentration": [2.0, 2.0]}), VALUES[0], r"prior.concentration must .* \(3,\)"),
        (
            GMMPrior(2, [0.0], 1, 3, [[1.0]]),
            VALUES[0],
            r"prior.mean must have shape \(2,\) .*, got \(1,\)",
        ),
        (BMMPrior([2.0, 2.0]), VALUES[1], r"prior.concentration must be a number or have shape \(3,\), got \(2,\)"),
        (BMMPrior(2, [2.0, 2.0, 2.0]), VALUES[1], r"prior.successes must .* \(2,\), got \(3,\)"),
        (BMMPrior(2, 2, [2.0]), VALUES[1], r"prior.failures must .* \(2,\), got \(1,\)"),
    ],
)
def test_a_prior_for_other_shapes_is_refused(prior, parameters, message):
    with pytest.raises(ValueError, match=message):
        prior.log_prob(parameters)
