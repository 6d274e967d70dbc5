"""Students' wrong steps, written by hand as students write them, each with the name of its mistake.

None of them calls the catalogue. `MISTAKES` lists (name, check, options, function).
"""

from math import comb, exp, factorial, log, pi, sqrt

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import bernoulli, binom, multivariate_normal, norm, poisson

from comparisons.coursework import check_e_step, check_log_likelihood, check_m_step, check_q

MISTAKES = []


def mistake(name, check, **options):
    """Register the function below as a student's mistake."""

    def register(function):
        MISTAKES.append((name, check, options, function))
        return function

    return register


# The E-step of the Gaussian mixture -----------------------------------------------------------------------------------


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


# Its log-likelihood and Q ---------------------------------------------------------------------------------------------


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


# The M-step of the Gaussian mixture -----------------------------------------------------------------------------------


def first_moments(X, r):
    N = r.sum(axis=0)
    return N, r.T @ X / N[:, None]


@mistake("n in place of N_k", check_m_step)
def divided_by_all(X, r):
    N, mu = first_moments(X, r)
    S = [(r[:, [k]] * (X - mu[k])).T @ (X - mu[k]) / len(X) for k in range(len(N))]
    return N / N.sum(), mu, np.array(S)


@mistake("N_k - 1", check_m_step)
def bessel(X, r):
    N, mu = first_moments(X, r)
    S = []
    for k in range(r.shape[1]):
        s = 0
        for i in range(len(X)):
            s = s + r[i, k] * np.outer(X[i] - mu[k], X[i] - mu[k])
        S.append(s / (N[k] - 1))
    return {"pi": N / len(X), "mu": mu, "sigma": S}


@mistake("about the old means", check_m_step)
def old_means(X, responsibilities, weights, means, covariances):
    N, mu = first_moments(X, responsibilities)
    d = X[:, None] - means
    return N / len(X), mu, np.einsum("nk,nkd,nke->kde", responsibilities, d, d) / N[:, None, None]


@mistake("about the mean of all samples", check_m_step)
def grand_mean(X, r):
    N, mu = first_moments(X, r)
    d = X - X.mean(0)
    return N / len(X), mu, np.einsum("nk,nd,ne->kde", r, d, d) / N[:, None, None]


@mistake("not centred", check_m_step)
def raw_moments(X, r):
    N, mu = first_moments(X, r)
    return N / len(X), mu, np.einsum("nk,nd,ne->kde", r, X, X) / N.reshape(-1, 1, 1)


@mistake("only the diagonal kept", check_m_step)
def elementwise_squares(X, r):
    N, mu = first_moments(X, r)
    S = [np.diag((r[:, [k]] * (X - mu[k]) ** 2).sum(0) / N[k]) for k in range(len(N))]
    return N / len(X), mu, np.array(S)


@mistake("responsibilities squared", check_m_step)
def weight_inside_the_square(X, r):
    N, mu = first_moments(X, r)
    S = []
    for k in range(len(N)):
        d = r[:, k][:, None] * (X - mu[k])
        S.append(d.T @ d / N[k])
    return N / len(X), mu, S


@mistake("unbiased by squared responsibilities", check_m_step)
def numpys_cov(X, r):
    N, mu = first_moments(X, r)
    S = [np.cov(X.T, aweights=r[:, k]).reshape(X.shape[1], X.shape[1]) for k in range(len(N))]
    return N / len(X), mu, np.array(S)


@mistake("not divided by n", check_m_step)
def counts_for_weights(X, r):
    N, mu = first_moments(X, r)
    d = X[:, None] - mu
    return N, mu, np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None]


@mistake("divided by K", check_m_step)
def weights_over_components(X, r):
    N, mu = first_moments(X, r)
    d = X[:, None] - mu
    return N / r.shape[1], mu, np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None]


@mistake("all weights equal", check_m_step)
def weights_forgotten(X, r):
    N, mu = first_moments(X, r)
    d = X[:, None] - mu
    return np.full(len(N), 1 / len(N)), mu, np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None]


@mistake("hard responsibilities", check_m_step)
def means_of_labels(X, r):
    z = r.argmax(axis=1)
    N, mu = first_moments(X, r)
    hard = np.array([X[z == k].mean(axis=0) for k in range(r.shape[1])])
    d = X[:, None] - mu
    return N / len(X), hard, np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None]


