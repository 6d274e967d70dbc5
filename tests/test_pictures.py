"""`plot` draws what a fit says of its data: points, ellipses, densities and profiles, with names and notes."""

from dataclasses import replace
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import reference_data
from families import FAMILIES, each_family
from matplotlib.container import BarContainer
from matplotlib.patches import Ellipse
from scipy.sparse import csr_array
from scipy.stats import norm

import em
from comparisons.profile import draw_profile
from em import BinomialMixtureEM, GaussianMixtureEM, KMeans, PoissonMixtureEM
from em.plots import (
    component_colours,
    letters,
    plot,
    plot_anomalies,
    plot_anomaly_detection,
    plot_decision_boundaries,
    plot_density_contours,
)
from em.process.process_wide import without_expected_warnings
from em.status import FigureWarning, left_to_the_status
from models.cmm import CMMParameters
from models.gmm import GMMPrior
from models.pmm import PMMPrior

HOSTILE = ["$x_{$", "<b>\\frac{1}{0$ \n", "[bold] \x1b[31m " + "long" * 30]

PROFILED = [row for row in FAMILIES if not hasattr(row.parameters(np.random.RandomState(0), 1, 1), "marginal")]


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


@pytest.fixture(scope="module")
def faithful():
    X = pd.DataFrame(reference_data.faithful(), columns=["eruptions", "waiting"])
    return X, GaussianMixtureEM(2, n_init=2, random_state=0).fit(X)


def fitted(family, D, K=2, n=60):
    X, start, _ = family.problem(1, K, D, n)
    with left_to_the_status():
        X = pd.DataFrame(X, columns=HOSTILE[:D])
        return family.fit(X, K, init=start, tol=0.1), X


def texts(ax):
    return [text.get_text() for text in ax.texts]


def points(ax):
    """Return the points of the scatter in the plane, without ticks at the edges."""
    return ax.collections[0].get_offsets().data


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


# Every family ---------------------------------------------------------------------------------------------------------


@each_family
def test_every_family_is_drawn_with_its_names_on_the_axes_given(family, ax):
    fit, X = fitted(family, 2)
    before = plt.get_fignums()
    assert plot(fit, X, ax) is ax
    assert plt.get_fignums() == before
    shown = [ax.get_xlabel(), ax.get_ylabel(), *[tick.get_text() for tick in ax.get_xticklabels()]]
    for start in (r"\$x_{\$", r"<b>\frac"):  # a dollar sign opens no formula
        assert any(text.startswith(start) for text in shown)
    assert not any("\n" in text for text in shown)


@pytest.mark.parametrize("family", PROFILED, ids=repr)
def test_a_profile_has_the_parameters_of_each_component_beside_those_of_all_samples(family, ax):
    fit, X = fitted(family, 3)
    plot(fit, X, ax)
    theta = fit.parameters_
    quantity = theta.quantities[1]
    values = getattr(theta, quantity.name)
    drawn = [line for line in ax.lines if line.get_marker() == "o"]
    for k, colour in enumerate(component_colours(2)):
        own = [line for line in drawn if np.allclose(mpl.colors.to_rgb(line.get_color()), colour)]
        np.testing.assert_allclose(np.concatenate([line.get_ydata() for line in own]), values[k], rtol=1e-12)
    (bars,) = [container for container in ax.containers if isinstance(container, BarContainer)]
    of_one = family.steps.m_step(X.to_numpy(), np.ones((len(X), 1)), **family.options, **family.structure)
    np.testing.assert_allclose([bar.get_height() for bar in bars], getattr(of_one, quantity.name)[0], rtol=1e-9)


@each_family
def test_the_densities_of_one_feature_sum_to_that_of_the_mixture(family, ax):
    fit, X = fitted(family, 1)
    plot(fit, X, ax)
    drawn = lines(ax)
    if "mixture" not in drawn:
        assert fit.parameters_.quantities[1].dims[-1] == "cell"  # levels of an item, which have a profile
        return
    at, height = drawn["mixture"].get_data()
    inside = height > 0  # the others are no legal samples
    assert inside.sum() > 0.9 * len(at)
    with without_expected_warnings:
        np.testing.assert_allclose(height[inside], np.exp(fit.score_samples(at[inside, None])), rtol=1e-9)
    parts = sum(drawn[f"component {k}"].get_ydata() for k in range(2))
    np.testing.assert_allclose(parts, drawn["mixture"].get_ydata(), rtol=1e-9)


