"""A fit that something ends goes on from its last whole iteration, and gives what it would have given, to the bit."""

import re
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
from families import FAILINGS, each_family_once

import em.engine
import em.samples.sketch
from em import BinomialMixtureEM, GaussianMixtureEM, PoissonMixtureEM
from em.saving.checkpoints import VERSION, parameters_of

PLAIN = ("log_likelihood_", "objective_", "n_iter_", "n_e_steps_", "status_", "converged_", "n_collapsed_", "starts_")


def assert_the_same(one, other):
    for name in PLAIN:
        assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_array_equal(one.history_, other.history_)
    for name, array in other.parameters_.arrays().items():
        np.testing.assert_array_equal(one.parameters_.arrays()[name], array)


def fitted(estimator, X, interrupt_after=np.inf, **arguments):
    """Fit, and interrupt in place of the E-step of some number, as Ctrl-C does."""
    visit, calls = em.engine.loop.Loop._visit, []

    def counted(self, *given):
        calls.append(1)
        if len(calls) > interrupt_after:
            raise KeyboardInterrupt
        return visit(self, *given)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        for category in FAILINGS:
            warnings.simplefilter("ignore", category)
        patch.setattr(em.engine.loop.Loop, "_visit", counted)
        return estimator.fit(X, **arguments)


def goes_on(estimator, X, path, **arguments):
    """Fit with a checkpoint, interrupted again and again, until it ends; return the fit."""
    for n_interrupts, n_steps in enumerate((1, 2, 5, 12, 40, 100, np.inf)):
        try:
            fit = fitted(estimator, X, n_steps, checkpoint=path, **arguments)
        except KeyboardInterrupt:
            continue
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


@each_family_once
def test_a_fit_in_memory_goes_on_on_the_same_path(family, tmp_path):
    X, estimator = data_of(family, 60)
    whole = fitted(estimator(), X)
    assert_the_same(goes_on(estimator(), X, tmp_path / "fit"), whole)


