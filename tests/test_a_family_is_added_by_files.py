"""The recipe of CONTRIBUTING.md, copied into a folder of its own, is a family with everything that the others have."""

import doctest
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from random_mixtures import all_labellings
from scipy.special import logsumexp
from scipy.stats import expon, gamma, nbinom
from toy_families import log_densities, recipe, toy, waiting
from typer.testing import CliRunner

import em
from comparisons import compare
from comparisons.calibration import calibrate, simulators
from comparisons.calibration.simulations import Setting
from comparisons.comparison.command import application
from comparisons.comparison.problem import prepare
from comparisons.data import read
from comparisons.evidence import chib_evidence
from comparisons.evidence.exact import exact_posterior
from comparisons.explorer.controls import choices
from comparisons.families import family_class
from em.gibbs import gibbs
from em.variational import variational

MOST_LINES = 250
negbin, waiting_times = toy("negbin", recipe()), toy("waiting", waiting())
TRUE_PROBS, TRUE_RATES = np.array([[0.1, 0.5], [0.6, 0.2]]), np.array([[0.2, 3.0], [4.0, 0.5]])


@pytest.fixture(scope="module", name="X")
def samples():
    rng = np.random.RandomState(0)
    return rng.geometric(TRUE_PROBS[rng.randint(2, size=300)]) - 1.0


@pytest.fixture(scope="module")
def fit(negbin, X):
    return em.NegbinMixtureEM(2, random_state=0, tol=1e-13).fit(X)


def test_it_takes_few_lines():
    assert sum(text.count("\n") for text in recipe().values()) <= MOST_LINES


def test_its_examples_are_true(negbin):
    assert em.NegbinMixtureEM.__module__ == "em.negbin.estimator"  # which loads it
    modules = [name for name in list(sys.modules) if name.split(".")[1:2] == ["negbin"]]
    tried = [doctest.testmod(sys.modules[name]) for name in modules]
    assert (sum(result.failed for result in tried), sum(result.attempted for result in tried) > 5) == (0, True)


@pytest.mark.parametrize("D", [1, 2])
def test_it_is_drawn_without_a_file_for_it(negbin, X, D):
    fit = em.NegbinMixtureEM(2, n_init=1, random_state=0).fit(X[:, :D])
    ax = em.plots.plot(fit, X[:, :D], Figure().subplots())
    drawn = {line.get_label().split(":")[0]: line.get_ydata() for line in ax.lines}
    for k in range(2):
        if D == 1:  # probabilities of the counts
            x = np.arange(len(drawn["mixture"]))
            expected = fit.weights_[k] * fit.probs_[k, 0] * (1 - fit.probs_[k, 0]) ** x
        else:  # the profile over features
            expected = fit.probs_[k]
        np.testing.assert_allclose(drawn[f"component {k}"], expected)


def test_maximum_likelihood_is_that_of_em_by_hand(fit, X):
    """p_k = N_k / Σ r_ik (1 + x_i), from the start that the fit ended near to."""
    weights, probs = np.array([0.5, 0.5]), fit.probs_ * 0.9
    for _ in range(2000):
        log_joint = np.log(weights) + (np.log(probs) + X[:, None] * np.log(1 - probs)).sum(axis=2)
        r = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
        weights, probs = r.mean(axis=0), r.sum(axis=0)[:, None] / (r.T @ (1 + X))
    np.testing.assert_allclose(fit.probs_, probs, rtol=1e-6)
    np.testing.assert_allclose(fit.weights_, weights, rtol=1e-6)
    assert fit.log_likelihood_ == pytest.approx(logsumexp(log_joint, axis=1).sum(), abs=1e-8)
    assert fit.identifiability_.identified
    assert "free parameters" in fit.identifiability_.sentence


