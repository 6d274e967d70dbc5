"""K-means is hard EM: Lloyd's algorithm, and the limit of the Gaussian mixture as its covariances shrink."""

import numpy as np
import pytest
import reference_data
from families import feature_counts, sample_counts, seeds
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.cluster import KMeans as RivalKMeans
from sklearn.exceptions import ConvergenceWarning

from em import BernoulliMixtureEM, FewerClustersWarning, KMeans, NotConvergedWarning, NotIdentifiableWarning, gmm
from em.kmeans import FEWEST_IN_PART, REACH, kmeans_plusplus
from em.kmeans.batch import best_of, lloyd_batch
from em.kmeans.lloyd import lloyd
from models.gmm import GMMParameters

problem = given(seed=seeds, K=st.integers(1, 5), D=feature_counts, n=sample_counts)


def random_data(seed, K, D, n):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, D)) + 2 * rng.normal(size=(K, D))[rng.randint(K, size=n)]
    return X, X[rng.choice(n, K, replace=False)]


def soft(X, centers, eps):
    """Responsibilities of the mixture with equal weights and covariances eps I."""
    K, D = centers.shape
    parameters = GMMParameters(np.full(K, 1 / K), centers, np.stack([eps * np.eye(D)] * K))
    return gmm.e_step(X, parameters)[0]


@problem
def test_objective_is_minus_the_inertia_and_never_decreases(seed, K, D, n):
    X, centers = random_data(seed, K, D, n)
    fit = KMeans(K, init=centers).fit(X)
    assert (np.diff(fit.history_) >= -1e-12 * abs(fit.history_[0])).all()  # rounding of sums of at most 60 terms
    distances = ((X[:, None, :] - fit.cluster_centers_) ** 2).sum(axis=2)
    np.testing.assert_array_equal(fit.labels_, distances.argmin(axis=1))
    np.testing.assert_allclose(fit.inertia_, distances.min(axis=1).sum(), rtol=1e-12)
    assert fit.objective_ == fit.history_[-1] == -fit.inertia_
    assert len(fit.history_) == fit.n_iter_ + 1


@problem
def test_at_convergence_each_centre_is_the_mean_of_its_samples(seed, K, D, n):
    X, centers = random_data(seed, K, D, n)
    fit = KMeans(K, init=centers).fit(X)
    assert fit.converged_
    for k in np.unique(fit.labels_):
        np.testing.assert_allclose(fit.cluster_centers_[k], X[fit.labels_ == k].mean(axis=0), rtol=1e-10, atol=1e-12)


@problem
def test_lloyds_algorithm_of_scikit_learn_ends_at_the_same_centres(seed, K, D, n):
    X, centers = random_data(seed, K, D, n)
    fit = KMeans(K, init=centers).fit(X)
    rival = RivalKMeans(K, init=centers, n_init=1, tol=0.0, algorithm="lloyd", max_iter=1000).fit(X)
    if len(np.unique(fit.labels_)) == K == len(np.unique(rival.labels_)):
        np.testing.assert_allclose(fit.inertia_, rival.inertia_, rtol=1e-10)
        np.testing.assert_allclose(fit.cluster_centers_, rival.cluster_centers_, rtol=1e-9, atol=1e-12)


@given(seed=seeds, K=st.integers(2, 4), D=feature_counts)
def test_responsibilities_become_assignments_as_covariances_shrink(seed, K, D):
    X, _ = random_data(seed, K, D, 40)
    fit = KMeans(K, n_init=1, random_state=0).fit(X)
    one_hot = np.eye(K)[fit.labels_]
    distances = np.sort(((X[:, None, :] - fit.cluster_centers_) ** 2).sum(axis=2), axis=1)
    margin = (distances[:, 1] - distances[:, 0]).min()  # how much the hardest sample prefers its centre
    for eps in [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]:
        gap = np.abs(soft(X, fit.cluster_centers_, eps) - one_hot).max()
        # the other K - 1 components have at most exp(-margin / 2 eps) of the nearest one's density
        assert gap <= (K - 1) * np.exp(-margin / (2 * eps)) * (1 + 1e-6) + 1e-15


