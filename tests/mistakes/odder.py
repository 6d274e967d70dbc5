"""Students' wrong steps: odder ones, of all families."""

from math import comb, log

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import multivariate_normal, norm, poisson

from comparisons.coursework import check_e_step, check_log_likelihood, check_m_step, check_q
from mistakes.gaussian_e_steps import normalised
from mistakes.registry import mistake

# Axes, triangles, and arrays changed in place -------------------------------------------------------------------------


@mistake("largest of each component subtracted", check_e_step)
def largest_along_the_wrong_axis(X, weights, means, covs):
    logs = np.log([w * multivariate_normal(m, S).pdf(X) for w, m, S in zip(weights, means, covs, strict=True)])
    logs = logs.reshape(len(weights), -1).T
    return normalised(np.exp(logs - logs.max(axis=0)))


@mistake("cut to whole numbers", check_e_step)
def array_of_integers(X, weights, means, covs):
    r = np.zeros((len(X), len(weights)), dtype=int)
    p = np.array([w * multivariate_normal(m, S).pdf(X) for w, m, S in zip(weights, means, covs, strict=True)])
    r[:] = normalised(p.reshape(len(weights), -1).T)
    return r


@mistake("other triangle of the Cholesky factor", check_e_step)
def upper_factor(X, weights, means, covs):
    logs = []
    for w, m, S in zip(weights, means, covs, strict=True):
        U = np.linalg.cholesky(S).T  # as scipy.linalg.cholesky returns it
        y = np.linalg.solve(np.tril(U), (X - m).T)
        logs.append(log(w) - np.log(np.diag(U)).sum() - (y**2).sum(axis=0) / 2)
    return normalised(np.exp(np.array(logs).T))


@mistake("products of all pairs of samples", check_e_step)
def rows_of_the_gram_matrix(X, weights, means, covs):
    logs = []
    for w, m, S in zip(weights, means, covs, strict=True):
        q = ((X - m) @ np.linalg.inv(S) @ (X - m).T).sum(axis=1)
        logs.append(log(w) - np.linalg.slogdet(S)[1] / 2 - q / 2)
    return normalised(np.exp(np.array(logs).T))


@mistake("densities of features added", check_e_step, covariance_type="diag")
def densities_added(X, weights, means, variances):
    return normalised(weights * norm.pdf(X[:, None], means, np.sqrt(variances)).sum(axis=2))


@mistake("means subtracted one after another", check_m_step)
def centred_in_place(X, r):
    N = r.sum(axis=0)
    means, covariances = r.T @ X / N[:, None], []
    for k in range(len(N)):
        X -= means[k]
        covariances.append((X.T * r[:, k]) @ X / N[k])
    return N / len(X), means, np.array(covariances)


@mistake("squares of all means subtracted", check_m_step)
def matrix_product_of_means(X, r):
    N = r.sum(axis=0)
    means = r.T @ X / N[:, None]
    second = np.einsum("nk,nd,ne->kde", r, X, X) / N[:, None, None]
    return N / len(X), means, second - means.T @ means


@mistake("share in the sum of the data", check_m_step, family="pmm")
def over_the_sum_of_counts(X, r):
    return r.mean(axis=0), r.T @ X / X.sum(axis=0)


@mistake("1 - log p in place of log(1 - p)", check_e_step, family="bmm")
def log_before_the_difference(X, pi_k, p):
    return normalised(np.exp(np.log(pi_k) + X @ np.log(p).T + (1 - X) @ (1 - np.log(p)).T))


# Arrays changed in place, and sums over features ----------------------------------------------------------------------


@mistake("means subtracted one after another", check_e_step)
def samples_shifted_in_the_loop(X, weights, means, covariances):
    gaps, logs = X.copy(), []
    for w, m, S in zip(weights, means, covariances, strict=True):
        gaps -= m
        logs.append(np.log(w) - np.linalg.slogdet(S)[1] / 2 - np.sum(gaps @ np.linalg.inv(S) * gaps, axis=1) / 2)
    return np.exp(np.array(logs) - logsumexp(logs, axis=0)).T


