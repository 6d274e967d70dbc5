"""Fits by scikit-learn, and arrays, with a known fault: the audit says which one it is."""

import numpy as np
import pytest
from mixtures_of_others import (
    PRECISE,
    WHOLE,
    X,
    arrays,
    at_a_local_optimum,
    at_a_saddle,
    bayesian,
    blobs,
    edited,
    quietly_fitted,
    right,
)
from sklearn.mixture import GaussianMixture

from comparisons import audit
from em import PoissonMixtureEM

B = blobs()
WITH_A_POINT = np.vstack([B, np.full((8, 2), 30.0)])
COUNTS = np.random.RandomState(0).poisson([[2.0, 9.0, 5.0]] * 100 + [[7.0, 1.0, 4.0]] * 60)
WITH_A_CONSTANT = np.column_stack([X, np.ones(len(X))])


def fitted(Y, K=2, **settings):
    return quietly_fitted(GaussianMixture(K, **{"random_state": 0, **settings}), Y)


def off_diagonal(value):
    covariances = right().covariances_.copy()
    covariances[0, 0, 1] = covariances[0, 1, 0] = value
    return covariances


def scaled_as_unbiased():
    counts = len(X) * right().weights_
    return right().covariances_ * (counts / (counts - 1))[:, None, None]


# name: fit, data, options, lines that say it, a word of what they say
FAULTS = {
    "stopped by tol": lambda: (fitted(X, 3, tol=0.1), X, {}, ["stationary"], "tol=0.1"),
    "stopped by the default tol": lambda: (fitted(X, 3), X, {}, ["stationary"], "tol=0.001"),
    "stopped by max_iter": lambda: (fitted(X, max_iter=2, init_params="random"), X, {}, ["stationary"], "max_iter=2"),
    "large reg_covar": lambda: (
        fitted(B, 3, **{**PRECISE, "reg_covar": 0.5}),
        B,
        {},
        ["regularisation"],
        "reg_covar=0.5",
    ),
    "default reg_covar in small units": lambda: (
        fitted(B * 1e-3, 3, **{**PRECISE, "reg_covar": 1e-6}),
        B * 1e-3,
        {},
        ["regularisation"],
        "reg_covar=1e-06",
    ),
    "whole numbers": lambda: (fitted(WHOLE, **PRECISE), WHOLE, {}, ["scores", "criteria"], "integers"),
    "local optimum": lambda: (*at_a_local_optimum(), {}, ["best optimum"], "below the best"),
    "a repeated point": lambda: (fitted(WITH_A_POINT, 4, n_init=3), WITH_A_POINT, {}, ["components"], "distinct"),
    "a constant column": lambda: (fitted(WITH_A_CONSTANT), WITH_A_CONSTANT, {}, ["components"], "constant"),
    "saddle of two twins": lambda: (at_a_saddle(), X, {}, ["components", "best optimum"], "same"),
    "precisions as covariances": lambda: (
        arrays(right(), covariances=right().precisions_),
        X,
        {"family": "gmm"},
        ["mixture"],
        "precisions",
    ),
    "precisions in the attribute": lambda: (
        edited(covariances_=right().precisions_),
        X,
        {},
        ["mixture", "parts"],
        "precisions",
    ),
    "standard deviations as variances": lambda: (
        arrays(right(2, "diag"), covariances=np.sqrt(right(2, "diag").covariances_)),
        X,
        {"family": "gmm", "covariance_type": "diag"},
        ["mixture"],
        "standard deviations",
    ),
    "Cholesky factors as covariances": lambda: (
        arrays(right(), covariances=np.linalg.cholesky(right().covariances_)),
        X,
        {"family": "gmm"},
        ["mixture"],
        "L L'",
    ),
    "Cholesky factors of precisions": lambda: (
        arrays(right(), covariances=right().precisions_cholesky_),
        X,
        {"family": "gmm"},
        ["mixture"],
        "U U'",
    ),
    "standardised columns": lambda: (fitted((X - X.mean(0)) / X.std(0), **PRECISE), X, {}, ["mixture"], "standardised"),
    "centred columns": lambda: (fitted(X - X.mean(0), covariance_type="diag"), X, {}, ["mixture"], "centred columns"),
    "columns over their ranges": lambda: (
        fitted((X - X.min(0)) / np.ptp(X, axis=0), covariance_type="tied", **PRECISE),
        X,
        {},
        ["mixture"],
        "scaled to 0 .. 1",
    ),
    "columns in another order": lambda: (fitted(X[:, ::-1], **PRECISE), X, {}, ["mixture"], "the columns 1, 0 of X"),
    "our own fit of other columns": lambda: (
        PoissonMixtureEM(2, random_state=0).fit(COUNTS[:, [2, 0, 1]]),
        COUNTS,
        {},
        ["mixture"],
        "the columns 2, 0, 1 of X",
    ),
    "precisions_ changed by hand": lambda: (edited(precisions_=right().covariances_), X, {}, ["parts"], "precisions_"),
    "covariances_ changed by hand": lambda: (
        edited(covariances_=1.5 * right().covariances_),
        X,
        {},
        ["parts"],
        "inverses",
    ),
    "weights that sum to 1.2": lambda: (
        arrays(right(), weights=1.2 * right().weights_),
        X,
        {"family": "gmm"},
        ["mixture"],
        "sum to 1.2",
    ),
    "no covariance": lambda: (
        arrays(right(), covariances=off_diagonal(50.0)),
        X,
        {"family": "gmm"},
        ["mixture"],
        "positive definite",
    ),
    "weights in another order": lambda: (
        arrays(right(), weights=right().weights_[::-1]),
        X,
        {"family": "gmm"},
        ["mixture"],
        "weights are in another order of components than the rest",
    ),
    "means with features first": lambda: (
        arrays(right(), means=right().means_.T),
        X,
        {"family": "gmm"},
        ["mixture"],
        "transposed",
    ),
    "divisor n - 1": lambda: (
        arrays(right(), covariances=scaled_as_unbiased()),
        X,
        {"family": "gmm"},
        ["stationary"],
        "standard errors",
    ),
    "other data": lambda: (right(), X + np.array([0.5, 5.0]), {}, ["log-likelihood"], "not the data"),
    "a variational fit stopped early": lambda: (bayesian(max_iter=2), X, {}, ["stationary"], "own objective"),
    "a variational fit of whole numbers": lambda: (
        fitted_bayesian_of_whole_numbers(),
        WHOLE,
        {},
        ["scores"],
        "integers",
    ),
}


