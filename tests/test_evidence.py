"""The evidence by SMC and by Chib's identity is that of enumeration, every labelling counted."""

from itertools import permutations

import numpy as np
import pytest
from random_mixtures import random_gmm_prior

from comparisons.evidence import _log_permanent, chib_evidence, combined
from comparisons.evidence.exact import exact_posterior, log_joint_of_labels
from comparisons.evidence.smc import smc_evidence
from comparisons.posterior.gibbs import as_datatree
from em.gibbs import gibbs
from models.bmm import BMMPrior
from models.bmm import build_marginal_model as build_counts
from models.cmm import CMMPrior
from models.gmm import GMMPrior, build_marginal_model
from models.gmm.structures import COVARIANCE_TYPES
from models.pmm import PMMPrior

PROMISED = 0.1  # nats
LINE = np.array([[-2.3], [-1.9], [-1.2], [-0.3], [0.1], [1.1], [1.8], [2.2], [2.9]])
ANSWERS = np.array([[0, 0, 1], [0, 0, 0], [1, 1, 1], [1, 1, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]])


def line_prior():
    return GMMPrior(2.0, [0.0], 0.1, 4.0, [[2.0]])


@pytest.mark.parametrize("K", [2, 3])
def test_chibs_identity_is_exact_within_its_error_on_a_gaussian_mixture(K):
    evidence = chib_evidence(LINE, gibbs(LINE, K, line_prior(), random_state=0), line_prior())
    exact = exact_posterior(LINE, K, line_prior()).log_evidence
    assert abs(evidence.log_evidence - exact) < min(5 * evidence.standard_error, PROMISED)
    assert len(evidence.runs) == 4


def test_chibs_identity_is_exact_within_its_error_on_counts():
    prior = BMMPrior(1.5, 2.0, 1.0)
    X = ANSWERS * 2.0
    X[0, 0] = np.nan
    draws = gibbs(X, 2, prior, n_trials=3, random_state=0)
    evidence, exact = chib_evidence(X, draws, prior, n_trials=3), exact_posterior(X, 2, prior, n_trials=3)
    assert abs(evidence.log_evidence - exact.log_evidence) < min(5 * evidence.standard_error, PROMISED)


@pytest.mark.parametrize(
    ("X", "prior", "size"),
    [
        ([[3, 1], [10, 2], [2, np.nan], [12, 4], [4, 0]], PMMPrior(1.0, 2.0, 0.5), {"exposure": [1.0, 2.0]}),
        ([["a", "x"], ["b", "y"], ["a", "z"], ["b", None], ["b", "y"]], CMMPrior(1.0, 1.0), {}),
    ],
    ids=["Poisson", "categorical"],
)
def test_chibs_identity_is_exact_within_its_error_on_rates_and_labels(X, prior, size):
    X = np.array(X, dtype=object if isinstance(prior, CMMPrior) else float)
    draws, exact = gibbs(X, 2, prior, random_state=0, **size), exact_posterior(X, 2, prior, **size)
    evidence = chib_evidence(X, draws, prior, **size)
    assert abs(evidence.log_evidence - exact.log_evidence) < min(PROMISED, 4 * evidence.standard_error)
    located = exact.means.keys() - {"weights"}
    assert located < as_datatree(draws, prior)["posterior"].data_vars.keys()


def test_a_few_draws_bias_chibs_identity_nowhere():
    """Stars among the draws averaged over would make the mean of these errors -0.17, five of its standard errors."""
    exact = exact_posterior(LINE, 3, line_prior()).log_evidence
    draws = [gibbs(LINE, 3, line_prior(), draws=30, random_state=seed) for seed in range(12)]
    errors = np.array([chib_evidence(LINE, of_seed, line_prior()).log_evidence - exact for of_seed in draws])
    assert abs(errors.mean()) < 4 * errors.std(ddof=1) / np.sqrt(len(errors))


def test_one_chain_is_held_to_its_other_half():
    draws = gibbs(LINE, 2, line_prior(), chains=1, draws=4001, random_state=0)
    evidence = chib_evidence(LINE, draws, line_prior())
    assert len(evidence.runs) == 2
    assert abs(evidence.log_evidence - exact_posterior(LINE, 2, line_prior()).log_evidence) < PROMISED
    with pytest.raises(ValueError, match="draws must be at least 2"):
        chib_evidence(LINE, gibbs(LINE, 2, line_prior(), chains=1, draws=1, random_state=0), line_prior())


