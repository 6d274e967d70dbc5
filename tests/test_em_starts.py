"""Where EM starts, and which starts are run to the end."""

import numpy as np
import pytest
import reference_data
from families import FAILINGS, each_family_once
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

import em.gmm.units
import em.starts.restarts
from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, NoMaximumWarning
from em.engine import run_em
from em.engine.race import ENOUGH, MET, Races
from em.samples import Samples
from em.starts import STARTS, VIEWS, start_responsibilities


def cigars(seed, n=400):
    """Two long, flat, parallel clusters, in coordinates turned at random (scikit-learn's issue 34842)."""
    rng = np.random.RandomState(seed)
    z = rng.randint(2, size=n)
    X = np.column_stack([rng.normal(size=n) + 6 * z, 40 * rng.normal(size=n)])
    return X @ np.linalg.qr(rng.normal(size=(2, 2)))[0], z, 2


def hidden_axis(seed, n=500):
    """Three clusters along one axis; all directions of the data have the same variance (issues 34842 and 34845)."""
    rng = np.random.RandomState(seed)
    z = rng.randint(3, size=n)
    X = rng.normal(size=(n, 5))
    X[:, 0] = (X[:, 0] + 6 * z) / np.sqrt(1 + 36 * 2 / 3)
    return X @ np.linalg.qr(rng.normal(size=(5, 5)))[0], z, 3


@pytest.mark.parametrize(("data", "seed"), [(cigars, 0), (hidden_axis, 0)])
def test_on_anisotropic_data_starts_are_no_worse_than_scikit_learns(data, seed):
    X, z, K = data(seed)
    ours = GaussianMixtureEM(K, tol=1e-3, random_state=seed).fit(X)
    theirs = GaussianMixture(K, n_init=10, reg_covar=0, random_state=seed).fit(X)
    assert ours.log_likelihood_ > theirs.score(X) * len(X) - 1e-3
    assert adjusted_rand_score(z, ours.predict(X)) > 0.95


def test_a_single_view_would_not_do():
    """What the three sets of coordinates are for: labels of one k-means start in each."""
    X, z, K = cigars(0)
    samples = Samples(X, None, np.ones(len(X), dtype=bool), len(X))
    right = {
        view: adjusted_rand_score(
            z, start_responsibilities(samples, K, "kmeans", np.random.RandomState(0), view).argmax(axis=1)
        )
        for view in VIEWS
    }
    assert right["scaled"] < 0.1
    assert max(right.values()) > 0.5


@pytest.fixture
def runs(monkeypatch):
    """Every run that an estimator makes, in order: its limit of iterations and the result."""
    recorded = []

    def spy(*args, max_iter, **kwargs):
        runs = run_em(*args, max_iter=max_iter, **kwargs)
        recorded.extend((max_iter, run) for run in runs)
        return runs

    run_em = em.starts.restarts.run_em
    monkeypatch.setattr(em.starts.restarts, "run_em", spy)
    return recorded


@pytest.mark.parametrize("init", STARTS)
def test_the_best_of_many_short_runs_go_on_to_the_end(init, runs):
    X = reference_data.iris()
    fit = GaussianMixtureEM(3, n_init=2, n_starts=9, init=init, tol=1e-4, random_state=0).fit(X)
    short = [run for max_iter, run in runs if max_iter == em.starts.restarts.SHORT_RUN]
    whole = [run for max_iter, run in runs if max_iter == fit.max_iter]
    assert len(short) == 9
    assert all(run.n_iter <= em.starts.restarts.SHORT_RUN for run in short)
    alive = sorted((run for run in short if not run.collapsed), key=lambda run: -run.objective)
    ended = [run for run in whole if not run.collapsed]
    assert len(ended) == 2
    ended = [run for run in ended if run.beaten_by is None]
    leading = [run.history[0] for run in alive[: len(whole)]]  # of a larger batch, whose products may round otherwise
    assert [run.history[0] for run in whole] == pytest.approx(leading, rel=1e-12)
    best = max(ended, key=lambda run: run.objective)  # in the units in which EM runs
    np.testing.assert_allclose(np.diff(fit.history_), np.diff(best.history), atol=1e-10)
    assert fit.n_collapsed_ == sum(run.collapsed for run in [*short, *whole])
    assert "best of 9 restarts" in fit.status_


def test_short_runs_are_the_restarts_that_there_would_be_without_them(runs):
    X = reference_data.faithful()
    GaussianMixtureEM(2, n_init=4, random_state=3).fit(X)
    alone = [run.history[0] for _, run in runs]
    runs.clear()
    GaussianMixtureEM(2, n_init=1, n_starts=4, random_state=3).fit(X)
    assert [run.history[0] for _, run in runs[:4]] == alone


def test_where_every_start_collapses_there_is_no_maximum():
    X = np.repeat([[0.0, 0.0], [1.0, 5.0], [4.0, 2.0]], [10, 10, 10], axis=0)
    with pytest.warns(NoMaximumWarning):
        fit = GaussianMixtureEM(3, n_init=2, n_starts=6, random_state=0).fit(X)
    assert fit.collapsed_
    assert fit.n_collapsed_ == 6


