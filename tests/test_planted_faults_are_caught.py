"""Each fault that a mixture's two halves are prone to, planted on purpose, makes the check of its name fail."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

import em.gmm
import em.gmm.estimator
from comparisons.comparison import steps
from comparisons.comparison.result import Comparison
from comparisons.data import load
from comparisons.gmm import GMM
from comparisons.output.progress import Silent
from em.gmm import mode
from models.gmm import GMMParameters, GMMPrior


@pytest.fixture(scope="module")
def finished():
    """A comparison of Old Faithful whose models are compiled and whose posterior is drawn."""
    X = load("faithful").X
    settings = {"n_init": 10, "draws": 1000, "tune": 400, "chains": 4, "random_state": 1, "starts": "restarts"}
    settings |= {"target_accept": 0.8, "advi": False}
    prior = GMMPrior.weakly_informative(X, 2)
    taken = steps.Steps(Comparison(GMM(), X, 2, prior, regular=True, settings=settings), Silent())
    taken.run()
    return taken


pytestmark = pytest.mark.filterwarnings("ignore::em.NotConvergedWarning")  # EM stops where a faulty step loses


@pytest.fixture
def rerun(finished):
    """Fit again (with whatever is planted), then return the names of the checks that fail."""

    def run(*checks):
        finished.found.checks.clear()
        finished.fit()
        for check in checks:
            getattr(finished, check)()
        return {check.name for check in finished.found.checks if check.passed is False}

    return run


def test_nothing_fails_when_nothing_is_planted(rerun):
    assert rerun("check_densities", "check_find_map", "check_posterior") == set()


def test_a_wrong_denominator_in_the_m_step_is_not_stationary(rerun, monkeypatch):
    def unbiased(statistics, prior, frozen):
        found = mode(statistics, prior, frozen)
        N = statistics.counts[:, None, None]
        return GMMParameters(found.weights, found.means, found.covariances * N / (N - 1))

    monkeypatch.setattr(em.gmm.estimator, "mode", unbiased)
    assert "MLE is stationary" in rerun("check_densities")


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
    assert "find_MAP = MAP-EM" in rerun("check_find_map")


def test_a_prior_term_dropped_from_the_m_step_moves_the_map(rerun, monkeypatch):
    def without_dirichlet(statistics, prior, frozen):
        return mode(statistics, prior and dataclasses.replace(prior, concentration=1.0), frozen)

    monkeypatch.setattr(em.gmm.estimator, "mode", without_dirichlet)
    assert "find_MAP = MAP-EM" in rerun("check_find_map")


def test_a_term_dropped_from_the_log_prior_is_seen(rerun, monkeypatch):
    complete = GMMPrior.log_prob
    monkeypatch.setattr(GMMPrior, "log_prob", lambda self, at: complete(self, at) - float(np.log(at.weights).sum()))
    assert "log prior matches at MAP" in rerun("check_densities")


def test_a_dropped_log_determinant_changes_likelihood_and_responsibilities(rerun, monkeypatch):
    complete = em.gmm.component_log_prob

    def without_log_determinant(X, parameters):
        half_log_det = np.log(np.diagonal(parameters.cholesky, axis1=1, axis2=2)).sum(axis=1)
        return complete(X, parameters) + half_log_det

    monkeypatch.setattr(em.gmm, "component_log_prob", without_log_determinant)
    failed = rerun("check_densities")
    assert {"log-likelihood matches at MLE", "responsibilities = p(z|x) at MLE", "MLE is stationary"} <= failed


def test_swapped_labels_in_the_e_step_are_seen(rerun, monkeypatch, finished):
    right = type(finished.family).e_step

    def swapped(self, X, parameters):
        responsibilities, log_likelihood = right(self, X, parameters)
        return responsibilities[:, ::-1], log_likelihood

    monkeypatch.setattr(type(finished.family), "e_step", swapped)
    assert "responsibilities = p(z|x) at MLE" in rerun("check_densities")


@pytest.fixture
def plant(monkeypatch, finished):
    """Replace the aligned draws by a function of themselves."""

    def planted(change):
        groups = {name: node.to_dataset() for name, node in finished.found.posterior.children.items()}
        groups["posterior"] = change(groups["posterior"])
        monkeypatch.setattr(finished.found, "posterior", xr.DataTree.from_dict(groups))

    return planted


def test_swapped_labels_in_the_draws_are_seen(rerun, plant):
    plant(lambda draws: draws.isel(component=[1, 0]))
    failed = rerun("check_posterior")
    assert {"MLE near posterior mean", "plug-in responsibilities near posterior average"} <= failed


def test_draws_biased_by_half_a_standard_deviation_are_seen(rerun, plant):
    plant(lambda draws: draws.assign(means=draws.means + 0.5 * draws.means.std(("chain", "draw"))))
    assert {"MLE near posterior mean", "MAP near posterior mean"} <= rerun("check_posterior")


def test_a_chain_that_went_elsewhere_is_seen(rerun, plant):
    plant(lambda draws: draws.assign(means=draws.means + draws.means.std(("chain", "draw")) * (draws.chain == 3)))
    assert "R-hat, aligned parameters" in rerun("check_posterior")


def test_a_chain_that_stands_still_is_seen(rerun, finished, monkeypatch):
    still = finished.pointwise.copy()
    still[3] = still[3, 0]
    monkeypatch.setattr(finished, "pointwise", still)
    assert {"R-hat, label-free", "ESS, label-free"} & rerun("check_posterior")


def test_a_wrong_truth_is_seen(rerun, finished, monkeypatch):
    found = finished.found
    draws = found.posterior["posterior"]
    average = {name: draws[name].mean(("chain", "draw")).to_numpy() for name in ("weights", "means", "covariances")}
    monkeypatch.setattr(found, "truth", GMMParameters(**average))
    assert "truth within the posterior" not in rerun("check_posterior")
    wrong = {**average, "means": average["means"] + 6 * draws["means"].std(("chain", "draw")).to_numpy()}
    monkeypatch.setattr(found, "truth", GMMParameters(**wrong))
    assert "truth within the posterior" in rerun("check_posterior")


def test_a_maximum_that_a_draw_beats_is_no_maximum(rerun, finished, monkeypatch):
    monkeypatch.setattr(finished, "pointwise", finished.pointwise + 10 / len(finished.X))
    assert {"no draw beats the MLE", "no draw beats the MAP"} <= rerun("check_posterior")