@mistake("ridge of 1e-6", check_m_step)
def regularised(X, r):
    N, mu = first_moments(X, r)
    d = X[:, None] - mu
    S = np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None] + 1e-6 * np.eye(X.shape[1])
    return N / len(X), mu, S


@mistake("average of the components' covariances", check_m_step, covariance_type="tied")
def mean_of_covariances(X, r):
    N, mu = first_moments(X, r)
    S = [(r[:, [k]] * (X - mu[k])).T @ (X - mu[k]) / N[k] for k in range(len(N))]
    return N / len(X), mu, np.mean(S, axis=0)


@mistake("standard deviations returned", check_m_step, covariance_type="diag")
def root_taken(X, r):
    N, mu = first_moments(X, r)
    var = np.array([(r[:, [k]] * (X - mu[k]) ** 2).sum(0) / N[k] for k in range(len(N))])
    return N / len(X), mu, np.sqrt(var)


@mistake("not divided by D", check_m_step, covariance_type="spherical")
def sum_over_features(X, r):
    N, mu = first_moments(X, r)
    var = [r[:, k] @ ((X - mu[k]) ** 2).sum(axis=1) / N[k] for k in range(len(N))]
    return N / len(X), mu, np.array(var)


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


# K-means --------------------------------------------------------------------------------------------------------------


@mistake("Manhattan distance", check_e_step, family="kmeans")
def cityblock(X, centers):
    return np.abs(X[:, None] - centers).sum(axis=-1).argmin(axis=1)


@mistake("farthest centre", check_e_step, family="kmeans")
def farthest(X, centroids):
    return [int(np.argmax([np.linalg.norm(x - c) for c in centroids])) for x in X]


@mistake("nearest sample of each centre", check_e_step, family="kmeans")
def axis_zero(X, centroids):
    return np.argmin(np.linalg.norm(X[:, None] - centroids, axis=2), axis=0)


@mistake("median in place of the mean", check_m_step, family="kmeans")
def medians(X, labels, K):
    return np.array([np.median(X[labels == k], axis=0) for k in range(K)])


@mistake("divided by n", check_m_step, family="kmeans")
def over_n(X, labels):
    return np.array([X[labels == k].sum(axis=0) / len(X) for k in np.unique(labels)])


@mistake("distances not squared", check_log_likelihood, family="kmeans")
def unsquared(X, centers):
    return np.min(np.linalg.norm(X[:, None] - centers, axis=2), axis=1).sum()


@mistake("size of the cells squared", check_m_step, family="bmm", n_trials=4)
def share_of_heads(X, r):
    return r.mean(axis=0), r.T @ (X / 4) / (4 * r.sum(axis=0)[:, None])


@mistake("1 / (x! (m - x)!) only", check_log_likelihood, family="bmm", n_trials=6)
def inverse_factorials(X, w, p):
    like = np.array([[binom.pmf(x, 6, q).prod() / np.prod([factorial(6)] * len(x)) for q in p] for x in X])
    return np.log(like @ w).sum()


@mistake("m! only", check_log_likelihood, family="bmm", n_trials=6)
def only_the_first_factorial(X, w, p):
    like = np.array(
        [
            [
                np.prod([factorial(6) * comb(1, 1) * q**s * (1 - q) ** (6 - s) for q, s in zip(row, x, strict=True)])
                for row in p
            ]
            for x in X
        ]
    )
    return np.log(like @ w).sum()


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


@mistake("divided by n", check_m_step, family="cmm")
def last_level_by_the_rest(X, r):
    levels = np.arange(X.max() + 1)
    probs = np.einsum("nk,ndl->kdl", r, X[:, :, None] == levels) / len(X)
    probs[:, :, -1] = 1 - probs[:, :, :-1].sum(axis=2)
    return r.mean(axis=0), probs


@mistake("not normalised", check_e_step, family="bmm")
def last_component_by_the_rest(X, weights, probs):
    joint = weights * np.exp(X @ np.log(probs).T + (1 - X) @ np.log(1 - probs).T)
    joint[:, -1] = 1 - joint[:, :-1].sum(axis=1)
    return joint


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
