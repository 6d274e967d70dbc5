"""Mixtures that are not identified or have no maximum get their own verdicts, not a false one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from stand_ins import draws_around
from typer.testing import CliRunner

import comparisons.comparison.steps
import comparisons.posterior
from comparisons import compare
from comparisons.bmm import BMM
from comparisons.comparison.checks import Check
from comparisons.comparison.command import application, exit_code
from comparisons.comparison.density_checks import Densities, density_checks, rounding_of_counts, rounding_of_prior
from comparisons.comparison.draws import draw
from comparisons.comparison.find_map import find_map_checks, is_lesser
from comparisons.comparison.fits import fit
from comparisons.comparison.posterior_checks import why_on_edge
from comparisons.comparison.problem import prepare
from comparisons.comparison.report import plots
from comparisons.comparison.steps import verdict_of
from comparisons.data import load
from comparisons.declarations import Case
from comparisons.families import family_classes
from comparisons.gmm import GMM
from comparisons.pmm import PMM
from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler
from em import GaussianMixtureEM
from em.identifiability import Identifiability
from em.status import left_to_the_status
from models.bmm import BMMPrior
from models.gmm import GMMParameters


def test_coins_are_not_identified_and_the_ridge_is_drawn(tmp_path):
    arguments = ["--data", "coins", "--components", "2", "--draws", "500", "--tune", "500", "--out", str(tmp_path)]
    result = CliRunner().invoke(application("bmm"), arguments)
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert written["verdict"] == "not identified"
    assert "sum_k weights_k probs_k" in written["explanation"]
    assert (tmp_path / "ridge.png").exists()
    names = [check["name"] for check in written["checks"]]
    assert "identified quantity sum_k weights_k probs_k agrees" in names
    assert "MLE near posterior mean" not in names


@pytest.mark.parametrize("size", [100_000, 10_000_000])
def test_counts_of_many_trials_or_of_great_rates_have_the_log_likelihood_of_pymc_to_its_rounding(size):
    rng = np.random.default_rng(1)
    probs = np.where(rng.random((200, 1)) < 0.4, [0.3, 0.5, 0.7], [0.319, 0.519, 0.719])
    for X, family in [(rng.binomial(size, probs), BMM(n_trials=size)), (rng.poisson(size * probs), PMM())]:
        fits = fit(prepare(X, family, 2, n_init=2))
        with without_c_compiler:
            checks = density_checks(fits, Densities(fits))
        matches = [check for check in checks if check.name.startswith("log-likelihood matches")]
        assert all(check.passed and check.tolerance < 1e-3 for check in matches), matches


def test_exposures_are_in_no_log_gamma_function():
    X = np.random.default_rng(1).poisson(5, size=(20, 2))
    of_trials = rounding_of_counts(prepare(X, BMM(n_trials=10**6), 1))
    assert of_trials == pytest.approx(rounding_of_counts(prepare(np.full((20, 2), 10**6), PMM(), 1)))
    assert rounding_of_counts(prepare(X, PMM(exposure=1e6), 1)) == rounding_of_counts(prepare(X, PMM(), 1)) < of_trials


def test_two_items_do_not_identify_two_classes_and_their_margins_agree():
    rng = np.random.RandomState(0)
    X = np.where(rng.random((50, 1)) < 0.5, rng.choice(3, (50, 2), p=[0.7, 0.2, 0.1]), rng.choice(3, (50, 2)))
    comparison = compare(X.astype(float), "cmm", 2, draws=500, tune=250, chains=2)
    assert comparison.verdict == "not identified", comparison.explanation
    (margins,) = [
        check for check in comparison.checks if check.name == "identified quantity sum_k weights_k probs_k agrees"
    ]
    assert margins.passed


def test_a_likelihood_that_runs_away_has_no_maximum_but_a_map():
    dataset = load("collapsing")
    comparison = compare(dataset.X, "gmm", 2, draws=250, tune=250)
    assert comparison.mle.n_collapsed_ == 10
    names = {check.name: check.passed for check in comparison.checks}
    assert "MLE is stationary" not in names
    assert names["find_MAP = MAP-EM"]
    assert comparison.verdict == "no maximum", comparison.explanation
    assert all(np.isfinite(array).all() for array in comparison.mle.parameters_.arrays().values())


def test_restarts_that_collapsed_are_in_the_status_and_no_warning_of_the_comparison():
    X = np.random.default_rng(2).normal(size=(150, 2)) + np.repeat([[0, 0], [5, 6]], 75, axis=0)
    X[3, 0] = -999
    fits = fit(prepare(X, "gmm", 2))  # warnings are errors here
    assert fits.mle.n_collapsed_ > 5
    assert f"of which {fits.mle.n_collapsed_} collapsed and were not ranked" in fits.mle.status_


def before_find_map(X, **settings):
    """Return what `find_map_checks` takes, of draws made up about EM's answer."""
    fits = fit(prepare(X, "gmm", 2, draws=250, **settings))
    with without_c_compiler, pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons.posterior, "sample", draws_around)
        densities = Densities(fits)
        return fits, draw(fits, densities, lambda done: None), densities


