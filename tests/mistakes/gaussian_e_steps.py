"""Students' wrong steps: the E-step of the Gaussian mixture."""

from math import exp, pi, sqrt

import numpy as np
from scipy.special import logsumexp
from scipy.stats import cauchy, multivariate_normal, norm

from comparisons.coursework import check_e_step
from mistakes.registry import mistake


def normalised(joint):
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("no determinant", check_e_step)
def loops_without_determinant(X, pi_k, mu, Sigma):
    n, D = X.shape
    K = len(pi_k)
    r = np.zeros((n, K))
    for i in range(n):
        for k in range(K):
            d = X[i] - mu[k]
            r[i, k] = pi_k[k] * (2 * pi) ** (-D / 2) * np.exp(-0.5 * d @ np.linalg.inv(Sigma[k]) @ d)
        r[i] /= r[i].sum()
    return r


@mistake("determinant without root", check_e_step)
def determinant_not_rooted(data, weights, means, covs):
    out = []
    for w, m, S in zip(weights, means, covs, strict=True):
        d = data - m
        q = np.sum(d @ np.linalg.inv(S) * d, axis=1)
        out.append(w * np.exp(-q / 2) / np.linalg.det(S))
    return normalised(np.array(out).T)


@mistake("no 1/2 in the exponent", check_e_step)
def exponent_without_half(X, weights, means, covariances):
    out = np.empty((len(X), len(weights)))
    for k, w in enumerate(weights):
        L = np.linalg.cholesky(covariances[k])
        y = np.linalg.solve(L, (X - means[k]).T)
        out[:, k] = np.log(w) - np.log(np.diag(L)).sum() - (y**2).sum(axis=0)
    out = np.exp(out - out.max(axis=1, keepdims=True))
    return out / out.sum(axis=1, keepdims=True)


@mistake("sign of the exponent", check_e_step)
def sign_lost(X, w, mu, S):
    r = np.zeros((len(X), len(w)))
    for k in range(len(w)):
        d = X - mu[k]
        r[:, k] = (
            w[k] / np.sqrt(np.linalg.det(S[k])) * np.exp(0.5 * np.einsum("id,de,ie->i", d, np.linalg.inv(S[k]), d))
        )
    return normalised(r)


@mistake("weights left out", check_e_step)
def no_prior(X, pi, mu, sigma):
    return normalised(np.column_stack([multivariate_normal(m, S).pdf(X) for m, S in zip(mu, sigma, strict=True)]))


@mistake("normalised over samples", check_e_step)
def columns_normalised(X, pi, mu, sigma):
    joint = np.column_stack([p * multivariate_normal(m, S).pdf(X) for p, m, S in zip(pi, mu, sigma, strict=True)])
    return joint / joint.sum(axis=0)


@mistake("not normalised", check_e_step)
def joint_only(X, pi, mu, sigma):
    return np.column_stack([p * multivariate_normal(m, S).pdf(X) for p, m, S in zip(pi, mu, sigma, strict=True)])


@mistake("hard assignment", check_e_step)
def as_kmeans(X, pi, mu, sigma):
    joint = np.column_stack([p * multivariate_normal(m, S).pdf(X) for p, m, S in zip(pi, mu, sigma, strict=True)])
    z = np.argmax(joint, axis=1)
    r = np.zeros_like(joint)
    r[np.arange(len(X)), z] = 1
    return r


@mistake("softmax of densities", check_e_step)
def softmax_twice(X, pi, mu, sigma):
    joint = np.column_stack([p * multivariate_normal(m, S).pdf(X) for p, m, S in zip(pi, mu, sigma, strict=True)])
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))


@mistake("weights left out of the denominator", check_e_step)
def unweighted_denominator(X, pi, mu, sigma):
    dens = np.column_stack([multivariate_normal(m, S).pdf(X) for m, S in zip(mu, sigma, strict=True)])
    return pi * dens / dens.sum(axis=1)[:, None]


@mistake("covariance in place of its inverse", check_e_step)
def not_inverted(X, weights, means, covariances):
    r = []
    for x in X:
        row = []
        for w, m, S in zip(weights, means, covariances, strict=True):
            d = (x - m).reshape(-1, 1)
            row.append(w * exp(-0.5 * (d.T @ S @ d).item()) / sqrt((2 * pi) ** len(x) * np.linalg.det(S)))
        r.append([v / sum(row) for v in row])
    return r


