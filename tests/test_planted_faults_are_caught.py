"""Plant a known bug in EM, the prior or the draws; the matching check must fail."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from shared_comparison import of_faithful

import em.gmm
import em.gmm.estimator
from comparisons.comparison.density_checks import density_checks
from comparisons.comparison.estimates import estimates_of
from comparisons.comparison.find_map import find_map_checks
from comparisons.comparison.fits import fit
from comparisons.comparison.posterior_checks import averaged_responsibilities, posterior_checks
from comparisons.gmm import GMM
from em.gmm import mode
from models.gmm import GMMParameters, GMMPrior


@pytest.fixture(scope="module")
def finished():
    """Problem, compiled models and posterior draws of Old Faithful."""
    kept = of_faithful()
    return kept.problem, kept.densities, kept.draws


pytestmark = pytest.mark.filterwarnings("ignore::em.NotConvergedWarning")  # EM stops where a faulty step loses


@pytest.fixture
def rerun(finished):
    """Fit again (with whatever is planted), then return the names of the checks that fail.

    A fault in the draws is given as ``draws``, one in the truth as ``truth``.
    """

    def run(*which, draws=None, truth=None):
        problem, densities, right = finished
        fits = fit(problem if truth is None else replace(problem, truth=truth))
        draws = draws or right
        made = []
        if "densities" in which:
            made += density_checks(fits, densities)
        if "find_map" in which:
            made += find_map_checks(fits, draws, densities)
        if "posterior" in which:
            made += posterior_checks(fits, draws, estimates_of(fits, draws), averaged_responsibilities(fits, draws))
        return {check.name for check in made if check.passed is False}

    return run


def test_nothing_fails_when_nothing_is_planted(rerun):
    assert rerun("densities", "find_map", "posterior") == set()


def test_a_wrong_denominator_in_the_m_step_is_not_stationary(rerun, monkeypatch):
    def unbiased(statistics, prior, frozen):
        found = mode(statistics, prior, frozen)
        N = statistics.counts[:, None, None]
        return GMMParameters(found.weights, found.means, found.covariances * N / (N - 1))

    monkeypatch.setattr(em.gmm.estimator, "mode", unbiased)
    assert "MLE is stationary" in rerun("densities")


def test_a_jacobian_left_in_moves_the_map(rerun, monkeypatch):
    def with_jacobian(statistics, prior, frozen):
        """The mode on the scale of log-Cholesky factors: |Σ|^((D+1)/2) too much in the density."""
        found = mode(statistics, prior, frozen)
        if prior is None:
            return found
        D = found.n_features
        denominator = prior.degrees_of_freedom + statistics.counts[:, None, None] + D + 2
        return GMMParameters(found.weights, found.means, found.covariances * denominator / (denominator - D - 1))

    monkeypatch.setattr(em.gmm.estimator, "mode", with_jacobian)
    assert "find_MAP = MAP-EM" in rerun("find_map")


def test_a_prior_term_dropped_from_the_m_step_moves_the_map(rerun, monkeypatch):
    def without_dirichlet(statistics, prior, frozen):
        return mode(statistics, prior and replace(prior, concentration=1.0), frozen)

    monkeypatch.setattr(em.gmm.estimator, "mode", without_dirichlet)
    assert "find_MAP = MAP-EM" in rerun("find_map")


def test_a_term_dropped_from_the_log_prior_is_seen(rerun, monkeypatch):
    complete = GMMPrior.log_prob
    monkeypatch.setattr(GMMPrior, "log_prob", lambda self, at: complete(self, at) - float(np.log(at.weights).sum()))
    assert "log prior matches at MAP" in rerun("densities")


def test_a_dropped_log_determinant_changes_likelihood_and_responsibilities(rerun, monkeypatch):
    complete = em.gmm.component_log_prob

    def without_log_determinant(X, parameters):
        half_log_det = np.log(np.diagonal(parameters.cholesky, axis1=1, axis2=2)).sum(axis=1)
        return complete(X, parameters) + half_log_det

    monkeypatch.setattr(em.gmm, "component_log_prob", without_log_determinant)
    failed = rerun("densities")
    assert {"log-likelihood matches at MLE", "responsibilities = p(z|x) at MLE", "MLE is stationary"} <= failed


def test_swapped_labels_in_the_e_step_are_seen(rerun, monkeypatch):
    right = GMM.e_step

    def swapped(self, X, parameters):
        responsibilities, log_likelihood = right(self, X, parameters)
        return responsibilities[:, ::-1], log_likelihood

    monkeypatch.setattr(GMM, "e_step", swapped)
    assert "responsibilities = p(z|x) at MLE" in rerun("densities")


@pytest.fixture
def planted(finished):
    """Return the draws with a function of the aligned parameters in their place."""

    def plant(change):
        draws = finished[2]
        groups = {path.strip("/") or "/": group for path, group in draws.posterior.to_dict().items()}
        groups["posterior"] = change(groups["posterior"])
        return replace(draws, posterior=xr.DataTree.from_dict(groups))

    return plant


def test_swapped_labels_in_the_draws_are_seen(rerun, planted):
    failed = rerun("posterior", draws=planted(lambda draws: draws.isel(component=[1, 0])))
    assert {"MLE near posterior mean", "plug-in responsibilities near posterior average"} <= failed


def test_draws_biased_by_half_a_standard_deviation_are_seen(rerun, planted):
    biased = planted(lambda draws: draws.assign(means=draws.means + 0.5 * draws.means.std(("chain", "draw"))))
    assert {"MLE near posterior mean", "MAP near posterior mean"} <= rerun("posterior", draws=biased)


def test_a_chain_that_went_elsewhere_is_seen(rerun, planted):
    def shifted(draws):
        return draws.assign(means=draws.means + draws.means.std(("chain", "draw")) * (draws.chain == 3))

    assert "R-hat, aligned parameters" in rerun("posterior", draws=planted(shifted))


def test_a_chain_that_stands_still_is_seen(rerun, finished):
    still = finished[2].pointwise.copy()
    still[3] = still[3, 0]
    failed = rerun("posterior", draws=replace(finished[2], pointwise=still))
    assert {"R-hat, label-free", "ESS, label-free"} & failed


def test_a_wrong_truth_is_seen(rerun, finished):
    draws = finished[2].aligned
    average = {name: draws[name].mean(("chain", "draw")).to_numpy() for name in ("weights", "means", "covariances")}
    assert "truth within the posterior" not in rerun("posterior", truth=GMMParameters(**average))
    wrong = {**average, "means": average["means"] + 6 * draws["means"].std(("chain", "draw")).to_numpy()}
    assert "truth within the posterior" in rerun("posterior", truth=GMMParameters(**wrong))


def test_a_maximum_that_a_draw_beats_is_no_maximum(rerun, finished):
    better = replace(finished[2], pointwise=finished[2].pointwise + 10 / len(finished[0].X))
    assert {"no draw beats the MLE", "no draw beats the MAP"} <= rerun("posterior", draws=better)
