"""Mistakes that no entry of the catalogue lists, and Q as students write it; `UNLISTED` has (name, check, options, f).

A name of "" says that the function is right.
"""

import numpy as np
from scipy.special import logsumexp, softmax, xlogy
from scipy.stats import multivariate_normal, norm, poisson

from comparisons.coursework import check_e_step, check_fit, check_log_likelihood, check_m_step, check_q
from models.gmm import GMMPrior

UNLISTED = []
SCALES = {"full": [[1.0, 0.3], [0.3, 2.0]], "tied": [[1.0, 0.3], [0.3, 2.0]], "diag": [1.0, 2.0], "spherical": 1.7}
M0, KAPPA, NU = np.array([0.5, -1.0]), 1.5, 6.0


def listed(name, check, **options):
    """Register the function below."""

    def register(function):
        UNLISTED.append((name, check, options, function))
        return function

    return register


def log_normal(X, m, S):
    return multivariate_normal(m, S).logpdf(X).reshape(-1)


def gaussian(X, w, m, S):
    return np.stack([np.log(w[k]) + log_normal(X, m[k], S[k]) for k in range(len(w))], axis=1)


def bernoulli(X, w, p):
    return np.log(w) + X @ np.log(p).T + (1 - X) @ np.log(1 - p).T


def moments(X, r):
    N = r.sum(axis=0)
    means = r.T @ X / N[:, None]
    d = X[:, None] - means
    return N, means, np.einsum("nk,nkd,nke->kde", r, d, d)


# Parameters, and the order of sums ------------------------------------------------------------------------------------


@listed("weights counted once for each feature", check_e_step, covariance_type="diag")
def weights_for_each_feature(X, w, m, v):
    cells = w[:, None] * norm.pdf(X[:, None], m, np.sqrt(v))
    return cells.prod(axis=2) / cells.prod(axis=2).sum(axis=1, keepdims=True)


@listed("posterior of each feature, averaged", check_e_step, family="bmm")
def posterior_of_each_coin(X, w, p):
    cells = w[:, None] * np.where(X[:, None] == 1, p, 1 - p)
    return (cells / cells.sum(axis=1, keepdims=True)).mean(axis=2)


@listed("probs averaged by the weights", check_log_likelihood, family="bmm")
def mixture_of_each_cell(X, w, p):
    return np.log(np.einsum("k,nkd->nd", w, np.where(X[:, None] == 1, p, 1 - p))).sum()


@listed("likeliest level for all", check_log_likelihood, family="cmm")
def likeliest_level(X, w, p):
    return len(X) * np.log(w @ p.max(axis=2).prod(axis=1))


@listed("hard responsibilities", check_m_step, family="bmm")
def guarded_by_a_half(X, r):
    hard = np.eye(r.shape[1])[r.argmax(axis=1)]
    N = hard.sum(axis=0)[:, None]
    return r.mean(axis=0), np.where(N > 0, hard.T @ X / np.maximum(N, 1), 0.5)


@listed("log densities summed up over the samples", check_e_step, family="cmm")
def sums_kept_from_sample_to_sample(X, w, p):
    logs = np.stack([np.log(p[:, d, X[:, d]]).T for d in range(X.shape[1])]).sum(axis=0)
    return softmax(np.log(w) + np.cumsum(logs, axis=0), axis=1)


@listed("log densities of the next component", check_log_likelihood)
def weights_of_another_loop(X, w, m, S):
    return logsumexp(np.log(w) + np.roll(gaussian(X, w, m, S) - np.log(w), -1, axis=1), axis=1).sum()


@listed("factor D/K", check_m_step, covariance_type="spherical")
def divided_by_the_wrong_length(X, r):
    N, means, _ = moments(X, r)
    squares = ((X[:, None] - means) ** 2).sum(axis=2)
    return N / len(X), means, (r * squares).sum(axis=0) / (len(N) * N)


@listed("responsibilities sorted along the samples", check_m_step, family="pmm")
def sorted_by_surprise(X, r):
    return r.mean(axis=0), np.sort(r, axis=0).T @ X / r.sum(axis=0)[:, None]


@listed("adds 0.01 to the divisor", check_e_step, covariance_type="spherical")
def guarded_too_well(X, w, m, v):
    joint = w * norm.pdf(X[:, None], m, np.sqrt(v)[:, None]).prod(axis=2)
    return joint / (joint.sum(axis=1, keepdims=True) + 0.01)


@listed("responsibilities summed up over the components", check_m_step, family="bmm")
def sums_never_reset(X, r):
    N, total, probs = r.sum(axis=0), np.zeros(X.shape[1]), []
    for k in range(len(N)):
        total = total + r[:, k] @ X
        probs.append(total / N[k])
    return N / len(X), probs