def test_components_start_at_the_means_that_are_frozen():
    """From labels in another order EM would have to exchange the clusters; one start must do, whatever the seed."""
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(90, 2)), rng.normal([8, 0], 1, size=(30, 2))])
    means = [[0.0, 0.0], [8.0, 0.0]]
    best = GaussianMixtureEM(2, frozen={"means": means}, init=[0] * 90 + [1] * 30).fit(X)
    for seed in range(6):
        fit = GaussianMixtureEM(2, frozen={"means": means}, n_init=1, random_state=seed).fit(X)
        assert fit.history_[0] > best.objective_ - 0.4 * len(X)
        assert fit.objective_ == pytest.approx(best.objective_, rel=1e-9)


def test_components_start_at_the_probs_that_are_frozen():
    rng = np.random.RandomState(0)
    probs = np.array([[0.9] * 6, [0.1] * 6])
    z = (np.arange(200) < 40).astype(int)
    X = rng.binomial(5, probs[z])
    for seed in range(6):
        fit = BinomialMixtureEM(2, n_trials=5, frozen={"probs": probs}, n_init=1, random_state=seed).fit(X)
        assert fit.history_[0] > fit.objective_ - 0.1 * len(X)
        np.testing.assert_allclose(fit.weights_, [0.8, 0.2], atol=1e-3)


@pytest.mark.parametrize("weights", [None, np.array([1.0] * 900 + [100.0] * 100)])
def test_a_start_looks_at_a_part_of_many_rows_that_stands_for_all(weights, monkeypatch):
    X = np.arange(1000.0)[:, None]
    part = Samples(X, weights, np.ones(1000, dtype=bool), 1000).some(200, np.random.RandomState(0))
    assert part.total == 200
    np.testing.assert_array_equal(part.X[:, 0], part.kept)
    expected = 0.1 if weights is None else 10000 / 10900
    counts = np.ones(200) if weights is None else part.weights  # drawn without replacement, or by their weights
    assert abs(counts @ (part.X[:, 0] >= 900) / 200 - expected) < 4 * np.sqrt(0.1 * 0.9 / 200)
    turned = Samples(X[::-1], None if weights is None else weights[::-1], np.ones(1000, dtype=bool), 1000)
    again = turned.some(200, np.random.RandomState(0))  # whatever the order of the rows
    np.testing.assert_array_equal(again.X, part.X)
    assert weights is not None or part.weights is again.weights is None
    assert weights is None or again.weights.tolist() == part.weights.tolist()
    apart = X + 3000 * (X >= 500)
    whole = GaussianMixtureEM(2, random_state=0).fit(apart, sample_weight=weights)
    monkeypatch.setattr(em.starts.restarts, "START_CELLS", 300)
    monkeypatch.setattr(em.starts.restarts, "START_ROWS", 10)
    fit = GaussianMixtureEM(2, random_state=0).fit(apart, sample_weight=weights)
    assert fit.history_[0] != whole.history_[0]
    assert fit.objective_ == pytest.approx(whole.objective_, rel=1e-9)


@pytest.mark.parametrize("weights", [None, np.linspace(1, 3, 1000)])
def test_a_part_of_the_rows_has_an_observed_cell_in_every_column_and_two_values_where_there_are_two(weights):
    X = np.column_stack([np.arange(1000.0), np.ones(1000), np.full(1000, np.nan), np.zeros(1000)])
    X[500, 2], X[600, 3], X[700, 3] = 4.0, 1.0, -1.0
    kept = np.arange(1100) >= 100
    part = Samples(X, weights, kept, 1100).some(10, np.random.RandomState(0))
    np.testing.assert_array_equal(part.X[:, 0], part.kept - 100)
    assert {500, 600, 700} <= set(part.X[:, 0])
    assert part.total == 10 + 2 * 3


def test_rare_values_that_a_part_would_miss_are_in_the_start(monkeypatch):
    """Else a variance of 0 would leave components that are all alike, and a prob of 0 a sample that is impossible."""
    rng = np.random.RandomState(0)
    z = rng.randint(2, size=2000)
    X = np.column_stack([rng.normal(6 * z), np.zeros(2000)])
    X[[3, 700, 1500], 1] = 1.0
    answers = np.column_stack([rng.binomial(1, np.array([0.2, 0.8])[z][:, None], size=(2000, 4)), X[:, 1] > 0])
    monkeypatch.setattr(em.starts.restarts, "START_CELLS", 200)
    monkeypatch.setattr(em.starts.restarts, "START_ROWS", 10)
    fit = GaussianMixtureEM(2, covariance_type="tied", n_init=3, random_state=1).fit(X)
    assert np.ptp(fit.means_, axis=0).max() > 0.5
    assert np.isfinite(BernoulliMixtureEM(2, n_init=1, random_state=0).fit(answers).history_[0])


@pytest.mark.parametrize("method", STARTS[:2])
@pytest.mark.parametrize("view", VIEWS)
def test_rows_that_are_all_alike_start_somewhere(method, view):
    samples = Samples(np.ones((10, 2)), None, np.ones(10, dtype=bool), 10)
    assert start_responsibilities(samples, 2, method, np.random.RandomState(0), view).shape == (10, 2)


