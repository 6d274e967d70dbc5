"""Numba kernels: a chunk of rows goes through E-step and statistics 256 samples at a time, without leaving the cache.

Formulas as in :mod:`em.gmm` and :mod:`em.bmm`, with x - μ_k formed first, so that data far from zero and tiny clusters
keep their digits. Samples lie on the last axis: inner loops run over the samples of a block (its lanes) and become
vector instructions; matrix products go to BLAS. The first call compiles (seconds, once per machine: the result is kept
in ``__pycache__``), so :mod:`em.fast.passes` comes here only when there is enough work.
"""

import math
from typing import Any

import numpy as np
from numba import njit

LANES = 256
WIDTH = LANES + 8  # of an array of lanes: rows a power of two apart would share a few places in the cache
SMALL = 4  # up to so many features a matrix product is written out
UNDERFLOW = -708.0  # exp of less is 0
LOG2_E = 1 / math.log(2)
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is log 2 to 33 more bits
EXP = tuple(1 / math.factorial(power) for power in range(14))  # Taylor: exp r to 1e-17 for |r| <= log(2) / 2
ATANH = tuple(1 / (2 * power + 1) for power in range(12))  # atanh(s) / s in s², to 1e-17 for |s| <= 0.1716
EXPONENT_BIAS, MANTISSA_BITS = 1023, 52

# Division by zero is infinity, so that loops stay free of branches; a * b + c may be one instruction. Sums may be taken
# lane by lane only where the options say so.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
SUMS: dict[str, Any] = OPTIONS | {"fastmath": {"contract", "reassoc"}}


def kernel(function: Any) -> Any:
    """Compile when first called, from the cache where one can be kept."""
    try:
        return njit(cache=True, **SUMS)(function)
    except RuntimeError:  # neither __pycache__ nor the user's cache folder can be written
        return njit(**SUMS)(function)


@njit(**OPTIONS)
def exp_of_lanes(values, powers, bits):
    """Replace values <= 0 by their exponentials, to 1 ulp; ``powers`` and ``bits`` are one scratch row."""
    c = EXP
    for j in range(LANES):
        x = values[j]
        a = x if x > UNDERFLOW else UNDERFLOW
        power = np.floor(a * LOG2_E + 0.5)
        r = (a - power * LN2_HIGH) - power * LN2_LOW  # exp a = 2^power exp r
        p = c[13]
        p = p * r + c[12]
        p = p * r + c[11]
        p = p * r + c[10]
        p = p * r + c[9]
        p = p * r + c[8]
        p = p * r + c[7]
        p = p * r + c[6]
        p = p * r + c[5]
        p = p * r + c[4]
        p = p * r + c[3]
        p = p * r + c[2]
        p = p * r + c[1]
        p = p * r + c[0]
        bits[j] = (np.int64(power) + EXPONENT_BIAS) << MANTISSA_BITS
        values[j] = p if x > UNDERFLOW else 0.0
    for j in range(LANES):
        values[j] *= powers[j]


@njit(**OPTIONS)
def log_of_lanes(values, out, powers, bits):
    """Put the logarithms of values >= 1 into ``out``, to 1 ulp of 1 + log; ``powers`` and ``bits`` are scratch."""
    c = ATANH
    for j in range(LANES):
        powers[j] = values[j] * math.sqrt(0.5)
    for j in range(LANES):
        out[j] = (bits[j] >> MANTISSA_BITS) - EXPONENT_BIAS + 1  # value = 2^power m, m from sqrt(1/2) to sqrt(2)
        bits[j] = (EXPONENT_BIAS - np.int64(out[j])) << MANTISSA_BITS
    for j in range(LANES):
        m = values[j] * powers[j]
        s = (m - 1.0) / (m + 1.0)  # log m = 2 atanh(s)
        q = s * s
        p = c[11]
        p = p * q + c[10]
        p = p * q + c[9]
        p = p * q + c[8]
        p = p * q + c[7]
        p = p * q + c[6]
        p = p * q + c[5]
        p = p * q + c[4]
        p = p * q + c[3]
        p = p * q + c[2]
        p = p * q + c[1]
        p = p * q + c[0]
        out[j] = out[j] * LN2_HIGH + (2.0 * s * p + out[j] * LN2_LOW)