@pytest.mark.parametrize("prior", [GMMPrior, PMMPrior])
def test_mean_field_is_drawn_as_other_mixtures_are(prior, ax):
    X = np.random.RandomState(0).poisson([[3.0, 9.0]] * 40).astype(float)
    prior = GMMPrior.weakly_informative(X, 2) if prior is GMMPrior else PMMPrior(1.0, 1.0, 1.0)
    plot(em.VariationalMixture(2, prior=prior, n_init=1, random_state=0).fit(X), X, ax)
    assert len(ax.patches) == (6 if isinstance(prior, GMMPrior) else 2)  # ellipses, or bars of all samples


def test_components_that_mean_field_has_emptied_are_not_drawn(ax):
    X = np.random.RandomState(0).normal(size=(60, 2))
    prior = replace(GMMPrior.weakly_informative(X, 4), concentration=np.full(4, 0.01))
    fit = em.VariationalMixture(4, prior=prior, n_init=4, random_state=0).fit(X)
    assert (fit.posterior_.responsibilities.sum(axis=0) >= 0.5).sum() == 1
    assert fit.weights_.min() > 0
    plot(fit, X, ax)
    assert len(ax.patches) == 3


# Points and ellipses --------------------------------------------------------------------------------------------------


def test_ellipses_lie_one_two_and_three_standard_deviations_about_the_means(faithful, ax):
    X, fit = faithful
    plot(fit, X, ax)
    ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
    assert len(ellipses) == 6
    for number, ellipse in enumerate(ellipses):
        k, s = divmod(number, 3)
        gaps = ellipse.get_path().vertices @ np.diag([1.0, 1.0])
        gaps = ellipse.get_patch_transform().transform(gaps) - fit.means_[k]
        squares = np.einsum("nd,de,ne->n", gaps, np.linalg.inv(fit.covariances_[k]), gaps)
        corners = squares[::3]  # of the Bézier curves, which lie on the ellipse
        np.testing.assert_allclose(corners[:-1], (s + 1) ** 2, rtol=1e-3)
        np.testing.assert_allclose(ellipse.get_edgecolor()[:3], component_colours(2)[k])
    assert texts(ax)[:2] == ["0", "1"]


def test_points_are_blends_of_the_colours_by_responsibility(faithful, ax):
    X, fit = faithful
    plot(fit, X, ax)
    np.testing.assert_array_equal(points(ax), X)
    blend = fit.predict_proba(X).to_numpy() @ component_colours(2)
    np.testing.assert_allclose(ax.collections[0].get_facecolors()[:, :3], blend, atol=1e-12)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("eruptions", "waiting")


def test_a_sample_without_one_feature_is_a_tick_at_the_edge_and_no_point(faithful, ax):
    X, fit = faithful
    X = X.to_numpy().copy()
    X[:5, 0], X[5:12, 1], X[12] = np.nan, np.nan, np.nan
    plot(fit, X, ax)
    plane, of_x, of_y = ax.collections
    np.testing.assert_array_equal(points(ax), X[13:])
    assert plane.get_offset_transform() == ax.transData
    np.testing.assert_array_equal(of_x.get_offsets(), np.column_stack([X[5:12, 0], np.zeros(7)]))
    np.testing.assert_array_equal(of_y.get_offsets(), np.column_stack([np.zeros(5), X[:5, 1]]))
    edge = of_x.get_offset_transform().transform(of_x.get_offsets())[:, 1]
    np.testing.assert_allclose(edge, ax.transAxes.transform((0, 0))[1])
    assert "ticks at the edge" in texts(ax)[-1]


def test_of_many_samples_some_thousand_are_drawn_and_the_figure_says_so(ax):
    X = np.random.RandomState(0).normal(size=(5000, 2))
    fit = GaussianMixtureEM(1).fit(X)
    plot(fit, X, ax)
    assert texts(ax)[-1] == "3,000 of 5,000 samples drawn, at random"
    assert {tuple(point) for point in points(ax)} <= {tuple(row) for row in X}
    np.testing.assert_array_equal(points(plot(fit, X)), points(ax))


