"""Rows of weight 0 and rows without an observed cell count nowhere: not in a fit, and not in what is asked of it."""

import numpy as np
import pytest
import reference_data

from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    GaussianMixtureEM,
    KMeans,
    density_threshold,
    select,
)

rng = np.random.RandomState(7)
ANSWERS = (rng.random((300, 5)) < np.where(rng.random(300) < 0.6, 0.85, 0.15)[:, None]).astype(float)
ANSWERS[:, 4] = 0
IMPOSSIBLE = np.array([[0, 1, 0, 0, 1.0]])  # under every fit of the others, which never saw a 1 in the last column
CASES = {
    "bernoulli": (BernoulliMixtureEM(2, n_init=2, random_state=0), ANSWERS, IMPOSSIBLE),
    "binomial": (BinomialMixtureEM(2, n_trials=2, n_init=2, random_state=0), ANSWERS, IMPOSSIBLE),
    "gaussian": (GaussianMixtureEM(2, n_init=2, random_state=0), reference_data.faithful(), np.full((1, 2), 1e300)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_impossible_row_of_weight_0_changes_no_figure(name):
    estimator, X, impossible = CASES[name]
    alone = estimator.fit(X)
    figures = [alone.score(X), alone.bic(X), alone.aic(X), alone.icl(X), density_threshold(alone, X, 0.1)]
    errors = alone.uncertainty(X).standard_errors
    everything, w = np.concatenate([X, impossible]), np.append(np.ones(len(X)), 0.0)
    fit = estimator.fit(everything, sample_weight=w)
    values = [getattr(fit, method)(everything, sample_weight=w) for method in ("score", "bic", "aic", "icl")]
    values.append(density_threshold(fit, everything, 0.1, sample_weight=w))
    np.testing.assert_allclose(values, figures, rtol=1e-12)
    np.testing.assert_allclose(fit.uncertainty(everything, sample_weight=w).standard_errors, errors, rtol=1e-9)
    assert fit.score_samples(everything)[-1] == -np.inf
    assert fit.predict_proba(everything)[-1].sum() == 1


def test_selection_is_not_misled_by_it():
    everything, w = np.concatenate([ANSWERS, IMPOSSIBLE]), np.append(np.ones(len(ANSWERS)), 0.0)
    selection = select(everything, BernoulliMixtureEM(n_init=2, random_state=0), [1, 2], sample_weight=w)
    assert np.isfinite([candidate.bic for candidate in selection.candidates]).all()
    assert selection.best.settings == {"n_components": 2}


def test_a_criterion_that_is_not_a_number_never_ranks():
    selection = select(ANSWERS, BernoulliMixtureEM(n_init=2, random_state=0), [1, 2])
    object.__setattr__(selection.candidates[1], "bic", float("nan"))
    assert selection.best is selection.candidates[0]
    object.__setattr__(selection.candidates[0], "bic", float("nan"))
    assert selection.best is None


def test_a_far_row_of_weight_0_adds_nothing_to_the_inertia():
    X = np.array([[0.0], [1.0], [9.0], [11.0], [1e200]])
    w = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    fit = KMeans(2, random_state=0).fit(X, sample_weight=w)
    with np.errstate(over="ignore"):
        assert fit.score(X, sample_weight=w) == -2.5


def test_an_objective_that_is_not_a_number_is_a_collapse():
    from em.engine import run_em
    from em.engine.problem import one_by_one
    from models.bmm import BMMParameters

    start = BMMParameters([1.0], [[0.5]])
    scales = {"weights": 1.0, "probs": 1.0}
    problem = one_by_one(
        start, lambda theta: (np.nan, None), lambda _: start, lambda theta: 0.0, lambda a: BMMParameters(**a), scales
    )
    run = run_em(problem, [start], tol=1e-8, max_iter=10)[0]
    assert run.collapsed
    assert not run.converged
    assert run.objective == -np.inf
