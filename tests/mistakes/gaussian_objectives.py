"""Students' wrong steps: the log-likelihood of the Gaussian mixture, and Q."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from comparisons.coursework import check_log_likelihood, check_q
from mistakes.registry import mistake


def log_densities(X, means, covariances):
    return np.reshape(
        [multivariate_normal.logpdf(X, m, S) for m, S in zip(means, covariances, strict=True)], (len(means), -1)
    ).T


@mistake("no (2π)^(D/2)", check_log_likelihood)
def without_two_pi(X, weights, means, covariances):
    total = 0
    for x in X:
        p = 0
        for w, m, S in zip(weights, means, covariances, strict=True):
            p += w * np.exp(-0.5 * (x - m) @ np.linalg.solve(S, x - m)) / np.sqrt(np.linalg.det(S))
        total += np.log(p)
    return total


@mistake("(2π)^(1/2) for any D", check_log_likelihood)
def two_pi_of_one_dimension(X, weights, means, covariances):
    logs = log_densities(X, means, covariances) + X.shape[1] / 2 * np.log(2 * np.pi) - 0.5 * np.log(2 * np.pi)
    return np.log(np.exp(logs) @ weights).sum()


@mistake("mean in place of the sum", check_log_likelihood)
def as_score(X, weights, means, covariances):
    return np.mean(logsumexp(log_densities(X, means, covariances) + np.log(weights), axis=1))


@mistake("sum of logs in place of log of sum", check_log_likelihood)
def log_inside(X, weights, means, covariances):
    return np.sum(np.log(weights) + log_densities(X, means, covariances))


@mistake("weights outside of the logarithm", check_log_likelihood)
def jensen(X, weights, means, covariances):
    return float(np.sum(weights * log_densities(X, means, covariances)))


@mistake("Q in place of the log-likelihood", check_log_likelihood)
def expected_complete(X, weights, means, covariances):
    joint = log_densities(X, means, covariances) + np.log(weights)
    r = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return (r * joint).sum()


@mistake("largest not added back", check_log_likelihood)
def maximum_lost(X, weights, means, covariances):
    joint = log_densities(X, means, covariances) + np.log(weights)
    m = joint.max(axis=1, keepdims=True)
    return np.log(np.exp(joint - m).sum(axis=1)).sum()


@mistake("log10", check_log_likelihood)
def common_logarithm(X, weights, means, covariances):
    return np.log10(np.exp(log_densities(X, means, covariances)) @ weights).sum()


@mistake("sign", check_log_likelihood)
def loss(X, weights, means, covariances):
    return -np.log(np.exp(log_densities(X, means, covariances)) @ weights).sum()


@mistake("entropy added", check_q)
def bound(X, r, weights, means, covariances):
    return (r * (np.log(weights) + log_densities(X, means, covariances) - np.log(r))).sum()


@mistake("weights left out", check_q)
def q_without_weights(X, resp, weights, means, covariances):
    q = 0
    for i in range(len(X)):
        for k in range(len(weights)):
            q += resp[i, k] * multivariate_normal.logpdf(X[i], means[k], covariances[k])
    return q


@mistake("responsibilities left out", check_q)
def q_without_responsibilities(X, gamma, pi, mu, Sigma):
    return (np.log(pi) + log_densities(X, mu, Sigma)).sum()


@mistake("weights not averaged", check_q)
def weights_once(X, gamma, pi, mu, Sigma):
    return np.log(pi).sum() + (gamma * log_densities(X, mu, Sigma)).sum()
