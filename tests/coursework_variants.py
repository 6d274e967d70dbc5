"""Students' right steps in unusual styles, written by hand; `VARIANTS` lists (check, options, function)."""

from collections import namedtuple
from dataclasses import dataclass
from functools import partial
from math import comb, exp, factorial, log

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import gammaln, logsumexp, softmax, xlogy

from comparisons.coursework import check_e_step, check_log_likelihood, check_m_step, check_q

VARIANTS = []


def variant(check, **options):
    """Register the function below as a student's right step."""

    def register(function):
        VARIANTS.append((check, options, function))
        return function

    return register


# Gaussian: E-step -----------------------------------------------------------------------------------------------------


@variant(check_e_step)
def components_first(X, pi, mu, Sigma):
    joint = np.array([p * stats.multivariate_normal.pdf(X, m, S) for p, m, S in zip(pi, mu, Sigma, strict=True)])
    joint = joint.reshape(len(pi), -1)
    return joint / joint.sum(axis=0)


@variant(check_e_step)
def clipped_logs(X, pi, mu, Sigma):
    p = (
        np.array([stats.multivariate_normal(m, S).pdf(X) for m, S in zip(mu, Sigma, strict=True)])
        .reshape(len(pi), -1)
        .T
    )
    logs = np.log(np.clip(p, 1e-300, None)) + np.log(np.clip(pi, 1e-300, None))
    norm = logsumexp(logs, axis=1)
    return norm.sum(), np.exp(logs - norm[:, None])


@variant(check_e_step)
def lists_of_lists(samples, weights, means, covs):
    table = []
    for x in np.asarray(samples).tolist():
        x = np.array(x)
        row = []
        for w, m, S in zip(weights, means, covs, strict=True):
            d = x - m
            row.append(w * exp(-0.5 * float(d @ np.linalg.solve(S, d))) / np.sqrt(np.linalg.det(2 * np.pi * S)))
        table.append([v / sum(row) for v in row])
    return table


@variant(check_e_step)
def as_a_dictionary(X, theta):
    logs = np.stack(
        [
            stats.multivariate_normal(m, S).logpdf(X).reshape(-1)
            for m, S in zip(theta["means"], theta["covs"], strict=True)
        ]
    )
    logs = logs.T + np.log(theta["weights"])
    return {"log_likelihood": logsumexp(logs, axis=1).sum(), "resp": softmax(logs, axis=1)}


@variant(check_e_step)
def only_keywords(X, *, covariances, means, weights):
    L = np.linalg.cholesky(covariances)
    y = np.linalg.solve(L[None], (X[:, None] - means)[..., None])[..., 0]
    logs = np.log(weights) - np.log(np.diagonal(L, axis1=1, axis2=2)).sum(-1) - 0.5 * (y**2).sum(-1)
    return softmax(logs, axis=1)


@variant(check_e_step)
def as_a_frame(X, pi, mu, sigma):
    joint = {k: pi[k] * stats.multivariate_normal(mu[k], sigma[k]).pdf(X) for k in range(len(pi))}
    frame = pd.DataFrame({k: np.atleast_1d(v) for k, v in joint.items()})
    return frame.div(frame.sum(axis=1), axis=0)


@variant(check_e_step)
def single_precision(X, pi, mu, sigma):
    X, mu, sigma, pi = (np.asarray(a, dtype=np.float32) for a in (X, mu, sigma, pi))
    d = X[:, None] - mu
    q = np.einsum("nkd,kde,nke->nk", d, np.linalg.inv(sigma), d)
    logs = np.log(pi) - 0.5 * q - 0.5 * np.log(np.linalg.det(sigma))
    r = np.exp(logs - logs.max(axis=1, keepdims=True))
    return r / r.sum(axis=1, keepdims=True)


@variant(check_e_step)
def changes_its_input(X, pi, mu, sigma):
    r = np.zeros((len(X), len(pi)))
    for k in range(len(pi)):
        X -= mu[k]
        r[:, k] = pi[k] * np.exp(-0.5 * np.einsum("nd,de,ne->n", X, np.linalg.inv(sigma[k]), X))
        r[:, k] /= np.sqrt(np.linalg.det(sigma[k]))
        X += mu[k]
    X *= 0
    return r / r.sum(axis=1, keepdims=True)


