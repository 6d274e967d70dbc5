"""Students' wrong steps: K-means."""

from math import comb, factorial

import numpy as np
from scipy.stats import binom

from comparisons.coursework import check_e_step, check_log_likelihood, check_m_step
from mistakes.registry import mistake


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
