"""An edit of a student's source that makes it right names the mistake; what must not be run again is not edited."""

import functools
import linecache
import time

import numpy as np
import pytest
from coursework_edits import EDITED
from coursework_steps import ROOMY, e_step
from scipy.stats import poisson

from comparisons.coursework import (
    check_e_step,
    check_m_step,
    judging,
)
from comparisons.coursework.clock import WAITING, used_seconds
from comparisons.coursework.unlisted import repair
from models.gmm import GMMPrior


class Notebook:
    """A student's functions that use each other."""

    def joint(self, X, weights, probs):
        return weights * np.prod(np.where(X[:, None] > 0, probs, 1 - probs), axis=2)

    @staticmethod
    def right(X, weights, probs):
        joint = weights * np.prod(np.where(X[:, None] > 0, probs, 1 - probs), axis=2)
        return joint / joint.sum(axis=1, keepdims=True)

    def e_step(self, X, weights, probs):
        return np.fmax(normalised_by(self.joint(X, weights, probs)), 0.3)


def normalised_by(joint):
    return joint / np.sqrt(joint.sum(axis=1, keepdims=True) * joint.max(axis=1, keepdims=True))


def shared_array(X, r):
    sums = [np.zeros(X.shape[1])] * r.shape[1]
    for k in range(r.shape[1]):
        for i in range(len(X)):
            sums[k] += r[i, k] * X[i] / r[:, k].sum()
    return r.mean(axis=0), sums


def one_level_on(X, weights, probs):
    codes = np.fmin(X + 1, probs.shape[2] - 1)
    joint = np.array(
        [
            [w * np.prod([q[d][x] for d, x in enumerate(row)]) for w, q in zip(weights, probs, strict=True)]
            for row in codes
        ]
    )
    return joint / joint.sum(axis=1, keepdims=True)


def small_ones_left_out(X, weights, means, covariances):
    r = e_step(X, weights, means, covariances)
    r[r < 0.1] = 0
    return r / r.sum(axis=1, keepdims=True)


def floor_and_normalised(X, weights, means, covariances):
    r = np.maximum(e_step(X, weights, means, covariances), 0.03)
    return r / r.sum(axis=1, keepdims=True)


def not_transposed(X, r):
    N = r.sum(axis=0)
    return N / len(X), r @ X / N[:, None]


def index_exchanged(X, weights, probs):
    joint = np.array(
        [[w * np.prod([q[x, d] for d, x in enumerate(row)]) for w, q in zip(weights, probs, strict=True)] for row in X]
    )
    return joint / joint.sum(axis=1, keepdims=True)


def misnamed(X, weights, rates):
    joint = weights * poisson.pmf(X[:, None], rate).prod(axis=2)  # noqa: F821
    return joint / joint.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("check", "family", "function", "named"),
    [
        (check_m_step, "bmm", not_transposed, "`r @ X` in place of `r.T @ X`, in line "),
        (check_e_step, "cmm", index_exchanged, "`q[x, d]` in place of `q[d, x]`, in line "),
        (check_e_step, "pmm", misnamed, "`poisson.pmf(X[:, None], rate)` in place of `poisson.pmf(X[:, None], rates)`"),
    ],
    ids=["a shape", "an index", "a name"],
)
def test_an_edit_after_which_nothing_is_raised_names_a_mistake_beside_the_error(check, family, function, named):
    outcome = check(function, family=family, time_limit=ROOMY)
    (mistake,) = outcome.mistakes
    assert mistake.startswith(named)
    assert "Error: " in outcome.hint


def along_the_samples(X, weights, probs):
    joint = weights * np.prod(np.where(X[:, None] > 0, probs, 1 - probs), axis=2)
    joint = joint / joint.max(axis=1, keepdims=True)
    return joint / joint.sum(0)


def squares_of_sums(X, r):
    N = r.sum(axis=0)
    means = r.T @ X / N[:, None]
    d = X[:, None] - means
    return N / len(X), means, (r * d.sum(2) ** 2).sum(axis=0) / (N * X.shape[1])


@pytest.mark.parametrize(
    ("check", "family", "function", "named"),
    [
        (check_e_step, "bmm", along_the_samples, "`joint.sum(0)` in place of `joint.sum(axis=1, keepdims=True)`"),
        (check_m_step, "gmm", squares_of_sums, "`d.sum(2) ** 2` in place of `(d ** 2).sum(2)`, in line "),
        (check_m_step, "pmm", shared_array, "`[np.zeros(X.shape[1])] * r.shape[1]` in place of "),
        (check_e_step, "cmm", one_level_on, "`X + 1` in place of `X`, in line "),
        (check_e_step, "gmm", small_ones_left_out, "`r[r < 0.1] = 0`, which does not belong there, in line "),
        (check_e_step, "gmm", floor_and_normalised, "`np.maximum(e_step(X, weights, means, covariances), 0.03)` in "),
        (check_e_step, "bmm", Notebook().e_step, ""),
    ],
    ids=["an axis", "an order", "an array for all", "another index", "a statement", "a floor", "two edits"],
)
def test_an_edit_of_the_source_that_makes_it_right_names_a_mistake(check, family, function, named):
    options = {"covariance_type": "spherical"} if function is squares_of_sums else {}
    outcome = check(function, family=family, time_limit=ROOMY, **options)
    assert not outcome.right
    assert bool(outcome.mistakes) == bool(named)
    assert all(mistake.startswith(named) and mistake not in repr(outcome) for mistake in outcome.mistakes)


