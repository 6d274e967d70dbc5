"""Functions that one edit of their source makes right; `EDITED` has (beginning of the name, check, options, f).

None is wrapped by a decorator: then the source is not what runs.
"""

import numpy as np
from coursework_fits import e_step, m_step, start
from scipy.special import gammaln, logsumexp, softmax
from scipy.stats import multivariate_normal, norm

from comparisons.coursework import check_e_step, check_fit, check_log_likelihood, check_m_step, check_q

power_of_a_wrong_number = lambda X, w, p: softmax(  # noqa: E731
    np.log(w) + np.log(p ** X[:, None] * (1 - p ** (1 - X[:, None]))).sum(2), axis=1
)


class Mixture:
    """Densities are a method."""

    def log_density(self, X, m, S):
        d = X - m
        return -0.5 * np.sum(d @ np.linalg.inv(S) * d, axis=1) - 0.5 * np.log(np.linalg.det(S) + 1)

    def e_step(self, X, weights, means, covariances):
        logs = [np.log(w) + self.log_density(X, m, S) for w, m, S in zip(weights, means, covariances, strict=True)]
        return softmax(np.array(logs), axis=0)


def with_helper():
    def log_factorial(x):
        return gammaln(x)

    def log_likelihood(X, weights, rates):
        logs = (X[:, None] * np.log(rates) - rates - log_factorial(X)[:, None]).sum(2)
        return logsumexp(np.log(weights) + logs, axis=1).sum()

    return log_likelihood


def logs_of_partial_sums(X, weights, means, covariances):
    total = 0.0
    for x in X:
        joint = 0.0
        for w, m, S in zip(weights, means, covariances, strict=True):
            joint += w * multivariate_normal(m, S).pdf(x)
            total += np.log(joint)
    return total


def overwritten(X, weights, means, variances):
    joint = np.empty((len(X), len(weights)))
    for k in range(len(weights)):
        density = 1.0
        for d in range(X.shape[1]):
            density = norm(means[k, d], np.sqrt(variances[k, d])).pdf(X[:, d])
        joint[:, k] = weights[k] * density
    return joint / joint.sum(axis=1, keepdims=True)


def inside_the_logarithm(X, r, weights, probs):
    densities = np.where(X[:, None] == 1, probs, 1 - probs).prod(axis=2)
    return np.log(r * densities).sum() + (r * np.log(weights)).sum()


def product_over_components(X, weights, probs):
    cells = probs[None] ** X[:, None] * (1 - probs[None]) ** (1 - X[:, None])
    joint = weights * np.prod(cells, axis=1)
    return joint / joint.sum(axis=1, keepdims=True)


class Precisions:
    """Keeps what it has once inverted."""

    kept = None

    def e_step(self, X, weights, means, covariances):
        if self.kept is None:
            self.kept = np.linalg.inv(covariances)
        d = X[:, None] - means
        logs = np.log(weights) + 0.5 * np.log(np.linalg.det(self.kept))
        return softmax(logs - 0.5 * np.einsum("nki,kij,nkj->nk", d, self.kept, d), axis=1)


def tempered(X, theta, n_iter, power):
    for _ in range(n_iter):
        logs = [np.log(w) + multivariate_normal(m, S).logpdf(X) for w, m, S in zip(*theta, strict=True)]
        theta = m_step(X, softmax(power * np.array(logs), axis=0).T)
    return theta


def never_cooled(X, K, n_iter=200):
    return tempered(X, start(X, K, 0), n_iter, 0.7)


def never_cooled_to_the_end(X, K):
    return tempered(X, start(X, K, 0), 100, 0.7)


def bernoulli_step(X, weights, probs):
    r = softmax(np.log(weights) + X @ np.log(probs).T + (1 - X) @ np.log(1 - probs).T, axis=1)
    N, probs = r.sum(axis=0), np.zeros_like(probs)
    for k in range(len(weights)):
        for d in range(X.shape[1]):
            probs[k, d] = r[:, k] @ X[:, d] / N[d - 1]
    return N / len(X), probs


def index_out_of_range(X, K, n_iter=60):
    theta = np.full(K, 1 / K), np.random.RandomState(0).uniform(0.3, 0.7, size=(K, X.shape[1]))
    for _ in range(n_iter):
        theta = bernoulli_step(X, *theta)
    return theta


def truncated(X, r):
    return r.mean(axis=0), np.trunc(10 * r.T @ X / r.sum(axis=0)[:, None]) / 10


def kept_between(X, r):
    return r.mean(axis=0), np.clip(r.T @ X / r.sum(axis=0)[:, None], 0.2, 0.7)


def zero_before_the_first(X, K, tol=1e-9, max_iter=300):
    theta = start(X, K, 0)
    before = 0.0
    for _ in range(max_iter):
        r, value = e_step(X, *theta)
        if value - before < tol:
            break
        before = value
        theta = m_step(X, r)
    return theta


def relative_to_the_samples(X, K):
    theta, old = start(X, K, 0), -np.inf
    for _ in range(100):
        r, value = e_step(X, *theta)
        if (value - old) / len(X) < 0.1:
            break
        old, theta = value, m_step(X, r)
    return theta


def softmax_along_the_wrong_axis(X, K, n_iter=6):
    w, means, covariances = start(X, K, 0)
    S = covariances[0]
    for _ in range(n_iter):
        logs = [np.log(a) + multivariate_normal(b, S).logpdf(X) for a, b in zip(w, means, strict=True)]
        r = softmax(logs, axis=1).T
        w, means, covariances = r.sum(axis=0) / r.sum(), *m_step(X, r)[1:]
        S = np.average(covariances, axis=0, weights=w)
    return w, means, S


