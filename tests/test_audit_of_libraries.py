"""Adapters read fits of other libraries by their attributes, whether these are installed or not."""

import json

import numpy as np
import pandas as pd
import pytest
import typer
from mixtures_of_others import X, right, stand_in
from typer.testing import CliRunner

import em
from comparisons import audit
from comparisons.auditing.__main__ import main
from comparisons.auditing.libraries import recognise
from models.bmm import BMMParameters, simulate
from models.cmm import CMMParameters
from models.cmm import simulate as simulate_levels

THETA = BMMParameters([0.4, 0.6], [[0.1, 0.2, 0.1, 0.3], [0.9, 0.7, 0.8, 0.6]])
Y = simulate(THETA, 300, random_state=0)[0]


def stepmix(measurement, weights, own, fit, Y, **more):
    """Return a stand-in whose methods are those of a fit of this project."""
    known = {"weights": weights, "measurement": own, "measurement_in": Y.shape[1]}
    settings = {"abs_tol": 1e-10, "rel_tol": 0.0, "max_iter": 1000, "n_iter_": 9, "n_components": len(weights)}
    methods = {name: getattr(fit, name) for name in ("score", "predict", "predict_proba", "bic", "aic")}
    settings |= {"measurement": measurement, "measurement_params": None, "weights_": weights}
    settings |= {"get_parameters": lambda: known, "lower_bound_": fit.score(Y), **methods, **more}
    return stand_in("stepmix.stepmix", "StepMix", **settings)


def test_stepmix_of_binary_items_is_read():
    fit = em.BernoulliMixtureEM(2, random_state=0, tol=1e-10).fit(Y)
    audited = audit(stepmix("binary", fit.weights_, {"pis": fit.probs_}, fit, Y), Y, n_init=3)
    assert audited.verdict == "right", str(audited)
    smoothed = 0.9 * fit.probs_ + 0.05
    assert (
        audit(stepmix("binary", fit.weights_, {"pis": smoothed}, fit, Y), Y, n_init=3)["stationary"].verdict == "wrong"
    )


def test_stepmix_of_items_with_levels_is_read_without_its_padding():
    theta = CMMParameters(
        [0.5, 0.5], [[0.7, 0.2, 0.1, 0.9, 0.1, 0.8, 0.2], [0.1, 0.2, 0.7, 0.2, 0.8, 0.3, 0.7]], (3, 2, 2)
    )
    Z = simulate_levels(theta, 400, random_state=0)[0].astype(int)
    fit = em.CategoricalMixtureEM(2, random_state=0, tol=1e-10).fit(Z)
    padded = np.zeros((2, 9))
    padded[:, [0, 1, 2, 3, 4, 6, 7]] = fit.probs_
    own = {"pis": padded, "max_n_outcomes": 3, "total_outcomes": 7}
    audited = audit(stepmix("categorical", fit.weights_, own, fit, Z), Z, n_init=3)
    assert audited["stationary"].verdict == audited["scores"].verdict == "right", str(audited)


def test_stepmix_with_unit_variances_is_a_gaussian_mixture_with_these_held():
    ones = np.ones(2)
    fit = em.GaussianMixtureEM(2, covariance_type="spherical", frozen={"covariances": ones}, random_state=0).fit(
        X / [1, 10]
    )
    given = stepmix("gaussian_unit", fit.weights_, {"means": fit.means_}, fit, X / [1, 10])
    assert audit(given, X / [1, 10], n_init=3).verdict == "right"


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"measurement": {"a": {}}}, "nested"), ({"get_parameters": lambda: {"structural": {}}}, "structural")],
)
def test_what_stepmix_has_beyond_mixtures_is_refused(changed, message):
    fit = em.BernoulliMixtureEM(2, random_state=0).fit(Y)
    given = stepmix("binary", fit.weights_, {"pis": fit.probs_}, fit, Y)
    vars(given).update(changed)
    if "measurement" in changed:
        given.get_parameters = lambda: {"weights": fit.weights_, "measurement": {}}
    with pytest.raises(ValueError, match=message):
        recognise(given, None, {})


def hmm(name, weights, **more):
    shared = {"startprob_": weights, "transmat_": np.tile(weights, (len(weights), 1)), "tol": 1e-2, "n_iter": 10}
    return stand_in("hmmlearn.hmm", name, params="stmc", **{**shared, **more})


