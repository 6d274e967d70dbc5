"""Silhouettes are scikit-learn's, drawn as a knife for each cluster; anomaly detection is one picture."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import reference_data
from scipy.sparse import csr_array
from sklearn.metrics import silhouette_samples

from em import GaussianMixtureEM, KMeans, is_anomaly
from em.plots import component_colours, plot_anomaly_detection, plot_silhouettes


@pytest.fixture
def ax():
    yield plt.subplots()[1]
    plt.close("all")


def knives(ax):
    """Return the silhouettes drawn of each cluster, and the colours."""
    return [patch.get_data().values for patch in ax.patches], [patch.get_facecolor()[:3] for patch in ax.patches]


def test_each_cluster_is_a_knife_of_its_sorted_silhouettes(ax):
    X = reference_data.faithful()
    fit = KMeans(3, random_state=0).fit(X)
    assert plot_silhouettes(fit, X, ax) is ax
    values, colours = knives(ax)
    expected = silhouette_samples(X, fit.labels_)
    for k in range(3):
        np.testing.assert_allclose(values[k], np.sort(expected[fit.labels_ == k]))
    np.testing.assert_allclose(colours, component_colours(3))
    assert ax.lines[0].get_xdata()[0] == pytest.approx(expected.mean())
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2"]
    other = plot_silhouettes(fit.labels_, X)
    assert other is not ax
    for one, same in zip(values, knives(other)[0], strict=True):
        np.testing.assert_array_equal(one, same)


def test_samples_with_missing_cells_have_no_silhouette(ax):
    X = reference_data.faithful()
    X[:7, 0] = np.nan
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    plot_silhouettes(fit, X, ax)
    assert sum(map(len, knives(ax)[0])) == len(X) - 7
    assert ax.texts[-1].get_text() == "left out: samples with missing cells, 7"


def test_sparse_samples_have_the_silhouettes_of_dense_ones(ax):
    X = np.random.RandomState(0).poisson(1.0, size=(60, 5))
    fit = KMeans(2, random_state=0).fit(csr_array(X))
    assert plot_silhouettes(fit, csr_array(X), ax).get_xlabel() == plot_silhouettes(fit, X, ax).get_xlabel()


def test_of_many_samples_some_thousand_are_drawn(ax):
    X = np.random.RandomState(0).normal(size=(3500, 1))
    plot_silhouettes((X[:, 0] > 0).astype(int), X, ax)
    assert sum(map(len, knives(ax)[0])) == 3000
    assert ax.texts[-1].get_text() == "3,000 of 3,500 samples drawn, at random"


def test_labels_that_have_no_silhouette_are_refused(ax):
    X = [[0.0], [1.0], [9.0]]
    for labels in ([0, 0, 0], [0, 1, 2]):
        with pytest.raises(ValueError, match="labels must be at least 2, and fewer than the 3 samples"):
            plot_silhouettes(labels, X, ax)
    for labels in ([0, 1], [0.0, 1.0, 1.0], [-1, 0, 1]):
        with pytest.raises(ValueError, match="labels must be a fitted estimator or 3 whole numbers from 0"):
            plot_silhouettes(labels, X, ax)
    assert not ax.has_data()


def test_anomaly_detection_is_one_picture_of_contours_boundaries_centres_and_anomalies(ax):
    X = reference_data.faithful()
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    assert plot_anomaly_detection(fit, X, ax, quantile=0.1) is ax
    crosses, *centers = ax.lines
    np.testing.assert_array_equal(crosses.get_xydata(), X[is_anomaly(fit, X, quantile=0.1)])
    np.testing.assert_allclose([line.get_xydata()[0] for line in centers], fit.means_)
    shades, scatter, contours, boundary, threshold = ax.collections
    np.testing.assert_array_equal(scatter.get_offsets(), X)
    assert len(contours.levels) == 10
    assert len(boundary.levels) == len(threshold.levels) == 1
    assert len(shades.levels) > 10
