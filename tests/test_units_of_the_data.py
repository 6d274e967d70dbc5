"""A comparison of the same data in other units reaches the same verdict: PyMC's search for the mode is no exception."""

from dataclasses import replace

import numpy as np
import pytest
from stand_ins import draws_around

import comparisons.posterior
from comparisons import compare
from comparisons.families import family_of
from comparisons.gmm import search_units
from em.status import left_to_the_status
from models.gmm.structures import COVARIANCE_TYPES

FAR = np.array([3e7, 2e-6]), np.array([4e5, 1e-7])  # means and deviations


def clouds(location=0.0, scale=1.0):
    rng = np.random.default_rng(8)
    return np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 5]) * scale + location


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("prior_family", ["conjugate", "half-normal", "inverse-gamma"])
def test_the_density_in_other_units_differs_by_a_constant(kind, prior_family):
    X, family = clouds(*FAR), family_of("gmm", covariance_type=kind)
    prior, units = family.default_prior(X, 2, prior_family), search_units(X, kind)
    with left_to_the_status():
        points = [family.estimator(n_components=2, n_init=1, max_iter=m, random_state=0).fit(X) for m in (1, 2, 5)]
    changes = []
    for point in (fit.parameters_ for fit in points):
        moved = replace(point, **units.arrays(point.arrays()))
        for name, array in units.back(moved).arrays().items():
            np.testing.assert_allclose(array, point.arrays()[name], rtol=1e-12)
        there = family.e_step(units.rows(X), moved)[1]
        there += prior.standardised(units.location, units.scale).log_prob(moved)
        changes.append(there - family.e_step(X, point)[1] - prior.log_prob(point))
    np.testing.assert_allclose(changes, changes[0], atol=1e-5)
    assert abs(changes[0]) > 1


def test_ordinary_data_stay_as_they_are():
    assert search_units(clouds(), "full") is None


def test_find_map_arrives_at_map_em_in_any_units(monkeypatch):
    monkeypatch.setattr(comparisons.posterior, "sample", draws_around)
    comparison = compare(clouds(*FAR), "gmm", 2, draws=250, tune=100, n_init=2)
    checks = {check.name: check.passed for check in comparison.checks}
    assert checks["find_MAP = MAP-EM"]