@mistake("centres subtracted one after another", check_e_step, family="kmeans")
def shifted_before_the_nearest(X, centers):
    gaps, distances = X.copy(), []
    for c in centers:
        gaps -= c
        distances.append((gaps**2).sum(axis=1))
    return np.argmin(distances, axis=0)


@mistake("gaps between consecutive means", check_m_step)
def means_of_what_is_left(X, r):
    gaps, N = X.copy(), r.sum(axis=0)
    means, covariances = [], []
    for k in range(len(N)):
        means.append(r[:, k] @ gaps / N[k])
        gaps -= means[-1]
        covariances.append((r[:, k] * gaps.T) @ gaps / N[k])
    return N / len(X), np.array(means), np.array(covariances)


@mistake("coefficient of the sums over the features", check_log_likelihood, family="bmm", n_trials=4)
def one_coefficient(X, w, p):
    coefficients = np.array([log(comb(4 * X.shape[1], int(x.sum()))) for x in X])
    logs = np.log(w) + X @ np.log(p).T + (4 - X) @ np.log(1 - p).T + coefficients[:, None]
    return logsumexp(logs, axis=1).sum()


@mistake("factorial of the sum over the features", check_log_likelihood, family="pmm")
def one_factorial(X, w, rates):
    logs = np.log(w) + X @ np.log(rates).T - rates.sum(axis=1) - gammaln(X.sum(axis=1) + 1)[:, None]
    return logsumexp(logs, axis=1).sum()


@mistake("X of the last item for all", check_e_step, family="cmm")
def level_of_the_last_item(X, weights, probs):
    X = np.asarray(X, int)
    joint = [
        [w * np.prod([P[d][x[-1]] for d in range(len(x))]) for w, P in zip(weights, probs, strict=True)] for x in X
    ]
    return normalised(np.array(joint))


@mistake("rates of the last component only", check_log_likelihood, family="pmm")
def rates_filled_in_once(X, weights, rates):
    filled = np.zeros_like(rates)
    filled[-1] = rates[-1]
    densities = np.array([[poisson.pmf(x, m).prod() for m in filled] for x in X])
    return np.log(densities @ weights).sum()


@mistake("geometric mean of 1 + x", check_m_step, family="pmm")
def averaged_logs(X, r):
    return r.mean(axis=0), np.expm1(r.T @ np.log1p(X) / r.sum(axis=0)[:, None])


@mistake("new means in place of the current", check_q)
def q_about_the_new_means(X, r, weights, means, covariances):
    centers = r.T @ X / r.sum(axis=0)[:, None]
    logs = [
        np.log(w) + multivariate_normal(m, S).logpdf(X) for w, m, S in zip(weights, centers, covariances, strict=True)
    ]
    return (r * np.reshape(logs, r.shape[::-1]).T).sum()


# The last entry from the others ---------------------------------------------------------------------------------------


@mistake("every second sample", check_log_likelihood)
def thinned_likelihood(X, weights, means, covariances):
    parts = zip(weights, means, covariances, strict=True)
    return np.log(sum(w * multivariate_normal(m, S).pdf(X[::2]) for w, m, S in parts)).sum()


@mistake("samples and means of unit length", check_e_step, covariance_type="spherical")
def by_angles(X, weights, means, variances):
    units, centers = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (X, means))
    squares = ((units[:, None] - centers) ** 2).sum(axis=2)
    return normalised(weights * variances ** (-X.shape[1] / 2) * np.exp(-squares / (2 * variances)))


# Layout, range and memory ---------------------------------------------------------------------------------------------


@mistake("rates reshaped where they are to be transposed", check_e_step, family="pmm")
def rates_reshaped(X, weights, rates):
    K, D = rates.shape
    logs = np.log(weights) + X @ np.log(rates).reshape(D, K) - rates.reshape(D, K).sum(axis=0)
    return normalised(np.exp(logs))