@njit(**OPTIONS)
def normalise_lanes(joint, weights, scratch):
    """Turn log p(x, z = k) (K, lanes) into responsibilities times weights; return Σ weight · log p(x)."""
    K = len(joint)
    largest, total, log_total, powers = scratch[0], scratch[1], scratch[2], scratch[3]
    bits = powers.view(np.int64)
    for j in range(LANES):
        largest[j] = joint[0, j]
        total[j] = 0.0
    for k in range(1, K):
        for j in range(LANES):
            largest[j] = joint[k, j] if joint[k, j] > largest[j] else largest[j]
    for j in range(LANES):
        largest[j] = largest[j] if largest[j] > -np.inf else 0.0
    for k in range(K):
        share = joint[k]
        for j in range(LANES):
            share[j] -= largest[j]
        exp_of_lanes(share, powers, bits)
        for j in range(LANES):
            total[j] += share[j]
    log_likelihood = 0.0
    for j in range(LANES):
        if total[j] == 0.0:  # impossible under every component: shares of 1 / K, as in em.bound.normalise
            total[j] = K
            for k in range(K):
                joint[k, j] = 1.0
            largest[j] = -np.inf if weights[j] > 0 else 0.0
    log_of_lanes(total, log_total, powers, bits)
    for j in range(LANES):
        log_likelihood += weights[j] * (largest[j] + log_total[j])
        total[j] = weights[j] / total[j]
    for k in range(K):
        share = joint[k]
        for j in range(LANES):
            share[j] *= total[j]
    return log_likelihood


@njit(**OPTIONS)
def load_weights(start, n_used, sample_weight, weights):
    """Copy weights from ``start``, or 1 where there are none; lanes beyond the last row weigh 0."""
    for j in range(LANES):
        weights[j] = 1.0 if j < n_used else 0.0
    for j in range(min(n_used, len(sample_weight))):
        weights[j] = sample_weight[start + j]


@njit(**OPTIONS)
def load_lanes(X, start, sample_weight, lanes, weights):
    """Copy rows of X from ``start`` into lanes (D, 256), with their weights; lanes beyond the last row weigh 0."""
    n_used = min(LANES, len(X) - start)
    D = X.shape[1]
    for d in range(0, D, 8):
        for j in range(n_used):
            for e in range(d, min(d + 8, D)):
                lanes[e, j] = X[start + j, e]
    for d in range(D):
        for j in range(n_used, LANES):
            lanes[d, j] = X[start, d]
    load_weights(start, n_used, sample_weight, weights)


@njit(**OPTIONS)
def subtract_mean(lanes, mean, gap):
    """Put x - μ into ``gap`` (D, 256)."""
    for d in range(len(mean)):
        x, g, m = lanes[d], gap[d], mean[d]
        for j in range(LANES):
            g[j] = x[j] - m


@njit(**OPTIONS)
def squared_norm(inverse, gap, whitened, out):
    """Put ‖L⁻¹ (x - μ)‖² of each lane into ``out``."""
    D = len(inverse)
    if D > SMALL:
        np.dot(inverse, gap, whitened)
    else:
        for d in range(D):
            y = whitened[d]
            for j in range(LANES):
                y[j] = inverse[d, 0] * gap[0, j]
            for e in range(1, d + 1):
                for j in range(LANES):
                    y[j] += inverse[d, e] * gap[e, j]
    for j in range(LANES):
        out[j] = 0.0
    for d in range(D):
        y = whitened[d]
        for j in range(LANES):
            out[j] += y[j] * y[j]


@njit(**SUMS)
def add_matrix_moments(share, gap, weighted, first, second, product):
    """Add Σ_j r_j g_j to ``first`` and Σ_j r_j g_j g_j' to ``second``."""
    D = len(first)
    for d in range(D):
        w, g = weighted[d], gap[d]
        total = 0.0
        for j in range(LANES):
            w[j] = share[j] * g[j]
            total += w[j]
        first[d] += total
    if D > SMALL:
        np.dot(weighted, gap.T, product)
        second += product
        return
    for d in range(D):
        for e in range(d + 1):
            w, g = weighted[d], gap[e]
            total = 0.0
            for j in range(LANES):
                total += w[j] * g[j]
            second[d, e] += total
            if e < d:
                second[e, d] += total


@njit(**SUMS)
def add_counts(joint, counts):
    """Add each component's responsibilities to ``counts``."""
    for k in range(len(joint)):
        share = joint[k]
        total = 0.0
        for j in range(LANES):
            total += share[j]
        counts[k] += total


@kernel
def gaussian_matrices(X, sample_weight, means, inverses, log_base, counts, first, second):
    """Add a chunk's statistics to counts (K,), first (K, D), second (K, D, D); return its log-likelihood.

    Covariances are matrices: ``inverses`` (K, D, D) are the L_k⁻¹; log_base_k = log π_k - D/2 log 2π - log|L_k|.
    """
    K, D = means.shape
    lanes, gap, whitened, product = np.empty((D, WIDTH)), np.empty((D, LANES)), np.empty((D, LANES)), np.empty((D, D))
    joint, scratch, weights = np.empty((K, WIDTH)), np.empty((4, WIDTH)), np.empty(WIDTH)
    log_likelihood = 0.0
    for start in range(0, len(X), LANES):
        load_lanes(X, start, sample_weight, lanes, weights)
        for k in range(K):
            subtract_mean(lanes, means[k], gap)
            log_prob, base = joint[k], log_base[k]
            squared_norm(inverses[k], gap, whitened, log_prob)
            for j in range(LANES):
                log_prob[j] = base - 0.5 * log_prob[j]
        log_likelihood += normalise_lanes(joint, weights, scratch)
        add_counts(joint, counts)
        for k in range(K):
            subtract_mean(lanes, means[k], gap)
            add_matrix_moments(joint[k], gap, whitened, first[k], second[k], product)
    return log_likelihood