@pytest.fixture(scope="module")
def one_cloud():
    """Of twelve samples of one cloud the posterior has many modes, and PyMC may find the best one from no draw."""
    return before_find_map(np.random.default_rng(3).normal(size=(12, 1)))


@pytest.fixture(scope="module")
def two_clouds():
    return before_find_map(np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None], n_init=1)


@pytest.mark.parametrize("ends", ["lesser maximum", "anywhere"])
def test_find_map_in_a_lesser_maximum_is_held_to_map_em_from_there(ends, one_cloud, monkeypatch):
    fits = one_cloud[0]
    below = (fits.X[:, 0] < np.sort(fits.X[:, 0])[3]).astype(int)
    other = GaussianMixtureEM(2, prior=fits.prior, init=below, tol=1e-12).fit(fits.X)
    answer = other.parameters_.arrays()
    if ends == "anywhere":
        answer["means"] = answer["means"] + 0.01
    monkeypatch.setattr(comparisons.posterior, "find_map", lambda model, start: answer)
    checks = {check.name: check for check in find_map_checks(*one_cloud)[0]}
    lower = fits.map.objective_ - other.objective_
    assert lower > 0.1
    if ends == "lesser maximum":
        assert f"ends lower from every start, the last time by {lower:.3g} nats" in checks["find_MAP = MAP-EM"].reason
    assert checks["find_MAP = MAP-EM"].passed == (ends == "lesser maximum")
    assert checks["find_MAP moved"].passed is None


def test_another_maximum_is_told_from_an_optimiser_that_stopped_on_the_way():
    for apart, gain, lesser in [(3.0, -0.2, True), (3.0, 0.2, False), (0.01, -1e-4, False), (np.nan, np.nan, False)]:
        assert is_lesser(apart, gain) == lesser


@pytest.mark.parametrize("answer", ["better", "near", "nan"])
def test_another_answer_than_map_em_is_told_unless_it_is_a_lesser_maximum(answer, two_clouds, monkeypatch):
    """A better one, one that an optimiser stopped at on the way, and one that is no number all fail."""
    ends = {
        "better": lambda start: {**start, "means": 0 * start["means"] + two_clouds[0].X.mean()},
        "near": lambda start: {**start, "means": np.sort(start["means"], axis=0) * 0 + [[0.001], [10.0]]},
        "nan": lambda start: {**start, "means": np.nan * start["means"]},
    }
    monkeypatch.setattr(comparisons.posterior, "find_map", lambda model, start: ends[answer](start))
    (check,) = [check for check in find_map_checks(*two_clouds)[0] if check.name == "find_MAP = MAP-EM"]
    assert check.passed is False


