"""Where samples share values, half-normal scales leave the posterior without an integral, and this is told."""

import numpy as np
import pytest

from em import gmm as em_gmm
from models.gmm import GMMIndependentPrior, GMMParameters


@pytest.mark.parametrize("tied", [True, False])
def test_samples_that_share_a_value_leave_no_integral_at_a_variance_of_zero(tied):
    """A component of scale s on m samples, 2 or 1: per log s and place of the mean in it, the density is s^(2 - m)."""
    rows = np.array([[0.0], [0.0 if tied else 0.1], [1.0], [3.0]])
    prior = GMMIndependentPrior(2.0, [1.0], 3.0, [1.0], covariance_type="diag")
    in_unit_volume = []
    for s in (1e-20, 1e-40, 1e-80):
        at = GMMParameters([0.5, 0.5], [[0.0], [1.0]], [[s**2], [1.0]], "diag")
        log_likelihood = em_gmm.e_step(rows, at)[1]
        log_volume = 2 * np.log(s) + np.log(s)  # dv = 2 v d(log s), dμ = s d(μ / s)
        in_unit_volume.append(log_likelihood + prior.log_prob(at) + log_volume)
    steps = np.diff(in_unit_volume) / np.diff(np.log([1e-20, 1e-40, 1e-80]))
    np.testing.assert_allclose(steps, 0 if tied else 1, atol=1e-6)  # s^0 d(log s) has no integral at 0
    assert bool(prior.why_improper(rows, 2)) == tied


def test_what_leaves_no_posterior_is_told_for_each_structure():
    shared = np.array([[0.0, 1.0], [0.0, 2.0], [3.0, np.nan], [4.0, 5.0]])
    twice, few = np.array([[0.0, 1.0], [0.0, 1.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    told = "under half-normal scales a variance may go to 0 there"
    for kind, rows, why in [
        ("full", shared, "column 0 has a value that 2 samples share"),
        ("diag", shared, "column 0 has a value that 2 samples share"),
        ("spherical", shared, ""),
        ("spherical", twice, "2 rows are the same"),
        ("spherical", [[0.0, np.nan], [5.0, 6.0], [0.0, 1.0]], "row 0 agrees with another in the cells that both have"),
        ("spherical", [[0.0, np.nan], [5.0, 6.0], [np.nan, 1.0]], ""),
        ("spherical", [[0.0, np.nan], [np.nan, np.nan], [np.nan, np.nan], [5.0, 0.0]], ""),
        ("diag", [[0.0, np.nan], [5.0, np.nan]], ""),
        ("tied", shared, ""),
        ("tied", few, "column 0 has 2 different values, no more than components"),
        ("tied", few[:2], ""),
        ("tied", few[1:], "column 0 has 1 different values, no more than components"),
    ]:
        prior = GMMIndependentPrior.weakly_informative(shared, 2, kind)
        assert prior.why_improper(rows, 2).startswith(f"{why}: {told}" if why else "")
        assert bool(prior.why_improper(rows, 2)) == bool(why)
        assert prior.why_improper(rows, 1) == ""
        assert GMMIndependentPrior.weakly_informative(shared, 2, kind, "inverse-gamma").why_improper(rows, 2) == ""
