"""How many components: criteria, and selection over a grid."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import reference_data
from families import each_family, each_family_once
from sklearn.base import clone

from em import (
    BernoulliMixtureEM,
    GaussianMixtureEM,
    KMeans,
    NoMaximumWarning,
    NotIdentifiableWarning,
    complete_data_log_likelihood,
    entropy,
    select,
)
from em.estimator import MixtureEM

# Criteria -------------------------------------------------------------------------------------------------------------


@each_family
def test_icl_is_the_penalised_complete_data_log_likelihood_at_the_predicted_labels(family):
    X, start, _ = family.problem(0, 2, 3, 80)
    fit = family.fit(X, 2, init=start)
    log_joint = family.steps.log_joint(X, fit.parameters_, **family.options)
    penalty = fit.parameters_.n_free_parameters * np.log(80)
    expected = -2 * complete_data_log_likelihood(log_joint, fit.predict(X)) + penalty
    np.testing.assert_allclose(fit.icl(X), expected, rtol=1e-12)
    assert fit.bic(X) < fit.icl(X) < fit.bic(X) + 2 * entropy(fit.predict_proba(X))  # -log max r <= H(r)


def test_icl_of_one_component_is_its_bic():
    X = reference_data.faithful()
    fit = GaussianMixtureEM(1).fit(X)
    assert fit.icl(X) == fit.bic(X)


# Selection ------------------------------------------------------------------------------------------------------------


def iris_selection(n_components=(1, 2, 3), n_init=3, **settings):
    estimator = GaussianMixtureEM(n_init=n_init, random_state=0)
    return select(reference_data.iris(), estimator, n_components, covariance_type=["full"], **settings)


def cloud_and_duplicates():
    return np.concatenate([np.random.RandomState(0).normal(size=(50, 2)) + 5, np.zeros((30, 2))])


def test_bic_of_iris_is_that_of_mclust_and_chooses_two_components():
    # mclustBIC(iris[, -5]) of mclust as printed, its sign reversed; models VVV, EEE and VVI with G = 1, then G = 2
    mclust = [829.9782, 829.9782, 1522.1202, 574.0178, 688.0972, 857.5515]
    estimator = GaussianMixtureEM(n_init=2, random_state=0)
    selection = select(reference_data.iris(), estimator, [1, 2], covariance_type=["full", "tied", "diag"])
    np.testing.assert_allclose([c.bic for c in selection.candidates], mclust, rtol=0, atol=1e-4)
    assert selection.best.settings == {"n_components": 2, "covariance_type": "full"}
    assert selection.estimator is selection.best.estimator is selection.candidates[3].estimator


def test_faithful_has_three_components_of_one_shape_as_mclust_finds():
    types = ["full", "tied", "diag", "spherical"]
    estimator = GaussianMixtureEM(n_init=3, tol=1e-7, random_state=0)
    selection = select(reference_data.faithful(), estimator, [2, 3], covariance_type=types)
    assert selection.best.settings == {"n_components": 3, "covariance_type": "tied"}
    assert selection.best.n_free_parameters == 11
    # the log-likelihoods of issue 3, printed to six decimals
    published = [-1130.263960, -1140.186759, -1147.806353, -1709.529282, -1126.315928]
    log_likelihoods = [c.log_likelihood for c in (*selection.candidates[:4], selection.best)]
    np.testing.assert_allclose(log_likelihoods, published, rtol=0, atol=1e-6)
    _, ax = plt.subplots()
    assert [text.get_text() for text in selection.plot(ax).get_legend().get_texts()] == types
    plt.close("all")


@pytest.mark.parametrize("criterion", ["aic", "bic", "icl"])
def test_the_best_has_the_smallest_criterion(criterion):
    X = reference_data.iris()
    selection = iris_selection(criterion=criterion)
    values = [getattr(candidate.estimator, criterion)(X) for candidate in selection.candidates]
    assert [row[criterion] for row in selection.table] == values
    assert selection.best is selection.candidates[int(np.argmin(values))]
    assert selection.best.settings["n_components"] == {"aic": 3, "bic": 2, "icl": 2}[criterion]


def test_the_legend_hides_no_line():
    grid = {"covariance_type": ["full", "tied", "diag", "spherical"]}
    selection = select(reference_data.faithful(), GaussianMixtureEM(n_init=1, random_state=0), [1, 2], **grid)
    ax = selection.plot(criteria=["bic", "aic"])
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y1 < ax.get_window_extent().y0
    plt.close("all")


def test_a_candidate_says_what_it_is():
    (candidate,) = select(reference_data.faithful(), GaussianMixtureEM(), [1], covariance_type=["tied"]).candidates
    named = "Candidate of GaussianMixtureEM, n_components = 1, covariance_type = tied"
    assert repr(candidate) == f"{named}: log-likelihood -1289.797, BIC 2607.623; converged after 1 iteration"


def test_each_fit_is_the_one_the_estimator_gives_alone():
    X = reference_data.lsat7()
    estimator = BernoulliMixtureEM(n_init=2, tol=1e-2, random_state=3)
    selection = select(X, estimator, [2, 1], init=["kmeans", "random"])
    assert [c.settings for c in selection.candidates] == [
        {"n_components": K, "init": init} for K in (2, 1) for init in ("kmeans", "random")
    ]
    for candidate in selection.candidates:
        alone = clone(estimator).set_params(**candidate.settings).fit(X)
        np.testing.assert_array_equal(candidate.estimator.history_, alone.history_)
        assert candidate.log_likelihood == alone.log_likelihood_
        assert candidate.n_free_parameters == alone.parameters_.n_free_parameters
        assert candidate.status == alone.status_
    assert not hasattr(estimator, "parameters_")


def test_a_collapsed_fit_is_shown_and_never_chosen():
    selection = select(cloud_and_duplicates(), GaussianMixtureEM(n_init=2, random_state=0), [1, 2])
    good, collapsed = selection.candidates
    assert collapsed.bic < good.bic  # a ranking of all would have chosen it
    assert selection.best is good
    assert not collapsed.has_maximum
    assert selection.table[1]["status"].startswith("no maximum: all 2 restarts collapsed")
    assert "no maximum" in repr(selection).splitlines()[2]


def test_a_fit_that_did_not_converge_is_shown_and_never_chosen():
    selection = select(reference_data.iris(), GaussianMixtureEM(n_init=1, max_iter=2, random_state=1), [1, 2])
    good, cut_short = selection.candidates
    assert cut_short.bic < good.bic
    assert selection.best is good
    assert cut_short.status.startswith("stopped at max_iter=2")


def test_where_nothing_has_a_maximum_nothing_is_best():
    with pytest.warns(NoMaximumWarning, match="none of 1 fits has a maximum .* pass prior="):
        selection = select(cloud_and_duplicates(), GaussianMixtureEM(n_init=2, random_state=0), [2])
    assert selection.best is None
    with pytest.raises(ValueError, match="none of 1 fits has a maximum to choose"):
        _ = selection.estimator
    assert repr(selection).splitlines()[-1].startswith("none of 1 fits has a maximum")


def test_a_model_that_is_not_identified_says_so():
    X = np.random.RandomState(0).randint(2, size=(40, 2))
    selection = select(X, BernoulliMixtureEM(n_init=1, random_state=0), [1, 2])
    rows = repr(selection).splitlines()
    assert "not identified" not in rows[1]
    assert "not identified" in rows[2]


def test_the_printed_table_has_a_star_at_the_best():
    selection = iris_selection()
    head, *rows, foot = repr(selection).splitlines()
    expected = ["n_components", "covariance_type", "log_likelihood", "p", "AIC", "BIC", "ICL", "seconds", "status"]
    assert head.split() == expected
    assert [row.startswith("*") for row in rows] == [False, True, False]
    assert rows[1].split()[1:5] == ["2", "full", "-214.355", "29"]
    assert foot == "* smallest BIC"


def test_the_plot_shows_the_criterion_and_marks_fits_without_a_maximum():
    _, ax = plt.subplots()
    selection = select(cloud_and_duplicates(), GaussianMixtureEM(n_init=1, random_state=0), [1, 2], init=["kmeans"])
    assert selection.plot(ax) is ax
    values, crosses, ring = ax.lines
    np.testing.assert_array_equal(values.get_xydata(), [[1, selection.candidates[0].bic]])
    np.testing.assert_array_equal(crosses.get_xdata(), [2])
    np.testing.assert_array_equal(ring.get_xydata(), values.get_xydata())
    assert ax.get_ylabel() == "BIC (smaller is better)"
    plt.close("all")


def test_progress_goes_to_standard_error_and_changes_nothing(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the stream for a terminal
    shown = iris_selection((1, 2), n_init=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Fitting 2 mixtures" in err
    silent = iris_selection((1, 2), n_init=1, progress=False)
    assert capsys.readouterr() == ("", "")
    assert [c.log_likelihood for c in shown.candidates] == [c.log_likelihood for c in silent.candidates]


@each_family_once
def test_numbers_of_components_fitted_as_one_batch_are_the_fits_of_each_alone(family):
    X, _, _ = family.problem(1, 3, 6, 150)
    estimator = family.estimator(2, n_init=4, random_state=0, **family.options, **family.structure)
    for K, candidate in enumerate(select(X, estimator, [1, 2, 3]).candidates, start=1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotIdentifiableWarning)
            alone = clone(estimator).set_params(n_components=K).fit(X)
        np.testing.assert_allclose(candidate.log_likelihood, alone.log_likelihood_, rtol=1e-9)
        assert candidate.estimator.parameters_.n_components == K
        assert candidate.estimator.n_collapsed_ == alone.n_collapsed_
        np.testing.assert_allclose(candidate.icl, alone.icl(X), rtol=1e-5)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_collapses_of_one_number_of_components_leave_the_others_of_the_batch_alone(covariance_type):
    X, estimator = cloud_and_duplicates(), GaussianMixtureEM(n_init=5, covariance_type=covariance_type, random_state=0)
    for candidate in select(X, estimator, [1, 2, 4]).candidates:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            alone = clone(estimator).set_params(**candidate.settings).fit(X)
        assert candidate.estimator.n_collapsed_ == alone.n_collapsed_
        assert candidate.has_maximum == alone.converged_
        if alone.converged_:
            np.testing.assert_allclose(candidate.log_likelihood, alone.log_likelihood_, rtol=1e-9)


def test_processes_that_share_the_fits_change_nothing():
    one, two = (iris_selection((1, 2), n_init=2, n_jobs=n_jobs) for n_jobs in (None, 2))
    assert [c.log_likelihood for c in one.candidates] == [c.log_likelihood for c in two.candidates]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": KMeans()}, r"estimator must be a mixture such as GaussianMixtureEM\(\), got KMeans"),
        ({"estimator": GaussianMixtureEM}, "estimator must be a mixture such as .*, got <class"),
        ({"n_jobs": 0}, "n_jobs must be None, a number of processes, or -1 for all processors, got 0"),
        ({"criterion": "dic"}, "criterion must be one of aic, bic, icl, got 'dic'"),
        ({"n_components": 3}, "n_components must be a list of values to try, got 3"),
        ({"n_components": []}, r"n_components must be a list of values to try, got \[\]"),
        ({"n_components": [1, 0]}, "n_components must be a whole number of at least 1, got 0"),
        ({"n_components": [1, 151]}, "n_components must be at most the number of samples 150, got 151"),
        ({"covariance_type": "full"}, "covariance_type must be a list of values to try, got 'full'"),
        ({"covariance_type": ["full", "round"]}, "covariance_type must be .*, got 'round'"),
        (
            {"n_trials": [1]},
            "GaussianMixtureEM has no parameter n_trials to vary, only acceleration, ",
        ),
        ({"X": [[0.0], [np.inf]]}, "X must be finite, or NaN .*, got infinity"),
        ({"sample_weight": [1.0]}, r"sample_weight must have shape \(150,\)"),
    ],
    ids=str,
)
def test_bad_grids_are_refused_before_any_fit(settings, message, monkeypatch):
    monkeypatch.setattr(MixtureEM, "fit", lambda self, X: pytest.fail("fitted"))
    arguments = {"X": reference_data.iris(), "estimator": GaussianMixtureEM()} | settings
    with pytest.raises(ValueError, match=message):
        select(**arguments)


def test_weights_give_the_selection_of_the_repeated_rows():
    X = reference_data.iris()
    times = np.random.RandomState(0).randint(0, 4, size=len(X))
    estimator = GaussianMixtureEM(init="kmeans", n_init=2, random_state=0)
    selection = select(X, estimator, [1, 2], sample_weight=times)
    for weighted, plain in zip(
        selection.candidates, select(np.repeat(X, times, axis=0), estimator, [1, 2]).candidates, strict=True
    ):
        for name in ("log_likelihood", "aic", "bic", "icl"):
            assert getattr(weighted, name) == pytest.approx(getattr(plain, name), rel=0, abs=1e-5)


def test_fits_of_many_give_no_warnings_of_their_own():
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        select(cloud_and_duplicates(), GaussianMixtureEM(n_init=2, random_state=0), [1, 2])
    assert given == []


def test_frozen_parameters_are_not_counted():
    estimator = GaussianMixtureEM(n_init=1, covariance_type="tied", frozen={"covariances": np.eye(4)}, random_state=0)
    selection = select(reference_data.iris(), estimator, [1, 2])
    assert [candidate.n_free_parameters for candidate in selection.candidates] == [4, 9]


def test_several_criteria_are_drawn_in_one_figure_with_the_chosen_number_marked():
    estimator = GaussianMixtureEM(n_init=1, random_state=0)
    selection = select(reference_data.iris(), estimator, [1, 2], covariance_type=["full", "diag"], progress=False)
    _, ax = plt.subplots()
    selection.plot(ax, criteria=["bic", "aic"])
    drawn = {line.get_label(): line for line in ax.lines}
    ranked = [candidate for candidate in selection.candidates if candidate.has_maximum]
    of_full = [candidate for candidate in ranked if candidate.settings["covariance_type"] == "full"]
    for name in ("bic", "aic"):
        np.testing.assert_array_equal(
            drawn[f"full, {name.upper()}"].get_ydata(), [getattr(candidate, name) for candidate in of_full]
        )
    colours = {label: line.get_color() for label, line in drawn.items() if "," in label}
    assert np.array_equal(colours["full, BIC"], colours["full, AIC"])
    assert not np.array_equal(colours["full, BIC"], colours["diag, BIC"])
    K = selection.best.settings["n_components"]
    assert ax.get_title() == f"BIC chooses K = {K}"
    rings = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    for name, ring in zip(("bic", "aic"), rings, strict=True):
        assert ring[1] == min(getattr(candidate, name) for candidate in ranked)
    with pytest.raises(ValueError, match="criteria must be some of aic, bic, icl, got 'dic'"):
        selection.plot(ax, criteria=["dic"])
    plt.close("all")