def test_draws_that_are_not_those_of_data_and_prior_are_refused():
    draws = gibbs(LINE, 2, line_prior(), draws=2, random_state=0)
    for given, message in [
        ((LINE[1:], draws, line_prior()), f"draws must have labels of the {len(LINE) - 1} rows of X, got {len(LINE)}"),
        ((LINE > 0, draws, BMMPrior()), "draws must be what em.gibbs.gibbs returned under the prior, .* got no probs"),
        ((LINE, as_datatree(draws, line_prior()), line_prior()), "arrays by name, got no"),
        ((LINE, None, line_prior()), "arrays by name, got NoneType"),
        ((LINE, draws, None), "prior must be conjugate, such as a GMMPrior, got NoneType"),
    ]:
        with pytest.raises(ValueError, match=message):
            chib_evidence(*given)


@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_the_sum_over_labellings_is_that_over_all_permutations(K):
    T = np.random.default_rng(K).normal(scale=20, size=(4, K, K))
    each = [T[:, range(K), order].sum(axis=1) for order in permutations(range(K))]
    np.testing.assert_allclose(_log_permanent(T), np.logaddexp.reduce(each), rtol=1e-13)


def test_a_sampler_stuck_in_one_labelling_loses_nothing():
    X = np.concatenate([np.linspace(-21, -19, 4), np.linspace(19, 21, 5)])[:, None]
    prior = GMMPrior(2.0, [0.0], 0.01, 4.0, [[2.0]])
    draws = gibbs(X, 2, prior, starts=[[0] * 4 + [1] * 5] * 4, random_state=0)
    assert np.ptp(draws["z"], axis=(0, 1)).max() == 0
    exact = exact_posterior(X, 2, prior).log_evidence  # half of it has one labelling
    assert chib_evidence(X, draws, prior).log_evidence == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_the_joint_density_of_data_and_labels_adds_up_to_the_evidence(kind):
    rng = np.random.default_rng(0)
    X, prior = rng.normal(size=(5, 2)), random_gmm_prior(2, 2, rng, kind)
    z = np.array(list(np.ndindex(*[2] * 5)))
    total = np.logaddexp.reduce(log_joint_of_labels(X, z, 2, prior))
    assert total == pytest.approx(exact_posterior(X, 2, prior).log_evidence, abs=1e-10)


def test_smc_on_a_gaussian_mixture_is_within_a_tenth_of_a_nat():
    model, exact = build_marginal_model(LINE, 2, line_prior()), exact_posterior(LINE, 2, line_prior())
    shares = []
    evidence = smc_evidence(model, draws=1000, chains=2, seed=1, progress=shares.append)
    assert abs(evidence.log_evidence - exact.log_evidence) < PROMISED
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_smc_on_answers_is_within_a_tenth_of_a_nat():
    prior = BMMPrior(1.0, 1.0, 1.0)
    evidence = smc_evidence(build_counts(ANSWERS, 2, prior), draws=1000, chains=2, seed=1)
    assert abs(evidence.log_evidence - exact_posterior(ANSWERS, 2, prior).log_evidence) < PROMISED


def test_runs_are_averaged_on_the_scale_of_probabilities():
    evidence = combined(np.log([1.0, 3.0]))
    assert evidence.log_evidence == pytest.approx(np.log(2))
    assert evidence.standard_error == pytest.approx(np.sqrt(2) / 2 / np.sqrt(2))  # relative


def test_a_prior_that_tells_components_apart_is_refused():
    draws = gibbs(LINE, 2, line_prior(), draws=5, random_state=0)
    with pytest.raises(ValueError, match="alike"):
        chib_evidence(LINE, draws, GMMPrior([1.0, 2.0], [0.0], 0.1, 4.0, [[2.0]]))
    with pytest.raises(ValueError, match="model must have a prior that treats components alike"):
        smc_evidence(build_counts(ANSWERS, 3, BMMPrior([1.0, 2.0, 1.0], 1.0, 1.0)), draws=10)
