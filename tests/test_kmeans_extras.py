"""Mini-batches approach K-means; a sweep over K shows elbow and silhouette; stopping early is said aloud."""

import numpy as np
import pytest
import reference_data
from matplotlib.figure import Figure
from sklearn.cluster import MiniBatchKMeans as RivalMiniBatchKMeans
from sklearn.metrics import silhouette_samples

from em import KMeans, MiniBatchKMeans, NotConvergedWarning, kmeans_sweep
from em.plots_kmeans import plot_elbow, plot_silhouette

CENTERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def blobs(n, seed=0, sd=1.0):
    rng = np.random.RandomState(seed)
    return CENTERS[rng.randint(4, size=n)] + sd * rng.normal(size=(n, 2))


# Mini-batches --------------------------------------------------------------------------------------------------------


def test_a_batch_moves_the_centres_as_its_samples_one_by_one_would():
    X = blobs(60)
    fit = MiniBatchKMeans(4, random_state=0).partial_fit(X[:20])
    centers, counts = fit.cluster_centers_.copy(), fit.counts_.copy()
    nearest = fit.predict(X[20:])  # assignments are cached for the batch: Sculley (2010), algorithm 1
    for x, k in zip(X[20:], nearest, strict=True):
        counts[k] += 1
        rate = 1 / counts[k]
        centers[k] = (1 - rate) * centers[k] + rate * x
    fit.partial_fit(X[20:])
    np.testing.assert_array_equal(fit.counts_, counts)
    np.testing.assert_allclose(fit.cluster_centers_, centers, rtol=1e-13, atol=1e-13)  # rounding of at most 60 steps


def test_the_first_batch_is_clustered_by_k_means():
    X = blobs(100)
    fit, full = MiniBatchKMeans(4, random_state=0).partial_fit(X), KMeans(4, random_state=0).fit(X)
    np.testing.assert_array_equal(fit.cluster_centers_, full.cluster_centers_)
    assert fit.inertia_ == pytest.approx(full.inertia_, rel=1e-13)
    assert fit.counts_.sum() == 100
    assert fit.n_iter_ == 1


def test_one_centre_is_the_mean_of_all_batches():
    X = blobs(1000) + 1e6
    fit = MiniBatchKMeans(1)
    for part in np.split(X, [10, 11, 500]):
        fit.partial_fit(part)
    np.testing.assert_allclose(fit.cluster_centers_, [X.mean(axis=0)], rtol=1e-15 * 10)
    assert fit.counts_.tolist() == [1000]
    assert fit.n_iter_ == 4


def test_on_separated_clusters_the_inertia_is_that_of_k_means_up_to_sampling_error():
    X, t, b = blobs(20_000), 20, 200
    full = KMeans(4, n_init=3, random_state=0).fit(X)
    for seed in range(5):
        fit = MiniBatchKMeans(4, batch_size=b, max_iter=t, random_state=seed).fit(X)
        # the excess is K / (t b) times the mean of K D = 8 squared standard normals: above 5 with probability 1e-6
        assert 1 <= fit.inertia_ / full.inertia_ <= 1 + 5 * 4 / (t * b)
        assert fit.counts_.sum() == t * b


def test_on_overlapping_clusters_a_pass_leaves_less_inertia_than_scikit_learns_mini_batches():
    X = blobs(5000, sd=3.0)
    least = KMeans(4, n_init=2, tol=1e-3, random_state=0).fit(X).inertia_
    ours = [MiniBatchKMeans(4, batch_size=500, max_iter=10, random_state=seed).fit(X).inertia_ for seed in range(4)]
    rivals = [
        RivalMiniBatchKMeans(4, batch_size=500, max_iter=1, n_init=3, random_state=seed).fit(X).inertia_
        for seed in range(4)
    ]  # both see each sample once
    assert least * (1 - 1e-6) <= min(ours)
    assert max(ours) <= 1.002 * least  # sampling error alone is 4 / 5000 on average
    assert np.mean(ours) <= np.mean(rivals)


def test_a_batch_that_holds_all_samples_is_k_means():
    X = reference_data.faithful()
    fit, full = (cls(2, random_state=0).fit(X) for cls in (MiniBatchKMeans, KMeans))
    np.testing.assert_array_equal(fit.labels_, full.labels_)
    np.testing.assert_allclose(fit.cluster_centers_, full.cluster_centers_, rtol=1e-13)
    np.testing.assert_array_equal(fit.predict(X), fit.labels_)
    assert fit.score(X) == -fit.inertia_
    assert fit.transform(X).shape == (272, 2)


def test_the_seed_decides_and_fitting_again_starts_anew():
    X = blobs(500)
    fit = MiniBatchKMeans(4, batch_size=50, max_iter=5, random_state=3)
    first = fit.fit(X).cluster_centers_
    np.testing.assert_array_equal(fit.fit(X).cluster_centers_, first)
    assert fit.n_iter_ == 5
    fit.partial_fit(X)
    assert fit.n_iter_ == 6
    assert not np.array_equal(fit.set_params(random_state=4).fit(X).cluster_centers_, first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_clusters": 0}, "n_clusters must be a whole number of at least 1, got 0"),
        ({"n_clusters": 9}, "n_clusters must be at most the number of samples 8, got 9"),
        ({"n_init": 0}, "n_init must be a whole number of at least 1, got 0"),
        ({"max_iter": 0}, "max_iter must be a whole number of at least 1, got 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number of at least 1, got 1.5"),
        ({"n_clusters": 3, "batch_size": 2}, "batch_size must be at least n_clusters 3, got 2"),
    ],
)
def test_bad_settings_of_mini_batches_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MiniBatchKMeans(**settings).fit(blobs(8))


