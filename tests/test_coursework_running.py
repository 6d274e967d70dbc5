"""Whatever a student's code does: a check is fast, ends in time, shows what was raised, and nothing else is changed."""

import gc
import signal
import sys
import time
from weakref import WeakKeyDictionary

import numpy as np
import pytest
from coursework_steps import m_step
from mistakes import MISTAKES

from comparisons.coursework import check_e_step, check_fit, check_m_step, clock
from comparisons.coursework.calling.running import run
from comparisons.coursework.clock import WAITING


def test_a_check_is_fast():
    start = time.process_time()
    check = check_e_step(MISTAKES[0][3])
    assert time.process_time() - start < 2
    assert check.seconds < 10  # by the clock of a machine that may be busy


def test_objects_that_hold_each_other_are_no_parameters():
    class Model:
        def __init__(self):
            self.parent, self.K = self, 2

    assert "missing" in check_fit(lambda X, K: Model()).located[0]


def test_what_the_garbage_collector_calls_meanwhile_is_not_stopped():
    ended = []

    def slow(phase, _):
        end = time.perf_counter() + 0.2
        while time.perf_counter() < end:
            pass
        ended.append(phase)

    gc.callbacks.append(slow)
    try:
        run(gc.collect, [], {}, 0.02)
    finally:
        gc.callbacks.remove(slow)
    assert "start" in ended


def test_what_a_weak_reference_calls_meanwhile_is_not_stopped():
    ended = []

    class Slow(dict):
        def __delitem__(self, key):
            end = time.perf_counter() + 0.2
            while time.perf_counter() < end:
                pass
            ended.append(key)

    known = WeakKeyDictionary()
    known.data = Slow()

    def forgets():
        known[Slow] = None
        known[type("Key", (), {})()] = None

    run(forgets, [], {}, 0.02)
    assert len(ended) == 1


def test_state_between_calls_is_a_mistake():
    kept = []

    def remembers(X, r):
        kept.append(len(X))
        weights, means, covariances = m_step(X, r)
        return weights * len(kept), means, covariances

    assert check_m_step(remembers).mistakes == ("state kept between calls",)


def test_an_exception_is_shown_with_its_line_and_the_smallest_input():
    def broken(X, weights, means, covariances):
        return means[len(weights)]

    page = repr(check_e_step(broken))
    assert "IndexError" in page
    assert "means[len(weights)]" in page
    assert "n = 1, K = 1, D = 1" in page


@pytest.mark.parametrize("body", ["loop", "swallow", "swallow all", "exit", "print"])
def test_code_that_misbehaves_does_no_harm(body, capsys):
    def endless(X, weights, means, covariances):
        while body == "loop":
            pass
        while body == "swallow":
            try:
                time.sleep(0.01)
            except Exception:
                continue
        while body == "swallow all":
            try:
                while True:
                    pass
            except BaseException:
                continue
        if body == "exit":
            raise SystemExit("gone")
        print("noise")
        print("noise", file=sys.stderr)

    start = time.perf_counter()
    outcome = check_e_step(endless, time_limit=0.4)
    assert not outcome.right
    assert time.perf_counter() - start < 5
    (sentence,) = outcome.located
    assert {"exit": "SystemExit", "print": "returned None"}.get(body, "no answer within") in sentence
    assert ("time_limit" in outcome.hint) == (body not in ("exit", "print"))
    assert "noise" not in "".join(capsys.readouterr())
    assert not signal.getitimer(signal.ITIMER_REAL)[0]


def test_a_hint_on_a_failure_is_about_this_failure():
    def of_no_name(X, r):
        return r.sum(axis=0) / n_rows, r.T @ X / r.sum(axis=0)[:, None]  # noqa: F821

    def returns_nothing(X, r):
        r.sum(axis=0) / len(X)

    def of_other_shape(X, r):
        totals = np.zeros((3, 5))
        totals[:, 0] = r.sum(axis=0) @ X
        return totals

    hint = check_m_step(of_no_name, family="bmm").hint
    assert "given a value in a line above" in hint
    assert "shapes" not in hint
    assert check_m_step(returns_nothing).hint.endswith("is a return missing? (on every ordinary input).")
    hint = check_m_step(of_other_shape).hint
    assert "(on every ordinary input; this message with n =" in hint
    assert "Print the shapes of all arrays" in hint


def test_input_that_is_changed_is_noted_and_the_callers_arrays_stay():
    def in_place(X, r):
        weights, means, covariances = m_step(X.copy(), r)
        X -= X.mean(axis=0)
        return weights, means, covariances

    outcome = check_m_step(in_place)
    assert outcome.right
    assert any("in place" in note for note in outcome.notes)


def test_waiting_counts_a_part_of_the_time_on_the_wall_and_computing_counts_whole(monkeypatch):
    now = {"wall": 0.0, "own": 0.0}
    monkeypatch.setattr(clock, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(clock, "thread_time", lambda: now["own"])
    used = clock.Clock()
    for wall, own, counted in ((1.0, 1.0, 1.0), (2.5, 1.0, 1.0), (6.0, 1.0, 6.0 / WAITING), (3.0, 0.0, 3.0 / WAITING)):
        before = used()
        now["wall"] += wall
        now["own"] += own
        assert used() - before == pytest.approx(counted)