def test_a_maximum_with_other_labels_is_the_same_maximum(two_clouds, monkeypatch):
    """A draw between components that overlap may lead PyMC to them in another order."""
    swapped = two_clouds[0].map.parameters_.permute([1, 0]).arrays()
    monkeypatch.setattr(comparisons.posterior, "find_map", lambda model, start: swapped)
    assert all(check.passed for check in find_map_checks(*two_clouds)[0])


def test_from_a_chain_that_stays_near_the_maximum_no_distance_is_asked(two_clouds, monkeypatch):
    """Another chain, in a mode of its own, makes the posterior sd large; then how far PyMC moved tells nothing."""
    fits, draws, densities = two_clouds
    best = fits.map.parameters_.arrays()
    monkeypatch.setattr(comparisons.posterior, "find_map", lambda model, start: best)
    tree = draws.posterior.copy()
    far = tree["posterior"].to_dataset().copy(deep=True)
    for name in best:
        far[name][:] = best[name]
        far[name][1:] += 1e-3
    tree["posterior"] = far
    checks = {check.name: check for check in find_map_checks(fits, replace(draws, posterior=tree), densities)[0]}
    assert checks["find_MAP = MAP-EM"].passed
    assert checks["find_MAP moved"].passed is None


def test_whether_the_mle_is_stationary_is_told_along_axes_that_the_data_know():
    """Two components of the same probs: their weights have any value, and no curvature."""
    X = np.random.RandomState(0).binomial(3, 0.6, size=(40, 1)).astype(float)
    with without_c_compiler:
        flat = UnconstrainedDensity(BMM(n_trials=3).build_marginal_model(X, 2, None), jacobian=False)
    alike = X.mean() / 3 * np.ones((2, 1))
    for probs, stationary in [(alike, True), (alike + 1e-4, False)]:
        at = flat.unconstrain({"weights": np.array([0.6, 0.4]), "probs": probs})
        errors = np.abs(flat.gradient_in_errors(at, np.ones(flat.size, dtype=bool)))
        assert (errors.max() < 1e-5) == stationary


def test_the_gradient_in_errors_is_a_newton_step_of_the_likelihood():
    """Half of its squared length is what a step to the maximum gains, in nats: next to it, where it is quadratic."""
    X = np.random.RandomState(1).normal([0, 1], [1, 10], size=(50, 2)) @ np.array([[1, 0], [0.9, 1]])
    with without_c_compiler:
        flat = UnconstrainedDensity(GMM().build_marginal_model(X, 1, None), jacobian=False)
    moments = {"means": X.mean(axis=0)[None], "covariances": np.cov(X.T, bias=True)[None]}
    best = flat.unconstrain({"weights": np.ones(1), **moments})
    there = best * (1 + 1e-3)
    errors = flat.gradient_in_errors(there, np.ones(flat.size, dtype=bool))
    gained = flat.value_and_gradient(best)[0] - flat.value_and_gradient(there)[0]
    assert errors @ errors / 2 == pytest.approx(gained, rel=0.02)


@pytest.mark.parametrize("unit", [1e-9, 1e-30, 1e9])
def test_whether_the_mle_is_stationary_is_told_in_any_units(unit):
    """A step from one cluster past the others, as 1e-6 is in metres where clusters are nanometres wide, finds none."""
    rng = np.random.RandomState(0)
    X = unit * np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(6, 1, (40, 2))])
    with without_c_compiler:
        flat = UnconstrainedDensity(GMM().build_marginal_model(X, 2, None, precise=True), jacobian=False)
    fit = GaussianMixtureEM(2, random_state=0).fit(X)
    for moved, stationary in [(0.0, True), (1e-3 * unit, False)]:
        at = flat.unconstrain(fit.parameters_.arrays() | {"means": fit.parameters_.means + moved})
        errors = np.abs(flat.gradient_in_errors(at, np.ones(flat.size, dtype=bool)))
        assert (errors.max() < 1e-5) == stationary