@pytest.mark.parametrize(("name", "check", "options", "function"), EDITED, ids=lambda x: getattr(x, "__name__", ""))
def test_an_edit_of_what_a_function_is_made_of_names_its_mistake(name, check, options, function):
    outcome = check(function, time_limit=ROOMY, **options)
    (mistake,) = outcome.mistakes
    assert mistake.startswith(name) or name in " ".join(outcome.explain().split())


def kept_in_a_file(X, weights, means, covariances):
    r = e_step(X, weights, means, covariances)
    np.save("answers" + ".npy", r)
    return r + 0.001 * np.arange(len(weights))


def tripled(function):
    @functools.wraps(function)
    def wrapper(*args):
        return 3 * function(*args)

    return wrapper


@tripled
def decorated(X, weights, means, covariances):
    return e_step(X, weights, means, covariances) + 0.001 * np.arange(len(weights))


def test_a_function_that_writes_files_is_not_edited(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not check_e_step(kept_in_a_file, time_limit=ROOMY).mistakes
    assert [path.name for path in tmp_path.iterdir()] == ["answers.npy"]


def test_only_edits_of_what_runs_and_can_be_stopped_are_tried(monkeypatch):
    def by_another_name(X, weights, means, covariances):
        return e_step(X, weights, means, covariances) + 0.001 * np.arange(len(weights))

    by_another_name.__name__ = "e_step"
    assert not check_e_step(decorated, time_limit=ROOMY).mistakes
    assert check_e_step(by_another_name, time_limit=ROOMY).mistakes
    monkeypatch.setattr(repair, "can_limit", lambda: False)
    assert not check_e_step(by_another_name, time_limit=ROOMY).mistakes


def test_a_source_that_was_changed_since_is_not_edited(tmp_path):
    lines = (
        "def f(X, weights, probs):",
        "    r = right(X, weights, probs)",
        "    return r + 0.001 * np.arange(r.shape[1])",
    )
    file = tmp_path / "mine.py"
    file.write_text("\n".join(lines))
    space = {"right": Notebook.right, "np": np}
    exec(compile(file.read_text(), file, "exec"), space)
    assert check_e_step(space["f"], family="bmm", time_limit=ROOMY).mistakes
    file.write_text("\n".join([*lines[:2], "    return r * 1.0"]))
    linecache.checkcache()
    assert not check_e_step(space["f"], family="bmm", time_limit=ROOMY).mistakes


def test_few_edits_come_before_what_takes_longer(monkeypatch):
    def m_step(X, r):
        N = r.sum(axis=0)
        weights = (N + prior.concentration - 1) / (len(X) + 1 * len(N))
        means = (prior.mean_precision * prior.mean + r.T @ X) / (prior.mean_precision + N)[:, None]
        covariances = []
        for k in range(len(N)):
            gap = r[:, k] @ X / N[k] - prior.mean
            S = (r[:, k] * (X - r[:, k] @ X / N[k]).T) @ (X - r[:, k] @ X / N[k])
            S += prior.mean_precision * (N[k] / prior.mean_precision + N[k]) * np.outer(gap, gap)
            covariances.append((prior.scale + S) / (prior.degrees_of_freedom + N[k] + X.shape[1] + 2))
        return weights, means, np.array(covariances)

    prior = GMMPrior(np.array([2.0, 2.0]), [0.3, -0.5], 0.7, 6.0, [[1.3, 0.2], [0.2, 0.8]])
    monkeypatch.setattr(judging, "expression_of_step", None)
    (mistake,) = check_m_step(m_step, prior=prior, time_limit=ROOMY).mistakes
    assert mistake.startswith("`N[k] / prior.mean_precision + N[k]` in place of `N[k] / (prior.mean_precision + N[k])`")


def test_edits_end_at_the_deadline_although_a_function_waits_in_place_of_computing():
    calls = []

    def is_right(function, seconds):
        calls.append(function)
        time.sleep(0.1)
        return False

    [f] = [f for *_, f in EDITED if f.__name__ == "index_out_of_range"]
    deadline = used_seconds() + 0.5
    assert repair.edit_of(f, lambda function, seconds: True, is_right, 0.01, deadline) is None
    assert len(calls) <= 0.5 * WAITING / 0.1 + 1
