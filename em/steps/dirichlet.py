"""The Dirichlet distribution of mixture weights, π ~ Dirichlet(a): draws, moments, divergence."""

import numpy as np
from scipy.special import digamma, gammaln

from models.validation import Array


def draw_weights(concentration: Array, rng: np.random.RandomState) -> Array:
    """Draw weights (..., K): independent Gamma(a_k) over their sum."""
    gammas = rng.standard_gamma(concentration)
    return gammas / gammas.sum(axis=-1, keepdims=True)


def mean_weights(concentration: Array) -> Array:
    """Return a_k / Σa."""
    return concentration / concentration.sum(axis=-1, keepdims=True)


def sd_weights(concentration: Array) -> Array:
    """Return the square root of π̄_k (1 - π̄_k) / (Σa + 1)."""
    mean = mean_weights(concentration)
    return np.sqrt(mean * (1 - mean) / (concentration.sum(axis=-1, keepdims=True) + 1))


def mean_log_weights(concentration: Array) -> Array:
    """Return E[log π_k] = digamma(a_k) - digamma(Σa)."""
    return digamma(concentration) - digamma(concentration.sum(axis=-1, keepdims=True))


def dirichlet_divergence(q: Array, p: Array) -> float:
    """Return KL(Dirichlet(q) || Dirichlet(p)) in nats, of concentrations (K,)."""
    log_norms = gammaln(q.sum()) - gammaln(q).sum() - gammaln(p.sum()) + gammaln(p).sum()
    return float(log_norms + (q - p) @ mean_log_weights(q))