def test_the_gap_to_the_assignments_goes_to_zero():
    X = reference_data.faithful()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    fit = KMeans(2, random_state=0).fit(X)
    one_hot = np.eye(2)[fit.labels_]
    gaps = [np.abs(soft(X, fit.cluster_centers_, 10.0**-e) - one_hot).max() for e in range(1, 7)]
    assert (np.diff(gaps) <= 0).all()
    assert gaps[0] > 0.1
    assert gaps[-1] < 1e-15


def test_one_step_of_the_shrunken_mixture_is_one_step_of_k_means():
    X, centers = random_data(0, 3, 2, 50)
    with pytest.warns(NotConvergedWarning):
        fit = KMeans(3, init=centers, max_iter=1).fit(X)
    step = gmm.m_step(X, soft(X, centers, 1e-6))
    np.testing.assert_allclose(step.means, fit.cluster_centers_, rtol=1e-12)


def test_restarts_keep_the_least_inertia():
    X, _ = random_data(5, 5, 2, 60)
    many = KMeans(5, n_init=20, random_state=0).fit(X)
    one = KMeans(5, n_init=1, random_state=0).fit(X)
    assert many.inertia_ <= one.inertia_
    assert "best of 20 restarts" in many.status_
    assert "inertia at most" in many.status_


def clouds_of_many_rows(n):
    rng = np.random.RandomState(0)
    return 4 * rng.normal(size=(6, 3))[rng.randint(6, size=n)] + rng.normal(size=(n, 3))


@pytest.mark.parametrize("seed", range(3))
def test_of_many_rows_restarts_on_a_part_find_what_restarts_on_all_find(seed, monkeypatch):
    X = clouds_of_many_rows(4 * FEWEST_IN_PART)
    of_part = KMeans(6, n_init=5, random_state=seed).fit(X)
    assert "best of 5 restarts" in of_part.status_
    monkeypatch.setattr("em.kmeans.WORTH_A_PART", len(X))
    of_all = KMeans(6, n_init=5, random_state=seed).fit(X)
    np.testing.assert_allclose(of_part.inertia_, of_all.inertia_, rtol=1e-9)
    assert of_part.n_iter_ <= of_all.n_iter_


def test_a_part_of_many_rows_is_the_same_for_rows_in_any_order_repeated_or_weighted():
    X = clouds_of_many_rows(4 * FEWEST_IN_PART)
    order = np.random.RandomState(1).permutation(len(X))
    fit = KMeans(6, n_init=3, random_state=0).fit(X)
    np.testing.assert_array_equal(
        KMeans(6, n_init=3, random_state=0).fit(X[order]).cluster_centers_, fit.cluster_centers_
    )
    twice = KMeans(6, n_init=3, random_state=0).fit(X, sample_weight=np.full(len(X), 2.0))
    repeated = KMeans(6, n_init=3, random_state=0).fit(np.repeat(X, 2, axis=0))
    np.testing.assert_array_equal(repeated.cluster_centers_, twice.cluster_centers_)


@pytest.mark.parametrize("weighted", [False, True])
@problem
def test_runs_that_take_their_steps_together_end_where_each_ends_alone(weighted, seed, K, D, n):
    X, _ = random_data(seed, K, D, n)
    rng = np.random.RandomState(seed)
    weights = 1.0 + rng.randint(3, size=n) if weighted else None
    starts = [X[rng.choice(n, K, replace=False)] for _ in range(4)]
    for start, run in zip(starts, lloyd_batch(X, weights, starts), strict=True):
        alone = lloyd(X, weights, start)
        np.testing.assert_allclose(run.objective, alone.objective, rtol=1e-9, atol=1e-12 * (X**2).sum())
        finished = run if run.status else lloyd(X, weights, run.centers, path=(-run.history[:-1]).tolist())
        np.testing.assert_allclose(finished.centers, alone.centers, rtol=1e-9, atol=1e-12)
        assert finished.converged
        assert len(finished.history) == len(alone.history)


