"""Several fits of the same chunks share their passes, and quantiles over chunks are exact."""

import dask.array as da
import numpy as np
import pytest
from families import FAMILIES

from em import GaussianMixtureEM, density_threshold, is_anomaly, select
from em.chunked.chunks import Chunks
from em.chunked.quantiles import quantile_of_chunks
from em.chunked.shared_passes import in_shared_passes

pytestmark = pytest.mark.usefixtures("chunks_that_matter")


def clouds(n=600, seed=0):
    rng = np.random.RandomState(seed)
    return rng.normal(size=(n, 2)) + np.repeat([[0.0, 0.0], [6.0, 3.0], [0.0, 9.0]], n // 3, axis=0)


def counted(X, size):
    """Return X in chunks, and the list of those that were read, in which each reading of one is noted."""
    read = []

    def look(rows):
        read.append(len(rows))
        return rows

    return da.from_array(X, chunks=(size, -1)).map_blocks(look, meta=np.empty((0, 2))), read


SOME = ("tied-MAP", "categorical-ML", "poisson-exposure-MAP")
GRID = {"n_components": (1, 2, 3), "covariance_type": ["full", "diag"], "progress": False}


def test_all_candidates_share_the_passes_and_are_the_fits_of_each_alone():
    chunks, read = counted(clouds(), 200)
    settings = {"n_init": 1, "random_state": 0, "tol": 1e-2}
    estimator = GaussianMixtureEM(**settings)
    selection = select(chunks, estimator, **GRID)
    n_together, alone = len(read), []
    for candidate in selection.candidates:
        read.clear()
        fit = GaussianMixtureEM(**settings, **candidate.settings).fit(chunks)
        assert fit.bic(chunks) == candidate.bic
        assert fit.means_.tolist() == candidate.estimator.means_.tolist()
        alone.append(len(read))
    assert n_together <= max(alone) + 2 * 3  # of the others, two passes that the longest fit does not need
    assert n_together < 0.6 * sum(alone)
    whole = select(clouds(), estimator, **GRID)
    assert [c.settings for c in sorted(selection.candidates, key=lambda c: c.bic)][:2] == [
        c.settings for c in sorted(whole.candidates, key=lambda c: c.bic)
    ][:2]
    assert selection.best.bic == pytest.approx(whole.best.bic, rel=1e-4)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.name in SOME], ids=repr)
def test_families_are_selected_by_chunks_as_in_memory(family):
    X, start, _ = family.problem(5, 2, 2, 150)
    settings = {"prior": family.prior(2, 2), "init": start, "tol": 1e9, **family.options, **family.structure}
    estimator = family.estimator(2, **settings)
    weights = np.random.RandomState(1).randint(0, 3, size=150)
    parts, whole = (
        select(rows, estimator, [2], tol=[1e9, 2e9], sample_weight=weights, progress=False)
        for rows in (da.from_array(X, chunks=(60, -1)), X)
    )
    for one, other in zip(parts.candidates, whole.candidates, strict=True):
        assert (one.aic, one.icl) == pytest.approx((other.aic, other.icl), rel=1e-8)


def test_sums_that_are_equal_are_made_once_and_others_apart():
    X = da.from_array(clouds(), chunks=(100, -1))
    calls = []

    def total(rows, weights, power):
        calls.append(power)
        return (rows**power).sum()

    sums = in_shared_passes([lambda power=power: Chunks.of(X, None).sum(total, power) for power in (1, 1, 2)], X)
    np.testing.assert_allclose(sums, [clouds().sum(), clouds().sum(), (clouds() ** 2).sum()])
    assert sorted(calls) == [1] * 6 + [2] * 6


def test_an_error_of_one_fit_ends_all_and_that_of_a_chunk_names_it():
    bad = clouds()
    bad[250, 1] = np.inf
    with pytest.raises(ValueError, match=r"chunk 2: X must be finite.*X\[50, 1\]"):
        select(da.from_array(bad, chunks=(100, -1)), GaussianMixtureEM(), [1, 2], progress=False)
    with pytest.raises(ValueError, match="n_components must be at most the number of samples 600"):
        select(da.from_array(clouds(), chunks=(100, -1)), GaussianMixtureEM(), [1, 2, 601], progress=False)


def test_an_interrupt_ends_all_fits():
    def interrupted(rows, weights):
        raise KeyboardInterrupt

    X = da.from_array(clouds(), chunks=(100, -1))
    tasks = [lambda: Chunks.of(X, None).sum(interrupted), lambda: GaussianMixtureEM(2).fit(X)]
    with pytest.raises(KeyboardInterrupt):
        in_shared_passes(tasks, X)


QUANTILES = (0.04, 0.5, 0.999)


@pytest.mark.parametrize("weights", [None, np.random.RandomState(2).randint(0, 4, size=600)], ids=["rows", "weights"])
def test_the_threshold_of_anomalies_over_chunks_is_that_of_all_rows(weights):
    X = np.concatenate([clouds()[:590], np.full((10, 2), np.nan)])
    fit = GaussianMixtureEM(3, random_state=0, n_init=1).fit(X[:590])
    for size in (70, 600):
        chunks = da.from_array(X, chunks=(size, -1))
        for quantile in QUANTILES:
            whole = density_threshold(fit, X, quantile, sample_weight=weights)
            assert density_threshold(fit, chunks, quantile, sample_weight=weights) == pytest.approx(whole, rel=1e-14)
        anomalies = is_anomaly(fit, chunks, sample_weight=weights)
        np.testing.assert_array_equal(anomalies.compute(), is_anomaly(fit, X, sample_weight=weights))


@pytest.mark.parametrize("values", [[-np.inf, -3.0, -0.0, 0.0, 5e-324, 2.5, np.inf], [7.0] * 7, [-1e-300, -1e300, 1.0]])
def test_a_quantile_over_chunks_is_one_of_the_values(values):
    def of_rows(rows, weights):
        return rows[:, 0], np.ones(len(rows))

    X = np.array(values)[:, None]
    for place, value in enumerate(np.sort(X[:, 0])):
        share = place / (len(values) - 1)
        assert quantile_of_chunks(of_rows, da.from_array(X[::-1], chunks=(2, 1)), None, share) == value


def test_a_quantile_that_no_row_counts_for_is_refused():
    fit = GaussianMixtureEM(2, random_state=0, n_init=1).fit(clouds())
    for X, quantile, message in [
        (np.nan, 0.5, "X must have a row with an observed cell"),
        (0.0, 2, "quantile must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            density_threshold(fit, da.full((4, 2), X, chunks=2), quantile)