@variant(check_e_step)
def with_matrices(X, pi, mu, sigma):
    X, mu = np.asmatrix(X), np.asmatrix(mu)
    r = np.asmatrix(np.zeros((len(X), len(pi))))
    for i in range(len(X)):
        for k in range(len(pi)):
            d = (X[i] - mu[k]).T
            r[i, k] = pi[k] * np.exp(-(d.T * np.asmatrix(sigma[k]).I * d)[0, 0] / 2) / np.linalg.det(sigma[k]) ** 0.5
    return r / r.sum(axis=1)


def _with_a_guard(X, pi, mu, sigma, eps):
    joint = np.array([p * stats.multivariate_normal(m, S).pdf(X) for p, m, S in zip(pi, mu, sigma, strict=True)])
    joint = joint.reshape(len(pi), -1).T
    return joint / (joint.sum(axis=1, keepdims=True) + eps)


VARIANTS.append((check_e_step, {}, partial(_with_a_guard, eps=1e-12)))
VARIANTS.append(
    (
        check_e_step,
        {"covariance_type": "spherical"},
        lambda X, w, m, v: softmax(
            np.log(w) - ((X[:, None] - m) ** 2).sum(-1) / 2 / v - X.shape[1] / 2 * np.log(2 * np.pi * v), axis=1
        ),
    )
)


@variant(check_e_step, covariance_type="diag")
def of_standard_deviations(X, weights, means, stds):
    logs = stats.norm.logpdf(X[:, None], means, stds).sum(axis=-1) + np.log(weights)
    return softmax(logs, axis=1), logsumexp(logs, axis=1).sum()


@variant(check_e_step, takes="precisions")
def of_precisions(X, weights, means, P):
    logs = np.log(weights) + 0.5 * np.linalg.slogdet(P)[1]
    d = X[:, None] - means
    return softmax(logs - 0.5 * np.einsum("nkd,kde,nke->nk", d, P, d), axis=1)


@variant(check_e_step, covariance_type="tied")
def same_matrix_for_each(X, pi, mu, covs):
    joint = np.array([pi[k] * stats.multivariate_normal(mu[k], covs[k]).pdf(X) for k in range(len(pi))])
    return (joint / joint.sum(axis=0)).reshape(len(pi), -1).T


