"""The estimators keep scikit-learn's conventions: its own checks, tools, data frames and printing."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import reference_data
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import ClassifierTags
from sklearn.utils.estimator_checks import check_estimator

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior
from models.validation import real_numbers

NEEDS_ARRAY_API = {"check_array_api_input"}  # scikit-learn itself skips it unless SCIPY_ARRAY_API is set
COUNTS_ONLY = "the data of this check are real numbers; a Bernoulli or binomial mixture takes 0/1 or counts"
REAL_DATA_CHECKS = [
    "check_fit_score_takes_y",
    "check_estimators_overwrite_params",
    "check_dont_overwrite_parameters",
    "check_estimators_fit_returns_self",
    "check_readonly_memmap_input",
    "check_n_features_in_after_fitting",
    "check_estimators_dtypes",
    "check_sample_weights_pandas_series",
    "check_sample_weights_not_an_array",
    "check_sample_weights_list",
    "check_sample_weights_shape",
    "check_sample_weights_not_overwritten",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_estimator_sparse_tag",
    "check_dtype_object",
    "check_pipeline_consistency",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_fit2d_1feature",
    "check_dict_unchanged",
    "check_fit_idempotent",
    "check_fit_check_is_fitted",
    "check_n_features_in",
    "check_fit2d_predict1d",
]
X = reference_data.faithful()


class Rounded:
    """Rounds real data to whole numbers of at most ``n_trials``, so that scikit-learn's checks have data to give."""

    def fit(self, X, y=None, **metadata):
        return super().fit(self._rounded(X), y, **metadata)

    def partial_fit(self, X, y=None, classes=None, **metadata):
        return super().partial_fit(self._rounded(X), y, **metadata)

    def predict_proba(self, X, **metadata):
        return super().predict_proba(self._rounded(X), **metadata)

    def score_samples(self, X, **metadata):
        return super().score_samples(self._rounded(X), **metadata)

    def score(self, X, y=None, **metadata):
        return super().score(self._rounded(X), y, **metadata)

    def __sklearn_tags__(self):
        """Look like a classifier of four classes: the sparse checks take all that has `predict_proba` for one."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags()
        return tags

    def _rounded(self, X):
        most = getattr(self, "n_trials", 1)
        if sparse.issparse(X):
            return X.tocsr().rint().minimum(most)
        X = np.round(real_numbers("X", X))
        return np.where(np.isfinite(X), np.minimum(X, most), X)


class RoundedBernoulliEM(Rounded, BernoulliMixtureEM):
    pass


class RoundedBinomialEM(Rounded, BinomialMixtureEM):
    pass


def outcomes(estimator, **settings):
    results = check_estimator(estimator, on_skip=None, **settings)
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= NEEDS_ARRAY_API
    return [r for r in results if r["status"] != "skipped"]


@pytest.mark.filterwarnings("ignore::em.NoMaximumWarning")  # two Gaussians on the five samples of one check
@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")  # four components of three features
@pytest.mark.filterwarnings("ignore::em.FewerClustersWarning")  # eight clusters of four distinct rows
@pytest.mark.parametrize(
    "estimator",
    [
        GaussianMixtureEM(),
        GaussianMixtureEM(2, n_init=1, tol=1e-3),
        KMeans(n_init=2),
        RoundedBernoulliEM(4, n_init=1, tol=1e-3),
        RoundedBinomialEM(4, n_trials=4, n_init=1, tol=1e-3),
    ],
    ids=repr,
)
def test_scikit_learns_checks_pass_without_exception(estimator):
    results = outcomes(estimator)
    assert {r["status"] for r in results} == {"passed"}
    assert len(results) > 30


@pytest.mark.parametrize("estimator", [BernoulliMixtureEM(), BinomialMixtureEM()], ids=repr)
def test_mixtures_of_counts_fail_the_checks_whose_data_are_no_counts_and_no_other(estimator):
    results = outcomes(estimator, expected_failed_checks=dict.fromkeys(REAL_DATA_CHECKS, COUNTS_ONLY))
    failed = [r for r in results if r["status"] != "passed"]
    assert {r["check_name"] for r in failed} == set(REAL_DATA_CHECKS)
    for result in failed:
        error = result["exception"]
        assert "X must hold only 0 and 1" in f"{error}{error.__cause__}{error.__context__}"


@pytest.mark.parametrize("estimator", [GaussianMixtureEM(1), KMeans(2, random_state=0)], ids=repr)
def test_any_data_frame_gives_names_and_the_same_fit(estimator):
    expected = clone(estimator).fit(X)
    table = pa.table({"eruptions": X[:, 0], "waiting": X[:, 1]})  # goes through narwhals
    polars = pl.DataFrame({"eruptions": X[:, 0], "waiting": X[:, 1]})
    frame = pd.DataFrame({"eruptions": X[:, 0], "waiting": X[:, 1]})
    for data in (table, polars, frame, frame.astype(object)):
        fit = clone(estimator).fit(data)
        assert fit.feature_names_in_.tolist() == ["eruptions", "waiting"]
        assert fit.score(data) == expected.score(X)
        np.testing.assert_array_equal(fit.predict(data), expected.predict(X))


def test_null_cells_of_a_polars_frame_are_missing_cells():
    holed = X.copy()
    holed[::7, 1] = np.nan
    eruptions, waiting = holed.T.tolist()
    nulls = pl.DataFrame({"eruptions": eruptions, "waiting": [None if np.isnan(cell) else cell for cell in waiting]})
    assert nulls["waiting"].null_count() == 39
    expected = GaussianMixtureEM(1).fit(holed)
    fit = GaussianMixtureEM(1).fit(nulls)
    assert fit.score(nulls) == expected.score(holed)
    assert fit.feature_names_in_.tolist() == ["eruptions", "waiting"]


def test_columns_of_numbers_and_booleans_are_numbers():
    frame = pd.DataFrame({"x": [0.5, 1.5, 9.0], "yes": [True, False, True], "n": [1, 2, 3]})
    assert frame.to_numpy().dtype == object
    for estimator in (BinomialMixtureEM(n_trials=9), KMeans(1)):
        data = frame.round() if isinstance(estimator, BinomialMixtureEM) else frame
        fit, expected = (clone(estimator).fit(values) for values in (data, data.astype(float).to_numpy()))
        assert fit.score(data) == expected.score(data.astype(float).to_numpy())
        assert fit.feature_names_in_.tolist() == ["x", "yes", "n"]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.array([[1.0, "2"], [3.0, 4.0]], dtype=object), TypeError, "X must hold numbers, got '2' of type str"),
        (
            np.array([[1.0, {}], [3.0, 4.0]], dtype=object),
            TypeError,
            "X must hold numbers, got {} of type dict in column 1",
        ),
        (np.array([[1.0, 10**400], [3.0, 4.0]], dtype=object), ValueError, "X must hold numbers that fit a float"),
        (sparse.csr_array(np.eye(3)), TypeError, "X must be dense, got a sparse csr_array: pass X.toarray"),
        (sparse.coo_matrix(np.eye(3)), TypeError, "X must be dense, got a sparse coo_matrix"),
    ],
    ids=["text", "dict", "too large", "sparse array", "sparse matrix"],
)
def test_objects_that_are_no_dense_numbers_are_refused(data, error, message):
    others = [] if sparse.issparse(data) else [KMeans(1), BernoulliMixtureEM(1)]
    for estimator in [GaussianMixtureEM(1), *others]:
        with pytest.raises(error, match=message):
            estimator.fit(data)


@pytest.mark.parametrize("estimator", [GaussianMixtureEM(2, n_init=2, random_state=0), KMeans(2, random_state=0)])
def test_a_pipeline_fits_and_scores_as_its_parts_do(estimator):
    scaled = StandardScaler().fit_transform(X)
    pipeline = make_pipeline(StandardScaler(), clone(estimator)).fit(X)
    alone = clone(estimator).fit(scaled)
    np.testing.assert_array_equal(pipeline.predict(X), alone.predict(scaled))
    assert pipeline.score(X) == alone.score(scaled)


def test_a_grid_search_finds_two_components_and_the_better_prior():
    weak, strong = (GMMPrior([2.0, 2.0], X.mean(axis=0), k, 4, s * np.eye(2)) for k, s in [(0.01, 1.0), (1e4, 1e4)])
    by_size = GridSearchCV(GaussianMixtureEM(n_init=2, random_state=0), {"n_components": [1, 2]}, cv=3).fit(X)
    assert by_size.best_params_ == {"n_components": 2}
    by_prior = GridSearchCV(GaussianMixtureEM(2, n_init=1, random_state=0), {"prior": [strong, weak]}, cv=3).fit(X)
    np.testing.assert_array_equal(by_prior.best_params_["prior"].scale, weak.scale)
    pipeline = make_pipeline(StandardScaler(), KMeans(n_init=2, random_state=0))
    by_inertia = GridSearchCV(pipeline, {"kmeans__n_clusters": [1, 2]}, cv=3).fit(X)
    assert by_inertia.best_params_ == {"kmeans__n_clusters": 2}


def test_a_clone_has_the_same_settings_and_no_fit():
    prior = GMMPrior.weakly_informative(X, 2)
    start = GMMParameters([0.5, 0.5], X[:2], np.stack([np.eye(2)] * 2))
    fit = GaussianMixtureEM(2, prior=prior, init=start, tol=1e-3).fit(X)
    again = clone(fit)
    assert not hasattr(again, "weights_")
    assert again.tol == fit.tol
    for name in ("concentration", "mean", "mean_precision", "degrees_of_freedom", "scale"):
        np.testing.assert_array_equal(getattr(again.prior, name), getattr(prior, name))
    assert again.fit(X).history_.tolist() == fit.history_.tolist()


def test_k_means_gives_its_distances_names():
    frame = pd.DataFrame(X, columns=["eruptions", "waiting"])
    fit = KMeans(3, n_init=2, random_state=0).set_output(transform="pandas").fit(frame)
    distances = fit.transform(frame)
    assert distances.columns.tolist() == ["kmeans0", "kmeans1", "kmeans2"] == fit.get_feature_names_out().tolist()
    np.testing.assert_array_equal(distances, fit.set_output(transform="default").transform(frame))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            GMMParameters([0.5, 0.5], np.zeros((2, 3)), [np.eye(3)] * 2),
            "GMMParameters(weights=[0.5, 0.5], means=[[0, 0, 0], [0, 0, 0]], covariances=[[[1, 0, 0], [0, 1, 0], "
            "[0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]], covariance_type='full')",
        ),
        (
            GMMPrior([2.0, 2.0], [0.0], 0.01, 3, [[1.0]]),
            "GMMPrior(concentration=[2, 2], mean=[0], mean_precision=0.01, degrees_of_freedom=3.0, "
            "scale=[[1]], covariance_type='full')",
        ),
        (
            BMMParameters([1.0], np.full((1, 500), 0.5)),
            "BMMParameters(weights=[1], probs=[[0.5, 0.5, ..., 0.5, 0.5]] of shape (1, 500))",
        ),
        (BMMPrior(), "BMMPrior(concentration=2.0, successes=2.0, failures=2.0)"),
    ],
    ids=["gaussian parameters", "gaussian prior", "probs", "counts' prior"],
)
def test_parameters_and_priors_print_their_numbers_on_one_line(value, text):
    assert repr(value) == text


def test_an_estimator_prints_what_was_set_and_nothing_else():
    assert repr(GaussianMixtureEM(2, prior=None, random_state=1)) == "GaussianMixtureEM(n_components=2, random_state=1)"
    assert repr(BernoulliMixtureEM(3, prior=BMMPrior())).replace("\n", "").split() == [
        "BernoulliMixtureEM(n_components=3,",
        "prior=BMMPrior(concentration=2.0,",
        "successes=2.0,",
        "failures=2.0))",
    ]
    wide = GaussianMixtureEM(2, prior=GMMPrior(2.0, np.zeros(300), 0.1, 302, np.eye(300)))
    assert len(repr(wide)) < 300
    assert "[[1, ..., 0], ..., [0, ..., 1]] of shape (300, 300)" in wide._repr_html_()