@listed("always 0", check_m_step)
def sums_before_the_product(X, r):
    N, means, _ = moments(X, r)
    sums = np.array([r[:, k] @ (X - means[k]) for k in range(len(N))])
    return N / len(X), means, sums[:, :, None] * sums[:, None]


@listed("normalised over the components", check_m_step, family="cmm")
def levels_that_nobody_has(X, r):
    counts = np.einsum("nk,ndl->kdl", r, np.eye(X.max() + 1)[X])
    total = counts.sum(axis=0)
    return r.mean(axis=0), np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


@listed("-0.5 times the number of parameters times log n added", check_log_likelihood, family="bmm")
def penalised(X, w, p):
    return logsumexp(bernoulli(X, w, p), axis=1).sum() - 0.5 * (p.size + len(w) - 1) * np.log(len(X))


@listed("-Σ_ik r_ik log π_k and n Σ_k π_k log π_k added", check_q)
def weights_by_themselves(X, r, w, m, S):
    return (r * (gaussian(X, w, m, S) - np.log(w))).sum() + len(X) * (w * np.log(w)).sum()


# Sums and ratios ------------------------------------------------------------------------------------------------------


@listed("0.9 times the right one + 0.1 times the old value", check_m_step, family="pmm")
def damped(X, r, rates):
    return r.mean(axis=0), 0.9 * (r.T @ X) / r.sum(axis=0)[:, None] + 0.1 * rates


@listed("adds 1 to the numerator and K to the divisor", check_m_step, family="bmm")
def counts_smoothed(X, r):
    return (r.sum(axis=0) + 1) / (len(X) + r.shape[1]), r.T @ X / r.sum(axis=0)[:, None]


@listed("sum of complement of responsibilities", check_m_step, family="bmm")
def divided_by_the_others(X, r):
    return r.mean(axis=0), r.T @ X / (1 - r).sum(axis=0)[:, None]


@listed("-E[x x'] and N_k/n E[x x'] added", check_m_step)
def second_moment_over_n(X, r):
    N, means, _ = moments(X, r)
    return N / len(X), means, np.einsum("nk,nd,ne->kde", r, X, X) / len(X) - means[:, :, None] * means[:, None]


@listed("squared lengths in place of samples and centres", check_e_step, family="kmeans")
def lengths(X, C):
    return np.abs((X**2).sum(axis=1)[:, None] - (C**2).sum(axis=1)).argmin(axis=1)


# Loops ----------------------------------------------------------------------------------------------------------------


@listed("adds 2 to the numerator and 3 to the divisor", check_fit, family="bmm")
def smoothed_to_the_limit(X, K, seed=0):
    w, p = np.full(K, 1 / K), np.random.default_rng(seed).uniform(0.3, 0.7, (K, X.shape[1]))
    for _ in range(400):
        r = softmax(bernoulli(X, w, p), axis=1)
        w, p = r.mean(axis=0), (r.T @ X + 2) / (r.sum(axis=0)[:, None] + 3)
    return w, p


@listed("", check_fit)
def multi_cycle_ecm(X, weights, means, covariances, n_iter=20):
    for _ in range(n_iter):
        means = moments(X, softmax(gaussian(X, weights, means, covariances), axis=1))[1]
        r = softmax(gaussian(X, weights, means, covariances), axis=1)
        d, weights = X[:, None] - means, r.mean(axis=0)
        covariances = np.einsum("nk,nkd,nke->kde", r, d, d) / r.sum(axis=0)[:, None, None]
    return weights, means, covariances


# MAP of the Gaussian --------------------------------------------------------------------------------------------------


def map_step(kind, constant=None, shrinkage=None, gap=None, scale=None, pseudo=1.0):
    """Return an M-step with a prior, each term of which may be replaced."""
    psi = np.array(SCALES[kind]) if scale is None else scale

    def m_step(X, r):
        (n, D), K = X.shape, r.shape[1]
        N, average, S = moments(X, r)
        means = (KAPPA * M0 + r.T @ X) / (KAPPA + N)[:, None]
        factor = KAPPA * N / (KAPPA + N) if shrinkage is None else shrinkage(N)
        e = average - M0 if gap is None else gap(average, means)
        A = S + np.einsum("k,kd,ke->kde", factor, e, e)
        own = {"full": D + 2, "tied": D + 1 + K, "diag": 3, "spherical": D + 2}[kind] if constant is None else constant
        covariances = {
            "full": lambda: (psi + A) / (NU + N + own)[:, None, None],
            "tied": lambda: (psi + A.sum(axis=0)) / (NU + n + own),
            "diag": lambda: (psi + np.einsum("kdd->kd", A)) / (NU + N + own)[:, None],
            "spherical": lambda: (psi + np.einsum("kdd->k", A)) / (NU + D * N + own),
        }[kind]()
        return (N + 3 - pseudo) / (n + 2 * K), means, covariances

    return m_step