@njit(**SUMS)
def variance_moments(lane, mean, share):
    """Return Σ_j r_j (x_j - μ) and Σ_j r_j (x_j - μ)² of one feature."""
    first, second = 0.0, 0.0
    for j in range(LANES):
        gap = lane[j] - mean
        weighted = share[j] * gap
        first += weighted
        second += weighted * gap
    return first, second


@kernel
def gaussian_variances(X, sample_weight, means, inverses, log_base, counts, first, second):
    """Add a chunk's statistics to counts (K,), first (K, D), second (K, D); return its log-likelihood.

    Covariances are variances: ``inverses`` (K, D) are 1 / σ_kd; log_base_k = log π_k - D/2 log 2π - Σ_d log σ_kd.
    """
    K, D = means.shape
    lanes, joint = np.empty((D, WIDTH)), np.empty((K, WIDTH))
    scratch, weights = np.empty((4, WIDTH)), np.empty(WIDTH)
    log_likelihood = 0.0
    for start in range(0, len(X), LANES):
        load_lanes(X, start, sample_weight, lanes, weights)
        for k in range(K):
            log_prob, base = joint[k], log_base[k]
            for j in range(LANES):
                log_prob[j] = 0.0
            for d in range(D):
                x, m, inverse = lanes[d], means[k, d], inverses[k, d]
                for j in range(LANES):
                    y = (x[j] - m) * inverse
                    log_prob[j] += y * y
            for j in range(LANES):
                log_prob[j] = base - 0.5 * log_prob[j]
        log_likelihood += normalise_lanes(joint, weights, scratch)
        add_counts(joint, counts)
        for k in range(K):
            share = joint[k]
            for d in range(D):
                first_moment, second_moment = variance_moments(lanes[d], means[k, d], share)
                first[k, d] += first_moment
                second[k, d] += second_moment
    return log_likelihood


@kernel
def count_products(X, trials, sample_weight, of_x, of_m, base, counts, successes, expected_trials):
    """Add a chunk's statistics to counts (K,), successes and expected_trials (K, D); return its log-likelihood.

    log p(x, z = k) = base_0k + Σ_d x of_x_0kd + m of_m_0kd, with log odds and log(1 - p); ``trials`` m is empty where
    every row has the same: then ``base`` holds that term, and expected_trials is left alone. Where probs are 0 or 1
    the same sum with of_x_1, of_m_1 and base_1 counts the impossible cells of a row.
    """
    n, D = X.shape
    K, boundary = base.shape[1], len(base) > 1
    product, moments, joint = np.empty((K, LANES)), np.empty((K, D)), np.empty((K, WIDTH))
    product_m, shares = np.zeros((K, LANES)), np.empty((K, LANES))
    x, m = np.zeros((LANES, D)), np.zeros((LANES, D))
    scratch, weights = np.empty((4, WIDTH)), np.empty(WIDTH)
    own_trials = len(trials) > 0
    log_likelihood = 0.0
    for start in range(0, n, LANES):
        n_used = min(LANES, n - start)
        load_weights(start, n_used, sample_weight, weights)
        x[:n_used] = X[start : start + n_used]  # a last block that is not full keeps older rows, which weigh 0
        np.dot(of_x[0], x.T, product)
        if own_trials:
            m[:n_used] = trials[start : start + n_used]
            np.dot(of_m[0], m.T, product_m)
        for k in range(K):
            log_prob, term, term_m, start_k = joint[k], product[k], product_m[k], base[0, k]
            for j in range(LANES):
                log_prob[j] = start_k + term[j] + term_m[j]
        if boundary:
            np.dot(of_x[1], x.T, product)
            if own_trials:
                np.dot(of_m[1], m.T, product_m)
            for k in range(K):
                log_prob, term, term_m, start_k = joint[k], product[k], product_m[k], base[1, k]
                for j in range(LANES):
                    if start_k + term[j] + term_m[j] > 0:
                        log_prob[j] = -np.inf
        log_likelihood += normalise_lanes(joint, weights, scratch)
        add_counts(joint, counts)
        for k in range(K):
            for j in range(LANES):
                shares[k, j] = joint[k, j]
        np.dot(shares, x, moments)
        successes += moments
        if own_trials:
            np.dot(shares, m, moments)
            expected_trials += moments
    return log_likelihood