def test_draws_above_the_estimate_ask_for_more_restarts(two_clouds):
    beaten = Check("no draw beats the MLE", 0.5, 1e-9, "", passed=False)
    verdict, why = verdict_of(two_clouds[0], [beaten])
    assert verdict == "disagree"
    assert "A draw is 0.5 nats above EM's best" in why
    assert "n_init=4 (--restarts 4)" in why
    short = Check("MLE is stationary", 1e-3, 1e-5, "", passed=False)  # EM stopped before its limit: no restart helps
    assert "restarts" not in verdict_of(two_clouds[0], [beaten, short])[1]


def test_samples_with_missing_cells_are_worth_fewer_whole_ones():
    """Of two features that have nothing to do with each other one is seen in half of the rows."""
    X = np.random.RandomState(0).normal(size=(400, 2))
    assert fit(prepare(X, "gmm", 1)).labelled == pytest.approx(400)
    X[:200, 1] = np.nan
    assert fit(prepare(X, "gmm", 1)).labelled == pytest.approx(200, rel=0.05)


def test_samples_are_counted_by_the_rate_of_em_next_to_its_limit():
    """On its way from the MAP estimate EM crosses a plateau of a hundred iterations, where gains grow."""
    X = load("faithful").X.copy()
    X[::3, 0] = X[1::5, 1] = np.nan
    fits = fit(prepare(X, "gmm", 2, n_init=5, random_state=0))

    def means(n_iter):
        start = {"init": fits.map.parameters_, "acceleration": None, "tol": 1e-14, "max_iter": n_iter}
        with left_to_the_status():
            return fits.fit_by_em(**start).means_

    limit = means(1000)
    rate = np.linalg.norm(means(140) - limit) / np.linalg.norm(means(139) - limit)
    assert fits.labelled == pytest.approx(len(fits.X) * (1 - rate), rel=0.05)


def test_estimates_on_the_boundary_are_not_held_to_a_mean():
    fits = fit(prepare(np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 1.0]] * 20), "bmm", 1))
    assert why_on_edge(fits, fits.mle.parameters_)
    assert not why_on_edge(fits, fits.map.parameters_)


@pytest.mark.parametrize("family", family_classes())
def test_every_standard_case_is_a_data_set_of_its_family(family):
    for case in family.cases:
        assert load(case.data).family == family.name


def test_another_k_than_declared_declares_agreement_and_judges_no_distances():
    assert GMM.case("faithful", 3, {}) == Case("faithful", 3)


class _Console:
    def print(self, text):
        self.text = text


@pytest.mark.parametrize(
    ("verdict", "declared", "code"),
    [
        ("agree", "agree", 0),
        ("disagree", "agree", 1),
        ("not identified", "not identified", 0),
        ("not identified", "agree", 1),
        ("agree", None, 0),
        ("disagree", None, 1),
        ("not identified", None, 0),
        ("inconclusive", None, 0),
        ("inconclusive", "agree", 1),
        ("no maximum", None, 0),
    ],
)
def test_exit_codes(verdict, declared, code):
    case = None if declared is None else Case("any", 2, verdict=declared)
    assert exit_code(verdict, case, _Console()) == code


@pytest.mark.parametrize(("family", "data"), [("gmm", "waiting"), ("bmm", "lsat7")])
def test_a_single_component_agrees_in_closed_form(family, data):
    X = load("faithful").X[:, 1:] if data == "waiting" else load(data).X
    comparison = compare(X, family, 1, draws=600, tune=100)
    assert comparison.verdict == "agree", comparison.explanation


def test_a_map_on_the_boundary_is_no_crash():
    X = np.array([[1, 0, 1], [1, 0, 0], [1, 1, 1], [1, 0, 1]] * 20)
    prior = BMMPrior(concentration=2.0, successes=1.0, failures=1.0)
    comparison = compare(X, "bmm", 1, prior=prior, draws=250, tune=100)
    assert comparison.verdict in ("agree", "disagree")
    assert np.isfinite([check.value for check in comparison.checks]).all()


