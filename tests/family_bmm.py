"""The Bernoulli and binomial rows of the table that contract tests run over."""

import numpy as np
from contract import Family, no_prior
from scipy.stats import bernoulli, binom

from em import BernoulliMixtureEM, BinomialMixtureEM, bmm
from models.bmm import BMMParameters, BMMPrior
from models.bmm import simulate as simulate_bmm

TRIALS = 7


def beta_prior(K, D):
    return BMMPrior(1.7, np.linspace(1.2, 3, D), 1.5)


def count_parameters(rng, K, D):
    return BMMParameters(rng.dirichlet(np.full(K, 5.0)), rng.uniform(0.1, 0.9, size=(K, D)))


def count_known(m):
    def known(groups, prior):
        b, c = (1.0, 1.0) if prior is None else (prior.successes, prior.failures)
        return {"probs": np.array([(X.sum(axis=0) + b - 1) / (m * len(X) + b + c - 2) for X in groups])}

    return known


def draw_counts(m):
    def simulate(parameters, n, rng):
        X, _ = simulate_bmm(parameters, n, m, rng)
        X[0], X[1] = 0, m  # so that no column is constant, and every estimate under soft responsibilities is interior
        return X

    return simulate


def bernoulli_log_prob(x, parameters, k):
    return bernoulli(parameters.probs[k]).logpmf(x).sum()


def binomial_log_prob(x, parameters, k):
    return binom(TRIALS, parameters.probs[k]).logpmf(x).sum()


def count_to_vector(parameters):
    return np.log(parameters.probs / (1 - parameters.probs)).ravel()


def count_from_vector(weights, vector, K, D):
    return BMMParameters(weights, 1 / (1 + np.exp(-vector.reshape(K, D))))


COUNTS = {
    "steps": bmm,
    "parameters": count_parameters,
    "to_vector": count_to_vector,
    "from_vector": count_from_vector,
    "n_free": 5,
    "expected": lambda parameters: parameters.probs,
}
BERNOULLI = COUNTS | {
    "estimator": BernoulliMixtureEM,
    "simulate": draw_counts(1),
    "known": count_known(1),
    "log_prob": bernoulli_log_prob,
}
BINOMIAL = COUNTS | {
    "estimator": BinomialMixtureEM,
    "simulate": draw_counts(TRIALS),
    "known": count_known(TRIALS),
    "log_prob": binomial_log_prob,
    "expected": lambda parameters: TRIALS * parameters.probs,
    "options": {"n_trials": TRIALS},
}


ROWS = [
    Family(name="bernoulli-ML", prior=no_prior, **BERNOULLI),
    Family(name="bernoulli-MAP", prior=beta_prior, **BERNOULLI),
    Family(name="binomial-ML", prior=no_prior, **BINOMIAL),
    Family(name="binomial-MAP", prior=beta_prior, **BINOMIAL),
]
