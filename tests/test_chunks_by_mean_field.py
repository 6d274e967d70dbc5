"""Mean field of chunks is that of the rows in memory."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from families import FAMILIES

from em import VariationalMixture, load, save
from em.chunked.samples import chunked_samples
from em.engine import run_em
from em.families import conjugate_mixture, mixture_of_chunks
from em.plots import plot
from em.samples import samples_of
from em.steps.conjugate import mean_field_problem
from em.variational import variational
from em.variational.rows import over_chunks
from models.bmm import BMMPrior
from models.cmm import CMMPrior
from models.gmm import GMMPrior
from models.pmm import PMMPrior

pytestmark = pytest.mark.usefixtures("dask_in_one_thread")

CONJUGATE = [row for row in FAMILIES if (prior := row.prior(2, 2)) is not None and prior.conjugate]
each_conjugate_family = pytest.mark.parametrize("family", CONJUGATE, ids=lambda family: family.name)


def in_both(family, **settings):
    """Return fits of weighted rows in memory and in chunks, in which cells are missing where the family has them."""
    X = np.array(family.problem(4, 2, 2, 150)[0], dtype=float)
    if not isinstance(family.prior(2, 2), GMMPrior):
        X[::9, 0], X[::18, 1] = np.nan, np.nan  # some rows are all missing
    weights = np.random.RandomState(0).randint(4, size=150).astype(float)
    estimator = VariationalMixture(2, prior=family.prior(2, 2), random_state=0, **settings)
    chunks = da.from_array(X, chunks=(60, -1))
    fits = [
        VariationalMixture(**estimator.get_params()).fit(rows, sample_weight=weights, **family.options)
        for rows in (X, chunks)
    ]
    return X, chunks, weights, fits


def assert_same(one, other, rtol):
    for name, array in one.posterior_.distribution.arrays().items():
        np.testing.assert_allclose(other.posterior_.distribution.arrays()[name], array, rtol=rtol, err_msg=name)


@each_conjugate_family
def test_few_rows_give_the_same_path(family):
    X, chunks, weights, (memory, parts) = in_both(family, n_init=2)
    np.testing.assert_allclose(parts.history_, memory.history_, rtol=1e-10)
    assert_same(memory, parts, rtol=1e-8)
    assert isinstance(parts.posterior_.responsibilities, da.Array)
    np.testing.assert_allclose(parts.posterior_.responsibilities, memory.posterior_.responsibilities, atol=1e-8)
    np.testing.assert_allclose(parts.predict_proba(chunks), memory.predict_proba(X), atol=1e-8)
    for rows in (X, chunks):
        page = parts.summary(rows, sample_weight=weights)
        assert page.fit == pytest.approx(memory.summary(X, sample_weight=weights).fit, rel=1e-8)


@each_conjugate_family
def test_an_e_step_of_all_restarts_adds_up_over_chunks(family):
    X, prior = np.array(family.problem(4, 2, 2, 150)[0], dtype=float), family.prior(2, 2)
    weights = np.random.RandomState(0).randint(4, size=150).astype(float)
    mixture = conjugate_mixture(X, prior, **family.options)
    of_chunks = mixture_of_chunks(da.from_array(X), prior, **family.options)
    problem = mean_field_problem(mixture, 2, weights)
    samples = chunked_samples(of_chunks, da.from_array(X, chunks=(60, -1)), weights)
    several = [mixture.posterior(np.random.RandomState(seed).dirichlet([2.0, 2.0], size=150)) for seed in (1, 2)]
    arrays = {name: np.stack([q.arrays()[name] for q in several]) for name in several[0].arrays()}
    wanted, found = (
        of_rows.expect(arrays, np.arange(2)) for of_rows in (problem, over_chunks(problem, of_chunks, samples))
    )
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
    for mine, other in zip(found[1]["statistics"], wanted[1]["statistics"], strict=True):
        for name, array in problem.build(mixture.updated(other).arrays()).arrays().items():
            np.testing.assert_allclose(mixture.updated(mine).arrays()[name], array, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_rows_start_from_one_sketch_and_lead_to_the_same_posterior(monkeypatch, weighted):
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 100)
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(200, 2)), rng.normal([6, 6], 1, size=(300, 2))])
    w = rng.randint(3, size=500).astype(float) if weighted else None
    estimator = VariationalMixture(3, prior=GMMPrior.weakly_informative(X, 3), n_init=3, random_state=0)
    memory, parts, reverse = (VariationalMixture(**estimator.get_params()) for _ in range(3))
    memory.fit(X, sample_weight=w)
    parts.fit(da.from_array(X, chunks=(250, -1)), sample_weight=w)
    reverse.fit(X[::-1], sample_weight=None if w is None else w[::-1])
    for other in (parts, reverse):
        assert other.lower_bound_ == pytest.approx(memory.lower_bound_, rel=1e-12)
        np.testing.assert_allclose(other.means_, memory.means_, atol=1e-9)
    init = memory.predict_proba(X)
    at_once = VariationalMixture(3, prior=estimator.prior, init=init).fit(X, sample_weight=w)
    assert memory.lower_bound_ == pytest.approx(at_once.lower_bound_, abs=1e-6)  # it is of all rows, not of the sketch


def test_standard_errors_on_a_sketch_are_those_of_the_draws_that_its_rows_are_worth(monkeypatch):
    """Rows of very unequal frequencies are worth fewer independent draws than there are rows."""
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 200)
    rng = np.random.RandomState(0)
    z = rng.randint(2, size=(5000, 1))
    X = rng.binomial(1, np.where(z == 0, np.linspace(0.05, 0.3, 12), np.linspace(0.3, 0.05, 12))).astype(float)
    rows, seen = samples_of(X).start_rows, list[float]()
    monkeypatch.setattr("em.samples.parts.is_clear", lambda gap, draws: seen.append(draws.sum()) or False)
    for data in (X, da.from_array(X, chunks=(1000, -1))):
        VariationalMixture(3, prior=BMMPrior(0.5), n_init=3, random_state=0).fit(data)
    assert len(rows.X) == 200
    assert rows.total < 100
    np.testing.assert_allclose(seen, rows.total, rtol=1e-12)
    assert len(seen) >= 2


def test_where_the_sketch_holds_all_distinct_rows_no_second_race_is_run(monkeypatch):
    """It does not matter in which order fractional weights were added."""
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 100)
    races = []
    monkeypatch.setattr("em.variational.run_em", lambda *args, **kwargs: races.append(1) or run_em(*args, **kwargs))
    for seed in range(20):
        rng = np.random.RandomState(seed)
        X, w = rng.randint(2, size=(2000, 3)).astype(float), rng.uniform(0.1, 2, size=2000)
        variational(X, 1, BMMPrior(), n_init=1, random_state=0, sample_weight=w)
    assert len(races) == 20


def test_rows_of_different_sizes_are_fitted_at_once_however_many_there_are(monkeypatch):
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 10)
    rng = np.random.RandomState(1)
    trials = rng.randint(1, 9, size=(60, 2))
    X = rng.binomial(trials, 0.4)
    few = VariationalMixture(2, prior=BMMPrior(), n_init=2, random_state=0).fit(X, n_trials=trials)
    monkeypatch.undo()
    all_rows = VariationalMixture(2, prior=BMMPrior(), n_init=2, random_state=0).fit(X, n_trials=trials)
    assert few.lower_bound_ == all_rows.lower_bound_


def test_a_fit_of_chunks_is_saved_without_its_rows(tmp_path):
    (family,) = (row for row in CONJUGATE if row.name == "full-MAP")
    X, chunks, _, (_, parts) = in_both(family, n_init=1)
    save(parts, tmp_path / "fit.json")
    again = load(tmp_path / "fit.json")
    assert again.posterior_.responsibilities is None
    np.testing.assert_array_equal(again.predict_proba(X), parts.predict_proba(X))
    plot(again, chunks)
    with pytest.raises(ValueError, match="init must be None if X is in chunks"):
        VariationalMixture(2, prior=parts.prior, init=np.ones((150, 2)) / 2).fit(chunks)


def test_bad_arguments_are_refused_before_a_chunk_is_read():
    def unread(block):
        raise RuntimeError("read")

    X = da.ones((60, 2), chunks=(20, -1)).map_blocks(unread, dtype=float, meta=np.empty((0, 2)))
    prior = GMMPrior.weakly_informative(np.eye(3), 2)  # of three features
    with pytest.raises(ValueError, match="prior"):
        VariationalMixture(2, prior=prior).fit(X)
    with pytest.raises(ValueError, match="init must be None if X is in chunks"):
        VariationalMixture(2, prior=BMMPrior(), init=np.ones((60, 2)) / 2).fit(X)


def test_labels_of_levels_and_names_are_found_in_chunks():
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"a": ["u", "v", "u", "w"] * 15, "b": ["x", "y", "x", "y"] * 15})
    chunks = dd.from_pandas(frame, npartitions=3)
    estimator = VariationalMixture(2, prior=CMMPrior(0.5, 1.0), n_init=1, random_state=0)
    memory, parts = (VariationalMixture(**estimator.get_params()).fit(rows) for rows in (frame, chunks))
    assert parts.lower_bound_ == pytest.approx(memory.lower_bound_, rel=1e-10)
    assert parts.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_allclose(parts.predict_proba(chunks), memory.predict_proba(frame), atol=1e-8)


def test_a_bad_cell_is_named_by_its_chunk():
    X = np.ones((9, 2))
    X[7, 1] = -1.0
    with pytest.raises(ValueError, match=r"chunk 1: .*X\[3, 1\]"):
        VariationalMixture(2, prior=PMMPrior(), n_init=1).fit(da.from_array(X, chunks=(4, -1)))
    X[7, 0], prior = np.nan, GMMPrior(1.0, [0.0, 0.0], 0.1, 4.0, np.eye(2))
    with pytest.raises(ValueError, match="chunk 1: X must have no missing cell under a GMMPrior"):
        VariationalMixture(2, prior=prior, n_init=1).fit(da.from_array(X, chunks=(4, -1)))