def test_samples_of_weight_0_are_not_drawn_and_heavy_ones_are_larger(faithful, ax):
    X, fit = faithful
    weights = np.repeat([0.0, 1.0, 4.0], [72, 150, 50])
    plot(fit, X, ax, sample_weight=weights)
    np.testing.assert_array_equal(points(ax), X[72:])
    areas = ax.collections[0].get_sizes()
    np.testing.assert_allclose(areas[150:], 4 * areas[0])


def test_the_axes_reach_to_every_centre(faithful, ax):
    X, fit = faithful
    plot(fit, X[X["eruptions"] < 3], ax)
    low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
    assert ((low < fit.means_) & (fit.means_ < high)).all()


def test_ellipses_are_whole_unless_one_is_far_larger_than_the_samples(faithful, ax):
    X, fit = faithful
    plot(fit, X, ax)
    reach = 3 * np.sqrt(fit.covariances_.diagonal(axis1=1, axis2=2))
    low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
    assert ((low < fit.means_ - reach) & (fit.means_ + reach < high)).all()
    wide = type(fit.parameters_)(fit.weights_, fit.means_, fit.covariances_ * 10_000)
    fit = em.GaussianMixtureEM(2, init=wide, frozen=wide.arrays()).fit(X)
    plot(fit, X, ax)
    shown, seen = np.diff([ax.get_xlim(), ax.get_ylim()]).ravel(), np.ptp(X.to_numpy(), axis=0)
    assert (shown < 2.5 * seen).all()


def test_more_than_two_features_are_pairs_of_the_first_six():
    X = np.random.RandomState(0).normal(size=(40, 7))
    X[:, 2] += np.repeat([0, 9], 20)
    X[3, 1] = np.nan
    fit = GaussianMixtureEM(2, covariance_type="diag", n_init=1, random_state=0).fit(X)
    axes = plot(fit, X)
    assert axes.shape == (6, 6)
    np.testing.assert_array_equal(points(axes[4, 2]), X[:, [2, 4]])
    np.testing.assert_array_equal(points(axes[1, 0]), np.delete(X[:, :2], 3, axis=0))
    assert [axes[5, j].get_xlabel() for j in range(6)] == [f"feature {j}" for j in range(6)]
    note = axes[0, 0].figure.get_suptitle()
    assert note == "the first 6 of 7 features; ticks at the edge: the other feature is missing"
    for column in axes.T:
        np.testing.assert_allclose([panel.get_xlim() for panel in column[1:]], [column[0].get_xlim()] * 5, rtol=1e-9)
    diagonal = lines(axes[2, 2])
    at = diagonal["mixture"].get_xdata()
    density = norm.pdf(at[:, None], fit.means_[:, 2], np.sqrt(fit.covariances_[:, 2])) @ fit.weights_
    np.testing.assert_allclose(diagonal["mixture"].get_ydata(), density, rtol=1e-9)


def test_numbers_beside_pairs_are_the_same_at_every_size_so_that_the_layout_settles():
    X = np.random.RandomState(0).normal(size=(60, 4))
    axes = plot(GaussianMixtureEM(1).fit(X), X)
    figure, numbers = axes[0, 0].figure, []
    for inches in (6, 10):
        figure.set_size_inches(inches, inches)
        figure.canvas.draw()
        numbers.append([[tick.get_text() for tick in panel.get_yticklabels()] for panel in axes[:, 0]])
        assert min(panel.yaxis.label.get_window_extent().x0 for panel in axes[:, 0]) >= 0
    assert numbers[0] == numbers[1]


def test_names_that_fit_beside_a_panel_are_whole(ax):
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(20, 3)), columns=["Creatinine in [µmol/l]", "b", "c"])
    fit = GaussianMixtureEM(1).fit(X)
    assert [plot(fit, X)[0, 0].get_ylabel(), plot(fit, X, ax)[0, 0].get_ylabel()] == [
        X.columns[0],
        "Creatinine in [...",
    ]


