"""Streams weigh samples and not calls, stay in the parameter space, reach the batch optimum, resume and merge."""

import copy
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from families import FAILINGS, each_family, each_family_once, largest_relative_gap

import em.samples.sketch
import em.streams.state
from em import (
    BernoulliMixtureEM,
    GaussianMixtureEM,
    NoMaximumWarning,
    PoissonMixtureEM,
    StreamSettings,
    load,
    merge,
    save,
)
from em.samples import samples_of
from em.streams.state import Stream
from models.gmm import GMMParameters, simulate

TRUTH = GMMParameters([0.3, 0.7], [[0.0, 0.0], [2.5, 2.0]], [[[1.0, 0.3], [0.3, 0.8]], [[1.0, 0.0], [0.0, 1.5]]])
SMALL = StreamSettings(first_rows=60)


def streamed(family, batches, settings=SMALL, **given):
    """Return a family's mixture after these batches."""
    K, D = 2, batches[0].shape[1]
    options = {"n_init": 2, "random_state": 0, **family.options, **family.structure, **given}
    fit = family.estimator(K, prior=family.prior(K, D), **options)
    for X in batches:
        fit.partial_fit(X, settings=settings)
    return fit


def rows_of(family, n):
    X, start, _ = family.problem(3, 2, 2, n)
    X = np.array(X, dtype=float)
    X[4::11, 1] = np.nan
    return X, start


# Steps --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [StreamSettings(a) for a in (0.6, 0.8, 1)] + [StreamSettings(half_life=70)], ids=str
)
def test_two_batches_forget_what_their_rows_forget_in_one(settings):
    def kept(n, m):
        return 1 - settings.step(n, m, 100)

    assert kept(300, 40) * kept(340, 500) == pytest.approx(kept(300, 540), rel=1e-12)
    whole = settings.share_of_average
    assert (1 - whole(300, 40)) * (1 - whole(340, 500)) == pytest.approx(1 - whole(300, 540), abs=1e-12)


def test_the_step_of_exponent_one_is_the_mean_and_that_of_others_is_the_integral_of_the_power():
    assert StreamSettings(1).step(300, 100, 50) == 0.25
    times = np.linspace(300, 400, 200_001) / 50
    area = np.trapezoid(times**-0.6, times)
    assert StreamSettings(0.6).step(300, 100, 50) == pytest.approx(1 - np.exp(-area), rel=1e-9)


