"""What needs rows in memory takes chunks too: all rows if there are few, else a random part, and it says so."""

import dask.array as da
import numpy as np
import pytest
from families import FAILINGS, each_family_once

from em import CategoricalMixtureEM, GaussianMixtureEM, KMeans, PoissonMixtureEM
from em.chunked.samples import chunked_samples
from em.chunked.sampling import in_memory
from em.cmm.latent_classes import latent_classes
from em.plots import plot

pytestmark = pytest.mark.usefixtures("dask_in_one_thread")

RNG = np.random.RandomState(0)
X = np.concatenate([RNG.normal(size=(1200, 2)), RNG.normal([4, 3], 1, size=(800, 2))])
CHUNKS = da.from_array(X, chunks=(700, -1))
FIT = GaussianMixtureEM(2, random_state=0, n_init=1).fit(X)


@pytest.fixture
def small_sketch(monkeypatch):
    """Let more than 500 distinct rows be too many."""
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 500)


@each_family_once
def test_bootstraps_of_few_rows_in_chunks_are_those_of_the_rows_in_memory(family):
    X, start, _ = family.problem(5, 2, 2, 150)
    X = np.array(X, dtype=float)
    X[::9, 0] = np.nan
    weights = np.random.RandomState(1).randint(0, 4, size=150).astype(float)
    fit = family.fit(X, 2, sample_weight=weights, init=start, max_iter=100, quiet=FAILINGS)
    settings = {"kind": "bootstrap", "n_bootstrap": 5, "random_state": 0, "sample_weight": weights}
    whole, parts = (fit.uncertainty(rows, **settings) for rows in (X, da.from_array(X, chunks=(80, -1))))
    np.testing.assert_allclose(parts.replicates, whole.replicates, rtol=1e-6, atol=1e-8)
    assert parts.status == whole.status


def test_bootstraps_of_many_rows_are_spread_as_those_of_all(small_sketch, monkeypatch):
    monkeypatch.setattr("em.uncertainty.bootstrap.MOST_RESAMPLED", 1000)
    uncertainty = FIT.uncertainty(CHUNKS, kind="bootstrap", n_bootstrap=200, random_state=0)
    wanted = FIT.uncertainty(X)
    # 200 replicates: 1 / sqrt(400) of a standard error; 1,000 rows in two components: as much again, of variances
    np.testing.assert_allclose(uncertainty.standard_errors, wanted.standard_errors, rtol=0.3)
    np.testing.assert_allclose(uncertainty.replicates.mean(axis=0), FIT.uncertainty(X).estimates, atol=0.01)
    assert "of 2,000 samples at random" in uncertainty.status
    with pytest.raises(ValueError, match="kind must be 'louis' or 'bootstrap' where X is in chunks"):
        FIT.uncertainty(CHUNKS, kind="parametric bootstrap")


def test_each_sample_of_chunks_is_as_likely_as_another_whatever_repeats(small_sketch):
    rows = np.concatenate([X, np.zeros((2000, 2))])
    weights = np.where(np.arange(4000) % 2, 3.0, 1.0)
    samples = chunked_samples(FIT, da.from_array(rows, chunks=(900, -1)), weights)
    part = in_memory(samples, 2000)
    share = part.weights[~part.X.any(axis=1)].sum() / part.total
    assert part.total == pytest.approx(2000, abs=4 * np.sqrt(2000))
    assert share == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 2000))  # one row of all stands for half of the samples


@pytest.mark.parametrize("covered", ["all", "some"])
def test_latent_classes_of_chunks_are_those_of_the_rows_in_memory(covered, monkeypatch):
    words = np.array([["a", "b", "c"], ["u", "v", "w"], ["x", "y", "z"]], dtype=object)
    z = RNG.randint(2, size=600)
    codes = (RNG.random_sample((600, 3)) < np.array([0.8, 0.3])[z][:, None]) + (RNG.random_sample((600, 3)) < 0.1)
    rows, weights = words[np.arange(3), codes.astype(int)], RNG.randint(3, size=600).astype(float)
    fit = CategoricalMixtureEM(2, random_state=0, n_init=2).fit(rows, sample_weight=weights)
    if covered == "some":
        monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 8)
        monkeypatch.setattr("em.samples.sketch.FEWEST_SKETCHED", 8)
    report = latent_classes(fit, da.from_array(rows, chunks=(250, -1)), weights)
    wanted = latent_classes(fit, rows, weights)
    same = ["entropy_r_squared", "relative_entropy", "modal_sizes", "degrees_of_freedom"]
    for name in [*same, "g_squared", "x_squared"] if covered == "all" else same:
        assert getattr(report, name) == pytest.approx(getattr(wanted, name), rel=1e-10), name
    errors = ([row["standard_error"] for row in of_one.table] for of_one in (report, wanted))
    np.testing.assert_allclose(*errors, rtol=1e-8)
    assert np.isnan(report.g_squared) == (covered == "some")


def notes(ax):
    return [text.get_text() for text in np.ravel(ax)[0].texts if "samples drawn" in text.get_text()]


def test_pictures_of_chunks_say_how_many_samples_they_show(small_sketch, monkeypatch):
    assert notes(plot(FIT, CHUNKS)) == []  # 2,000 samples are all drawn
    monkeypatch.setattr("em.plots.points.MOST_POINTS", 300)
    monkeypatch.setattr("em.plots.picture.MOST_ON_A_LINE", 1000)
    for fit in (FIT, KMeans(2, random_state=0).fit(X)):
        ax = plot(fit, CHUNKS)
        assert max(len(drawn.get_offsets()) for drawn in ax.collections) == pytest.approx(300, abs=70)
        (note,) = notes(ax)
        assert note.endswith("of 2,000 samples drawn, at random")
    line = GaussianMixtureEM(2, random_state=0, n_init=1).fit(X[:, :1])
    (note,) = notes(plot(line, CHUNKS[:, :1]))
    assert float(note.split()[0].replace(",", "")) == pytest.approx(1000, abs=100)


def test_profiles_of_chunks_are_of_all_rows(small_sketch):
    counts = RNG.poisson([3.0, 8.0, 1.0], size=(2000, 3)).astype(float)
    weights = RNG.randint(3, size=2000).astype(float)
    fit = PoissonMixtureEM(2, random_state=0, n_init=1, tol=1e-2).fit(counts)
    bars = [
        [bar.get_height() for bar in plot(fit, rows, sample_weight=weights).patches]
        for rows in (counts, da.from_array(counts, chunks=(700, -1)))
    ]
    np.testing.assert_allclose(bars[1], bars[0], rtol=1e-12)
    np.testing.assert_allclose(bars[0], np.average(counts, axis=0, weights=weights), rtol=1e-12)