def test_a_component_without_weight_is_not_drawn(faithful, ax):
    X, _ = faithful
    prior = GMMPrior.weakly_informative(X, 4)
    many = em.VariationalMixture(4, prior=prior, n_init=1, tol=1.0, random_state=0).fit(X)
    theta = many.parameters_
    many.parameters_ = type(theta)([0.5, 0.0, 0.5, 0.0], theta.means, theta.covariances)
    plot(many, X, ax)
    assert texts(ax) == ["0", "2"]


# One feature, and profiles --------------------------------------------------------------------------------------------


def test_a_comparison_of_many_levels_names_them_and_joins_none_of_two_items(ax):
    levels, rng = (3, 34), np.random.RandomState(0)
    theta = CMMParameters([0.4, 0.6], np.hstack([rng.dirichlet(np.ones(L), 2) for L in levels]), levels)
    labels = {"cell": [f"item {d} {level}" for d, L in enumerate(levels) for level in range(L)]}
    family = SimpleNamespace(quantities=theta.quantities, quantity_label="probability", labels=lambda names: labels)
    settings = {"X": np.zeros((5, 2)), "stacked": {"probs": theta.probs[None]}, "n_components": 2}
    names = {"feature_names": ("a", "b"), "reference_name": "MLE (EM)"}
    draw_profile(ax, SimpleNamespace(family=family, reference=theta, **settings, **names))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == labels["cell"]
    joined = [line.get_xdata() for line in ax.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert {(min(at), max(at)) for at in joined} == {(0, 2), (3, 36)}


def test_counts_have_bars_of_their_shares(ax):
    x = np.repeat([0.0, 1.0, 2.0, 9.0], [3, 4, 2, 1])[:, None]
    plot(PoissonMixtureEM(1).fit(x), x, ax)
    shares = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in ax.patches}
    assert shares == pytest.approx({0: 0.3, 1: 0.4, 2: 0.2, **dict.fromkeys(range(3, 9), 0.0), 9: 0.1})
    np.testing.assert_array_equal(lines(ax)["component 0"].get_xdata(), range(10))


def test_weights_count_in_a_histogram_and_missing_values_are_told_of(ax):
    x = np.array([0.0, 1.0, 1.0, np.nan, 2.0])[:, None]
    weights = np.array([5.0, 1.0, 1.0, 1.0, 3.0])
    plot(PoissonMixtureEM(1).fit(x, sample_weight=weights), x, ax, sample_weight=weights)
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.5, 0.2, 0.3])
    assert texts(ax) == ["not drawn: samples without a value, 1"]


def test_a_histogram_reaches_to_no_sample_of_weight_0(ax):
    x, weights = np.array([0.0, 1.0, 3.0, 90.0, np.nan])[:, None], np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    plot(GaussianMixtureEM(1).fit(x, sample_weight=weights), x, ax, sample_weight=weights)
    assert ax.get_xlim()[1] < 4
    assert texts(ax) == []


def test_cells_of_different_sizes_are_drawn_by_their_rates(ax):
    rng = np.random.RandomState(0)
    trials = rng.randint(5, 20, size=(60, 1))
    X = rng.binomial(trials, np.repeat([[0.2], [0.8]], 30, axis=0)).astype(float)
    fit = BinomialMixtureEM(2, n_trials=trials, random_state=0).fit(X)
    plot(fit, X, ax)
    assert ax.get_xlabel() == "feature 0 per unit of n_trials"
    places = [line.get_xdata()[0] for line in ax.lines]
    np.testing.assert_allclose(places, fit.probs_[:, 0])
    again = plot(fit, X[:9], n_trials=trials[:9])
    assert again.patches[0].get_x() == pytest.approx((X[:9] / trials[:9]).min())
    with pytest.raises(ValueError, match="n_trials must be given for 9 row"):
        plot(fit, X[:9])
    with pytest.raises(TypeError, match="n_trials must be left out: cells of a GaussianMixtureEM have no sizes"):
        plot(GaussianMixtureEM(1).fit(X), X, n_trials=9)