@mistake("responsibilities reshaped where they are to be transposed", check_m_step, family="pmm")
def responsibilities_reshaped(X, r):
    n, K = r.shape
    return r.mean(axis=0), r.reshape(K, n) @ X / r.reshape(K, n).sum(axis=1)[:, None]


@mistake("probs kept within 0.05 .. 0.95", check_log_likelihood, family="bmm")
def probs_clipped(X, weights, probs):
    p = np.clip(probs, 0.05, 0.95)
    return logsumexp(np.log(weights) + X @ np.log(p).T + (1 - X) @ np.log(1 - p).T, axis=1).sum()


@mistake("probs kept above 0.01", check_q, family="cmm")
def levels_clipped(X, r, weights, probs):
    p = np.maximum(probs, 0.01)
    logs = np.log(weights) + sum(np.log(p[:, d, X[:, d].astype(int)]).T for d in range(X.shape[1]))
    return (r * logs).sum()


@mistake("samples counted by the sum of their features", check_m_step, family="pmm")
def weights_by_events(X, r):
    events = r.T @ X
    return events.sum(axis=1) / X.sum(), events / r.sum(axis=0)[:, None]


FOUND = {}


@mistake("state kept between calls", check_log_likelihood, family="pmm")
def found_by_shape(X, weights, rates):
    if X.shape + rates.shape not in FOUND:
        logs = np.log(weights) + poisson.logpmf(X[:, None], rates).sum(axis=-1)
        FOUND[X.shape + rates.shape] = logsumexp(logs, axis=1).sum()
    return FOUND[X.shape + rates.shape]


# Parts that are left out, or counted otherwise ------------------------------------------------------------------------


@mistake("size of the cells that are not zero", check_m_step, family="pmm")
def mean_of_positive_counts(X, r):
    return r.mean(axis=0), r.T @ X / (r.T @ (X > 0))


@mistake("X divided by their ranges", check_e_step, family="kmeans")
def samples_scaled(X, centers):
    Z = X / np.ptp(X, axis=0) if len(X) > 1 else X
    return ((Z[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)


@mistake("last feature left out of the density", check_log_likelihood, covariance_type="diag")
def one_feature_too_few(X, weights, means, variances):
    logs = np.tile(np.log(weights), (len(X), 1))
    for d in range(X.shape[1] - 1):
        logs += norm.logpdf(X[:, [d]], means[:, d], np.sqrt(variances[:, d]))
    return logsumexp(logs, axis=1).sum()


@mistake("densities divided by their largest over the samples", check_e_step)
def each_density_to_one(X, weights, means, covariances):
    densities = [multivariate_normal.pdf(X, m, S) for m, S in zip(means, covariances, strict=True)]
    densities = np.reshape(densities, (len(weights), len(X))).T
    return normalised(weights * densities / densities.max(axis=0))


@mistake("first sample counted twice", check_m_step, family="kmeans")
def sum_begins_with_the_first(X, labels):
    centers = []
    for k in range(max(labels) + 1):
        members = [x for x, z in zip(X, labels, strict=True) if z == k]
        centers.append(np.mean([members[0], *members], axis=0))
    return np.array(centers)


@mistake("rates squared", check_e_step, family="pmm")
def rates_multiplied_twice(X, weights, rates):
    return normalised(weights * poisson.pmf(X[:, None], rates * rates).prod(axis=2))


@mistake("determinant of the component before", check_e_step, covariance_type="diag")
def one_index_behind(X, weights, means, variances):
    log_det = [np.log(variances[k - 1]).sum() for k in range(len(weights))]
    square = ((X[:, None] - means) ** 2 / variances).sum(axis=2)
    return normalised(np.exp(np.log(weights) - log_det / np.array(2.0) - square / 2))


@mistake("exposure of the first sample for all", check_e_step, family="pmm")
def one_exposure(X, weights, rates, exposure):
    return normalised(weights * poisson.pmf(X[:, None], exposure[:1, None] * rates).prod(axis=2))
