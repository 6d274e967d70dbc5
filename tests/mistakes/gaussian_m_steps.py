"""Students' wrong steps: the M-step of the Gaussian mixture."""

import numpy as np

from comparisons.coursework import check_m_step
from mistakes.registry import mistake


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
