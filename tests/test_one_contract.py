"""One contract: rows in memory, in a file, in Dask's chunks and in a stream are fitted alike, by every family."""

import dask
import dask.array as da
import numpy as np
import pytest
from families import FAILINGS, each_family, largest_relative_gap
from sklearn.base import clone

from em import GaussianMixtureEM, KMeans, StreamSettings

N = 120


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def problem(family):
    """Return samples with missing cells, weights of which some are 0, and where to start."""
    X, start, _ = family.problem(5, 2, 2, N)
    X, rng = np.array(X, dtype=float), np.random.RandomState(0)
    X[rng.random(X.shape) < 0.15] = np.nan
    return X, rng.randint(0, 4, size=N).astype(float), start


def held_to_the_rows_in_memory(fit, rows, X, weights):
    """Hold what a fit says of rows in a file or in chunks to what it says of the same rows in memory."""
    lines, wanted = (fit.assignments(x, threshold=0.0).drop(columns="anomaly") for x in (rows, X))
    np.testing.assert_allclose(np.asarray(lines), np.asarray(wanted), rtol=1e-9)
    np.testing.assert_allclose(np.asarray(fit.impute(rows)), fit.impute(X), rtol=1e-9)
    page, wanted = (fit.summary(x, sample_weight=weights) for x in (rows, X))
    assert page.samples == wanted.samples
    assert page.fit == pytest.approx(wanted.fit, rel=1e-9)


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
@each_family
def test_memory_file_chunks_and_stream_give_one_fit(family, tmp_path):
    X, weights, start = problem(family)
    held = family.prior(2, 2) is not None  # maximum likelihood with all free, MAP with frozen weights
    settings = {"frozen": {"weights": [0.4, 0.6]}} if held else {}
    memory = family.fit(X, 2, sample_weight=weights, init=start, quiet=FAILINGS, **settings)
    wanted, settings = memory.parameters_.arrays(), {"init": memory.parameters_, **settings}
    np.save(tmp_path / "X.npy", X)
    for rows in (np.load(tmp_path / "X.npy", mmap_mode="r"), da.from_array(X, chunks=(70, -1))):
        other = family.fit(rows, 2, sample_weight=weights, quiet=FAILINGS, **settings)
        assert other.log_likelihood_ == pytest.approx(memory.log_likelihood_, abs=1e-6)
        assert largest_relative_gap(other.parameters_.arrays(), wanted) < 1e-3
        held_to_the_rows_in_memory(memory, rows, X, weights)
    stream = family.estimator(2, prior=family.prior(2, 2), **family.options, **family.structure, **settings)
    n = int(weights[~np.isnan(X).all(axis=1)].sum())
    for bound in (1e-3, 0.5):  # the first pass is the stream's start, the second one of steps
        for rows in np.split(np.arange(N), 2):
            stream.partial_fit(X[rows], sample_weight=weights[rows], settings=StreamSettings(first_rows=n))
        assert largest_relative_gap(stream.parameters_.arrays(), wanted) < bound
        assert not held or stream.weights_.tolist() == [0.4, 0.6]
    assert stream.n_samples_seen_ == 2 * n


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
@each_family
def test_default_starts_are_drawn_from_the_same_rows_in_memory_and_in_chunks(family, monkeypatch):
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 40)
    X, weights, _ = problem(family)
    settings = {"sample_weight": weights, "random_state": 0, "quiet": FAILINGS, "n_init": 3}
    memory, chunks = (family.fit(rows, 2, **settings) for rows in (X, da.from_array(X, chunks=(35, -1))))
    assert largest_relative_gap(chunks.parameters_.arrays(), memory.parameters_.arrays()) < 1e-10


@pytest.mark.parametrize("estimator", [GaussianMixtureEM(3, random_state=0), KMeans(3, random_state=0)])
def test_fits_of_many_rows_are_the_same_in_memory_and_in_chunks_in_any_order(estimator):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(3, 4))[rng.randint(3, size=70_000)] * 3 + rng.normal(size=(70_000, 4))
    fits = [clone(estimator).fit(rows) for rows in (X, X[::-1].copy(), da.from_array(X, chunks=(20_000, -1)))]
    one, *others = [fit.means_ if hasattr(fit, "means_") else fit.cluster_centers_ for fit in fits]
    for other in others:
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-10)


def test_memory_file_and_chunks_give_one_set_of_clusters(tmp_path, monkeypatch):
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 30)
    rng = np.random.RandomState(0)
    X, weights = rng.normal(size=(N, 3)), rng.randint(0, 4, size=N).astype(float)
    memory = KMeans(4, init=X[:4]).fit(X, sample_weight=weights)
    np.save(tmp_path / "X.npy", X)
    for rows in (np.load(tmp_path / "X.npy", mmap_mode="r"), da.from_array(X, chunks=(70, -1))):
        other = KMeans(4, init=X[:4]).fit(rows, sample_weight=weights)
        np.testing.assert_allclose(other.cluster_centers_, memory.cluster_centers_, rtol=1e-10)
        np.testing.assert_array_equal(np.asarray(other.labels_), memory.labels_)
        np.testing.assert_allclose(np.asarray(other.assignments(rows)), np.asarray(memory.assignments(X)), rtol=1e-9)
