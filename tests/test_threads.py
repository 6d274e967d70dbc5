"""Threads that overlap leave the process as they found it: BLAS's threads, filters of warnings, loggers, flags."""

import ast
import logging
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event, Thread, local

import numpy as np
import pytensor
import pytest
import reference_data
from threadpoolctl import threadpool_info, threadpool_limits

from comparisons.posterior.advi import quiet
from comparisons.posterior.densities import BACKEND, without_c_compiler
from em import BernoulliMixtureEM, GaussianMixtureEM, NotConvergedWarning, NotIdentifiableWarning, select
from em.process import blas
from em.process.blas import one_blas_thread
from em.process.process_wide import ProcessWide, without_expected_warnings
from em.status import left_to_the_status, tell

ROOT = Path(__file__).parent.parent
X = reference_data.faithful()
WAIT = 30  # seconds, after which a test fails instead of hanging


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def in_a_thread(call):
    """Run in a thread that ends, so that no thread is left which alone may set OpenBLAS's number."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(WAIT)


def overlap(context, state, raising=False):
    """Enter in two threads, the first to enter being the first to leave; return the state before, within and after."""
    within, entered, left = {}, Event(), Event()
    before = state()

    def first():
        with context():
            assert entered.wait(WAIT)
            if raising:
                raise KeyError
        left.set()

    def second():
        with context():
            entered.set()
            assert left.wait(WAIT)
            within["after the first left"] = state()

    def quietly(run):
        try:
            run()
        except KeyError:
            left.set()

    threads = [Thread(target=quietly, args=(first,)), Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    return before, within["after the first left"], state()


@pytest.mark.parametrize("raising", [False, True])
def test_blas_has_one_thread_until_the_last_has_left_and_then_as_many_as_before(three_blas_threads, raising):
    before, within, after = overlap(one_blas_thread, blas_threads, raising)
    assert set(within) == {1}
    assert after == before


def test_fits_in_threads_leave_blas_with_its_threads_even_where_they_fail(three_blas_threads):
    before, together = blas_threads(), Barrier(4)

    def fit(seed):
        together.wait(WAIT)
        for repeat in range(5):
            fitted = GaussianMixtureEM(2, n_init=1 + seed % 2, random_state=seed).fit(X)
            bad = {"weights": [0.5, 0.5], "means": [[1e200, 0.0]] * 2}
            with pytest.raises(ValueError, match="frozen"):
                GaussianMixtureEM(2, frozen=bad | {"colour": repeat}).fit(X)
        return fitted.objective_

    with ThreadPoolExecutor(4) as pool:
        objectives = list(pool.map(fit, range(4)))
    np.testing.assert_allclose(objectives, objectives[0], rtol=1e-9)
    assert blas_threads() == before


def test_the_number_that_a_user_holds_in_another_thread_stays(three_blas_threads):
    with threadpool_limits(2, user_api="blas"):
        assert in_a_thread(lambda: GaussianMixtureEM(2, n_init=1, random_state=0).fit(X).converged_)
        assert set(blas_threads()) == {2}
        GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
        assert set(blas_threads()) == {2}
    assert set(blas_threads()) == {3}
    with threadpool_limits(2, user_api="blas"):
        assert set(blas_threads()) == {2}
    assert set(blas_threads()) == {3}


def test_libraries_that_count_for_each_thread_of_python_are_lowered_and_put_back_by_each(monkeypatch):
    class Library:
        user_api, internal_api, of_thread = "blas", "mkl", local()

        @property
        def num_threads(self):
            return getattr(self.of_thread, "number", 5)

        def set_num_threads(self, number):
            self.of_thread.number = number

    library = Library()
    monkeypatch.setattr(blas, "_libraries", lambda own: [library] if blas._counts_by_thread(library) == own else [])
    entered, done = Event(), Event()

    def inside():
        with one_blas_thread(), one_blas_thread():
            entered.set()
            assert done.wait(WAIT)
            return library.num_threads

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(inside)
        assert entered.wait(WAIT)
        assert library.num_threads == 5
        with one_blas_thread():
            assert library.num_threads == 1
            done.set()
            assert other.result(WAIT) == 1
        assert library.num_threads == 5
        assert pool.submit(lambda: library.num_threads).result(WAIT) == 5


def test_what_pytensor_writes_stays_out_of_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    x = pytensor.tensor.vector("x")
    with without_c_compiler:
        twice = pytensor.function([x], 2 * x, mode=BACKEND.upper())
    np.testing.assert_array_equal(twice([1.0, 2.0]), [2.0, 4.0])
    assert list(tmp_path.iterdir()) == []


STATES = {
    "PyTensor's compiler": (without_c_compiler, lambda: pytensor.config.cxx, ""),
    "a logger": (quiet, logging.getLogger("pymc.variational.inference").getEffectiveLevel, logging.WARNING),
}


@pytest.mark.parametrize("name", STATES)
def test_flags_and_levels_hold_until_the_last_has_left_and_are_then_as_before(name, monkeypatch):
    context, state, wanted = STATES[name]
    monkeypatch.setattr(pytensor.config, "cxx", "g++")
    monkeypatch.setattr(logging.getLogger("pymc.variational.inference"), "level", logging.INFO)
    before, within, after = overlap(lambda: context, state)
    assert within == wanted
    assert after == before != wanted


@pytest.mark.parametrize("context", [left_to_the_status, lambda: without_expected_warnings])
def test_the_filters_of_warnings_are_as_before_when_all_have_left(context):
    before, _, after = overlap(context, lambda: list(warnings.filters))
    assert after == before


def test_a_thread_that_leaves_warnings_to_the_status_silences_no_other():
    entered, done = Event(), Event()

    def silent():
        with left_to_the_status():
            entered.set()
            assert done.wait(WAIT)
            GaussianMixtureEM(2, max_iter=1, n_init=1, random_state=0).fit(X)  # an error if it warned

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(silent)
        assert entered.wait(WAIT)
        with pytest.warns(NotConvergedWarning):
            GaussianMixtureEM(2, max_iter=1, n_init=1, random_state=0).fit(X)
        done.set()
        waiting.result(WAIT)


def test_only_the_named_warnings_are_left_to_the_status_and_only_inside():
    with left_to_the_status(NotConvergedWarning):
        tell("unsaid", NotConvergedWarning)
        with left_to_the_status(NotIdentifiableWarning):
            tell("unsaid", NotConvergedWarning)
            tell("unsaid", NotIdentifiableWarning)
        with pytest.warns(NotIdentifiableWarning, match="said"):
            tell("said", NotIdentifiableWarning)
    with pytest.warns(NotConvergedWarning) as caught:
        tell("said", NotConvergedWarning)
    assert caught[0].filename == __file__


def test_a_warning_of_a_fit_points_to_the_line_that_called_fit():
    with pytest.warns(NotIdentifiableWarning) as caught:
        BernoulliMixtureEM(2, random_state=0).fit([[0], [1], [1]])
    assert caught[0].filename == __file__


def test_selections_in_threads_leave_the_filters_of_warnings_as_they_were():
    before, together = list(warnings.filters), Barrier(4)

    def choose(seed):
        together.wait(WAIT)
        return select(X, GaussianMixtureEM(n_init=1, max_iter=2, random_state=seed), [1, 2, 3]).best

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(choose, range(4)))
    assert list(warnings.filters) == before


def test_a_setting_that_cannot_be_made_is_tried_again_by_the_next():
    made = []

    @contextmanager
    def failing_once():
        made.append(None)
        if len(made) == 1:
            raise OSError("not now")
        yield

    shared = ProcessWide(failing_once)
    with pytest.raises(OSError, match="not now"), shared:
        pass
    with shared, shared:
        assert len(made) == 2


PROCESS_WIDE_CALLS = {
    "catch_warnings": "em/process/process_wide.py",
    "filterwarnings": "em/process/process_wide.py",
    "simplefilter": "nowhere",
    "change_flags": "comparisons/posterior/densities.py",
    "setLevel": "comparisons/posterior/advi.py",
    "threadpool_limits": "nowhere",
    "chdir": "comparisons/coursework/marking/student.py",  # a process of its own
    "putenv": "nowhere",
    "umask": "nowhere",
    "seterr": "nowhere",
    "setlocale": "nowhere",
    "set_printoptions": "nowhere",
    "set_config": "nowhere",
}


def called(file, names=("",)):
    """Return what a file calls, where it has one of these names at all."""
    text = file.read_text(encoding="utf-8")
    nodes = ast.walk(ast.parse(text)) if any(name in text for name in names) else ()
    functions = (node.func for node in nodes if isinstance(node, ast.Call))
    return {getattr(function, "attr", getattr(function, "id", "")) for function in functions}


def test_what_belongs_to_the_whole_process_is_set_in_one_file_each():
    found = {
        (name, str(file.relative_to(ROOT)))
        for folder in ("models", "em", "comparisons")
        for file in (ROOT / folder).rglob("*.py")
        for name in called(file, PROCESS_WIDE_CALLS) & PROCESS_WIDE_CALLS.keys()
    }
    assert found == {(name, file) for name, file in PROCESS_WIDE_CALLS.items() if file != "nowhere"}


def test_every_warning_of_em_can_be_left_to_the_status():
    files = [file.name for file in (ROOT / "em").glob("*.py") if "warn" in called(file)]
    assert files == ["status.py"]
