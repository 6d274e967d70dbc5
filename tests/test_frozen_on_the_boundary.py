"""Any parameters held fixed, any others at 0 or 1: a Bernoulli or binomial mixture fits and says what it knows."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from scipy.stats import dirichlet

import em
from em import BernoulliMixtureEM, BinomialMixtureEM, NotIdentifiableWarning
from models.bmm import BMMPrior

TWINS = np.array([[1, 0], [0, 1]] * 5)
PROBS = {
    "inside": [[0.7, 0.2], [0.3, 0.6]],
    "on the boundary": [[1.0, 0.0], [0.0, 1.0]],
    "partly": [[0.5, 0.0], [0.0, 1.0]],
}
FROZEN = [{}, {"weights": [0.5, 0.5]}, *({"probs": p} for p in PROBS.values())]
FROZEN += [{"weights": [0.3, 0.7], "probs": p} for p in PROBS.values()]


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
@pytest.mark.parametrize("prior", [None, BMMPrior(1.0, 1.0, 1.0), BMMPrior()])
@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("frozen", FROZEN, ids=str)
def test_every_combination_fits(frozen, trials, prior):
    estimator = BernoulliMixtureEM if trials == 1 else BinomialMixtureEM
    settings = {} if trials == 1 else {"n_trials": trials}
    fit = estimator(2, frozen=frozen or None, prior=prior, n_init=2, random_state=0, **settings).fit(TWINS * trials)
    assert np.isfinite(fit.objective_)
    for name, value in frozen.items():
        np.testing.assert_array_equal(fit.parameters_.arrays()[name], value)
    assert fit.identifiability_.rank <= fit.identifiability_.n_free_parameters
    errors = fit.uncertainty(TWINS * trials)
    assert all(np.isnan(errors.standard_errors[[name.split("[")[0] in frozen for name in errors.names]]))


def test_frozen_probs_that_the_prior_makes_impossible_are_taken_as_given(tmp_path):
    """The weights' mode is (N_k + a - 1) / (n + K (a - 1)), and the objective has no density of the probs."""
    prior, probs, X = BMMPrior(3.0, 2.0, 2.0), np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0]] * 6 + [[0, 1]] * 2)
    fit = BernoulliMixtureEM(2, frozen={"probs": probs}, prior=prior, random_state=0).fit(X)
    assert fit.weights_ == pytest.approx([8 / 12, 4 / 12])
    expected = 6 * np.log(8 / 12) + 2 * np.log(4 / 12) + dirichlet([3, 3]).logpdf(fit.weights_)
    assert fit.objective_ == pytest.approx(expected)
    assert "impossible" in fit.status_
    em.save(fit, tmp_path / "fit.json")
    assert em.load(tmp_path / "fit.json").objective_ == fit.objective_


def test_frozen_weights_and_probs_that_all_end_on_the_boundary():
    with pytest.warns(NotIdentifiableWarning):
        fit = BernoulliMixtureEM(2, frozen={"weights": [0.5, 0.5]}, random_state=0).fit(TWINS)
    assert sorted(fit.probs_.ravel().tolist()) == [0, 0, 1, 1]
    assert fit.log_likelihood_ == pytest.approx(10 * np.log(0.5))


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
def test_an_emptied_component_beside_frozen_probs():
    X = np.ones((10, 3), dtype=int)
    frozen = {"probs": [[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]]}
    fit = BernoulliMixtureEM(2, frozen=frozen, n_init=1, random_state=0).fit(X)
    assert fit.weights_.max() == pytest.approx(1)
    assert np.isfinite(fit.log_likelihood_)


@pytest.mark.filterwarnings("ignore::em.NotIdentifiableWarning")
def test_all_patterns_of_zeros_and_ones():
    rows = list(product([0, 1], repeat=2))
    for X in map(np.array, combinations_with_replacement(rows, 3)):  # fits do not depend on the order of the rows
        for frozen in (None, {"weights": [0.4, 0.6]}):
            fit = BernoulliMixtureEM(2, frozen=frozen, n_init=1, random_state=0).fit(X)
            assert np.isfinite(fit.log_likelihood_)
            assert fit.predict_proba(X).sum(axis=1) == pytest.approx(1)
            errors = fit.uncertainty(X).standard_errors
            assert (errors >= 0).sum() + np.isnan(errors).sum() == 6