def test_a_sample_as_old_as_the_half_life_counts_half():
    settings, weights = StreamSettings(half_life=30), np.ones(1)
    for n in range(1, 200):
        gamma = settings.step(n, 1, 50)
        weights = np.append(weights * (1 - gamma), gamma)
    np.testing.assert_allclose(weights[-31] / weights[-1], 0.5, rtol=1e-10)
    assert weights.sum() == pytest.approx(1)
    ages = np.arange(0, 3000, 0.01)
    assert settings.remembered(3000) == pytest.approx(np.sum(2 ** (-ages / 30)) * 0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"exponent": 0.5}, "exponent must be finite and greater than 0.5"),
        ({"exponent": 1.1}, "exponent must be above 0.5 and at most 1, got 1.1"),
        ({"half_life": 0}, "half_life must be finite and greater than 0"),
        ({"first_rows": 1}, "first_rows must be a whole number of at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        StreamSettings(**given)


# Where it goes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ordered", "most"), [(False, 1), (True, 2)], ids=["random order", "sorted by component"])
def test_after_twenty_passes_it_is_within_a_standard_error_or_two_of_the_batch_estimate(ordered, most, monkeypatch):
    monkeypatch.setattr(em.streams.state, "MOST_ROWS", 250)  # so that the sample is far from all rows
    X, z = simulate(TRUTH, 1000, 0)
    rng, fit = np.random.RandomState(1), GaussianMixtureEM(2, n_init=2, random_state=0)
    for _ in range(20):
        order = rng.permutation(1000)
        for rows in np.split(order[np.argsort(z[order], kind="stable")] if ordered else order, 4):
            fit.partial_fit(X[rows], settings=StreamSettings(first_rows=120))
    assert not fit.stream_.whole
    batch = GaussianMixtureEM(2, random_state=0).fit(X)
    found = fit.parameters_.permute(np.argsort(fit.means_[:, 0])).arrays()
    wanted = batch.parameters_.permute(np.argsort(batch.means_[:, 0]))
    errors = GaussianMixtureEM(2, init=wanted).fit(X).uncertainty(X).standard_errors
    gaps = (fit._entries(1).of(found) - fit._entries(1).of(wanted.arrays())) / errors
    assert np.abs(gaps).max() < most


def test_looks_at_rows_that_repeat_leave_the_stream_near_the_batch_estimate():
    rng, probs = np.random.RandomState(0), np.repeat([[0.03], [0.5]], 20, axis=1)  # half of the rows are few patterns
    batches = [(rng.rand(2500, 20) < probs[rng.randint(2, size=2500)]).astype(float) for _ in range(16)]
    fit = BernoulliMixtureEM(2, n_init=2, random_state=0)
    for X in batches:
        fit.partial_fit(X)
    assert not fit.stream_.whole
    X = np.concatenate(batches)
    batch = BernoulliMixtureEM(2, init=fit.parameters_).fit(X)
    gaps = fit._entries(1).of(fit.parameters_.arrays()) - fit._entries(1).of(batch.parameters_.arrays())
    assert np.abs(gaps / batch.uncertainty(X).standard_errors).max() < 2
    assert (batch.score(X) - fit.score(X)) * len(X) < 20


def test_forgetting_follows_means_that_move():
    rng, fits = np.random.RandomState(0), []
    for half_life in (300, None):
        fit = GaussianMixtureEM(1, n_init=1)
        for step in range(40):
            fit.partial_fit(rng.normal(step / 10, 1, size=(100, 1)), settings=StreamSettings(half_life=half_life))
        fits.append(fit.means_[0, 0])
    assert fits[0] == pytest.approx(3.9 - 0.1 * 3 / np.log(2), abs=0.25)  # the mean age of what is remembered
    assert fits[1] < 3.3


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
@each_family_once
def test_odd_batches_leave_parameters_legal_and_a_saved_stream_goes_on_with_the_same_bits(family, tmp_path):
    X, _ = rows_of(family, 120)
    X = X[np.argsort(X[:, 0], kind="stable")]  # as adversaries do
    fit = streamed(family, [X, X[:1], np.repeat(X[60:61], 100, axis=0)])  # one component, one row, constant rows
    save(fit, tmp_path / "stream.json")
    resumed = load(tmp_path / "stream.json")
    for batch in (X[-2:], X[30:]):  # a look falls into them
        fit.partial_fit(batch)
        resumed.partial_fit(batch)
        type(fit.parameters_)(*fit.parameters_.arrays().values(), *fit.parameters_.options)  # or a ValueError
        assert np.isfinite(fit.predict_proba(X)).all()
    assert fit.status_ == resumed.status_
    assert fit.stream_.looked > 200
    for name, array in fit.parameters_.arrays().items():
        np.testing.assert_array_equal(array, resumed.parameters_.arrays()[name])
    assert fit.sample(3, random_state=0)[0].shape == (3, 2)


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
@each_family_once
def test_a_stream_saved_after_each_of_its_first_rows_goes_on_with_the_same_bits(family, tmp_path):
    X, _ = rows_of(family, 10)
    named = {"levels": (3, 2)} if hasattr(family.estimator(2), "levels") else {}
    X, fit = np.vstack([np.full((1, 2), np.nan), X, X[:6]]), streamed(family, [X[:1]], **named)
    resumed, n_unfitted = fit, 0
    for row in X:
        save(resumed, tmp_path / "stream.json")
        n_unfitted += "parameters_" not in vars(resumed)
        resumed = load(tmp_path / "stream.json").partial_fit(row[None])
        fit = copy.copy(fit).partial_fit(row[None])
        assert resumed.status_ == fit.status_
    assert n_unfitted > 0
    for name, array in fit.parameters_.arrays().items():
        np.testing.assert_array_equal(array, resumed.parameters_.arrays()[name])


def test_steps_that_would_be_no_mixture_are_left_out_and_counted():
    X, _ = simulate(TRUTH, 300, 0)
    fit = GaussianMixtureEM(2, random_state=0).partial_fit(X, settings=StreamSettings(first_rows=300, half_life=20))
    before = fit.parameters_
    fit.partial_fit(np.full((1, 2), 1e200))
    np.testing.assert_array_equal(fit.means_, before.means)
    for _ in range(40):
        fit.partial_fit(np.zeros((30, 2)))
    assert fit.stream_.n_left_out > 1
    assert f"{fit.stream_.n_left_out} steps left out" in fit.status_
    assert np.linalg.eigvalsh(fit.covariances_).min() > 0


def test_a_stream_whose_first_statistics_are_no_mixture_says_why_and_goes_on():
    X = np.concatenate([np.random.RandomState(0).normal(mean, 1, size=(500, 2)) for mean in (0, 50)])
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    before = fit.parameters_
    fit.begin_stream(X[:500])
    assert "the statistics give no mixture: component 1 was emptied" in fit.status_.replace(
        "component 0", "component 1"
    )
    np.testing.assert_array_equal(fit.means_, before.means)
    for _ in range(4):
        fit.partial_fit(X[500:])
    np.testing.assert_allclose(np.sort(fit.means_, axis=0), np.sort(before.means, axis=0), atol=1)
    assert "no mixture" not in fit.status_


@pytest.mark.parametrize("half_life", [40, 400])
def test_a_half_life_shorter_than_a_batch_is_kept(half_life):
    settings = StreamSettings(half_life=half_life, first_rows=500)
    fit = GaussianMixtureEM(1, n_init=1).partial_fit(np.random.RandomState(0).normal(size=(500, 1)), settings=settings)
    fit.partial_fit(np.linspace(0, 1000, 4000)[:, None])  # in one batch
    assert fit.means_[0, 0] == pytest.approx(1000 - half_life / np.log(2) / 4, abs=half_life / 30)


def test_what_first_rows_did_not_show_is_not_impossible_for_good():
    rng = np.random.RandomState(0)
    fit = PoissonMixtureEM(2, random_state=0).partial_fit(
        [[0, 1], [0, 30]] * 60, settings=StreamSettings(first_rows=100)
    )
    assert (fit.rates_[:, 0] == 0).all()
    for _ in range(40):
        fit.partial_fit(rng.poisson([[0.5, 1], [0.0, 30]] * 50))
    rare = fit.rates_[np.argmin(fit.rates_[:, 1]), 0]
    assert rare == pytest.approx(0.5, abs=0.1)


def test_digits_are_kept_far_from_the_origin():
    X, _ = simulate(TRUTH, 1200, 0)
    near, far = (streamed_gaussians(np.split(X + offset, 12), StreamSettings(first_rows=200)) for offset in (0.0, 1e8))
    np.testing.assert_allclose(far.covariances_, near.covariances_, rtol=1e-5)


def streamed_gaussians(batches, settings, **given):
    fit = GaussianMixtureEM(2, random_state=0, **{"n_init": 2, **given})
    for X in batches:
        fit.partial_fit(X, settings=settings)
    return fit


def test_before_a_legal_fit_there_are_no_predictions_and_the_status_says_so():
    fit = GaussianMixtureEM(2, random_state=0).partial_fit([[0.0, 1.0]])
    assert fit.status_ == "stream of 1 sample, without a legal fit so far"
    with pytest.raises(ValueError, match="not fitted"):
        fit.predict([[0.0, 1.0]])
    with pytest.warns(NoMaximumWarning, match="a stream of 80 samples has no start: X must not have constant columns"):
        GaussianMixtureEM(2).partial_fit([[0.0, 1.0]] * 80, settings=StreamSettings(first_rows=80))
    start = GaussianMixtureEM(2, init=TRUTH).partial_fit([[0.0, 1.0]])
    np.testing.assert_array_equal(start.means_, TRUTH.means)


def test_chunks_are_taken_one_after_the_other():
    X, _ = simulate(TRUTH, 600, 0)
    parts = streamed_gaussians([da.from_array(X, chunks=(150, 1))], SMALL)
    batches = streamed_gaussians(np.split(X, 4), SMALL)
    np.testing.assert_array_equal(parts.means_, batches.means_)
    assert parts.n_samples_seen_ == 600


def test_weights_count_how_often_a_row_occurs():
    X, _ = simulate(TRUTH, 300, 0)
    weights = np.random.RandomState(0).randint(0, 3, size=300)
    settings = StreamSettings(first_rows=80)
    one, other = (GaussianMixtureEM(2, random_state=0) for _ in range(2))
    for at in np.split(np.arange(300), 3):
        one.partial_fit(X[at], sample_weight=weights[at], settings=settings)
        other.partial_fit(np.repeat(X[at], weights[at], axis=0), settings=settings)
    assert one.n_samples_seen_ == other.n_samples_seen_ == weights.sum()
    np.testing.assert_allclose(one.weights_ @ one.means_, other.weights_ @ other.means_, atol=0.1)


# Resuming and merging -----------------------------------------------------------------------------------------------


@each_family
def test_statistics_at_the_same_parameters_merge_to_the_joint_m_step(family):
    X, start = rows_of(family, 90)
    settings = {"init": start, "max_iter": 2, "quiet": FAILINGS}
    fit, other = family.fit(X[:50], 2, **settings), family.fit(X[:50], 2, **settings)
    turned = other.parameters_.permute([1, 0])
    other._keep_parameters(turned)  # the same mixture under other labels
    joint = copy.copy(fit).begin_stream(X)
    merged = merge(copy.copy(fit).begin_stream(X[:40]), other.begin_stream(X[40:]))
    assert merged.n_samples_seen_ == 90
    assert largest_relative_gap(merged.parameters_.arrays(), joint.parameters_.arrays()) < 1e-9
    merged.partial_fit(X[:3])


def test_labels_that_frozen_parameters_give_are_not_matched_in_a_merge():
    X, _ = simulate(TRUTH, 2000, 0)
    weights = {"weights": [0.3, 0.7]}
    one, other = (
        GaussianMixtureEM(2, init=TRUTH, frozen=weights).fit(X[at]) for at in (slice(1000), slice(1000, 2000))
    )
    other._keep_parameters(replace(other.parameters_, means=other.means_[::-1], covariances=other.covariances_[::-1]))
    merged = merge(one.begin_stream(X[:1000]), other.begin_stream(X[1000:]))
    counts = [fit.stream_.averaged["counts"] for fit in (one, other, merged)]
    np.testing.assert_allclose(counts[2], (counts[0] + counts[1]) / 2)
    np.testing.assert_array_equal(merged.weights_, weights["weights"])


def test_merged_streams_are_near_the_fit_to_all_rows():
    X, _ = simulate(TRUTH, 3000, 0)
    halves = [streamed_gaussians(np.split(part, 3), StreamSettings(), n_init=2) for part in np.split(X, 2)]
    merged, batch = merge(*halves), GaussianMixtureEM(2, random_state=0).fit(X)
    order, own = np.argsort(batch.means_[:, 0]), np.argsort(merged.means_[:, 0])
    errors = batch.uncertainty(X).standard_errors[2:6].reshape(2, 2)[order]
    assert np.abs((merged.means_[own] - batch.means_[order]) / errors).max() < 2


@pytest.mark.parametrize("rows_kept", [8192, 500], ids=["all rows kept", "some rows kept"])
def test_merged_streams_that_saw_different_components_look_back_at_the_rows_of_both(rows_kept, monkeypatch):
    monkeypatch.setattr(em.streams.state, "MOST_ROWS", rows_kept)
    X, _ = simulate(TRUTH, 3000, 0)
    halves = np.split(X[np.argsort(X[:, 0])], 2)
    settings = StreamSettings(first_rows=200)
    merged = merge(*(streamed_gaussians(np.split(half, 3), settings) for half in halves))
    batch = GaussianMixtureEM(2, random_state=0).fit(X)
    order, own = np.argsort(batch.means_[:, 0]), np.argsort(merged.means_[:, 0])
    errors = batch.uncertainty(X).standard_errors[2:6].reshape(2, 2)[order]
    gaps = np.abs((merged.means_[own] - batch.means_[order]) / errors)
    assert gaps.max() < (0.01 if rows_kept > 3000 else 10)  # of 500 rows errors are √6 times as large
    assert merged.n_samples_seen_ == 3000


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
@each_family_once
def test_batches_that_tell_nothing_change_nothing(family):
    X, _ = rows_of(family, 120)
    nothing = np.full((3, 2), np.nan)
    named = {"levels": (3, 2)} if hasattr(family.estimator(2), "levels") else {}
    fit, other = streamed(family, [nothing, X, nothing], **named), streamed(family, [X], **named)
    fit.partial_fit(X, sample_weight=np.zeros(120))
    assert fit.n_samples_seen_ == other.n_samples_seen_ == 120
    for name, array in other.parameters_.arrays().items():
        np.testing.assert_array_equal(fit.parameters_.arrays()[name], array)
    assert fit.status_ == other.status_


def test_samples_of_merged_streams_have_the_smaller_share(monkeypatch):
    monkeypatch.setattr(em.streams.state, "MOST_ROWS", 100)
    X, _ = simulate(TRUTH, 600, 0)
    whole = Stream.empty(StreamSettings(), 2)
    few, many = (whole.with_rows(samples_of(rows, np.ones(len(rows))), 10) for rows in (X[:50], X[50:]))
    both = few.with_sample(many.row_sample(10), 10)
    assert few.whole
    assert not many.whole
    assert both.share == many.share
    assert {*map(tuple, many.rows)} < {*map(tuple, both.rows)}
    assert 2 < len(both.rows) - len(many.rows) < 20  # about a sixth of 50


@pytest.mark.parametrize("weight", [2.0**62, 2.0**63, 1e300])
def test_counts_beyond_64_bits_are_thinned_like_others(weight):
    stream = Stream.empty(StreamSettings(), 1).with_rows(
        samples_of(np.arange(9000.0)[:, None], np.full(9000, weight)), 10
    )
    assert 1000 < len(stream.rows) <= em.streams.state.MOST_ROWS
    assert (stream.row_weights > 0).all()


def test_settings_of_merged_streams_are_the_same_in_lists_and_in_arrays():
    X, _ = simulate(TRUTH, 300, 0)
    lists = GaussianMixtureEM(2, frozen={"weights": [0.5, 0.5]}, random_state=0).partial_fit(X)
    arrays = GaussianMixtureEM(np.int64(2), frozen={"weights": np.full(2, 0.5)}, random_state=0).partial_fit(X)
    np.testing.assert_allclose(merge(lists, arrays).means_, lists.means_)


def test_a_row_is_in_the_sample_as_often_as_in_the_data_whatever_its_weight_and_the_order_of_a_batch():
    rng, stream = np.random.RandomState(0), Stream.empty(StreamSettings(), 1)
    weights = np.append(50_000.0, np.full(5000, 2.5))  # one row is four fifths of all samples
    other = stream
    for batch in range(4):
        rows, order = np.append(0.0, 1 + 5000 * batch + np.arange(5000))[:, None], rng.permutation(5001)
        stream = stream.with_rows(samples_of(rows, weights), 10)
        other = other.with_rows(samples_of(rows[order], weights[order]), 10)
    np.testing.assert_array_equal(stream.rows, other.rows)
    assert 1000 < len(stream.rows) <= em.streams.state.MOST_ROWS
    total = stream.row_weights.sum()
    assert stream.row_weights[stream.rows[:, 0] == 0] / total == pytest.approx(0.8, abs=0.02)
    assert total == pytest.approx(250_000 * stream.share, rel=0.05)
    assert np.mean(stream.rows[stream.rows > 0] > 10_000) == pytest.approx(0.5, abs=0.05)