def test_an_hmm_whose_states_are_independent_is_a_mixture_and_its_prior_is_found():
    fit = em.GaussianMixtureEM(2, covariance_type="diag", random_state=0, tol=1e-12).fit(X)
    matrices = fit.covariances_[:, :, None] * np.eye(2)
    shared = {"covariance_type": "diag", "n_components": 2, "means_": fit.means_}
    shared |= {"score": lambda Z: fit.score(Z) * len(Z), "predict_proba": fit.predict_proba}
    good = hmm("GaussianHMM", fit.weights_, covars_=matrices, covars_prior=0.0, **shared)
    assert audit(good, X, n_init=3).verdict == "right"
    prior = hmm("GaussianHMM", fit.weights_, covars_=matrices, covars_prior=5.0, **shared)
    assert "covars_prior=5" in audit(prior, X, n_init=3)["regularisation"].finding


def test_a_single_state_of_a_gmmhmm_is_a_mixture():
    fit = right()
    state = {"weights_": fit.weights_[None], "means_": fit.means_[None], "covars_": fit.covariances_[None]}
    shared = {"covariance_type": "full", "score": lambda Z: fit.score(Z) * len(Z)}
    assert audit(hmm("GMMHMM", np.ones(1), **state, **shared), X, n_init=3).verdict == "right"


def test_mclust_has_features_first():
    fit = right()
    own = {"pro": fit.weights_, "mean": fit.means_.T, "variance": {"sigma": np.moveaxis(fit.covariances_, 0, -1)}}
    audited = audit({**own, "loglik": fit.score(X) * len(X)}, X, n_init=3)
    assert audited.verdict == "right"
    assert "loglik" in audited["log-likelihood"].finding


def test_the_command_audits_a_saved_fit_and_plain_arrays(tmp_path):
    app = typer.Typer()
    app.command()(main)
    em.save(em.GaussianMixtureEM(2, random_state=0).fit(X), tmp_path / "fit.json")
    run = CliRunner().invoke(app, ["--model", str(tmp_path / "fit.json"), "--data", "faithful"])
    assert run.exit_code == 0, run.output
    assert "Verdict: right" in run.output
    fit = right()
    plain = {"family": "gmm", "weights": fit.weights_.tolist(), "means": fit.means_.tolist()}
    plain["covariances"] = fit.precisions_.tolist()
    (tmp_path / "arrays.json").write_text(json.dumps(plain))
    report = ["--report", str(tmp_path / "audit.html")]
    run = CliRunner().invoke(app, ["--model", str(tmp_path / "arrays.json"), "--data", "faithful", *report])
    assert run.exit_code == 1, run.output
    assert "precisions" in run.output
    assert (tmp_path / "audit.html").exists()
    (tmp_path / "none.json").write_text("[]")
    assert CliRunner().invoke(app, ["--model", str(tmp_path / "none.json"), "--data", "faithful"]).exit_code == 2


def test_the_command_takes_the_columns_that_were_fitted(tmp_path):
    app = typer.Typer()
    app.command()(main)
    frame = pd.DataFrame(X, columns=["a", "b"])
    em.save(em.GaussianMixtureEM(2, random_state=0).fit(frame), tmp_path / "fit.json")
    frame.assign(c=frame["a"] ** 2).to_csv(tmp_path / "mine.csv", index=False)
    run = CliRunner().invoke(app, ["--model", str(tmp_path / "fit.json"), "--data", str(tmp_path / "mine.csv")])
    assert run.exit_code == 0, run.output
    assert "left out, not among --columns: c" in run.output


def test_a_feature_of_the_model_that_the_file_lacks_is_said(tmp_path):
    em.save(em.GaussianMixtureEM(1).fit(pd.DataFrame({"height": X[:, 0]})), tmp_path / "fit.json")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n2,1\n3,5\n")
    app, said = typer.Typer(), "Error: the file lacks a feature of the model: columns must name columns of the file"
    app.command()(main)
    of_files = ["--model", str(tmp_path / "fit.json"), "--data", str(tmp_path / "other.csv"), "--family", "gmm"]
    for asked, expected in [([], True), (["--columns", "height"], False)]:
        refused = CliRunner().invoke(app, [*of_files, *asked])
        assert (refused.exit_code, said in " ".join(refused.output.split())) == (2, expected)