def test_many_features_are_a_map_with_a_row_for_each_component():
    X = csr_array((np.random.RandomState(0).rand(30, 50) < 0.3).astype(float))
    fit = em.BernoulliMixtureEM(2, n_init=1, random_state=0, tol=1.0).fit(X)
    ax = plot(fit, X)
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array(), np.vstack([fit.probs_, X.mean(axis=0)]))
    assert [tick.get_text().split(":")[0] for tick in ax.get_yticklabels()] == [
        "component 0",
        "component 1",
        "all samples",
    ]


def test_rates_of_different_sizes_have_a_logarithmic_scale(ax):
    X = np.random.RandomState(0).poisson([[0.5, 300.0]] * 50).astype(float)
    plot(PoissonMixtureEM(1).fit(X), X, ax)
    assert ax.get_yscale() == "log"


# Clusters -------------------------------------------------------------------------------------------------------------


def test_clusters_have_centres_boundaries_and_colours(ax):
    X = np.array([[0.0, 0], [0, 1], [5, 0], [5, 1], [9, 9], [9, 8]])
    fit = KMeans(3, random_state=0).fit(X)
    plot(fit, X, ax)
    centers = [line.get_xydata()[0] for line in ax.lines]
    np.testing.assert_allclose(centers, fit.cluster_centers_)
    boundaries, scatter = ax.collections[:-1], ax.collections[-1]
    assert len(boundaries) == 2
    np.testing.assert_allclose(scatter.get_facecolors()[:, :3], component_colours(3)[fit.labels_])
    assert not ax.patches


def test_clusters_of_one_feature_are_parted_half_way(ax):
    x = np.array([[0.0], [1], [9], [11]])
    plot(KMeans(2, init=[[0.0], [9.0]]).fit(x), x, ax)
    assert [line.get_xdata()[0] for line in ax.lines] == [0.5, 10.0, 5.25]
    assert plot(KMeans(2, random_state=0).fit(np.hstack([x, x, x])), np.hstack([x, x, x])).shape == (3, 3)


def test_pictures_of_densities_lend_eastern_letters_and_say_once_where_there_are_none(monkeypatch):
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(20, 2)), columns=["身長", "体重"])
    fit = GaussianMixtureEM(1).fit(X)
    monkeypatch.setattr(letters, "FAMILIES", ("DejaVu Serif Display",))  # stands for a font that has them
    for draw in (plot_decision_boundaries, plot_density_contours, plot_anomalies, plot_anomaly_detection):
        figure, ax = plt.subplots()
        assert draw(fit, X, ax).yaxis.label.get_fontfamily() == ["sans-serif", "DejaVu Serif Display"]
        plt.close(figure)
    monkeypatch.setattr(letters, "FAMILIES", ("no such family",))
    with pytest.warns(FigureWarning) as warned:
        plot_anomaly_detection(fit, X)
    assert len(warned) == 1


def test_eastern_letters_fall_back_to_a_font_of_the_system(monkeypatch):
    figure, axes = plt.subplots(1, 2)
    axes[0].set_xlabel("身長")
    axes[1].set_yticks([0, 1], ["질문", "b"])
    monkeypatch.setattr(letters, "FAMILIES", ("DejaVu Serif Display",))  # stands for a font that has them
    letters.lend_letters(figure)
    assert axes[0].xaxis.label.get_fontfamily()[-1] == "DejaVu Serif Display"
    assert axes[1].get_yticklabels()[0].get_fontfamily()[-1] == "DejaVu Serif Display"
    assert axes[0].yaxis.label.get_fontfamily() == ["sans-serif"]
    monkeypatch.setattr(letters, "FAMILIES", ("no such family",))
    with pytest.warns(FigureWarning, match="no font of this system has Chinese, Japanese or Korean letters"):
        letters.lend_letters(figure)


@pytest.mark.parametrize(("n", "drawn_at_once"), [(400, False), (600, True)])
def test_many_points_of_an_svg_are_one_image(n, drawn_at_once):
    """Browsers draw thousands of circles slowly, and matplotlib writes them slowly."""
    X = np.random.RandomState(0).normal(size=(n, 2))
    ax = plot(GaussianMixtureEM(1).fit(X), X)
    assert ax.collections[0].get_rasterized() is drawn_at_once
