"""Reports of a fit and of a selection are self-contained pages that have what the fit says."""

import html
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import reference_data
from families import FAMILIES
from test_page import read

import em
from em import BinomialMixtureEM, GaussianMixtureEM, KMeans, NoMaximumWarning, PoissonMixtureEM, select
from em.status import left_to_the_status
from models.gmm import GMMPrior

HOSTILE = ["<script>alert(1)</script>", "$x_{$ & {{ 7 * 7 }}"]
KINDS = list({family.estimator: family for family in FAMILIES}.values())


def shown(path):
    """Return the text of a page, after it was looked at for scripts and addresses."""
    text = path.read_text(encoding="utf-8")
    reader = read(text)
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert all(address.startswith("data:image/") for address in reader.addresses)
    assert not re.search(r"url\(|@import|https?:", text)
    return "".join(reader.text), text.count("<img")


@pytest.mark.parametrize("family", KINDS, ids=repr)
def test_the_page_has_what_the_summary_says_a_picture_settings_and_versions(family, tmp_path):
    X = pd.DataFrame(family.problem(1, 2, 2, 60)[0], columns=HOSTILE)
    before = plt.get_fignums()
    with left_to_the_status():
        fit = family.fit(X, 2, n_init=1, random_state=0)
    fit.report(X, tmp_path / "fit.html")
    text, n_pictures = shown(tmp_path / "fit.html")
    assert plt.get_fignums() == before
    summary = fit.summary(X)
    for said in (
        summary.model,
        summary.samples,
        f"{fit.status_[0].upper()}{fit.status_[1:]}.",
        "random_state",
        "numpy",
        "scikit-learn",
        "To cite",
    ):
        assert said in text
    assert all(name in text for name in fit.uncertainty(X).names)
    assert "standard error" in text
    assert f"{summary['bic']:.7g}" in text or f"{summary['bic']:.5g}" in text
    assert n_pictures == 1


def test_clusters_have_a_report_with_silhouettes(tmp_path):
    X = reference_data.faithful()
    fit = KMeans(3, random_state=0).fit(X)
    fit.report(X, tmp_path / "clusters.html")
    text, n_pictures = shown(tmp_path / "clusters.html")
    assert "K-means with 3 clusters" in text
    assert "cluster_centers[2, 1]" in text
    assert n_pictures == 2
    KMeans(1).fit(X).report(X, tmp_path / "clusters.html")
    assert shown(tmp_path / "clusters.html")[1] == 1


def test_mean_field_has_a_report_with_deviations(tmp_path):
    X = reference_data.faithful()
    fit = em.VariationalMixture(2, prior=GMMPrior.weakly_informative(X, 2), n_init=1, random_state=0).fit(X)
    fit.report(X, tmp_path / "fit.html")
    text, _ = shown(tmp_path / "fit.html")
    assert "lower bound" in text
    assert "standard error" in text


def test_a_fit_that_collapsed_has_a_report_that_says_so(tmp_path):
    X = np.concatenate([np.random.RandomState(0).normal(size=(5, 2)), [[1.0, 1.0]] * 5])
    with pytest.warns(NoMaximumWarning):
        fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    fit.report(X, tmp_path / "fit.html")
    text, n_pictures = shown(tmp_path / "fit.html")
    assert "No maximum" in text
    assert 'class="lead bad"' in (tmp_path / "fit.html").read_text()
    assert "standard error" not in text
    assert n_pictures == 1


def test_standard_errors_of_many_parameters_are_left_out_unless_asked_for(tmp_path):
    X = np.random.RandomState(0).poisson(3, size=(30, 501))
    fit = PoissonMixtureEM(2, n_init=1, random_state=0).fit(X)
    fit.report(X, tmp_path / "fit.html")
    text, _ = shown(tmp_path / "fit.html")
    assert "take long for 1003 parameters and are left out: uncertainty='louis' computes them." in text
    assert "standard error" not in text


def test_rows_with_sizes_and_weights_are_counted(tmp_path):
    X, weights = np.arange(13.0)[:, None], np.arange(1, 14)
    fit = BinomialMixtureEM(1, n_trials=12).fit(X, sample_weight=weights)
    fit.report(X[:9], tmp_path / "fit.html", sample_weight=weights[:9], uncertainty=None, n_trials=20)
    text, _ = shown(tmp_path / "fit.html")
    assert "45 samples of 1 feature" in text
    assert f"{fit.summary(X[:9], sample_weight=weights[:9], n_trials=20)['log_likelihood']:.5g}" in text


def test_a_selection_has_a_report_of_its_table_its_criteria_and_the_best_fit(tmp_path):
    X = pd.DataFrame(reference_data.faithful(), columns=HOSTILE)
    estimator = GaussianMixtureEM(n_init=1, random_state=0)
    selection = select(X, estimator, [1, 2], covariance_type=["full", "diag"], criterion="icl", progress=False)
    selection.report(X, tmp_path / "selection.html")
    text, n_pictures = shown(tmp_path / "selection.html")
    assert "ICL chooses n_components = 2, covariance_type = full." in text
    assert n_pictures == 2
    for candidate in selection.candidates:
        assert f"{candidate.icl:.7g}" in text
        assert html.unescape(candidate.ending) in text
    assert f"means[1, {HOSTILE[0]}]" in text
    assert selection.best.status.capitalize() in text


def test_a_selection_without_a_maximum_is_reported_too(tmp_path):
    X = np.concatenate([np.random.RandomState(0).normal(size=(5, 2)), [[1.0, 1.0]] * 5])
    with pytest.warns(NoMaximumWarning):
        selection = select(X, GaussianMixtureEM(n_init=1, random_state=0), [2], progress=False)
    selection.report(X, tmp_path / "selection.html")
    assert "No fit has a maximum to choose" in shown(tmp_path / "selection.html")[0]


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    X = [[0.0], [1.0], [3.0]]
    fit = GaussianMixtureEM(1).fit(X)
    with pytest.raises(FileNotFoundError):
        fit.report(X, tmp_path / "missing" / "fit.html")
    with pytest.raises(ValueError, match="path must be a regular file"):
        fit.report(X, tmp_path)
    with pytest.raises(TypeError, match=r"path must be the name of a file, as text or as a path, got \[\[0\.0\]"):
        fit.report(tmp_path / "fit.html", np.array(X))