@mistake("only the diagonal of the covariance everywhere", check_e_step)
def independent_features(X, weights, means, covariances):
    joint = np.zeros((len(X), len(weights)))
    for k in range(len(weights)):
        joint[:, k] = weights[k] * norm.pdf(X, means[k], np.sqrt(np.diag(covariances[k]))).prod(axis=1)
    return normalised(joint)


@mistake("variance used as a standard deviation", check_e_step, covariance_type="diag")
def scale_is_variance(X, weights, means, variances):
    logs = norm.logpdf(X[:, None, :], means, variances).sum(axis=2) + np.log(weights)
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


@mistake("log of the weights forgotten", check_e_step, covariance_type="spherical")
def weights_without_log(X, weights, means, variances):
    logs = norm.logpdf(X[:, None, :], means, np.sqrt(variances)[:, None]).sum(axis=2) + weights
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


@mistake("normalised in place in a loop", check_e_step)
def divided_in_a_loop(X, pi, mu, sigma):
    r = np.column_stack([p * multivariate_normal(m, S).pdf(X) for p, m, S in zip(pi, mu, sigma, strict=True)])
    for k in range(len(pi)):
        r[:, k] = r[:, k] / np.sum(r, axis=1)
    return r


@mistake("sum never reset", check_e_step)
def running_total(X, pi, mu, sigma):
    r = np.zeros((len(X), len(pi)))
    total = 0.0
    for i in range(len(X)):
        for k in range(len(pi)):
            r[i, k] = pi[k] * multivariate_normal.pdf(X[i], mu[k], sigma[k])
            total += r[i, k]
        r[i] /= total
    return r


@mistake("determinant to the power D/2", check_e_step, covariance_type="tied")
def only_in_the_likelihood(X, weights, means, covariance):
    D = X.shape[1]
    logs = np.empty((len(X), len(weights)))
    for k in range(len(weights)):
        d = X - means[k]
        logs[:, k] = np.log(weights[k]) - 0.5 * (d * np.linalg.solve(covariance, d.T).T).sum(axis=1)
        logs[:, k] -= 0.5 * D * np.log(2 * np.pi) + 0.5 * D * np.linalg.slogdet(covariance)[1]
    total = logsumexp(logs, axis=1)
    return np.exp(logs - total[:, None]), total.sum()


@mistake("means of the first component for all", check_e_step)
def index_of_the_mean(X, weights, means, covariances):
    joint = [w * multivariate_normal.pdf(X, means[0], S) for w, S in zip(weights, covariances, strict=True)]
    return normalised(np.reshape(joint, (len(weights), -1)).T)


@mistake("trace in place of the determinant", check_e_step)
def trace_for_volume(X, weights, means, covariances):
    joint = np.zeros((len(X), len(weights)))
    for k in range(len(weights)):
        d = X - means[k]
        joint[:, k] = weights[k] * np.exp(-0.5 * (d @ np.linalg.inv(covariances[k]) * d).sum(1))
        joint[:, k] /= np.sqrt(np.trace(covariances[k]))
    return normalised(joint)


@mistake("products with the first sample", check_e_step)
def first_row_of_a_matrix(X, weights, means, covariances):
    joint = np.zeros((len(X), len(weights)))
    for k, (m, S) in enumerate(zip(means, covariances, strict=True)):
        d = X - m
        square = d @ np.linalg.inv(S) @ d.T  # (n, n)
        joint[:, k] = weights[k] * np.exp(-square[0] / 2) / sqrt(np.linalg.det(S))
    return normalised(joint)


@mistake("all samples multiplied", check_e_step)
def one_label_for_all_samples(X, weights, means, covariances):
    logs = [
        np.log(w) + multivariate_normal.logpdf(X, m, S) for w, m, S in zip(weights, means, covariances, strict=True)
    ]
    return np.tile(normalised(np.exp(np.sum(np.reshape(logs, (len(weights), -1)), axis=1))[None]), (len(X), 1))


@mistake("cumulative probabilities", check_e_step, covariance_type="diag")
def distribution_functions(X, weights, means, variances):
    return normalised(weights * norm.cdf(X[:, None], means, np.sqrt(variances)).prod(axis=2))


@mistake("Cauchy in place of the Gaussian", check_e_step, covariance_type="diag")
def heavy_tails(X, weights, means, variances):
    return normalised(weights * cauchy.pdf(X[:, None], means, np.sqrt(variances)).prod(axis=2))