TERM = "κ0 N_k/(κ0+N_k) (x̄_k-m0)(x̄_k-m0)'"
MAP = [
    ("full", {}, ""),
    ("tied", {}, ""),
    ("diag", {}, ""),
    ("spherical", {}, ""),
    ("full", {"constant": 3}, "ν0 + D + 1 in place of ν0 + D + 2"),
    ("full", {"constant": -3}, "ν0 - (D + 1), the posterior's mean in place of ν0 + D + 2"),
    ("full", {"constant": 7.5}, "adds 3.5 to the divisor"),
    ("tied", {"constant": 4}, "ν0 + D + 2 in place of ν0 + D + 1 + K"),
    ("diag", {"constant": 2}, "ν0 + 2 in place of ν0 + 3"),
    ("spherical", {"constant": 2}, "ν0 + 2 in place of ν0 + 2 + D"),
    ("full", {"shrinkage": lambda N: 0 * N}, f"{TERM} left out"),
    ("tied", {"shrinkage": lambda N: 0 * N}, f"{TERM} left out"),
    ("diag", {"shrinkage": lambda N: KAPPA + 0 * N}, f"κ0 (x̄_k - m0)² in place of {TERM}"),
    (
        "spherical",
        {"gap": lambda average, means: means - M0},
        f"κ0 N_k / (κ0 + N_k) (μ_k - m0)² of the new μ_k in place of {TERM}",
    ),
    ("full", {"scale": 0.0}, "Ψ0 left out"),
    ("diag", {"scale": np.array([0.5, 1.0])}, "Ψ0 halved"),
    ("full", {"scale": 0.0, "shrinkage": lambda N: 0 * N}, f"Ψ0 left out and {TERM} left out"),
    ("tied", {"pseudo": 0.0}, "a_k in place of a_k - 1"),
]
UNLISTED += [
    (
        name,
        check_m_step,
        {"covariance_type": kind, "prior": GMMPrior(3.0, M0, KAPPA, NU, SCALES[kind], kind)},
        map_step(kind, **changes),
    )
    for kind, changes, name in MAP
]


# Digits and ranges ----------------------------------------------------------------------------------------------------


@listed("factor 0.888889", check_m_step, family="bmm", n_trials=8)
def one_trial_too_many(X, r):
    return r.mean(axis=0), r.T @ X / (9 * r.sum(axis=0)[:, None])


# Q of two sets of parameters ------------------------------------------------------------------------------------------


@listed("", check_q)
def q_of_two(X, theta, theta_old):
    return (softmax(gaussian(X, *theta_old), axis=1) * gaussian(X, *theta)).sum()


@listed("", check_q, family="bmm")
def q_of_unmarked_old(X, pi, p, pi_new, p_new):
    return (softmax(bernoulli(X, pi, p), axis=1) * bernoulli(X, pi_new, p_new)).sum()


@listed("", check_q, family="pmm")
def q_of_one_feature(new, old, x):
    def joint(w, rates):
        return np.log(w) + poisson.logpmf(x[:, None], rates)

    return (softmax(joint(*old), axis=1) * joint(*new)).sum()


@listed("", check_q, returns="mean over samples")
def q_as_a_mean(X, responsibilities, params):
    return (responsibilities * gaussian(X, *params)).sum(axis=1).mean()


@listed("mean in place of the sum", check_q)
def q_as_an_undeclared_mean(X, theta, theta_old):
    return (softmax(gaussian(X, *theta_old), axis=1) * gaussian(X, *theta)).sum(axis=1).mean()


@listed("old parameters in the log density", check_q)
def q_of_the_old_ones(X, theta, theta_old):
    return (softmax(gaussian(X, *theta_old), axis=1) * gaussian(X, *theta_old)).sum()


@listed("E-step: weights left out", check_q, family="bmm")
def q_with_a_wrong_e_step(X, pi, p, pi_old, p_old):
    return (softmax(bernoulli(X, 1 + 0 * pi_old, p_old), axis=1) * bernoulli(X, pi, p)).sum()


@listed("entropy added", check_q)
def q_with_entropy(X, theta, theta_old):
    r = softmax(gaussian(X, *theta_old), axis=1)
    return (r * gaussian(X, *theta)).sum() - xlogy(r, r).sum()


@listed("-Σ_ik r_ik log p(x_i|k) and Σ_k N_k/n Σ_i log p(x_i|k) added", check_q, covariance_type="tied")
def counts_and_mean_logs(X, r, weights, means, covariance):
    logs = np.stack([log_normal(X, m, covariance) for m in means], axis=1)
    return (r.sum(axis=0) * (np.log(weights) + logs.mean(axis=0))).sum()
