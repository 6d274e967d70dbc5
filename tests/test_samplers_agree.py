"""Enumeration, Gibbs sampling and NUTS with z summed out have one posterior.

`python -m benchmarks.agreement` does the same with ten samples, every covariance structure and more draws, and beside
them with PyMC's own steps for a model that holds z, whose draws take 5 ms each.
"""

from itertools import combinations
from types import SimpleNamespace

import arviz as az
import numpy as np
import pytest
import xarray as xr

from benchmarks.agreement.__main__ import MOST_ERRORS, aligned_by_one_map
from benchmarks.agreement.exact import SAMPLERS, Problem, exact_means, label_free_draws, largest_gap
from comparisons.alignment.component_draws import SAMPLE
from models.bmm import BMMPrior
from models.gmm import GMMPrior

LINE = np.array([[-2.1], [-1.4], [-0.9], [-0.2], [0.4], [1.1], [1.9], [2.6]])
ANSWERS = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [1, 0, 1], [0, 0, 0]])
PROBLEMS = {
    "gmm": Problem(LINE, GMMPrior(2.0, [0.0], 0.3, 5.0, [[3.0]])),
    "bmm": Problem(ANSWERS, BMMPrior(2.0, 1.5, 1.25)),
}
SETTINGS = {
    "NUTS": {"draws": 1000, "tune": 300, "chains": 2},
    "Gibbs": {"draws": 1000, "tune": 100, "chains": 20},
}


@pytest.fixture(scope="module", params=PROBLEMS)
def samplers(request):
    """Draws of the samplers and what enumeration says."""
    at = PROBLEMS[request.param]
    draws = {who: label_free_draws(SAMPLERS[who](at, seed=0, **settings), at) for who, settings in SETTINGS.items()}
    return SimpleNamespace(draws=draws, exact=exact_means(at))


def test_every_posterior_mean_is_that_of_enumeration(samplers):
    for who, draws in samplers.draws.items():
        gap, where = largest_gap(draws, samplers.exact)
        assert gap <= MOST_ERRORS, (who, where)


def test_samplers_agree_on_the_log_likelihood_which_enumeration_does_not_know(samplers):
    of_each = {who: draws[["log_likelihood"]] for who, draws in samplers.draws.items()}
    for one, other in combinations(of_each, 2):
        gap, _ = largest_gap(of_each[one], of_each[other].mean(SAMPLE), az.mcse(of_each[other], method="mean"))
        assert gap <= MOST_ERRORS, (one, other)


def test_a_bias_of_a_quarter_of_a_standard_deviation_would_be_seen(samplers):
    for who, draws in samplers.draws.items():
        compared = draws[list(samplers.exact)]
        gap, _ = largest_gap(compared + 0.25 * compared.std(SAMPLE), samplers.exact)
        assert gap > MOST_ERRORS, who


def test_runs_of_different_lengths_are_aligned_by_one_map_and_keep_their_draws():
    rng, reference = np.random.default_rng(0), {"rates": np.array([1.0, 5.0])}
    runs = []
    for sizes in [(2, 30), (3, 40)]:
        order = rng.permuted(np.broadcast_to(np.arange(2), (*sizes, 2)), axis=2)
        rates = reference["rates"][order] + 0.1 * rng.normal(size=order.shape)
        runs.append((xr.Dataset({"rates": ((*SAMPLE, "component"), rates)}), rates, order))
    aligned = aligned_by_one_map([run for run, *_ in runs], reference)
    for (samplers, orders), (_, rates, order) in zip(aligned, runs, strict=True):
        np.testing.assert_array_equal(samplers["rates"], np.sort(rates, axis=2))
        np.testing.assert_array_equal(orders, np.argsort(order, axis=2))