def test_map_weights_missing_cells_frozen_and_sparse_counts(negbin, fit, X):
    from scipy.sparse import csr_array

    prior, Estimator = negbin["models"].NegbinPrior(3.0, 2.0, 4.0), em.NegbinMixtureEM
    mode = Estimator(1, prior=prior).fit(X)
    np.testing.assert_allclose(mode.probs_[0], (300 + 1) / ((1 + X).sum(axis=0) + 4))
    twice = Estimator(2, init=fit.parameters_).fit(X, sample_weight=np.full(300, 2.0))
    np.testing.assert_allclose(twice.log_likelihood_, 2 * fit.log_likelihood_, rtol=1e-9)
    holes = np.where(np.random.RandomState(1).uniform(size=X.shape) < 0.3, np.nan, X)
    alone = Estimator(1).fit(holes).probs_[0]
    np.testing.assert_allclose(alone, [1 / (1 + column[~np.isnan(column)].mean()) for column in holes.T])
    held = Estimator(2, frozen={"probs": TRUE_PROBS}, random_state=0).fit(holes)
    np.testing.assert_array_equal(held.probs_, TRUE_PROBS)
    sparse = Estimator(2, init=fit.parameters_, tol=1e-13).fit(csr_array(X))
    np.testing.assert_allclose(sparse.probs_, fit.probs_, rtol=1e-6)
    assert np.isfinite(fit.impute(holes)).all()


def test_standard_errors_are_those_of_the_numerical_hessian(negbin, fit, X):
    e_step, Parameters = negbin["em"].e_step, negbin["models"].NegbinParameters

    def minus_log_likelihood(vector):
        return -e_step(X, Parameters([vector[0], 1 - vector[0]], vector[1:].reshape(2, 2)))[1]

    at, steps = np.concatenate([fit.weights_[:1], fit.probs_.ravel()]), 1e-4 * np.eye(5)
    hessian = [
        [sum(s * t * minus_log_likelihood(at + s * a + t * b) for s in (1, -1) for t in (1, -1)) / 4e-8 for a in steps]
        for b in steps
    ]
    uncertainty = fit.uncertainty(X)
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(uncertainty.standard_errors, [errors[0], *errors], rtol=1e-3)


def test_a_saved_fit_is_loaded(fit, X, tmp_path):
    em.save(fit, tmp_path / "fit.json")
    loaded = em.load(tmp_path / "fit.json")
    np.testing.assert_array_equal(loaded.predict_proba(X), fit.predict_proba(X))


@pytest.mark.parametrize("cells", ["complete", "missing"])
def test_both_models_and_em_are_one_mixture_by_enumeration(negbin, cells):
    package, Parameters = negbin["models"], negbin["models"].NegbinParameters
    theta, prior = Parameters([0.3, 0.7], TRUE_PROBS), package.NegbinPrior(1.5, 2.0, 3.0)
    rows = np.array([[0, 1], [5, 0], [12, 3], [2, 2.0]])
    if cells == "missing":
        rows[1, 0] = rows[3] = np.nan
    by_hand = np.log(theta.weights) + np.nansum(nbinom.logpmf(rows[:, None], 1, theta.probs), axis=2)
    expected = logsumexp(by_hand, axis=1).sum()
    assert log_densities(negbin, rows, theta, prior) == pytest.approx([expected] * 3, abs=1e-10)


def beta_evidence(rows):
    """Return log p(rows | one component) under Beta(2, 3), by hand."""
    from scipy.special import betaln

    return float((betaln(2 + len(rows), 3 + rows.sum(axis=0)) - betaln(2, 3)).sum())


def gamma_evidence(rows):
    """Return log p(rows | one component) under Gamma(2, rate 3), by hand."""
    from scipy.special import gammaln

    n, total = len(rows), rows.sum(axis=0)
    return float((2 * np.log(3) - gammaln(2) + gammaln(2 + n) - (2 + n) * np.log(3 + total)).sum())


