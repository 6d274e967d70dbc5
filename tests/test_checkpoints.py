"""A fit that something ends goes on from its last whole iteration, and gives what it would have given, to the bit."""

import warnings

import dask
import dask.array as da
import numpy as np
import pytest
from families import FAILINGS, each_family

import em.chunked.samples
import em.engine
from em import BinomialMixtureEM, GaussianMixtureEM

PLAIN = ("log_likelihood_", "objective_", "n_iter_", "n_e_steps_", "status_", "converged_", "n_collapsed_", "starts_")


def assert_the_same(one, other):
    for name in PLAIN:
        assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_array_equal(one.history_, other.history_)
    for name, array in other.parameters_.arrays().items():
        np.testing.assert_array_equal(one.parameters_.arrays()[name], array)


def fitted(estimator, X, interrupt_after=np.inf, **arguments):
    """Fit, and interrupt in place of the E-step of some number, as Ctrl-C does."""
    visit, calls = em.engine._Runs._visit, []

    def counted(self, *given):
        calls.append(1)
        if len(calls) > interrupt_after:
            raise KeyboardInterrupt
        return visit(self, *given)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        for category in FAILINGS:
            warnings.simplefilter("ignore", category)
        patch.setattr(em.engine._Runs, "_visit", counted)
        return estimator.fit(X, **arguments)


def goes_on(estimator, X, path, **arguments):
    """Fit with a checkpoint, interrupted again and again, until it ends; return the fit."""
    for n_interrupts, n_steps in enumerate((1, 2, 5, 12, 40, 100, np.inf)):
        try:
            fit = fitted(estimator, X, n_steps, checkpoint=path, **arguments)
        except KeyboardInterrupt as interrupt:
            assert f"The last whole iteration is in {path}" in interrupt.__notes__[0]
        else:
            assert n_interrupts > 1
            return fit
    raise AssertionError("the last of these cannot be interrupted")


def data_of(family, n):
    X, _, _ = family.problem(5, 2, 2, n)
    X = np.array(X, dtype=float)
    X[::7, 0] = np.nan
    return X, lambda **settings: family.estimator(
        2, prior=family.prior(2, 2), random_state=1, n_init=5, **family.options, **family.structure, **settings
    )


@each_family
def test_a_fit_in_memory_goes_on_on_the_same_path(family, tmp_path):
    X, estimator = data_of(family, 60)
    whole = fitted(estimator(), X)
    assert_the_same(goes_on(estimator(), X, tmp_path / "fit"), whole)


def clouds(n=600, seed=0):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(size=(n // 3, 2)), rng.normal([2, 1], 1, size=(n - n // 3, 2))])


def test_a_fit_of_chunks_goes_on_on_the_same_path(tmp_path, monkeypatch):
    monkeypatch.setattr(em.chunked.samples, "MOST_SKETCHED", 30)
    X, settings = da.from_array(clouds(), chunks=(130, -1)), {"n_init": 2, "random_state": 1, "max_iter": 40}
    with dask.config.set(scheduler="synchronous"):
        whole = fitted(GaussianMixtureEM(2, **settings), X)
        assert_the_same(goes_on(GaussianMixtureEM(2, **settings), X, tmp_path / "fit"), whole)


def test_runs_on_parts_of_many_rows_and_short_runs_are_stages_of_their_own(tmp_path):
    X = clouds(9000)
    settings = {"n_components": 2, "random_state": 1, "n_init": 2, "n_starts": 4, "max_iter": 60}
    whole = fitted(GaussianMixtureEM(**settings), X)
    assert_the_same(goes_on(GaussianMixtureEM(**settings), X, tmp_path / "fit"), whole)