def test_a_first_batch_with_fewer_samples_than_clusters_is_refused_and_later_ones_may_be_small():
    X = blobs(30)
    fit = MiniBatchKMeans(4, random_state=0)
    with pytest.raises(ValueError, match="n_clusters must be at most the number of samples 3, got 4"):
        fit.partial_fit(X[:3])
    fit.partial_fit(X[:20]).partial_fit(X[20:21])
    assert fit.counts_.sum() == 21
    with pytest.raises(ValueError, match="X has 3 features, but MiniBatchKMeans is expecting 2 features"):
        fit.partial_fit(np.zeros((2, 3)))


# Stopping early ------------------------------------------------------------------------------------------------------


def test_reaching_max_iter_is_a_warning():
    X = blobs(200, sd=4.0)
    with pytest.warns(NotConvergedWarning, match="stopped at max_iter=3 with .*raise max_iter"):
        fit = KMeans(4, n_init=1, max_iter=3, random_state=0).fit(X)
    assert not fit.converged_
    assert KMeans(4, n_init=1, random_state=0).fit(X).converged_  # warnings are errors here


# Sweep over K --------------------------------------------------------------------------------------------------------


def silhouette_by_hand(X, labels):
    distances = np.sqrt(((X[:, None] - X) ** 2).sum(axis=2))
    scores = []
    for i in range(len(X)):
        others = [distances[i, labels == k].mean() for k in np.unique(labels) if k != labels[i]]
        own = (labels == labels[i]).sum() - 1
        a, b = distances[i, labels == labels[i]].sum() / max(own, 1), min(others)
        scores.append((b - a) / max(a, b) if own else 0.0)
    return np.mean(scores)


def test_a_sweep_holds_inertia_and_silhouette_of_each_k():
    X = blobs(80)
    sweep = kmeans_sweep(X, [1, 2, 4, 80], random_state=0)
    assert sweep.n_clusters.tolist() == [1, 2, 4, 80]
    assert sweep.inertia[0] == pytest.approx(((X - X.mean(axis=0)) ** 2).sum(), rel=1e-12)
    assert sweep.inertia[3] == 0
    assert (np.diff(sweep.inertia) < 0).all()
    assert np.isnan(sweep.silhouette).tolist() == [True, False, False, True]
    labels = KMeans(4, random_state=0).fit(X).labels_
    assert sweep.silhouette[2] == pytest.approx(silhouette_by_hand(X, labels), rel=1e-12)


def test_elbow_and_silhouette_find_the_four_clusters():
    sweep = kmeans_sweep(blobs(400), range(2, 8), n_init=3, random_state=0)
    assert sweep.n_clusters[sweep.silhouette.argmax()] == 4
    gains = -np.diff(sweep.inertia)
    assert gains[1] > 10 * gains[2:].max()  # from three clusters to four, and no more after


def test_a_silhouette_of_some_samples_is_near_that_of_all():
    X = blobs(1000)
    whole = kmeans_sweep(X, [4], n_init=2, random_state=0)
    some = kmeans_sweep(X, [4], n_init=2, silhouette_samples=300, random_state=0)
    assert some.inertia.tolist() == whole.inertia.tolist()
    sd = silhouette_samples(X, KMeans(4, n_init=2, random_state=0).fit(X).labels_).std()
    # five standard errors of a mean of 300, and the error of each sample's own mean distances, again of that size
    assert 0 < abs(some.silhouette[0] - whole.silhouette[0]) < 2 * 5 * sd / np.sqrt(300)


@pytest.mark.parametrize(
    ("sizes", "settings", "message"),
    [
        ([], {}, r"n_clusters must hold numbers from 1 to the number of samples 8, got \[\]"),
        ([2, 9], {}, r"n_clusters must hold numbers from 1 to the number of samples 8, got \[2, 9\]"),
        ([0], {}, "n_clusters must be a whole number of at least 1, got 0"),
        ([2], {"silhouette_samples": 1}, "silhouette_samples must be None or at least 2, got 1"),
        ([2], {"silhouette_samples": 0.5}, "silhouette_samples must be a whole number of at least 1, got 0.5"),
        ([2], {"n_init": 0}, "n_init must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_sweeps_are_refused(sizes, settings, message):
    with pytest.raises(ValueError, match=message):
        kmeans_sweep(blobs(8), sizes, **settings)


def test_plots_draw_the_sweep_on_the_axes_they_are_given():
    sweep = kmeans_sweep(blobs(50), [3, 1, 2], n_init=1, random_state=0)
    left, right = Figure().subplots(1, 2)
    plot_elbow(sweep, left)
    plot_silhouette(sweep, right)
    for ax, values, name in [(left, sweep.inertia, "inertia"), (right, sweep.silhouette, "silhouette score")]:
        [line] = ax.get_lines()
        assert line.get_xdata().tolist() == [1, 2, 3]
        np.testing.assert_array_equal(line.get_ydata(), values[[1, 2, 0]])
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("number of clusters K", name)