def test_views_are_the_same_for_one_feature():
    X = reference_data.galaxies()
    samples = Samples(X, None, np.ones(len(X), dtype=bool), len(X))
    labels = [start_responsibilities(samples, 3, "k-means++", np.random.RandomState(1), view) for view in VIEWS[:2]]
    np.testing.assert_allclose(*labels)


def test_collinear_features_have_fewer_directions():
    x = np.random.RandomState(0).normal(size=(200, 2))
    X = (np.column_stack([x, x @ [1, 2]]) > 0).astype(float)
    X = np.column_stack([X, X[:, 0]])
    for view in VIEWS:
        samples = Samples(X, None, np.ones(200, dtype=bool), 200)
        assert start_responsibilities(samples, 3, "kmeans", np.random.RandomState(0), view).shape == (200, 3)
    assert BernoulliMixtureEM(2, random_state=0, n_init=3).fit(X).converged_


@pytest.mark.parametrize(("n_starts", "problem"), [(3, "at least n_init=10"), (0, "n_starts"), (12.5, "n_starts")])
def test_fewer_starts_than_runs_are_refused(n_starts, problem):
    with pytest.raises(ValueError, match=problem):
        GaussianMixtureEM(2, n_starts=n_starts).fit(reference_data.faithful())


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("decimals", [1, 12])
def test_starts_from_a_part_of_many_rows_follow_neither_their_order_nor_their_units(init, decimals, monkeypatch):
    """Rows in units of their own spread differ in the last digit where sums are added in another order."""
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(15_000, 2)), rng.normal(size=(5000, 2)) + 3]).round(decimals)
    monkeypatch.setattr(em.starts.restarts, "START_CELLS", 2000)
    monkeypatch.setattr(em.starts.restarts, "worth_sorting", lambda X: False)
    monkeypatch.setattr(em.gmm.units, "MOST_CELLS_COPIED", 2000)
    mixture = GaussianMixtureEM(2, init=init, n_init=1, random_state=0, tol=1e-3)
    one, other, scaled = (mixture.fit(rows).history_ for rows in (X, X[rng.permutation(len(X))], 3 * X + 7))
    for again in (other, scaled + X.size * np.log(3)):  # tol=1e-3 may be reached an iteration sooner
        both = min(len(again), len(one))
        assert both > 5
        np.testing.assert_allclose(again[:both], one[:both], rtol=1e-10)


# What the starts found ------------------------------------------------------------------------------------------------


@each_family_once
@pytest.mark.parametrize("n_starts", [None, 9])
def test_starts_say_how_often_each_optimum_was_found(family, n_starts):
    X, _, _ = family.problem(0, 2, 3, 80)
    fit = family.fit(X, 2, n_init=5, n_starts=n_starts, random_state=0, quiet=FAILINGS)
    best, *others = fit.starts_
    assert best["nats_below_best"] == 0
    np.testing.assert_allclose(best["objective"], fit.objective_, rtol=1e-12)
    n_found = sum(row["times_found"] for row in fit.starts_)
    assert n_found == 5 or (n_found < 5 and best["times_found"] >= ENOUGH)  # the others left
    for row in others:
        np.testing.assert_allclose(row["objective"] + row["nats_below_best"], best["objective"], rtol=1e-12)
        assert row["nats_below_best"] > MET


@pytest.mark.parametrize(
    ("n_runs", "n_found", "is_over"), [(10, 3, True), (10, 2, False), (40, 3, False), (40, 12, True)]
)
def test_a_race_is_over_when_three_runs_and_three_in_ten_found_the_best(n_runs, n_found, is_over):
    estimator = GaussianMixtureEM(2)
    problem = estimator._problem(estimator._samples(reference_data.faithful(), None))
    races = Races(problem, np.zeros(n_runs, dtype=int), np.inf)
    for number in range(n_found):
        races.end(number, np.zeros(races.points.shape[1]), -1.0, 20)
    others, far = np.arange(n_found, n_runs), np.full(n_runs - n_found, -2.0)
    left = races.decided(others, far, np.zeros(len(others)))
    assert left == (dict.fromkeys(others.tolist(), 0) if is_over else {})


@pytest.mark.parametrize("seed", [3, 4])  # three optima, the best of which is found once, and two
def test_what_starts_find_in_a_race_is_what_each_finds_alone(seed):
    estimator, X = GaussianMixtureEM(3, random_state=seed), reference_data.faithful()
    samples = estimator._distinct(estimator._samples(X, None))
    there = estimator._in_standard_units(samples)
    standard = there._standardised(samples)
    alone = run_em(there._problem(standard), there._starts(standard), tol=1e-8, max_iter=10_000)
    below = max(run.objective for run in alone) - np.array([run.objective for run in alone])
    optima = estimator.fit(X).starts_
    n_left = len(alone) - sum(row["times_found"] for row in optima)  # out of reach, or when the best was known
    for row in optima:
        n_alone = (abs(below - row["nats_below_best"]) < MET).sum()
        assert n_alone - n_left <= row["times_found"] <= n_alone
