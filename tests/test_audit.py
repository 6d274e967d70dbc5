"""An audit of this project's own fits raises no alarm; numbers behind its lines are right; it is shown and written."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy
from families import FAILINGS, each_family_once
from mixtures_of_others import X, arrays, edited, right, stand_in
from scipy.stats import multivariate_normal

import em
from comparisons import audit
from comparisons.auditing.digits import cholesky, log_det, log_normal, sixty_digits
from comparisons.auditing.lines import VERDICTS
from models.bmm import BMMParameters, simulate
from models.gmm import GMMParameters

CHAIN = stand_in("hmmlearn.hmm", "GaussianHMM", startprob_=[0.5, 0.5], transmat_=[[0.9, 0.1], [0.1, 0.9]])


@each_family_once
def test_our_own_fits_are_right(family):
    Y = family.problem(3, 2, 3, 150)[0]
    fit = family.fit(Y, 2, quiet=FAILINGS, random_state=0, n_init=3)
    audited = audit(fit, Y, n_init=3)
    assert [line for line in audited.lines if line.verdict == "wrong"] == [], str(audited)
    assert audited["stationary"].value < 1e-6
    assert audited["log-likelihood"].value == pytest.approx(fit.log_likelihood_, rel=1e-9)


def test_log_densities_in_sixty_digits_are_those_of_the_textbook():
    rng = np.random.RandomState(0)
    root = rng.normal(size=(3, 3))
    matrix, mean, x = root @ root.T + np.eye(3), rng.normal(size=3), rng.normal(size=3)
    with sixty_digits():
        factor = cholesky(matrix.tolist())
        audited = log_normal([Decimal(v) for v in x], [Decimal(v) for v in mean], factor, log_det(factor))
    assert float(audited) == pytest.approx(multivariate_normal(mean, matrix).logpdf(x), rel=1e-13)
    with pytest.raises(ValueError, match="positive definite"):
        cholesky([[1.0, 2.0], [2.0, 1.0]])


def test_nats_and_standard_errors_to_go_are_those_that_em_makes():
    start = em.GaussianMixtureEM(2, tol=1e-2, random_state=0, acceleration=None, n_init=1).fit(X)
    moved = GMMParameters(start.weights_, start.means_ + np.array([0.02, 0.0]), start.covariances_)
    limit = em.GaussianMixtureEM(2, init=moved, tol=1e-10).fit(X)
    audited = audit(moved, X)["stationary"]
    assert audited.verdict == "wrong"
    assert audited.value == pytest.approx(limit.log_likelihood_ - em.gmm.e_step(X, moved)[1], rel=1e-6)


def test_the_gradient_is_the_slope_of_the_log_likelihood():
    theta = GMMParameters([0.4, 0.6], [[2.1, 55.0], [4.2, 81.0]], [np.diag([0.1, 30.0]), np.diag([0.2, 40.0])])
    fit = em.GaussianMixtureEM(2, init=theta, max_iter=1, frozen=theta.arrays()).fit(X)
    fit.frozen = None
    uncertainty, step = fit.uncertainty(X), 1e-6
    for name, place in [("means[0, 0]", (0, 0)), ("means[1, 1]", (1, 1))]:
        moves = np.zeros((2, 2))
        moves[place] = step
        ends = [
            em.gmm.e_step(X, GMMParameters(theta.weights, theta.means + s * moves, theta.covariances))[1]
            for s in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * step)
        assert uncertainty.gradient[uncertainty.names.index(name)] == pytest.approx(slope, rel=1e-5)


def test_a_long_table_says_how_many_parameters_are_not_printed():
    wide = np.random.RandomState(0).normal(size=(60, 24))
    audited = audit(em.GaussianMixtureEM(1).fit(wide), wide, n_init=1)
    assert len(audited.parameters) == 325  # 1, 24 and 300 of a covariance
    assert '285 more: see to_frame("parameters")' in " ".join(str(audited).split())


def test_names_weights_missing_cells_and_sparse_counts_are_taken():
    frame = pd.DataFrame(X, columns=["eruptions", "waiting"])
    named = audit(em.GaussianMixtureEM(2, random_state=0).fit(frame), frame, n_init=3)
    assert "means[0, eruptions]" in set(named.to_frame("parameters")["parameter"])
    weights = np.where(np.arange(len(X)) % 2, 2.0, 1.0)
    weighted = em.GaussianMixtureEM(2, random_state=0).fit(X, sample_weight=weights)
    assert audit(weighted, X, sample_weight=weights, n_init=3).verdict == "right"
    assert audit(weighted, X, n_init=3)["stationary"].verdict == "wrong"
    holed = X.copy()
    holed[::9, 0] = np.nan
    assert audit(em.GaussianMixtureEM(2, random_state=0).fit(holed), holed, n_init=3).verdict == "right"
    theta = BMMParameters([0.4, 0.6], [[0.1, 0.2, 0.1, 0.3, 0.2], [0.9, 0.7, 0.8, 0.6, 0.9]])
    counts = scipy.sparse.csr_array(simulate(theta, 300, random_state=0)[0])
    assert audit(em.BernoulliMixtureEM(2, random_state=0).fit(counts), counts, n_init=3).verdict == "right"


def test_a_prob_that_is_held_at_0_though_the_likelihood_rises_is_no_maximum():
    theta = BMMParameters([0.4, 0.6], [[0.2, 0.2, 0.1, 0.3], [0.9, 0.7, 0.8, 0.6]])
    Y = simulate(theta, 300, random_state=0)[0]
    trapped = {"weights": theta.weights, "probs": np.array([[0.0, 0.2, 0.1, 0.3], [0.9, 0.7, 0.8, 0.6]])}
    audited = audit(trapped, Y, "bmm")["stationary"]
    assert audited.verdict == "wrong"
    assert "1 parameter on the boundary, of which EM moves 1 inside (Karush-Kuhn-Tucker fails)" in audited.finding
    empty = {"weights": [1.0, 0.0], "probs": [Y.mean(axis=0), [0.9, 0.7, 0.8, 0.6]]}
    assert "weight 0 of component 1, although the likelihood rises" in audit(empty, Y, "bmm")["stationary"].finding


def test_an_audit_is_a_page_a_table_and_a_file(tmp_path):
    audited = audit(right(), X, n_init=2)
    names = ["mixture", "log-likelihood", "stationary", "best optimum", "components", "regularisation"]
    names += ["scores", "criteria", "identified"]
    assert [line.name for line in audited.lines] == names
    assert {line.verdict for line in audited.lines} <= set(VERDICTS)
    assert len(repr(audited).splitlines()) == 5
    page = str(audited)
    assert all(name in page for name in names)
    assert len(page.splitlines()) < 60
    assert max(map(len, page.splitlines())) < 200
    assert list(audited.to_frame()["name"]) == names
    assert {"checks", "parameters", "components", "optima"} == set(audited.tables)
    audited.report(tmp_path / "audit.html")
    text = (tmp_path / "audit.html").read_text()
    assert "Audit of scikit-learn" in text
    assert "<img" in text
    with pytest.raises(KeyError, match="stationary"):
        audited["stationery"]


@pytest.mark.parametrize(
    ("fit", "family", "message"),
    [
        ({"weights": [1.0], "means": [[0.0, 0.0]]}, None, "family must be given"),
        ({"weights": [1.0], "means": [[0.0, 0.0]]}, "gmm", "covariance"),
        (arrays(right(), covariances=np.ones((2, 2))), "gmm", "covariance_type must be given"),
        (em.KMeans(2, random_state=0).fit(X), None, "K-means is no mixture"),
        (em.GaussianMixtureEM(2), None, "fitted first"),
        ("faithful", None, "fit must be a fitted mixture"),
        (arrays(right(), means=np.ones((2, 3)), covariances=np.eye(3)), "gmm", "covariance_type|3 columns"),
        (CHAIN, None, "Markov"),
    ],
)
def test_what_is_no_mixture_is_refused_and_it_is_said_why(fit, family, message):
    with pytest.raises(ValueError, match=message):
        audit(fit, X, family)


def test_x_and_fit_in_the_wrong_order_show_what_was_given():
    with pytest.raises(
        ValueError, match=r"X must be two-dimensional .*, got GaussianMixtureEM\(n_components=2\) of shape"
    ):
        audit(X, em.GaussianMixtureEM(2))


def test_the_title_of_an_audit_begins_mixtures_with_a_capital():
    assert (
        "GaussianMixtureEM: Gaussian mixture of 1 component, "
        in audit(em.GaussianMixtureEM(1).fit(X), X, n_init=1).title
    )


def test_methods_that_fail_are_a_finding():
    fit = edited(precisions_cholesky_=None)
    audited = audit(fit, X, n_init=2)["scores"]
    assert audited.verdict == "wrong"
    assert "Error" in audited.finding