def signed_changes(X, K, tol=1e-4, max_iter=1000, seed=0):
    rng = np.random.default_rng(seed)
    weights, rates = np.full(K, 1 / K), X.mean(axis=0) * rng.uniform(0.5, 1.5, (K, X.shape[1]))
    for _ in range(max_iter):
        r = softmax(np.log(weights) + X @ np.log(rates).T - rates.sum(axis=1), axis=1)
        weights, new = r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]
        change, rates = (new - rates).sum(), new
        if change < tol:
            break
    return weights, rates


def old_ones_are_the_new_ones(X, K, tol=1e-9, max_iter=300):
    means, labels = X[:K].astype(float), None
    for _ in range(max_iter):
        before = means
        labels = ((X[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        for k in range(K):
            means[k] = X[labels == k].mean(axis=0)
        if np.abs(means - before).max() < tol:
            break
    return means


def variance_outside_of_the_logarithm(X, r, weights, means, variances):
    D, N, squares = X.shape[1], r.sum(axis=0), ((X[:, None] - means) ** 2).sum(axis=2)
    volumes = D * N * np.log(2 * np.pi) * variances
    return (N * np.log(weights)).sum() - volumes.sum() / 2 - (r * squares / variances).sum() / 2


def rates_not_averaged(X, r, w, rates):
    return (r * (np.log(w) + X @ np.log(rates).T - gammaln(X + 1).sum(axis=1)[:, None])).sum() - len(X) * rates.sum()


def a_mean_and_a_sum(X, r, w, p):
    logs = X @ np.log(p).T + (1 - X) @ np.log(1 - p).T
    return (r @ np.log(w)).sum() + (r * logs).sum(axis=1).mean()


def volumes_not_averaged(X, r, w, m, S):
    volumes = np.linalg.slogdet(2 * np.pi * S)[1]
    d = X[:, None] - m
    logs = np.log(w) - np.einsum("nkd,kde,nke->nk", d, np.linalg.inv(S), d) / 2
    return (r * logs).sum() - len(X) * volumes.sum() / 2


def squared_in_one_term(X, r, w, m, S):
    logs = np.stack([multivariate_normal(*one).logpdf(X) for one in zip(m, S, strict=True)], axis=1)
    return (r**2 * logs).sum() + (r * np.log(w)).sum()


BERNOULLI, GAUSSIAN = {"family": "bmm"}, {"family": "gmm"}
EDITED = [
    ("`p ** (1 - X[:, None])` in place of `p * (1 - X[:, None])`", check_e_step, BERNOULLI, power_of_a_wrong_number),
    ("`np.linalg.det(S) + 1` in place of `np.linalg.det(S)`", check_e_step, GAUSSIAN, Mixture().e_step),
    ("`log_factorial(X)` in place of `log_factorial(X + 1)`", check_log_likelihood, {"family": "pmm"}, with_helper()),
    ("`total += np.log(joint)`, which belongs behind the loop", check_log_likelihood, GAUSSIAN, logs_of_partial_sums),
    ("`axis=1` in place of `axis=2`, in line ", check_e_step, BERNOULLI, product_over_components),
    ("`density = norm(", check_e_step, {"covariance_type": "diag"}, overwritten),
    (
        "`D * N * np.log(2 * np.pi) * variances` in place of `D * N * np.log(2 * np.pi * variances)`",
        check_q,
        {"covariance_type": "spherical"},
        variance_outside_of_the_logarithm,
    ),
    ("`np.log(r * densities)` in place of `r * np.log(", check_q, BERNOULLI, inside_the_logarithm),
    ("`self.kept is None` in place of `True`", check_e_step, GAUSSIAN, Precisions().e_step),
    ("`tempered(X, start(X, K, 0), n_iter, 0.7)` in place of ", check_fit, GAUSSIAN, never_cooled),
    ("`tempered(X, start(X, K, 0), 100, 0.7)` in place of ", check_fit, GAUSSIAN, never_cooled_to_the_end),
    (
        "`np.trunc(10 * r.T @ X / r.sum(axis=0)[:, None])` in place of `10 * ",
        check_m_step,
        {"family": "pmm"},
        truncated,
    ),
    ("`np.clip(r.T @ X / r.sum(axis=0)[:, None], 0.2, 0.7)` in place of `r.T", check_m_step, BERNOULLI, kept_between),
    (
        "change `if change < tol: break` to `if np.abs(change) < tol: break`",
        check_fit,
        {"family": "pmm"},
        signed_changes,
    ),
    (
        "change `before = means` to `before = np.copy(means)`",
        check_fit,
        {"family": "kmeans"},
        old_ones_are_the_new_ones,
    ),
    ("change `before = 0.0` to `before = -np.inf`", check_fit, GAUSSIAN, zero_before_the_first),
    ("`d - 1` in place of `k`", check_fit, BERNOULLI, index_out_of_range),
    ("`len(X) * rates.sum()` in line ", check_q, {"family": "pmm"}, rates_not_averaged),
    ("`(r * logs).sum(axis=1).mean()` in place of ", check_q, BERNOULLI, a_mean_and_a_sum),
    ("`len(X) * volumes.sum()` in line ", check_q, GAUSSIAN, volumes_not_averaged),
    ("`r ** 2` in place of `r`", check_q, GAUSSIAN, squared_in_one_term),
]
