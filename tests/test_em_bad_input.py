"""Bad input is a ValueError that names the argument, what was given and what would do."""

import numpy as np
import pytest
import scipy.sparse

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, NoMaximumWarning, PoissonMixtureEM, bmm, gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior

GOOD = np.random.RandomState(0).normal(size=(20, 2))
GOOD_COUNTS = np.random.RandomState(0).randint(2, size=(20, 3))
ESTIMATORS = [
    pytest.param(GaussianMixtureEM, id="gaussian"),
    pytest.param(BernoulliMixtureEM, id="bernoulli"),
    pytest.param(BinomialMixtureEM, id="binomial"),
]


def good_data(estimator):
    return GOOD if estimator is GaussianMixtureEM else GOOD_COUNTS


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("X", "message"),
    [
        pytest.param([[0.0, 1.0], [np.inf, 1.0], [1.0, 0.0]], "X must be finite, or NaN .*, got infinity", id="inf"),
        pytest.param([[0.0, np.nan], [1.0, np.nan]], r"X must .*, got none in column 1", id="empty column"),
        pytest.param(np.full((5, 2), np.nan), "X must have at least two rows .* observed", id="nothing observed"),
        pytest.param([[0.0, 1.0], [np.nan] * 2], "X must have at least two rows .* observed", id="one row observed"),
        pytest.param(np.empty((0, 2)), r"X must have at least one row and one column, got 0 sample\(s\)", id="empty"),
        pytest.param(
            np.empty((5, 0)), r"X must have at least one row and one column, got .* 0 feature\(s\)", id="narrow"
        ),
        pytest.param([[0.0, 1.0]], r"X must have at least two rows \(samples\), got 1 sample", id="one row"),
        pytest.param([0, 1, 1], r"X must be two-dimensional .*, got 1 dim.* Reshape your data", id="1-d"),
        pytest.param(np.zeros((2, 2, 2)), r"X must be two-dimensional .*, got 3 dim", id="3-d"),
        pytest.param([["a", "b"], ["c", "d"]], "X must hold numbers, got", id="strings"),
        pytest.param([["0", "1"], ["1", "0"]], "X must hold numbers, got", id="digits as strings"),
        pytest.param([[0, 1], [1]], "X must", id="ragged"),
        pytest.param(None, "X must hold numbers, got", id="None"),
        pytest.param(np.eye(2) * 1j, "X must hold numbers, got", id="complex"),
    ],
)
def test_data_that_are_no_matrix_of_numbers_are_refused(estimator, X, message):
    with pytest.raises(ValueError, match=message):
        estimator(1).fit(X)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("K", [0, -1, 1.5, True, "2", None, np.nan])