def fitted_bayesian_of_whole_numbers():
    return bayesian(tol=1e-6, max_iter=500).fit(WHOLE)


@pytest.mark.parametrize("name", FAULTS)
def test_a_known_fault_is_named(name):
    fit, Y, options, lines, word = FAULTS[name]()
    audited = audit(fit, Y, n_init=3, **options)
    assert audited.verdict != "right"
    said = [audited[line] for line in lines]
    assert {line.verdict for line in said} <= {"wrong", "warning"}, str(audited)
    assert any(word in line.finding for line in said), str(audited)
    assert any(line.remedy for line in said)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_a_fit_that_maximises_the_likelihood_is_right(kind):
    audited = audit(right(2, kind), X, n_init=3)
    assert audited.verdict == "right", str(audited)


def test_the_inverse_of_a_nearly_singular_covariance_is_as_exact_as_floats_allow():
    rng = np.random.RandomState(0)
    Y = np.column_stack([X[:, 0], X[:, 0] + 3e-6 * rng.normal(size=len(X))])
    fit = fitted(Y, **{**PRECISE, "reg_covar": 0})
    assert "parts" not in [line.name for line in audit(fit, Y, n_init=2).lines]
    fit.covariances_ = fit.covariances_ * 1.001
    assert audit(fit, Y, n_init=2)["parts"].verdict == "wrong"


def test_what_the_audit_says_to_do_is_done_and_then_all_is_right():
    audited = audit(fitted(X, 3), X)
    (call,) = {line.remedy.split("go on: ")[1] for line in audited.faults if "go on: " in line.remedy}
    again = eval(call, {"GaussianMixture": GaussianMixture, "audit": audited, "X": X})
    assert audit(again, X).verdict == "right"
    Y = WHOLE.astype(float)
    assert audit(fitted(Y, **PRECISE), Y).verdict == "right"


def test_a_collapse_that_our_restarts_avoid_has_one_remedy():
    Y = np.vstack([B, B[:1] + 1e-3, B[:1]])
    at_two_rows = {"means_init": [B[0], B.mean(axis=0) - 1, B.mean(axis=0) + 1]}
    at_two_rows["precisions_init"] = [np.eye(2) * 1e5, np.eye(2), np.eye(2)]
    audited = audit(fitted(Y, 3, **at_two_rows), Y, n_init=5)
    (remedy,) = {line.remedy for line in audited.faults}
    again = eval(
        remedy.removeprefix("start at the best: "), {"GaussianMixture": GaussianMixture, "audit": audited, "X": Y}
    )
    assert audit(again, Y, n_init=5).verdict == "right"


def test_a_variational_fit_is_held_to_its_own_objective():
    audited = audit(bayesian(tol=1e-9, max_iter=2000, n_init=3), X)
    assert audited.verdict == "right", str(audited)
    assert audited["regularisation"].verdict == audited["criteria"].verdict == "not applicable"
    assert "variational bound" in audited["regularisation"].finding


class OfTheLikeliest(GaussianMixture):
    """Its probabilities are those of the likeliest component alone, shape (n, 1)."""

    def predict_proba(self, X):
        return super().predict_proba(X).max(axis=1, keepdims=True)


def test_probabilities_of_another_shape_are_named():
    line = audit(quietly_fitted(OfTheLikeliest(2, **PRECISE), X), X)["scores"]
    assert line.verdict == "wrong"
    assert f"probabilities have the shape ({len(X)}, 1), and not ({len(X)}, 2)" in line.finding


class WrongInTheFirstRow(GaussianMixture):
    """Its labels and probabilities are those of the other component in the first row."""

    def predict(self, X):
        return np.r_[1 - super().predict(X)[:1], super().predict(X)[1:]]

    def predict_proba(self, X):
        return np.r_[super().predict_proba(X)[:1, ::-1], super().predict_proba(X)[1:]]


def test_a_single_wrong_row_is_counted_in_the_singular():
    finding = audit(quietly_fitted(WrongInTheFirstRow(2, **PRECISE), X), X)["scores"].finding
    assert "probabilities of 1 row are wrong" in finding
    assert "1 row mislabelled" in finding