@pytest.mark.parametrize("seed", range(10))
def test_who_leaves_out_of_reach_of_the_best_would_not_have_been_the_best(seed):
    X, _ = random_data(seed, 6, 2, 4000)
    part = X[::4]
    plusplus = [kmeans_plusplus(part, 6, np.random.RandomState(r)) for r in range(10)]
    near_limits = [run.centers for run in lloyd_batch(part, None, plusplus)]
    all_, some = (
        lloyd(X, None, best_of(lloyd_batch(X, None, near_limits, reach=reach)).centers).objective
        for reach in (np.inf, REACH)
    )
    assert some >= all_ * (1 + 1e-9)


def test_plusplus_never_chooses_a_duplicate_while_others_are_left():
    X = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 50.0], [3.0, 3.0]], [40, 3, 1, 10], axis=0)
    for seed in range(30):
        centers = kmeans_plusplus(X, 4, np.random.RandomState(seed))
        assert len(np.unique(centers, axis=0)) == 4


@pytest.mark.parametrize("form", [np.asarray, csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize(
    "init", ["k-means++", [[7.0, -1.0], [7.5, -1.0], [0.0, 3.0], [0.0, 0.0]]], ids=["drawn", "given"]
)
@pytest.mark.parametrize("weights", [None, np.arange(15) % 4])
def test_fewer_distinct_rows_than_clusters_is_a_perfect_fit_with_scikit_learns_warning(form, init, weights):
    X = form(np.repeat([[7.0, -1.0], [0.0, 3.0]], [6, 9], axis=0))
    with pytest.warns(ConvergenceWarning, match="distinct clusters .2. found smaller than n_clusters .4."):
        RivalKMeans(4, n_init=1, random_state=0).fit(X)
    with pytest.warns(FewerClustersWarning, match=r"found 2 distinct clusters, fewer than n_clusters=4") as told:
        fit = KMeans(4, init=init, random_state=0).fit(X, sample_weight=weights)
    assert issubclass(FewerClustersWarning, ConvergenceWarning)
    assert [str(one.filename) for one in told] == [__file__]
    assert str(told[0].message) in fit.status_
    assert fit.converged_
    assert fit.inertia_ == 0.0
    assert np.isfinite(fit.cluster_centers_).all()
    assert len(np.unique(fit.labels_)) == 2
    np.testing.assert_array_equal(fit.predict(X), fit.labels_)
    np.testing.assert_array_equal(fit.transform(X).argmin(axis=1), fit.labels_)


def test_distinct_rows_count_only_with_a_weight():
    X, weights = np.array([[0.0], [1.0], [5.0], [9.0]]), [1, 2, 0, 3]
    assert KMeans(3, random_state=0).fit(X, sample_weight=weights).inertia_ == 0
    with pytest.warns(FewerClustersWarning, match="found 2 distinct"):
        KMeans(3, random_state=0).fit(np.vstack([X[[0, 0, 3]], X[2:]]), sample_weight=[1, 1, 1, 0, 1])


def test_a_mixture_that_starts_from_k_means_does_not_speak_of_clusters():
    X = np.repeat([[0, 1, 1], [1, 0, 0]], [6, 4], axis=0)
    with pytest.warns(NotIdentifiableWarning) as told:
        BernoulliMixtureEM(3, init="kmeans", random_state=0).fit(X)
    assert len(told) == 1


@pytest.mark.parametrize("form", [np.asarray, csr_array], ids=["dense", "sparse"])
def test_fitting_and_labelling_in_one_call_take_weights_by_place_or_name(form):
    X, _ = random_data(0, 3, 2, 50)
    weights = np.arange(50) % 3
    fit = KMeans(3, random_state=0).fit(form(X), sample_weight=weights)
    for call in ({"sample_weight": weights}, {}):
        places = () if call else (None, weights)
        labels = KMeans(3, random_state=0).fit_predict(form(X), *places, **call)
        np.testing.assert_array_equal(labels, fit.labels_)
        distances = KMeans(3, random_state=0).fit_transform(form(X), *places, **call)
        np.testing.assert_array_equal(distances, fit.transform(form(X)))
    assert labels.shape == (50,)  # rows of weight 0 too
    np.testing.assert_array_equal(labels, ((X[:, None] - fit.cluster_centers_) ** 2).sum(axis=2).argmin(axis=1))


def test_reaching_max_iter_is_a_warning_at_the_line_of_the_caller():
    X, _ = random_data(1, 4, 2, 200)
    with pytest.warns(
        NotConvergedWarning, match="stopped at max_iter=3, the last iteration lowered the inertia by"
    ) as told:
        fit = KMeans(4, n_init=1, max_iter=3, random_state=0).fit(X)
    with pytest.warns(NotConvergedWarning) as told_again:
        KMeans(4, n_init=1, max_iter=3, random_state=0).fit_predict(X)
    assert {one.filename for one in [*told, *told_again]} == {__file__}
    assert not fit.converged_
    assert KMeans(4, n_init=1, random_state=0).fit(X).converged_  # warnings are errors here


def test_an_emptied_cluster_restarts_at_the_worst_placed_sample():
    X = np.array([[0.0], [1.0], [10.0], [11.0]])
    fit = KMeans(2, init=[[5.0], [1000.0]]).fit(X)
    np.testing.assert_array_equal(np.sort(fit.cluster_centers_.ravel()), [0.5, 10.5])
    assert (np.diff(fit.history_) >= 0).all()


def test_as_many_clusters_as_samples_is_a_perfect_fit():
    X, _ = random_data(0, 3, 2, 20)
    assert KMeans(20, random_state=0).fit(X).inertia_ == 0.0


@pytest.mark.parametrize("centre", [0.0, 1.0])
def test_standardised_data_converge_from_a_centre_at_zero(centre):
    X = np.random.RandomState(0).normal(size=(200, 1))
    X -= X.mean(axis=0)
    fit = KMeans(1, init=[[centre]]).fit(X)
    assert fit.converged_
    np.testing.assert_allclose(fit.cluster_centers_, 0, atol=1e-15)


def test_predict_transform_and_score_use_the_centres():
    X, _ = random_data(0, 3, 2, 50)
    fit = KMeans(3, random_state=0).fit(X)
    np.testing.assert_array_equal(fit.predict(X), fit.labels_)
    np.testing.assert_array_equal(fit.fit_predict(X), fit.labels_)
    np.testing.assert_array_equal(fit.transform(X).argmin(axis=1), fit.labels_)
    np.testing.assert_allclose((fit.transform(X).min(axis=1) ** 2).sum(), fit.inertia_, rtol=1e-12)
    np.testing.assert_allclose(fit.score(X), -fit.inertia_, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_clusters": 0}, "n_clusters must be a whole number of at least 1, got 0"),
        ({"n_clusters": 1.5}, "n_clusters must be a whole number of at least 1, got 1.5"),
        ({"n_clusters": 5}, "n_clusters must be at most the number of samples 4, got 5"),
        ({"n_init": 0}, "n_init must be a whole number of at least 1, got 0"),
        ({"max_iter": 0}, "max_iter must be a whole number of at least 1, got 0"),
        ({"tol": -1.0}, "tol must be finite and at least 0, got -1"),
        ({"init": "random"}, r"init must be 'k-means\+\+' or an array of centres, got 'random'"),
        ({"init": [[0.0, 1.0]]}, r"init must have shape \(2, 1\), got \(1, 2\)"),
        ({"init": [[0.0], [np.nan]]}, "init must be finite"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        KMeans(**{"n_clusters": 2} | settings).fit([[0.0], [1.0], [2.0], [3.0]])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[np.nan], [1.0]], "X must be finite"),
        ([1.0, 2.0], "X must be two-dimensional"),
        ([[1.0]], "X must have at least two rows"),
        ([["a"], ["b"]], "X must hold numbers"),
        (np.empty((0, 2)), "X must have at least one row"),
    ],
)
def test_bad_data_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        KMeans(1).fit(X)


@pytest.mark.parametrize("shift", [0.0, 1.0, 1.9e9])
def test_fewer_distinct_rows_than_clusters_end_after_as_many_iterations_in_any_units(shift):
    """Means of equal rows are off by a rounding, which must not decide between centres on the same row."""
    X = np.repeat([[0.0], [2.0], [4.0]], [21, 25, 2], axis=0)
    for seed in range(6):
        near, far = (KMeans(5, n_init=1, random_state=seed) for _ in range(2))
        with pytest.warns(FewerClustersWarning):
            assert near.fit(X).n_iter_ == far.fit(X + shift).n_iter_ == 1