@variant(check_e_step)
def univariate(x, pi, mu, var):
    p = np.exp(-((x[:, None] - mu) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var) * pi
    return p / p.sum(axis=1)[:, None]


@variant(check_e_step)
def univariate_by_sigma(x, pi, mu, sigma):
    p = pi * stats.norm(mu, sigma).pdf(x[:, np.newaxis])
    return p / p.sum(axis=1, keepdims=True)


class Mixture:
    """A student's class, whose parameters are attributes."""

    def __init__(self, K):
        self.K, self.pi, self.mu, self.Sigma, self.gamma = K, None, None, None, None

    def e_step(self, X):
        joint = [
            p * stats.multivariate_normal(m, S).pdf(X) for p, m, S in zip(self.pi, self.mu, self.Sigma, strict=True)
        ]
        self.gamma = np.reshape(joint, (len(self.pi), -1)).T
        self.gamma /= self.gamma.sum(axis=1, keepdims=True)

    def m_step(self, X, gamma):
        N = gamma.sum(axis=0)
        self.pi, self.mu = N / len(X), gamma.T @ X / N[:, None]
        d = X[:, None] - self.mu
        self.Sigma = np.einsum("nk,nkd,nke->kde", gamma, d, d) / N[:, None, None]


VARIANTS += [(check_e_step, {}, Mixture(2).e_step), (check_m_step, {}, Mixture(2).m_step)]


# Gaussian: log-likelihood and Q ---------------------------------------------------------------------------------------


@variant(check_log_likelihood)
def one_by_one(X, weights, means, covariances):
    return sum(
        log(
            sum(w * stats.multivariate_normal(m, S).pdf(x) for w, m, S in zip(weights, means, covariances, strict=True))
        )
        for x in X
    )


@variant(check_q)
def in_two_parts(X, gamma, pi, mu, Sigma):
    N = gamma.sum(axis=0)
    total = N @ np.log(pi)
    for k in range(len(pi)):
        d = X - mu[k]
        S = (gamma[:, [k]] * d).T @ d
        total += -0.5 * (N[k] * np.linalg.slogdet(2 * np.pi * Sigma[k])[1] + np.trace(np.linalg.inv(Sigma[k]) @ S))
    return total


# Gaussian: M-step -----------------------------------------------------------------------------------------------------

Result = namedtuple("Result", "sigma mu pi")


@variant(check_m_step)
def as_a_named_tuple(X, r):
    N = np.einsum("ij->j", r)
    mu = np.einsum("ij,id->jd", r, X) / N[:, None]
    second = np.einsum("ij,id,ie->jde", r, X, X) / N[:, None, None]
    return Result(second - mu[:, :, None] * mu[:, None, :], mu, N / N.sum())


@variant(check_m_step)
def in_another_order(X, gamma):
    N = gamma.sum(0)
    means = (gamma.T @ X) / N[:, np.newaxis]
    covs = [np.cov(X.T, aweights=gamma[:, k], ddof=0).reshape(X.shape[1], -1) for k in range(len(N))]
    return means, covs, gamma.mean(axis=0)


@variant(check_m_step)
def transposed_responsibilities(X, R):
    N = R.sum(axis=1)
    mu = R @ X / N[:, None]
    S = [((R[k] * (X - mu[k]).T) @ (X - mu[k])) / N[k] for k in range(len(R))]
    return N / R.shape[1], mu, np.array(S)


@variant(check_m_step)
def with_the_old_ones(X, r, pi, mu, sigma):
    K = len(mu)
    pi, mu, sigma = pi.copy(), mu.copy(), sigma.copy()
    for k in range(K):
        Nk = sum(r[:, k])
        pi[k] = Nk / len(X)
        mu[k] = sum(r[i, k] * X[i] for i in range(len(X))) / Nk
        sigma[k] = sum(r[i, k] * np.outer(X[i] - mu[k], X[i] - mu[k]) for i in range(len(X))) / Nk
    return pi, mu, sigma


@variant(check_m_step, returns="precisions")
def inverses(X, r):
    N = r.sum(axis=0)
    mu = r.T @ X / N[:, None]
    d = X[:, None] - mu
    return N / len(X), mu, np.linalg.inv(np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None])


@variant(check_m_step, covariance_type="diag")
def variances_as_matrices(X, r):
    N = r.sum(axis=0)
    mu = r.T @ X / N[:, None]
    return N / len(X), mu, np.array([np.diag(r[:, k] @ (X - mu[k]) ** 2 / N[k]) for k in range(len(N))])


@variant(check_m_step, covariance_type="spherical")
def by_second_moments(X, r):
    N = r.sum(axis=0) + 1e-16
    mu = r.T @ X / N[:, None]
    return N / len(X), mu, ((r.T @ X**2) / N[:, None] - mu**2).mean(axis=1)


@dataclass
class Tied:
    """Parameters as a student's data class."""

    weights: object
    means: object
    covariance: object


@variant(check_m_step, covariance_type="tied")
def by_the_total(X, r):
    N = r.sum(axis=0)
    mu = r.T @ X / N[:, None]
    return Tied(N / len(X), mu, (X.T @ X - (N * mu.T) @ mu) / len(X))


# Others ---------------------------------------------------------------------------------------------------------------


@variant(check_e_step, family="bmm")
def by_where(X, pi, theta):
    logs = np.where(X[:, None] == 1, np.log(theta), np.log1p(-theta)).sum(axis=2) + np.log(pi)
    return softmax(logs, axis=1)


@variant(check_e_step, family="bmm")
def coins(heads, n_trials, pi, p):
    joint = [
        [w * comb(int(n_trials), int(h)) * q**h * (1 - q) ** (n_trials - h) for w, q in zip(pi, p, strict=True)]
        for h in heads
    ]
    joint = np.array(joint)
    return joint / joint.sum(axis=1, keepdims=True), np.log(joint.sum(axis=1)).sum()


@variant(check_log_likelihood, family="bmm", n_trials=12)
def by_scipy(X, weights, probs):
    return logsumexp(stats.binom.logpmf(X[:, None], 12, probs).sum(-1), b=weights, axis=1).sum()


@variant(check_m_step, family="bmm", n_trials=12)
def heads_and_tails(X, r):
    heads, tails = r.T @ X, r.T @ (12 - X)
    return r.mean(axis=0), heads / (heads + tails)