def test_a_number_of_components_that_is_no_count_is_refused(estimator, K):
    with pytest.raises(ValueError, match="n_components must be a whole number of at least 1, got "):
        estimator(K).fit(good_data(estimator))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_more_components_than_samples_are_refused(estimator):
    with pytest.raises(ValueError, match="n_components must be at most the number of samples 20, got 21"):
        estimator(21).fit(good_data(estimator))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tol": -1e-3}, "tol must be finite and at least 0, got -0.001"),
        ({"tol": np.nan}, "tol must be finite and at least 0, got nan"),
        ({"tol": "small"}, r"tol must .* number.*, got 'small'"),
        ({"tol": None}, r"tol must .* number.*, got None"),
        ({"max_iter": 0}, "max_iter must be a whole number of at least 1, got 0"),
        ({"max_iter": 2.5}, "max_iter must be a whole number of at least 1, got 2.5"),
        ({"acceleration": "anderson"}, "acceleration must be one of 'multisecant', 'squarem' or None, got 'anderson'"),
        ({"acceleration": True}, "acceleration must be one of 'multisecant', 'squarem' or None, got True"),
        ({"n_init": 0}, "n_init must be a whole number of at least 1, got 0"),
        ({"n_init": True}, "n_init must be a whole number of at least 1, got True"),
        ({"init": "kmeans++"}, r"init must be one of k-means\+\+, kmeans, random, .*, got 'kmeans\+\+'"),
        ({"init": [0, 1]}, r"init must be .*20 integer labels from 0 to 1, or .*, got \[0, 1\]"),
        ({"init": [2] * 20}, r"init must be .*20 integer labels from 0 to 1, or .*, got"),
        ({"init": [-1] * 20}, r"init must be .*20 integer labels from 0 to 1, or .*, got"),
        ({"init": [0.5] * 20}, r"init must be .*20 integer labels from 0 to 1, or .*, got"),
        ({"init": [[0], [0, 1]]}, r"init must be .*20 integer labels from 0 to 1, or .*, got"),
        ({"init": None}, r"init must be .*20 integer labels from 0 to 1, or .*, got None"),
        ({"prior": 3.0}, r"prior must be None.* a .*Prior, got float"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(estimator, settings, message):
    with pytest.raises(ValueError, match=message):
        estimator(2, **settings).fit(good_data(estimator))


def test_starts_of_another_shape_or_family_are_refused():
    gaussian = GMMParameters([1.0], [[0.0, 0.0]], [np.eye(2)])
    counts = BMMParameters([0.5, 0.5], np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match=r"init must have \(components, features\) = \(2, 2\), got \(1, 2\)"):
        GaussianMixtureEM(2, init=gaussian).fit(GOOD)
    with pytest.raises(ValueError, match=r"init must have \(components, features\) = \(2, 3\), got \(2, 2\)"):
        BernoulliMixtureEM(2, init=counts).fit(GOOD_COUNTS)
    with pytest.raises(ValueError, match=r"init must be one of .*, a GMMParameters, .* or means"):
        GaussianMixtureEM(2, init=counts).fit(GOOD)
    with pytest.raises(ValueError, match=r"init must be one of .*, a BMMParameters, .* or probs"):
        BernoulliMixtureEM(1, init=gaussian).fit(GOOD_COUNTS)


def test_labels_that_leave_a_gaussian_component_empty_are_refused():
    with pytest.raises(ValueError, match="init labels give no legal start: component 2 was emptied"):
        GaussianMixtureEM(3, init=np.arange(20) % 2).fit(GOOD)


def test_priors_of_another_shape_or_family_are_refused():
    gaussian = GMMPrior(2.0, [0.0], 0.1, 3.0, [[1.0]])
    with pytest.raises(ValueError, match=r"prior.mean must have shape \(2,\) like a row of X, got \(1,\)"):
        GaussianMixtureEM(2, prior=gaussian).fit(GOOD)
    with pytest.raises(ValueError, match=r"prior.concentration must be a number or have shape \(2,\), got \(3,\)"):
        GaussianMixtureEM(2, prior=GMMPrior([2.0] * 3, [0.0, 0.0], 0.1, 4.0, np.eye(2))).fit(GOOD)
    with pytest.raises(ValueError, match=r"prior.successes must be a number or have shape \(3,\), got \(2,\)"):
        BernoulliMixtureEM(2, prior=BMMPrior(successes=[2.0, 2.0])).fit(GOOD_COUNTS)
    with pytest.raises(ValueError, match="prior must be None, a GMMPrior or a GMMIndependentPrior, got BMMPrior"):
        GaussianMixtureEM(2, prior=BMMPrior()).fit(GOOD)
    with pytest.raises(ValueError, match="prior must be None or a BMMPrior, got GMMPrior"):
        BernoulliMixtureEM(2, prior=gaussian).fit(GOOD_COUNTS)


def test_priors_without_a_mode_are_refused_by_map_and_only_there():
    sparse = GMMPrior(0.5, [0.0, 0.0], 0.1, 4.0, np.eye(2))
    at_least_1 = "must be at least 1 for MAP, got .*: below 1 the posterior mode lies .*, so MAP is undefined"
    with pytest.raises(ValueError, match=f"prior.concentration {at_least_1}"):
        GaussianMixtureEM(2, prior=sparse).fit(GOOD)
    with pytest.raises(ValueError, match=f"prior.concentration {at_least_1}"):
        gmm.m_step(GOOD, np.full((20, 2), 0.5), sparse)
    for name in ("concentration", "successes", "failures"):
        with pytest.raises(ValueError, match=f"prior.{name} {at_least_1}"):
            BernoulliMixtureEM(2, prior=BMMPrior(**{name: 0.5})).fit(GOOD_COUNTS)
        with pytest.raises(ValueError, match=f"prior.{name} {at_least_1}"):
            bmm.m_step(GOOD_COUNTS, np.full((20, 2), 0.5), BMMPrior(**{name: 0.5}))


def test_constant_columns_are_refused_where_their_variance_would_be_zero():
    X = np.column_stack([GOOD, np.full(20, 3.0)])
    with pytest.raises(
        ValueError,
        match=r"X must not have constant columns .* constant column 2.*drop them, or pass prior=GMMPrior",
    ):
        GaussianMixtureEM(2, random_state=0).fit(X)
    prior = GMMPrior(2.0, X.mean(axis=0), 0.1, 5.0, np.eye(3))
    assert np.isfinite(GaussianMixtureEM(2, prior=prior, random_state=0).fit(X).objective_)
    counts = np.column_stack([GOOD_COUNTS, np.zeros(20)])
    assert np.isfinite(BernoulliMixtureEM(1).fit(counts).objective_)


@pytest.mark.parametrize(
    "X",
    [
        pytest.param(np.column_stack([GOOD, GOOD.sum(axis=1)]), id="collinear"),
        pytest.param(GOOD @ np.ones((2, 2)) + 1e6, id="collinear far from zero"),
        pytest.param(np.random.RandomState(0).normal(size=(4, 6)), id="fewer samples than features"),
        pytest.param(np.random.RandomState(0).normal(size=(4, 4)), id="as many samples as features"),
    ],
)
def test_data_without_variance_in_some_direction_have_no_maximum_likelihood(X):
    with pytest.warns(
        NoMaximumWarning,
        match=r"X has no variance in some direction .*pass prior=",
    ):
        fit = GaussianMixtureEM(1).fit(X)
    assert np.isfinite(fit.objective_)
    assert not fit.converged_
    D = X.shape[1]
    prior = GMMPrior(2.0, X.mean(axis=0), 0.1, D + 2, np.eye(D))
    assert np.isfinite(GaussianMixtureEM(2, prior=prior, random_state=0).fit(X).objective_)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_a_constant_column_at_the_frozen_means_has_no_maximum_likelihood(covariance_type):
    X = np.column_stack([GOOD, np.ones(len(GOOD))])
    frozen = {"means": X[:1]}
    with pytest.warns(NoMaximumWarning, match="X has no variance in some direction"):
        GaussianMixtureEM(1, covariance_type=covariance_type, frozen=frozen).fit(X)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_data_whose_variance_fits_no_float_are_refused(scale):
    with pytest.raises(ValueError, match=r"X must have columns whose variances fit a float, got .* rescale X"):
        GaussianMixtureEM(1).fit(GOOD * scale)


def test_unknown_covariance_types_are_refused():
    with pytest.raises(ValueError, match="covariance_type must be one of full, tied, diag, spherical, got 'banded'"):
        GaussianMixtureEM(1, covariance_type="banded").fit(GOOD)


def test_priors_and_starts_of_another_structure_are_refused():
    tied = GMMParameters([1.0], GOOD.mean(axis=0)[None], np.cov(GOOD, rowvar=False), "tied")
    with pytest.raises(ValueError, match="init must have covariance_type 'full', got 'tied'"):
        GaussianMixtureEM(1, init=tied).fit(GOOD)
    with pytest.raises(ValueError, match=r"prior.covariance_type must be 'diag' like the mixture's, got 'full'"):
        GaussianMixtureEM(1, covariance_type="diag", prior=GMMPrior.weakly_informative(GOOD, 1)).fit(GOOD)


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_collinear_columns_are_good_input_where_no_covariance_is_fitted(covariance_type):
    doubled = np.column_stack([GOOD, GOOD[:, 0]])
    fit = GaussianMixtureEM(1, covariance_type=covariance_type, n_init=1, random_state=0).fit(doubled)
    assert fit.converged_


@pytest.mark.parametrize(
    ("X", "n_trials", "message"),
    [
        ([[0, 1], [2, 1]], 1, r"X must hold only 0 and 1 .* got values from 0 to 2; the first misfit is X\[1, 0\] = 2"),
        ([[0, 1], [-1, 1]], 1, r"X must hold only 0 and 1 .*; the first misfit is X\[1, 0\] = -1"),
        ([[0, 1], [0.5, 1]], 1, r"X must hold only 0 and 1 .*; the first misfit is X\[1, 0\] = 0.5"),
        ([[0, 4], [1, 5]], 4, r"X must hold whole numbers from 0 to n_trials .*; the first misfit is X\[1, 1\] = 5"),
        (
            [[0, 4], [1, 2.5]],
            4,
            r"X must hold whole numbers from 0 to n_trials .*; the first misfit is X\[1, 1\] = 2.5",
        ),
        ([[0, 4], [3, 1]], [2, 4], r"X must hold whole numbers .*; the first misfit is X\[1, 0\] = 3"),
        ([[0, 1], [1, 1]], 0, "n_trials must be whole numbers of at least 1, got 0"),
        ([[0, 1], [1, 1]], 1.5, "n_trials must be whole numbers of at least 1, got 1.5"),
        ([[0, 1], [1, 1]], "many", r"n_trials must .*numbers"),
        ([[0, 1], [1, 1]], None, r"n_trials must .*numbers"),
        ([[0, 1], [1, 1]], [[1], [1, 2]], r"n_trials must .*numbers"),
        ([[0, 1], [1, 1]], [1, 1, 1], r"n_trials must be a number or have shape \(2,\) or \(2, 2\) .*, got \(3,\)"),
        ([[0, 1], [1, 1]], np.ones((3, 2)), r"n_trials must be a number or have shape .*, got \(3, 2\)"),
    ],
)
def test_counts_that_do_not_fit_their_trials_are_refused(X, n_trials, message):
    with pytest.raises(ValueError, match=message):
        BinomialMixtureEM(1, n_trials=n_trials).fit(X)
    with pytest.raises(ValueError, match=message):
        bmm.e_step(X, BMMParameters([1.0], [[0.5, 0.5]]), n_trials)
    with pytest.raises(ValueError, match=message):
        bmm.m_step(X, [[1.0], [1.0]], None, n_trials)


@pytest.mark.parametrize("form", [np.array, scipy.sparse.csr_array])
def test_an_illegal_cell_is_named_by_its_row_in_x_behind_rows_that_do_not_take_part(form):
    X, weights = form([[1.0], [2.0], [-1.0], [3.0]]), [1, 0, 1, 1]
    with pytest.raises(ValueError, match=r"the first misfit is X\[2, 0\] = -1"):
        PoissonMixtureEM(1).fit(X, sample_weight=weights)
    if form is np.array:
        X[1] = np.nan
        with pytest.raises(ValueError, match=r"the first misfit is X\[2, 0\] = -1"):
            PoissonMixtureEM(1).partial_fit(X)


def test_a_fitted_mixture_refuses_other_features():
    fit = GaussianMixtureEM(1).fit(GOOD)
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixtureEM is expecting 2 features"):
        fit.predict(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="X must be finite"):
        fit.score_samples([[np.inf, 0.0]])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(19), r"sample_weight must have shape \(20,\), one for each row of X, got \(19,\)"),
        (np.ones((20, 1)), r"sample_weight must have shape \(20,\), .*, got \(20, 1\)"),
        (1.0, r"sample_weight must have shape \(20,\), .*, got \(\)"),
        (np.full(20, -1.0), "sample_weight must be finite and not negative"),
        (np.full(20, np.nan), "sample_weight must be finite and not negative"),
        (np.zeros(20), "sample_weight must not be zero for every row"),
        (np.eye(20)[0], "X must have at least two rows .* that is observed and has a weight"),
        (["one"] * 20, "sample_weight must hold numbers"),
        ("count", "sample_weight must hold numbers, got 'count' of dtype <U5$"),
    ],
)
def test_weights_that_are_no_frequencies_are_refused(estimator, weights, message):
    with pytest.raises(ValueError, match=message):
        estimator(1).fit(good_data(estimator), sample_weight=weights)


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        ({"probs": [[0.5]]}, "frozen must map some of weights, means, covariances to their values, got"),
        (["means"], "frozen must map some of weights, means, covariances to their values, got"),
        ({"means": np.zeros((3, 2))}, r"frozen means must have shape \(2, 2\), got \(3, 2\)"),
        ({"weights": [0.5, 0.6]}, "weights must be non-negative and sum to 1"),
        ({"covariances": [np.eye(2), -np.eye(2)]}, "covariances must be positive definite"),
        ({"means": np.full((2, 2), np.nan)}, "frozen means must be finite"),
    ],
)
def test_frozen_values_that_are_no_parameters_are_refused(frozen, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureEM(2, frozen=frozen).fit(GOOD)


def test_frozen_probs_outside_zero_and_one_are_refused():
    with pytest.raises(ValueError, match="frozen probs must lie in \\[0, 1\\]"):
        BernoulliMixtureEM(1, frozen={"probs": [[0.5, 1.5, 0.0]]}).fit(GOOD_COUNTS)


@pytest.mark.parametrize(
    ("steps", "parameters", "noun"),
    [
        (gmm, GMMParameters([1.0], [[0.0, 0.0]], [np.eye(2)]), "means"),
        (bmm, BMMParameters([1.0], [[0.5, 0.5]]), "probs"),
    ],
)
def test_steps_refuse_data_of_other_features(steps, parameters, noun):
    with pytest.raises(ValueError, match=f"X must have 2 columns like the {noun}, got 3"):
        steps.e_step(np.zeros((4, 3)), parameters)
