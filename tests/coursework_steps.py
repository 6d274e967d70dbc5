"""A right E-step and a right M-step of Gaussian mixtures, as a student writes them."""

import numpy as np
from scipy.stats import multivariate_normal

ROOMY = 20.0  # seconds: on a busy machine the time limit must not decide


def e_step(X, weights, means, covariances):
    joint = [w * multivariate_normal.pdf(X, m, S) for w, m, S in zip(weights, means, covariances, strict=True)]
    joint = np.reshape(joint, (len(weights), -1)).T
    return joint / joint.sum(axis=1, keepdims=True)


def m_step(X, r):
    N = r.sum(axis=0)
    means = r.T @ X / N[:, None]
    d = X[:, None] - means
    return N / len(X), means, np.einsum("nk,nkd,nke->kde", r, d, d) / N[:, None, None]