def assert_bayes_agrees(rows, prior, of_component):
    """Exact evidence is the sum over labels by hand; Chib and mean field agree with it."""
    labels = all_labellings(2, len(rows))
    counts = np.stack([(labels == k).sum(axis=1) for k in range(2)], axis=1)
    of_labels = [np.prod(1.0 / (4 + np.arange(len(rows)))) * np.prod([_rising(2, m) for m in own]) for own in counts]
    terms = [
        np.log(p) + sum(of_component(rows[z == k]) for k in range(2)) for p, z in zip(of_labels, labels, strict=True)
    ]
    exact = exact_posterior(rows, 2, prior)
    assert exact.log_evidence == pytest.approx(logsumexp(terms), abs=1e-10)
    draws = gibbs(rows, 2, prior, draws=2000, random_state=0)
    chib = chib_evidence(rows, draws, prior)
    assert chib.log_evidence == pytest.approx(exact.log_evidence, abs=5 * chib.standard_error + 1e-3)
    mean_field = variational(rows, 2, prior, random_state=0)
    assert exact.log_evidence - 3 < mean_field.elbo < exact.log_evidence
    alike = (draws["z"][..., 0] == draws["z"][..., 1]).mean()
    assert alike == pytest.approx(exact.co_clustering[0, 1], abs=0.05)


def _rising(a, m):
    return np.prod(a + np.arange(m))


def test_evidence_gibbs_and_mean_field_agree(negbin):
    rows = np.array([[0, 1], [5, 0], [12, 3], [2, 2.0]])
    assert_bayes_agrees(rows, negbin["models"].NegbinPrior(2.0, 2.0, 3.0), beta_evidence)


def test_the_comparison_agrees(negbin, X):
    comparison = compare(X, "negbin", 2, draws=500, tune=250, n_init=2, random_state=1)
    assert comparison.verdict == "agree", comparison.explanation


def test_a_sum_of_probs_that_is_not_the_mean_is_not_judged(negbin):
    """Components that overlap: the mean (1 - p) / p of a sample is known, Σ_k π_k p_k is not."""
    rng = np.random.RandomState(6)
    probs = np.array([[0.5, 0.7], [0.6, 0.6]])
    X = rng.geometric(probs[rng.choice(2, size=300, p=[0.4, 0.6])]) - 1.0
    comparison = compare(X, "negbin", 2, draws=250, tune=250, n_init=3, random_state=6)
    (sum_of_probs,) = (check for check in comparison.checks if "sum_k weights_k probs_k" in check.name)
    assert sum_of_probs.passed is None
    assert comparison.verdict in ("agree", "inconclusive")


def test_its_command_line_names_it(negbin):
    shown = CliRunner().invoke(application("negbin"), ["--help"]).output
    assert "Negative binomial mixture" in shown.replace("\n", " ")
    assert "--n-successes" in shown


def test_it_is_calibrated(negbin, monkeypatch):
    for name, few in {"GIBBS_TUNE": 100, "GIBBS_DRAWS": 200, "GIBBS_THIN": 10}.items():
        monkeypatch.setattr(simulators, name, few)
    setting = Setting(negbin["models"].NegbinPrior(4.0, 2.0, 2.0), n_samples=40)
    assert calibrate(setting, samplers=["Gibbs"], n_simulations=20)["Gibbs"].passed()


def test_waiting_times_follow_the_same_recipe(waiting):
    package = waiting["models"]
    rng = np.random.RandomState(3)
    X = rng.exponential(1 / TRUE_RATES[rng.randint(2, size=300)])
    alone = em.WaitingMixtureEM(1).fit(X)
    np.testing.assert_allclose(alone.rates_[0], 1 / X.mean(axis=0))
    assert alone.log_likelihood_ == pytest.approx(expon(scale=X.mean(axis=0)).logpdf(X).sum())
    prior = package.WaitingPrior(2.0, 2.0, 3.0)
    mode = em.WaitingMixtureEM(1, prior=prior).fit(X)
    np.testing.assert_allclose(mode.rates_[0], (300 + 1) / (X.sum(axis=0) + 3))
    assert em.WaitingMixtureEM(2, random_state=0).fit(X).identifiability_.identified
    assert_bayes_agrees(X[:4], prior, gamma_evidence)
    with pytest.raises(ValueError, match=r"X must hold positive numbers, got .* X\[0, 0\] = -1"):
        em.WaitingMixtureEM(1).fit([[-1.0], [2.0]])
    comparison = compare(X, "waiting", 2, draws=500, tune=500, n_init=2, random_state=1)
    assert comparison.verdict == "agree", comparison.explanation


