"""Threads that share a large sum over rows change no bit of it, and behave as the thread that asked."""

import multiprocessing
import os
import subprocess
import sys
from threading import Barrier, current_thread

import numpy as np
import pytest
import reference_data
from threadpoolctl import threadpool_limits

from em import GaussianMixtureEM
from em.engine import blocks
from em.engine.blocks import sum_over_chunks
from em.process.blas import no_other_thread, one_blas_thread, threads_allowed
from em.process.threads import mapped

WAIT = 30  # seconds, after which a test fails instead of hanging


def threads_of(items):
    """Return the names of the threads that took part when so many waited for each other."""
    together = Barrier(items)

    def name(_):
        together.wait(WAIT)
        return current_thread().name

    with one_blas_thread():
        return set(mapped(name, range(items)))


def test_as_many_threads_share_as_blas_had(three_blas_threads):
    assert len(threads_of(3)) == 3
    with threadpool_limits(2, user_api="blas"):
        assert len(threads_of(2)) == 2
        with one_blas_thread(), one_blas_thread():
            assert threads_allowed() == 2
    with threadpool_limits(1, user_api="blas"):
        assert threads_of(1) == {current_thread().name}
    with one_blas_thread(), no_other_thread():
        assert threads_allowed() == 1
    assert threads_allowed() == 1


@pytest.mark.parametrize("n_rows", [1, 4, 5, 31, 1000])
def test_a_sum_has_the_same_bits_by_one_thread_and_by_three(three_blas_threads, monkeypatch, n_rows):
    monkeypatch.setattr(blocks, "SHARED", 0)
    monkeypatch.setattr(blocks, "CHUNK_NUMBERS", 4)
    monkeypatch.setattr(blocks, "FEWEST_ROWS", 4)
    x = np.random.RandomState(0).normal(size=n_rows) * 10.0 ** np.random.RandomState(1).uniform(-9, 9, size=n_rows)

    def step(rows):
        return x[rows].sum(keepdims=True), {"squares": np.square(x[rows]).sum(keepdims=True)}

    shared = sum_over_chunks(n_rows, 1, step)
    with threadpool_limits(1, user_api="blas"):
        alone = sum_over_chunks(n_rows, 1, step)
    assert shared == alone
    np.testing.assert_allclose(shared[0], x.sum(), rtol=1e-12, atol=1e-12 * np.abs(x).sum())


def test_a_fit_has_the_same_bits_by_one_thread_and_by_three(three_blas_threads, monkeypatch):
    monkeypatch.setattr(blocks, "SHARED", 0)
    monkeypatch.setattr(blocks, "CHUNK_NUMBERS", 2**10)
    X = np.tile(reference_data.faithful(), (8, 1)) + np.random.RandomState(0).normal(size=(2176, 2)) / 10
    shared = GaussianMixtureEM(2, n_init=2, random_state=0).fit(X)
    with threadpool_limits(1, user_api="blas"):
        alone = GaussianMixtureEM(2, n_init=2, random_state=0).fit(X)
    assert shared.history_.tolist() == alone.history_.tolist()
    assert shared.covariances_.tolist() == alone.covariances_.tolist()


def test_predictions_have_the_same_bits_by_one_thread_and_by_three(three_blas_threads):
    X = np.random.RandomState(0).normal(size=(blocks.SHARED_ROWS + 5, 2))
    fit = GaussianMixtureEM(2, n_init=1, max_iter=5, tol=1e9, random_state=0).fit(X[:200])
    shared = fit.predict_proba(X), fit.score_samples(X)
    with threadpool_limits(1, user_api="blas"):
        alone = fit.predict_proba(X), fit.score_samples(X)
    for one, other in zip(shared, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    few = fit.predict_proba(X[:5])
    np.testing.assert_allclose(few, shared[0][:5], rtol=1e-12)


def test_threads_handle_floating_point_errors_as_the_one_that_asks(three_blas_threads):
    def divide(_):
        return np.ones(1) / np.zeros(1)

    with np.errstate(divide="ignore"), one_blas_thread():
        assert list(mapped(divide, range(3))) == [np.inf] * 3
    with np.errstate(divide="raise"), one_blas_thread(), pytest.raises(FloatingPointError):
        list(mapped(divide, range(3)))


def test_a_thread_that_shares_work_itself_does_it_alone(three_blas_threads):
    def names(_):
        return {current_thread().name}.union(*mapped(lambda _: {current_thread().name}, range(3)))

    with one_blas_thread():
        assert all(len(of_one) == 1 for of_one in mapped(names, range(6)))


def test_an_error_in_a_thread_is_the_callers_and_the_threads_go_on(three_blas_threads):
    def fail(number):
        if number == 1:
            raise KeyError(number)
        return number

    with one_blas_thread():
        with pytest.raises(KeyError):
            list(mapped(fail, range(3)))
        assert list(mapped(abs, range(3))) == [0, 1, 2]


FORKS = """
import multiprocessing
from em.process.blas import one_blas_thread
from em.process.threads import mapped

def squares():
    with one_blas_thread():
        assert list(mapped(lambda number: number**2, range(3))) == [0, 1, 4]

squares()
child = multiprocessing.get_context("fork").Process(target=squares)
child.start()
child.join(20)
raise SystemExit(child.exitcode)
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_process_has_threads_of_its_own():
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "3", "PYTHONWARNINGS": "ignore"}
    assert subprocess.run([sys.executable, "-c", FORKS], env=environment).returncode == 0


OUTLIVES = """
import threading
from em.process.blas import one_blas_thread
from em.process.threads import mapped

def squares():
    threading.main_thread().join()
    with one_blas_thread():
        assert list(mapped(lambda number: number**2, iter(range(3)))) == [0, 1, 4]
    print("done")

threading.Thread(target=squares).start()
"""


def test_a_thread_that_outlives_the_main_one_does_its_work_alone():
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "3", "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run([sys.executable, "-c", OUTLIVES], env=environment, capture_output=True, text=True)
    assert ran.stdout == "done\n", ran.stderr