@variant(check_e_step, family="pmm")
def with_xlogy(X, w, lam, exposure):
    mean = exposure[:, None, :] * lam
    logs = (xlogy(X[:, None], mean) - mean - gammaln(X[:, None] + 1)).sum(axis=-1) + np.log(w)
    return logsumexp(logs, axis=1).sum(), softmax(logs, axis=1)


@variant(check_e_step, family="pmm")
def factorials(X, w, lam):
    joint = np.empty((len(X), len(w)))
    for i, x in enumerate(X):
        for k in range(len(w)):
            joint[i, k] = w[k] * np.prod([a**c * exp(-a) / factorial(int(c)) for a, c in zip(lam[k], x, strict=True)])
    return joint / joint.sum(axis=1, keepdims=True)


@variant(check_m_step, family="pmm")
def exposure_of_samples(X, r, e):
    return {
        "weights": r.sum(0) / len(r),
        "rates": (r.T @ X) / (r.T @ e)[:, None] if e.ndim == 1 else r.T @ X / (r.T @ e),
    }


@variant(check_e_step, family="cmm")
def take_along(X, pi, theta):
    logs = np.log(pi) + sum(np.log(theta[:, d, X[:, d]]).T for d in range(X.shape[1]))
    return softmax(logs, axis=1)


@variant(check_e_step, family="cmm")
def one_hot_rows(X, pi, theta):
    logs = np.log(pi) + X @ np.log(theta).T
    return softmax(logs, axis=1)


@variant(check_m_step, family="cmm")
def by_masks(X, r, n_levels):
    probs = np.stack([(r.T @ (level == X)) for level in range(n_levels)], axis=-1) / r.sum(0)[:, None, None]
    return r.mean(0), probs


@variant(check_e_step, family="kmeans")
def expanded_square(X, C):
    return np.argmin((C**2).sum(axis=1) - 2 * X @ C.T, axis=1)


@variant(check_e_step, family="kmeans")
def one_hot_assignment(X, mu):
    z = np.linalg.norm(X[:, None] - mu, axis=-1).argmin(1)
    return np.eye(len(mu))[z]


@variant(check_m_step, family="kmeans")
def by_bincount(X, z, K):
    return (
        np.stack([np.bincount(z, X[:, d], minlength=K) for d in range(X.shape[1])], 1)
        / np.bincount(z, minlength=K)[:, None]
    )


@variant(check_m_step, family="kmeans")
def one_hot_update(X, r):
    return r.T @ X / r.sum(axis=0)[:, None]


# What is returned -----------------------------------------------------------------------------------------------------


@variant(check_m_step)
def components_by_name(X, r):
    covariances, means, weights = as_a_named_tuple(X, r)
    return [{"weight": w, "mean": m, "cov": S} for w, m, S in zip(weights, means, covariances, strict=True)]


@variant(check_m_step)
def components_as_tuples(X, r):
    return list(zip(*as_a_named_tuple(X, r), strict=True))


@variant(check_e_step)
def counts_beside(X, pi, mu, Sigma):
    r = components_first(X, pi, mu, Sigma).T
    N = r.sum(axis=0)
    return r, N


# Guards and names -----------------------------------------------------------------------------------------------------


@variant(check_log_likelihood, family="bmm")
def guarded_by_a_clip(X, weights, probs):
    p = np.clip(probs, 1e-6, 1 - 1e-6)
    return logsumexp(np.log(weights) + X @ np.log(p).T + (1 - X) @ np.log(1 - p).T, axis=1).sum()


@variant(check_q, family="bmm")
def guarded_by_additions(X, r, weights, probs):
    logs = np.log(weights + 1e-6) + X @ np.log(probs + 1e-6).T + (1 - X) @ np.log(1 - probs + 1e-6).T
    return (r * logs).sum()


@variant(check_e_step, family="cmm")
def guarded_by_an_addition(X, pi, probs):
    joint = pi * np.exp(sum(np.log(probs[:, d, X[:, d].astype(int)] + 1e-9).T for d in range(X.shape[1])))
    return joint / joint.sum(axis=1, keepdims=True)


@variant(check_log_likelihood, family="pmm", exposure=2.5)
def exposure_called_t(X, w, lam, t):
    return logsumexp(np.log(w) + stats.poisson.logpmf(X[:, None], lam * t).sum(axis=2), axis=1).sum()
