"""Students' wrong steps: Bernoulli, binomial, Poisson and categorical mixtures."""

from math import factorial, log

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import bernoulli, binom, poisson

from comparisons.coursework import check_e_step, check_log_likelihood, check_m_step
from mistakes.registry import mistake

# Bernoulli and binomial -----------------------------------------------------------------------------------------------


@mistake("failures left out", check_e_step, family="bmm")
def only_successes(X, pi, mu):
    joint = pi * np.prod(mu[None] ** X[:, None], axis=2)
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("p and 1 - p exchanged", check_e_step, family="bmm")
def exchanged(X, pi, p):
    joint = pi * np.array([[np.prod(np.where(x == 1, 1 - q, q)) for q in p] for x in X])
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("probabilities of features added", check_e_step, family="bmm")
def features_added(X, pi, p):
    joint = np.array([[w * bernoulli.pmf(x, q).sum() for w, q in zip(pi, p, strict=True)] for x in X])
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("1 - x failures", check_e_step, family="bmm", n_trials=10)
def bernoulli_for_binomial(X, pi, p):
    logs = X @ np.log(p).T + (1 - X) @ np.log(1 - p).T + np.log(pi)
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


@mistake("no binomial coefficient", check_log_likelihood, family="bmm", n_trials=10)
def without_coefficient(X, pi, p):
    logs = X @ np.log(p).T + (10 - X) @ np.log(1 - p).T + np.log(pi)
    return logsumexp(logs, axis=1).sum()


@mistake("permutations m! / (m - x)!", check_log_likelihood, family="bmm")
def ordered(X, pi, p, n_trials):
    total = 0.0
    for x in X:
        like = 0.0
        for w, q in zip(pi, p, strict=True):
            term = w
            for d in range(len(x)):
                m, s = int(n_trials), int(x[d])
                term *= factorial(m) / factorial(m - s) * q[d] ** s * (1 - q[d]) ** (m - s)
            like += term
        total += log(like)
    return total


@mistake("size of the cells left out", check_m_step, family="bmm", n_trials=10)
def mean_count(X, r):
    return r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]


@mistake("n in place of N_k", check_m_step, family="bmm")
def joint_probability(X, r):
    return r.mean(axis=0), r.T @ X / len(X)


@mistake("adds 1 to the numerator and 2 to the divisor", check_m_step, family="bmm")
def laplace(X, r):
    return r.mean(axis=0), (r.T @ X + 1) / (r.sum(axis=0)[:, None] + 2)


@mistake("normalised over the components", check_m_step, family="bmm")
def sums_to_one_over_coins(X, r):
    p = r.T @ X / r.sum(axis=0)[:, None]
    return r.mean(axis=0), p / p.sum(axis=0)


# Poisson --------------------------------------------------------------------------------------------------------------


@mistake("exp(-λ) left out", check_e_step, family="pmm")
def no_exponential(X, w, lam):
    joint = w * np.array(
        [[np.prod([a**c / factorial(int(c)) for a, c in zip(row, x, strict=True)]) for row in lam] for x in X]
    )
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("no factorial", check_log_likelihood, family="pmm")
def no_factorials(X, w, rates):
    logs = (X[:, None] * np.log(rates) - rates).sum(axis=2) + np.log(w)
    return np.log(np.exp(logs).sum(axis=1)).sum()


@mistake("gamma function one too low", check_log_likelihood, family="pmm")
def gamma_of_x(X, w, rates):
    logs = (X[:, None] * np.log(rates) - rates - gammaln(np.maximum(X[:, None], 1e-300))).sum(axis=2) + np.log(w)
    return logsumexp(logs, axis=1).sum()


@mistake("exposure left out of exp(-λ)", check_e_step, family="pmm", exposure=3.0)
def without_exposure(X, w, rates, exposure):
    logs = poisson.logpmf(X[:, None, :], rates).sum(axis=2) + np.log(w)
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


@mistake("mean of rates in place of rate of sums", check_m_step, family="pmm")
def rates_averaged(X, r, exposure):
    return r.mean(axis=0), r.T @ (X / exposure) / r.sum(axis=0)[:, None]


@mistake("size of the cells left out", check_m_step, family="pmm")
def exposure_forgotten(X, r, exposure):
    return r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]


# Categories -----------------------------------------------------------------------------------------------------------


@mistake("level off by one", check_e_step, family="cmm")
def levels_from_one(X, weights, probs):
    joint = np.ones((len(X), len(weights))) * weights
    for d in range(X.shape[1]):
        joint *= probs[:, d, X[:, d] - 1].T
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("normalised over the components", check_m_step, family="cmm")
def wrong_axis(X, r):
    L = int(X.max()) + 1
    counts = np.zeros((r.shape[1], X.shape[1], L))
    for i in range(len(X)):
        for d in range(X.shape[1]):
            counts[:, d, X[i, d]] += r[i]
    return r.mean(axis=0), counts / counts.sum(axis=0)


@mistake("divided by n", check_m_step, family="cmm")
def over_all(X, r):
    one_hot = np.eye(int(X.max()) + 1)[X]
    return r.mean(axis=0), np.einsum("nk,ndl->kdl", r, one_hot) / len(X)


@mistake("responsibilities in place of the weights", check_log_likelihood, family="bmm")
def posterior_weights(X, w, p):
    probs = np.where(X[:, None] == 1, p, 1 - p).prod(axis=2)
    r = w * probs / (w * probs).sum(axis=1, keepdims=True)
    return np.log((r * probs).sum(axis=1)).sum()


# Other functions of the same distribution -----------------------------------------------------------------------------


@mistake("cumulative probabilities", check_e_step, family="pmm")
def distribution_functions_of_counts(X, w, rates):
    joint = w * poisson.cdf(X[:, None], rates).prod(axis=2)
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("cumulative probabilities", check_log_likelihood, family="bmm", n_trials=6)
def distribution_functions_of_successes(X, w, p):
    return np.log((w * binom.cdf(X[:, None], 6, p).prod(axis=2)).sum(axis=1)).sum()


@mistake("probabilities of more", check_e_step, family="pmm")
def survival_functions(X, w, rates):
    joint = w * poisson.sf(X[:, None], rates).prod(axis=2)
    return joint / joint.sum(axis=1, keepdims=True)