def clouds(n=600, seed=0):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(size=(n // 3, 2)), rng.normal([2, 1], 1, size=(n - n // 3, 2))])


def test_a_fit_of_chunks_goes_on_on_the_same_path(tmp_path, monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 30)
    X, settings = da.from_array(clouds(), chunks=(130, -1)), {"n_init": 2, "random_state": 1, "max_iter": 40}
    with dask.config.set(scheduler="synchronous"):
        whole = fitted(GaussianMixtureEM(2, **settings), X)
        assert_the_same(goes_on(GaussianMixtureEM(2, **settings), X, tmp_path / "fit"), whole)


def test_runs_on_parts_of_many_rows_and_short_runs_are_stages_of_their_own(tmp_path):
    X = clouds(9000)
    settings = {"n_components": 2, "random_state": 1, "n_init": 2, "n_starts": 4, "max_iter": 60}
    whole = fitted(GaussianMixtureEM(**settings), X)
    assert_the_same(goes_on(GaussianMixtureEM(**settings), X, tmp_path / "fit"), whole)


def test_sizes_of_the_fit_are_part_of_what_a_checkpoint_is_of(tmp_path):
    X, trials = np.random.RandomState(0).binomial(5, 0.4, size=(50, 3)), np.full((50, 3), 5)
    fit = goes_on(BinomialMixtureEM(2, random_state=0, max_iter=40), X, tmp_path / "fit", n_trials=trials)
    assert_the_same(fit, fitted(BinomialMixtureEM(2, random_state=0, max_iter=40), X, n_trials=trials))
    with pytest.raises(ValueError, match="had other values of n_trials of fit: pass these again, or another file"):
        fitted(BinomialMixtureEM(2, random_state=0, max_iter=40), X, n_trials=trials + 1, checkpoint=tmp_path / "fit")


def test_a_fit_that_has_ended_makes_no_step_again(tmp_path):
    whole = fitted(GaussianMixtureEM(2, random_state=1), clouds(), checkpoint=tmp_path / "fit")
    assert_the_same(fitted(GaussianMixtureEM(2, random_state=1), clouds(), 0, checkpoint=tmp_path / "fit"), whole)


CHANGED = clouds()
CHANGED[17, 1] += 1e-12


@pytest.mark.parametrize(
    ("settings", "X", "weights", "names"),
    [
        ({}, CHANGED, None, "X and sample_weight"),
        ({}, clouds()[1:], None, "X and sample_weight"),
        ({}, clouds(), np.repeat([1.0, 2.0], [599, 1]), "X and sample_weight"),
        ({"tol": 1e-6, "n_init": 3}, clouds(), None, "n_init, tol"),
    ],
    ids=["a cell", "rows", "a weight", "settings"],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["memory", "chunks"])
def test_the_checkpoint_of_another_fit_is_refused(settings, X, weights, names, chunked, tmp_path, monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 30)
    before, own = (da.from_array(rows, chunks=(200, -1)) if chunked else rows for rows in (clouds(), X))
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(KeyboardInterrupt) as interrupt:
            fitted(GaussianMixtureEM(2, random_state=1), before, 3, checkpoint=tmp_path / "fit")
        assert f"The last whole iteration is in {tmp_path}" in interrupt.value.__notes__[0]
        estimator = GaussianMixtureEM(2, random_state=1, **settings)
        with pytest.raises(ValueError, match=f"had other values of {names}: pass these again, or another file"):
            fitted(estimator, own, checkpoint=tmp_path / "fit", sample_weight=weights)


def test_other_files_are_refused_and_left_alone(tmp_path):
    path = tmp_path / "fit"
    fitted(GaussianMixtureEM(2, random_state=1, max_iter=3), clouds(), checkpoint=path)
    whole = path.read_text()
    changed = re.sub(r"\.(\d)", lambda digit: f".{9 - int(digit[1])}", whole, count=1)
    archive = b"PK\x03\x04\xff"  # as checkpoints were before
    for content in ("", "text", "[]", whole[:-9], whole[:2000] + "XX" + whole[2002:], changed, archive):
        content = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match="checkpoint must be a file written by fit of this version, or a new name; "
        ):
            GaussianMixtureEM(2, random_state=1, max_iter=3).fit(clouds(), checkpoint=path)
        assert path.read_bytes() == content
    path.write_text(whole.replace(f'"version": {VERSION}', '"version": 1'))
    with pytest.raises(ValueError, match=f"checkpoint must be a file of format version {VERSION}, .* is of version 1"):
        parameters_of(path)


def test_random_starts_need_a_seed_to_be_the_same_again(tmp_path):
    for seed, given in ((None, "None"), (np.random.RandomState(0), "RandomState")):
        with pytest.raises(ValueError, match=f"random_state must .* got {given}"):
            GaussianMixtureEM(2, random_state=seed).fit(clouds(), checkpoint=tmp_path / "fit")
    start = GaussianMixtureEM(2, random_state=0, n_init=1).fit(clouds()).parameters_
    assert GaussianMixtureEM(2, init=start).fit(clouds(), checkpoint=tmp_path / "fit").converged_


def test_what_belongs_to_rows_is_part_of_what_a_checkpoint_is_of(tmp_path):
    """Rows in another order, with labels or exposures that stay where they are, are other data."""
    rng = np.random.RandomState(0)
    X, exposure = rng.poisson(3, size=(40, 1)).astype(float), rng.uniform(1, 5, size=(40, 1))
    order = rng.permutation(40)
    counts = PoissonMixtureEM(2, n_init=2, random_state=0)
    whole = fitted(counts, X, exposure=exposure, checkpoint=tmp_path / "counts")
    with pytest.raises(ValueError, match="other values of X and sample_weight"):
        counts.fit(X[order], exposure=exposure, checkpoint=tmp_path / "counts")
    again = PoissonMixtureEM(2, n_init=2, random_state=0)
    assert_the_same(fitted(again, X[order], exposure=exposure[order], checkpoint=tmp_path / "counts"), whole)
    labels, points = rng.randint(2, size=600), clouds()
    GaussianMixtureEM(2, init=labels).fit(points, checkpoint=tmp_path / "labels")
    with pytest.raises(ValueError, match="other values of X and sample_weight"):
        GaussianMixtureEM(2, init=labels).fit(points[::-1], checkpoint=tmp_path / "labels")


@each_family_once
def test_the_parameters_of_the_last_whole_iteration_can_be_read(family, tmp_path):
    X, estimator = data_of(family, 60)
    objectives = []
    for n_steps in (2, 7):
        with pytest.raises(KeyboardInterrupt):
            fitted(estimator(), X, n_steps, checkpoint=tmp_path / "fit")
        at = parameters_of(tmp_path / "fit")
        start = {"init": at, "prior": family.prior(2, 2), "max_iter": 1}
        objectives.append(fitted(family.estimator(2, **start, **family.options, **family.structure), X).history_[0])
    fit = fitted(estimator(), X, checkpoint=tmp_path / "fit")
    assert objectives[0] < objectives[1] < fit.objective_ + 1e-9
    assert parameters_of(tmp_path / "fit").arrays().keys() == fit.parameters_.arrays().keys()
    for name, array in fit.parameters_.arrays().items():
        np.testing.assert_array_equal(parameters_of(tmp_path / "fit").arrays()[name], array)


def test_chunks_with_other_borders_are_another_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 30)
    one, other = (da.from_array(clouds(), chunks=(sizes, 2)) for sizes in ((200, 200, 200), (150, 250, 200)))
    with dask.config.set(scheduler="synchronous"):
        fitted(GaussianMixtureEM(2, random_state=1, max_iter=3), one, checkpoint=tmp_path / "fit")
        with pytest.raises(ValueError, match="had other values of where chunks begin: pass these again"):
            fitted(GaussianMixtureEM(2, random_state=1, max_iter=3), other, checkpoint=tmp_path / "fit")


def test_chunks_and_their_rows_in_another_order_are_the_same_fit_up_to_rounding(tmp_path, monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 30)
    X, sizes = clouds(), (150, 250, 200)
    reordered = np.concatenate([part[::-1] for part in np.split(X, np.cumsum(sizes)[:-1])[::-1]])
    one, other = da.from_array(X, chunks=(sizes, 2)), da.from_array(reordered, chunks=(sizes[::-1], 2))
    estimator = GaussianMixtureEM(2, random_state=1, n_init=1, max_iter=9)
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(KeyboardInterrupt):
            fitted(estimator, one, 3, checkpoint=tmp_path / "fit")
        of_other = fitted(estimator, other, checkpoint=tmp_path / "fit").history_
        np.testing.assert_allclose(of_other, fitted(estimator, one).history_, rtol=1e-12)
