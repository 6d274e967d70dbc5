"""Label switching is undone by permuting whole draws: planted permutations are recovered, nothing else is touched."""

from itertools import permutations

import numpy as np
import pytest
import xarray as xr

from comparisons.alignment import align, assign
from comparisons.bmm import BMM
from comparisons.draws import single, stack
from comparisons.gmm import GMM
from comparisons.metrics import label_free
from models.bmm import BMMParameters
from models.gmm import GMMParameters

CHAINS, DRAWS, K = 2, 50, 3
GMM_REFERENCE = GMMParameters(
    np.array([0.5, 0.3, 0.2]), np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]]), np.stack([np.eye(2)] * K)
)
BMM_REFERENCE = BMMParameters(np.array([0.5, 0.3, 0.2]), np.array([[0.9, 0.9, 0.1], [0.1, 0.9, 0.9], [0.5, 0.1, 0.1]]))
DIMS = {"weights": 1, "means": 2, "covariances": 3, "probs": 2}


def dataset(arrays):
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    return xr.Dataset({name: (dims[: 2 + DIMS[name]], array) for name, array in arrays.items()})


def shuffled(reference, rng):
    """Draws that are the reference plus noise, each with its components in a random order."""
    orders = np.array([rng.permutation(K) for _ in range(CHAINS * DRAWS)])
    draws = {}
    for name, array in reference.arrays().items():
        noise = 1e-3 * rng.normal(size=(CHAINS * DRAWS, 1, *array.shape[1:]))
        noise = noise * 0 if name in ("weights", "covariances") else noise
        permuted = np.array([(array + noise[s])[orders[s]] for s in range(len(orders))])
        draws[name] = permuted.reshape(CHAINS, DRAWS, *array.shape)
    return dataset(draws), orders.reshape(CHAINS, DRAWS, K)


@pytest.mark.parametrize(("family", "reference"), [(GMM(), GMM_REFERENCE), (BMM(), BMM_REFERENCE)])
def test_planted_permutations_are_recovered(family, reference):
    posterior, orders = shuffled(reference, np.random.default_rng(0))
    found = assign(family.distances(stack(posterior), reference)).reshape(CHAINS, DRAWS, K)
    np.testing.assert_array_equal(
        np.take_along_axis(orders, found, axis=-1), np.broadcast_to(np.arange(K), found.shape)
    )


@pytest.mark.parametrize(("family", "reference"), [(GMM(), GMM_REFERENCE), (BMM(), BMM_REFERENCE)])
def test_every_variable_is_permuted_together(family, reference):
    posterior, _ = shuffled(reference, np.random.default_rng(1))
    aligned = align(posterior, assign(family.distances(stack(posterior), reference)).reshape(CHAINS, DRAWS, K))
    for name, array in reference.arrays().items():
        assert aligned[name].dims == posterior[name].dims
        np.testing.assert_allclose(aligned[name], np.broadcast_to(array, aligned[name].shape), atol=0.01)


def test_the_assignment_is_the_best_of_all_permutations():
    rng = np.random.default_rng(2)
    distances = rng.uniform(size=(40, 4, 4))
    for matrix, order in zip(distances, assign(distances), strict=True):
        least = min(sum(matrix[p[k], k] for k in range(4)) for p in permutations(range(4)))
        assert sum(matrix[order[k], k] for k in range(4)) == pytest.approx(least, rel=1e-14)


def test_a_component_is_no_distance_from_itself_and_distances_are_symmetric():
    for family, reference in [(GMM(), GMM_REFERENCE), (BMM(), BMM_REFERENCE)]:
        distances = family.distances(single(reference), reference)[0]
        np.testing.assert_allclose(np.diag(distances), 0, atol=1e-15)
        np.testing.assert_allclose(distances, distances.T, rtol=1e-12, atol=1e-15)
        assert (distances[~np.eye(K, dtype=bool)] > 0.05).all()


def test_gaussian_distance_is_minus_the_log_of_the_overlap_integral():
    """Bhattacharyya: - log ∫ sqrt(p q), here by quadrature in one dimension."""
    one = GMMParameters(np.array([1.0]), np.array([[0.3]]), np.array([[[0.7]]]))
    two = GMMParameters(np.array([1.0]), np.array([[-1.1]]), np.array([[[2.5]]]))
    x, step = np.linspace(-30, 30, 200_001, retstep=True)
    p, q = (np.exp(-((x - a.means[0, 0]) ** 2) / 2 / v) / np.sqrt(2 * np.pi * v) for a, v in [(one, 0.7), (two, 2.5)])
    assert GMM().distances(single(one), two)[0, 0, 0] == pytest.approx(-np.log(np.sqrt(p * q).sum() * step), rel=1e-9)


def test_label_free_quantities_do_not_see_labels():
    posterior, orders = shuffled(GMM_REFERENCE, np.random.default_rng(3))
    log_likelihood = np.zeros((CHAINS, DRAWS))
    xr.testing.assert_allclose(
        label_free(posterior, log_likelihood), label_free(align(posterior, orders[:, ::-1]), log_likelihood)
    )
