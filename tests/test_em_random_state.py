"""The same seed gives the same result bit for bit, and nothing touches the global random state."""

import numpy as np
import pytest
import reference_data

import em.starts.restarts
from em import BernoulliMixtureEM, GaussianMixtureEM, KMeans

CASES = [
    pytest.param(GaussianMixtureEM, reference_data.faithful(), id="gaussian"),
    pytest.param(BernoulliMixtureEM, reference_data.lsat7()[::10], id="bernoulli"),
    pytest.param(KMeans, reference_data.faithful(), id="k-means"),
]


def fitted_arrays(fit):
    return {name: np.asarray(value) for name, value in vars(fit).items() if isinstance(value, float | np.ndarray)}


def assert_identical(first, second):
    first, second = fitted_arrays(first), fitted_arrays(second)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize(("estimator", "X"), CASES)
def test_same_seed_same_result_bit_for_bit(estimator, X):
    first, second = (estimator(2, n_init=2, random_state=7).fit(X) for _ in range(2))
    assert_identical(first, second)
    assert_identical(first, estimator(2, n_init=2, random_state=np.random.RandomState(7)).fit(X))
    assert_identical(first, first.fit(X))


@pytest.mark.parametrize(("estimator", "X"), CASES)
def test_global_random_state_is_neither_read_nor_moved(estimator, X):
    np.random.seed(1)  # noqa: NPY002 - the global state is what this is about
    expected = estimator(2, n_init=2, random_state=0).fit(X)
    np.random.seed(2)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    fit = estimator(2, n_init=2, random_state=0).fit(X)
    after = np.random.get_state()  # noqa: NPY002
    assert_identical(fit, expected)
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("init", ["k-means++", "kmeans", "random"])
def test_restarts_do_not_depend_on_how_many_there_are(init, monkeypatch):
    runs = []
    run_em = em.starts.restarts.run_em

    def spy(*args, **kwargs):
        runs.extend(found := run_em(*args, **kwargs))
        return found

    monkeypatch.setattr(em.starts.restarts, "run_em", spy)
    X = reference_data.iris()
    GaussianMixtureEM(3, n_init=2, init=init, random_state=0).fit(X)
    few = list(runs)
    runs.clear()
    GaussianMixtureEM(3, n_init=4, init=init, random_state=0).fit(X)
    for run, again in zip(few, runs, strict=False):
        both = min(run.n_iter, again.n_iter) + 1  # one may have left a race that the other won
        np.testing.assert_allclose(run.history[:both], again.history[:both], rtol=1e-10)
    assert len({run.history[0] for run in runs}) > 1  # and they differ from each other


def test_seeds_differ():
    X = reference_data.faithful()
    starts = {GaussianMixtureEM(3, n_init=1, init="random", random_state=seed).fit(X).history_[0] for seed in range(4)}
    assert len(starts) == 4
