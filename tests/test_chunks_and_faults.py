"""Chunks on a cluster: what is sent, in how many tasks, and what becomes of a fit when workers come, go or fail."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

import em.samples.sketch
from em import GaussianMixtureEM, KMeans
from em.chunked.chunks import Chunks
from em.chunked.groups import MOST_CHUNKS, Recipe, add, grouped


@pytest.fixture(scope="module")
def cluster():
    """Start two workers in this process, which listen to this machine only."""
    options = {"processes": False, "threads_per_worker": 1, "host": "127.0.0.1"}
    options |= {"protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, **options) as started:
        yield started


@pytest.fixture
def client(cluster):
    with Client(cluster) as one:
        yield one


@pytest.fixture(autouse=True)
def chunks_that_matter(monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 30)


def clouds(n=640, seed=0):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(size=(n // 4, 2)), rng.normal([2, 1], 1, size=(n - n // 4, 2))])


def fit(X, **arguments):
    return GaussianMixtureEM(2, random_state=0, n_init=1, tol=0.3).fit(X, **arguments)


def begun(X):
    """Fit some steps: they show the bits as well as all."""
    return GaussianMixtureEM(2, random_state=0, n_init=1, max_iter=3).fit(X)


def bits(one):
    return [one.log_likelihood_, one.n_e_steps_, *(array.tolist() for array in one.parameters_.arrays().values())]


def rows_here(rows, weights):
    return np.array([len(rows)])


def number_of_tasks(client, function):
    before = len(client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.transition_log]))
    function()
    log = client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.transition_log])[before:]
    return sum(entry[1:3] == ("processing", "memory") for entry in log)


@pytest.mark.parametrize("persisted", [False, True], ids=["lazy", "persisted"])
def test_a_pass_has_few_tasks_however_many_chunks_there_are(client, persisted):
    X = da.from_array(clouds(), chunks=(10, -1))
    chunks = Chunks.of(X.persist() if persisted else X, None)
    chunks.sum(rows_here), chunks.sum(rows_here)  # afterwards the workers know how to make them
    assert number_of_tasks(client, lambda: chunks.sum(rows_here)) <= 12
    assert chunks.sum(rows_here).tolist() == [640]


def test_chunks_that_one_worker_holds_are_groups_of_their_own():
    recipes = [recipe(c, given=(c,)) for c in range(20)]
    places = {c: "one" if c % 3 else "other" for c in range(20)}
    groups = grouped(recipes, 2, places)
    assert sorted(c for group in groups for c in group) == list(range(20))
    assert all(len({places[c] for c in group}) == 1 for group in groups)
    assert len(groups) == 5  # 13 and 7 chunks: the other worker may take some of the 13


def test_workers_of_one_thread_that_hold_their_chunks_have_one_group_each():
    recipes = [recipe(c, given=(c,)) for c in range(20)]
    places = {c: "one" if c < 10 else "other" for c in range(20)}
    assert grouped(recipes, 2, places) == [tuple(range(10)), tuple(range(10, 20))]
    nearly = {c: "one" if c < 11 else "other" for c in range(20)}
    assert list(map(len, grouped(recipes, 2, nearly))) == [11, 9]
    assert len(grouped(recipes, 4, places)) == 8  # two threads each: each may take more than the other
    assert max(map(len, grouped([recipe(c, given=(0,)) for c in range(200)], 1, {0: "one"}))) <= MOST_CHUNKS


@pytest.mark.filterwarnings("ignore::em.NotConvergedWarning")
def test_a_fit_has_the_same_bits_on_a_cluster_and_in_this_process_and_wherever_chunks_are(client):
    X = da.from_array(clouds(), chunks=(80, -1))
    frame = dd.from_pandas(pd.DataFrame(clouds(), columns=["a", "b"]), npartitions=3)
    one = [bits(begun(rows)) for rows in (X, X.persist(), (X.persist() * 1.0).rechunk((80, 1)))]
    of_frame = [bits(begun(rows)) for rows in (frame, frame.persist())]
    with dask.config.set(scheduler="synchronous"):
        assert one == [bits(begun(X))] * 3
        assert of_frame == [bits(begun(frame))] * 2


@pytest.mark.filterwarnings("ignore::em.NotConvergedWarning")
def test_clusters_and_lines_are_the_same_on_a_cluster_and_in_this_process(client):
    X, start = da.from_array(clouds(), chunks=(80, -1)), clouds()[:3]
    there = KMeans(3, init=start).fit(X)
    lines = there.assignments(X).compute(), begun(X).assignments(X).compute()
    with dask.config.set(scheduler="synchronous"):
        here = KMeans(3, init=start).fit(X)
        wanted = here.assignments(X).compute(), begun(X).assignments(X).compute()
    assert there.cluster_centers_.tolist() == here.cluster_centers_.tolist()
    assert there.history_.tolist() == here.history_.tolist()
    for one, other in zip(lines, wanted, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_workers_may_leave_and_come_between_passes(client, cluster, monkeypatch):
    X = da.from_array(clouds(), chunks=(40, -1))
    with dask.config.set(scheduler="synchronous"):
        wanted = bits(fit(X))
    summed, sizes = Chunks.sum, {3: 1, 6: 3, 9: 2}
    calls = []

    def with_other_workers(self, *arguments):
        calls.append(1)
        if size := sizes.get(len(calls)):
            cluster.scale(size)
            client.wait_for_workers(size)
        return summed(self, *arguments)

    monkeypatch.setattr(Chunks, "sum", with_other_workers)
    assert bits(fit(X.persist())) == wanted
    assert len(calls) > 9


def broken(i, times):
    if i == 2:
        raise OSError(5, "the disk is broken")
    return clouds(100, seed=i)


@pytest.mark.parametrize("persisted", [False, True], ids=["lazy", "persisted"])
def test_an_error_names_the_chunk_and_its_cause(client, persisted):
    parts = [da.from_delayed(dask.delayed(broken)(i, 1), (100, 2), dtype=float) for i in range(4)]
    X = da.concatenate(parts)
    with pytest.raises((RuntimeError, OSError), match=r"chunk 2: OSError: \[Errno 5\] the disk is broken"):
        fit(X.persist() if persisted else X)


def test_the_fit_goes_on_on_a_cluster_where_one_without_it_was_interrupted(client, tmp_path, monkeypatch):
    X, summed, calls = da.from_array(clouds(), chunks=(40, -1)), Chunks.sum, []
    wanted = bits(fit(X))

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return summed(self, *arguments)

    monkeypatch.setattr(Chunks, "sum", interrupted)
    with dask.config.set(scheduler="synchronous"), pytest.raises(KeyboardInterrupt):
        fit(X, checkpoint=tmp_path / "fit")
    assert bits(fit(X, checkpoint=tmp_path / "fit")) == wanted


def columns(i, width):
    return clouds(100, seed=i)[:, [0, 1, 1][:width]]


def text(i):
    rows = clouds(100, seed=i).astype(object)
    rows[7, 1] = "oops"
    return rows


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: columns(1, 3), "chunk 1: X must have 2 columns in every chunk, got 3 in this one"),
        (lambda: text(1), "chunk 1: X must hold numbers, got 'oops' .* in column 1: .* the first is in row 7"),
        (lambda: np.where(np.arange(200).reshape(100, 2) == 15, np.inf, 1.0), r"chunk 1: .* got infinity at X\[7, 1\]"),
    ],
    ids=["width", "text", "infinity"],
)
def test_bad_rows_are_named_by_chunk_and_row(make, message):
    X = da.concatenate([da.from_array(clouds(100)), da.from_delayed(dask.delayed(make)(), (100, 2), dtype=float)])
    with dask.config.set(scheduler="synchronous"), pytest.raises((ValueError, TypeError), match=message):
        fit(X)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "oops", "2"], "chunk 1: .* got 'oops' of type str in column 'width': .* in row 1; drop column 'width'"),
        (["1", "3", "2"], r"chunk 1: .* got '1' of type str in column 'width': .* as X.astype\(float\) does"),
    ],
)
def test_text_is_named_by_its_column_and_what_is_no_number_first(cells, message):
    frame = pd.DataFrame({"height": np.arange(6.0), "width": np.array([0.5, 1.5, 2.5, *cells], dtype=object)})
    with dask.config.set({"scheduler": "synchronous", "dataframe.convert-string": False}):
        X = dd.from_pandas(frame, npartitions=2)
        with pytest.raises(TypeError, match=message):
            fit(X)


def counted(calls):
    calls.append(1)
    return clouds()


def test_what_chunks_share_is_made_once_in_a_pass():
    calls = []
    whole = da.from_delayed(dask.delayed(counted, pure=False)(calls), (640, 2), dtype=float)
    with dask.config.set(scheduler="synchronous"):
        chunks = Chunks.of(whole.rechunk((40, -1)), None)
        assert chunks.sum(rows_here).tolist() == [640]
    assert len(calls) == 1


def test_parts_are_added_in_the_same_tree_whatever_the_groups():
    rng = np.random.RandomState(0)
    for n in (1, 2, 5, 64, 77):
        parts, totals = rng.normal(size=n) * 10.0 ** rng.randint(-8, 8, size=n), set()
        for _ in range(5):
            tree = {}
            for number in rng.permutation(n):
                add(tree, (0, int(number)), parts[number], n)
            (total,) = tree.values()
            totals.add(float(total))
        assert len(totals) == 1
        assert totals.pop() == pytest.approx(parts.sum(), rel=1e-9)


@pytest.mark.parametrize(("n", "n_threads"), [(1, 1), (64, 2), (10, 8), (10_000, 3)])
def test_groups_are_enough_for_all_threads_and_none_is_long(n, n_threads):
    groups = grouped([recipe(c) for c in range(n)], n_threads, {})
    assert [c for group in groups for c in group] == list(range(n))
    assert max(map(len, groups)) <= MOST_CHUNKS
    assert len(groups) >= min(n, 2 * n_threads)
    assert n > 4 * n_threads or len(groups) == n


@pytest.mark.parametrize(("n", "n_threads"), [(64, 2), (300, 7), (1000, 3), (10_000, 4)])
def test_groups_are_nearly_equal_and_return_few_sums(n, n_threads):
    sizes, n_sums = [], []
    for group in grouped([recipe(c) for c in range(n)], n_threads, {}):
        tree = {}
        for number in group:
            add(tree, (0, number), 1, n)
        sizes.append(len(group)), n_sums.append(len(tree))
    assert max(n_sums) <= 4
    assert np.mean(n_sums) < 3.1  # array_split gives 5.4 of 1,000 chunks
    assert max(sizes) - min(sizes) <= n / len(sizes) / 4


def recipe(number, given=()):
    return Recipe(number, {}, number, None, given, shared=False)