@pytest.mark.parametrize(
    "truth",
    [
        GMMParameters([0.5, 0.5], np.zeros((2, 2)), [np.eye(2)] * 2),
        GMMParameters([0.5, 0.5], np.zeros((2, 3)), np.eye(3), "tied"),
        GMMParameters([1.0], np.zeros((1, 2)), np.eye(2), "tied"),
    ],
    ids=["structure", "features", "components"],
)
def test_a_truth_of_another_shape_is_refused_before_any_work(truth):
    with pytest.raises(ValueError, match="truth must be a GMMParameters of 2 components and 2 features"):
        compare(load("faithful").X, "gmm", 2, covariance_type="tied", truth=truth)


def test_columns_never_seen_together_are_not_identified_and_their_ridge_is_drawn(tmp_path, monkeypatch, capsys):
    names = ["covariances[0, 0, 1]", "covariances[1, 0, 1]"]
    rng = np.random.default_rng(5)
    X = np.concatenate([rng.normal(size=(25, 3)), rng.normal(size=(25, 3)) + 6])
    X[::2, 0] = X[1::2, 1] = np.nan
    said = Identifiability(False, 8, 9, "columns 0 and 1 are never observed together", dict.fromkeys(names, 1.0))
    fit_as_ever = GaussianMixtureEM.fit

    def fit_and_say(self, *args, **kwargs):
        if isinstance(self.init, GMMParameters):
            self.max_iter = 200  # enough for most of the ridge's 40 starts; two take 5,000
        fit_as_ever(self, *args, **kwargs).identifiability_ = said
        return self

    monkeypatch.setattr(GaussianMixtureEM, "fit", fit_and_say)
    monkeypatch.setattr(comparisons.posterior, "sample", draws_around)
    monkeypatch.setattr(comparisons.comparison.steps, "find_map_checks", lambda *args: ([], None))
    comparison = compare(X, "gmm", 2, draws=250, tune=100, n_init=2)
    assert comparison.verdict == "not identified", comparison.explanation
    assert "columns 0 and 1 are never observed together. Only identified and MAP" in comparison.explanation
    assert comparison.reference is comparison.map.parameters_
    assert all(row["mle"] is None for row in comparison.estimates)
    (check,) = [check for check in comparison.checks if check.name.startswith("identified quantity")]
    assert check.name == "identified quantity sum_k weights_k means_k agrees"
    assert check.passed is None
    answers = plots._answers_from_anywhere(comparison)
    monkeypatch.setattr(plots, "_answers_from_anywhere", lambda _: answers)  # computed once, since it takes seconds
    comparison.save(tmp_path)
    assert (tmp_path / "ridge.png").exists()
    comparison.print()
    assert "Verdict: not identified" in capsys.readouterr().out
    of_entry = [[answer.covariances[k, 0, 1] for answer in answers] for k in (0, 1)]
    assert 20 < len(answers) <= 40
    assert np.ptp(of_entry, axis=1).min() > 0.5  # other correlations, the same likelihood
    likelihoods = [comparison.family.e_step(X, answer)[1] for answer in answers]
    np.testing.assert_allclose(likelihoods, comparison.mle.log_likelihood_, atol=1e-3)
    comparison.mle.identifiability_ = replace(said, free_direction={names[1]: 1.0})
    left, _ = plots.ridge_figure(comparison).axes
    assert (left.get_xlabel(), left.get_ylabel()) == (names[1], "density")


def test_the_rounding_of_a_prior_is_that_of_its_log_gamma_functions():
    X = np.random.default_rng(4).integers(2, size=(50, 4))
    problem = prepare(X, "bmm", 2, BMMPrior(2.0, 1e10, 1e10))
    assert 1e-5 < rounding_of_prior(problem) < 1e-2
    assert rounding_of_prior(replace(problem, prior=BMMPrior())) < 1e-14
