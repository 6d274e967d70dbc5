"""The pictures show what the mixture says, on the axes they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest
import reference_data
from sklearn.base import clone

from em import GaussianMixtureEM, KMeans, density_threshold, is_anomaly
from em.plots import on_grid, plot_anomalies, plot_anomaly_detection, plot_decision_boundaries, plot_density_contours

PLOTS = [plot_decision_boundaries, plot_density_contours, plot_anomalies]


@pytest.fixture(scope="module")
def faithful():
    X = reference_data.faithful()
    return X, GaussianMixtureEM(2, n_init=2, random_state=0).fit(X)


@pytest.fixture
def ax():
    _, ax = plt.subplots()
    yield ax
    plt.close("all")


def vertices(contours):
    return [path.vertices for path in contours.get_paths()]


def steps(X):
    x, y, _ = on_grid(lambda points: points[:, 0], X)
    return np.array([x[1] - x[0], y[1] - y[0]])


def test_the_grid_covers_the_samples_with_a_margin():
    X = np.array([[0.0, 5.0], [10.0, 5.0]])
    x, y, values = on_grid(lambda points: points[:, 0] - 100 * points[:, 1], X)
    np.testing.assert_allclose([x[0], x[-1], y[0], y[-1]], [-1, 11, 4.9, 5.1], rtol=1e-12)
    np.testing.assert_array_equal(values, x - 100 * y[:, None])


@pytest.mark.parametrize("estimator", [GaussianMixtureEM(2, random_state=0), KMeans(2, random_state=0)])
def test_mirror_images_are_parted_by_the_mirror(ax, estimator):
    half = np.random.RandomState(0).normal(loc=(4, 0), size=(60, 2))
    X = np.concatenate([half, half * [-1, 1]])
    assert plot_decision_boundaries(estimator.fit(X), X, ax) is ax
    (line,) = vertices(ax.collections[0])
    assert np.abs(line[:, 0]).max() <= steps(X)[0]
    assert np.ptp(line[:, 1]) == pytest.approx(1.2 * np.ptp(X[:, 1]), rel=1e-12)  # from edge to edge of the picture


def test_the_label_changes_across_every_boundary(ax):
    X = reference_data.iris()[:, 2:]
    fit = GaussianMixtureEM(3, n_init=2, random_state=0).fit(X)
    plot_decision_boundaries(fit, X, ax)
    points = np.concatenate([line for contours in ax.collections for line in vertices(contours)])
    across = points[:, None] + steps(X) * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
    labels = fit.predict(across.reshape(-1, 2)).reshape(len(points), 9)
    assert (np.ptp(labels, axis=1) > 0).all()
    assert len(ax.collections) == 2


def test_density_contours_of_a_gaussian_are_ellipses_at_equal_steps_of_standard_deviations(ax):
    X = reference_data.faithful()
    fit = GaussianMixtureEM(1).fit(X)
    assert plot_density_contours(fit, X, ax, n_levels=5) is ax
    (contours,) = ax.collections
    precision = np.linalg.inv(fit.covariances_[0])
    # -log p is quadratic: on an edge of the grid a line misses it by h' Σ⁻¹ h / 8, and so does its minimum on the grid
    error = steps(X) @ np.abs(precision) @ steps(X) / 8
    drawn = 0
    s = np.sqrt(2 * (contours.levels + fit.score_samples(fit.means_)[0]))
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        if len(path.vertices):
            drawn += 1
            assert np.abs(-fit.score_samples(path.vertices) - level).max() <= error
    assert drawn == len(contours.levels) == 5
    np.testing.assert_allclose(np.diff(s), s[0], atol=2 * error / s[0])


def test_anomalies_are_crossed_and_set_apart_by_their_threshold(ax, faithful):
    X, fit = faithful
    assert plot_anomalies(fit, X, ax) is ax
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), X[is_anomaly(fit, X)])
    # the Hessian of log p is -E[Σ_k⁻¹] + var(Σ_k⁻¹ (x - μ_k)) under the responsibilities, which are hard at this line
    assert fit.predict_proba(np.concatenate(vertices(ax.collections[0]))).max(axis=1).min() > 0.99
    error = max(steps(X) @ np.abs(np.linalg.inv(c)) @ steps(X) for c in fit.covariances_) / 8
    line = np.concatenate(vertices(ax.collections[0]))
    assert np.abs(fit.score_samples(line) - density_threshold(fit, X)).max() <= error


def test_a_given_threshold_replaces_the_quantile(ax, faithful):
    X, fit = faithful
    plot_anomalies(fit, X, ax, threshold=-6.0)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), X[fit.score_samples(X) < -6.0])


def test_a_threshold_that_nothing_crosses_draws_no_line(ax, faithful):
    X, fit = faithful
    plot_anomalies(fit, X, ax, threshold=100.0)
    assert len(ax.lines[0].get_xydata()) == len(X)
    assert len(ax.collections) == 0


@pytest.mark.parametrize("plot", PLOTS)
def test_data_frames_are_drawn_like_their_values(plot, ax, faithful):
    X, fit = faithful
    frame = pandas.DataFrame(X, columns=["eruptions", "waiting"])
    plot(fit, X, ax)
    _, twin = plt.subplots()
    plot(clone(fit).fit(frame), frame, twin)
    for contours, again in zip(ax.collections, twin.collections, strict=True):
        for line, same in zip(vertices(contours), vertices(again), strict=True):
            np.testing.assert_array_equal(line, same)


def test_one_component_has_no_boundary(ax):
    X = reference_data.faithful()
    plot_decision_boundaries(GaussianMixtureEM(1).fit(X), X, ax)
    assert len(ax.collections) == 0


@pytest.mark.parametrize("plot", PLOTS)
def test_pictures_open_a_figure_only_where_no_axes_are_given(plot, ax, faithful):
    X, fit = faithful
    before = plt.get_fignums()
    assert plot(fit, X, ax) is ax
    assert plt.get_fignums() == before
    assert plot(fit, X) is not ax
    assert len(plt.get_fignums()) == len(before) + 1


@pytest.mark.parametrize("plot", PLOTS)
def test_other_than_two_features_are_refused_before_anything_is_drawn(plot, ax):
    X = reference_data.iris()
    fit = GaussianMixtureEM(1).fit(X)
    with pytest.raises(ValueError, match="X must have two columns to be drawn, got 4: fit to two features, or project"):
        plot(fit, X, ax)
    assert not ax.has_data()


def test_swapped_arguments_are_said():
    X = [[0.0, 0.0], [0.0, 1.0], [4.0, 0.0], [4.0, 1.0]]
    fit = KMeans(2, random_state=0).fit(X)
    for draw in (*PLOTS, plot_anomaly_detection):
        with pytest.raises(TypeError, match=r"estimator must be a fitted mixture or fitted clusters, got \[\[0"):
            draw(X, fit)