def test_cells_of_other_sizes_are_sums_of_waiting_times(waiting):
    """x ~ Gamma(s, rate λ) of known s: EM, missing cells, and the comparison that is told s by the estimator's name."""
    package, rng = waiting["models"], np.random.RandomState(4)
    shapes = rng.choice([0.5, 2.0, 7.0], size=(300, 2))
    X = rng.gamma(shapes, 1 / TRUE_RATES[rng.randint(2, size=300)])
    X[rng.uniform(size=X.shape) < 0.2] = np.nan
    alone, seen = em.WaitingMixtureEM(1, shape=shapes).fit(X), ~np.isnan(X)
    np.testing.assert_allclose(alone.rates_[0], (shapes * seen).sum(axis=0) / np.nansum(X, axis=0))
    by_hand = gamma.logpdf(X[seen], shapes[seen], scale=1 / np.broadcast_to(alone.rates_, X.shape)[seen]).sum()
    assert alone.log_likelihood_ == pytest.approx(by_hand)
    comparison = compare(
        X, "waiting", 2, package.WaitingPrior(), shape=shapes, draws=500, tune=500, n_init=2, random_state=1
    )
    assert comparison.verdict == "agree", comparison.explanation


@pytest.mark.parametrize("unit", [1.0, 1e-4, 1e4])
def test_the_default_prior_of_rates_is_on_the_scale_of_the_data(waiting, unit):
    rng = np.random.RandomState(6)
    X = rng.exponential(1 / TRUE_RATES[rng.randint(2, size=200)])
    problem = prepare(X * unit, "waiting", 2)
    np.testing.assert_allclose(problem.prior.rate, X.mean(axis=0) * unit, rtol=1e-12)


def test_a_number_of_the_prior_is_not_taken_for_the_size_of_its_name(waiting):
    prior = waiting["models"].WaitingPrior(shape=4.0)
    assert Setting(prior).family.of_data == {"shape": 1.0}
    assert Setting(prior, options={"shape": 2.5}).family.of_data == {"shape": 2.5}


def test_two_positive_features_have_contours_and_counts_have_none(negbin, waiting, X):
    rng = np.random.RandomState(5)
    times = rng.exponential(1 / TRUE_RATES[rng.randint(2, size=50)])
    fit = em.WaitingMixtureEM(2, n_init=1, random_state=0).fit(times)
    ax = em.plots.plot_anomaly_detection(fit, times, Figure().subplots())
    assert [collection for collection in ax.collections if len(collection.get_paths()) > 1]
    counts = em.NegbinMixtureEM(1).fit(X)
    for plot in (em.plots.plot_density_contours, em.plots.plot_decision_boundaries, em.plots.plot_anomalies):
        with pytest.raises(ValueError, match=r"got a NegbinMixtureEM, whose cells are whole numbers: em\.plots\.plot"):
            plot(counts, X)


def test_positive_numbers_are_no_counts(waiting, tmp_path, monkeypatch):
    """The explorer lists them with continuous data, where there are some, and an empty cell of a file is no 0."""
    assert "waiting" not in choices().values()
    monkeypatch.setattr(family_class("waiting"), "datasets", {"days": None})
    assert list(choices().values())[:2] == ["gmm", "waiting"]
    (tmp_path / "days.csv").write_text("a,b\n1,3\n,5\n2,1\n4,2\n1,7\n", encoding="utf-8")
    of_counts, of_times = (" ".join(read(tmp_path / "days.csv", family).notes) for family in ("pmm", "waiting"))
    assert ("no 0, but empty cells" in of_counts, "no 0, but empty cells" in of_times) == (True, False)
