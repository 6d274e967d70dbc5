"""Log-likelihood and Q: how log densities and log weights are put together, and what goes wrong there.

Each value is a function of log densities (n, K), log weights (K,) and the problem.
"""

from functools import partial

import numpy as np
from scipy.special import entr

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import hard, log_sum, softmax
from comparisons.coursework.formulas.slots import Slot, texts_beside
from models.validation import Array

TEXTS = texts_beside(__file__)
ELL = "ℓ(θ) = Σ_i log Σ_k π_k p(x_i|k)"
Q = "Q(θ, r) = Σ_ik r_ik (log π_k + log p(x_i|k))"


def _lse(lp: Array, lw: Array) -> Array:
    return np.asarray(log_sum(lp + lw))


def _entropy(r: Array) -> float:
    return float(entr(r).sum())


def _own_q(lp: Array, lw: Array) -> float:
    return float((softmax(lp + lw) * (lp + lw)).sum())


def _without_largest(lp: Array, lw: Array, p: Problem) -> float:
    return float((_lse(lp, lw) - (lp + lw).max(axis=1)).sum())


def _one_largest(times: float, lp: Array, lw: Array, p: Problem) -> float:
    largest = (lp + lw).max()
    return float((_lse(lp, lw) - largest).sum() + times * largest)


AGGREGATE = Slot(
    "sum",
    lambda lp, lw, p: _lse(lp, lw).sum(),
    {
        "mean in place of the sum": lambda lp, lw, p: _lse(lp, lw).mean(),
        "not summed over the samples": lambda lp, lw, p: _lse(lp, lw),
        "sign": lambda lp, lw, p: -_lse(lp, lw).sum(),
        "negative mean": lambda lp, lw, p: -_lse(lp, lw).mean(),
        "deviance": lambda lp, lw, p: -2 * _lse(lp, lw).sum(),
        "likelihood without logarithm": lambda lp, lw, p: np.exp(_lse(lp, lw).sum()),
        "densities summed without logarithm": lambda lp, lw, p: np.exp(_lse(lp, lw)).sum(),
        "logarithm outside of both sums": lambda lp, lw, p: log_sum(lp + lw, None),
        "logarithm of the mean density": lambda lp, lw, p: log_sum(lp + lw, None) - np.log(len(lp)),
        "sum of logs in place of log of sum": lambda lp, lw, p: (lp + lw).sum(),
        "weights outside of the logarithm": lambda lp, lw, p: (np.exp(lw) * lp).sum(),
        "weights outside, joint inside": lambda lp, lw, p: (np.exp(lw) * (lp + lw)).sum(),
        "only the largest component": lambda lp, lw, p: (lp + lw).max(axis=1).sum(),
        "Q in place of the log-likelihood": lambda lp, lw, p: _own_q(lp, lw),
        "Q without weights": lambda lp, lw, p: (softmax(lp + lw) * lp).sum(),
        "exp of the mean": lambda lp, lw, p: np.exp(_lse(lp, lw).mean()),
        "exp of minus the mean": lambda lp, lw, p: np.exp(-_lse(lp, lw).mean()),
        "mean of the densities": lambda lp, lw, p: np.exp(_lse(lp, lw)).mean(),
        "entropy subtracted": lambda lp, lw, p: _own_q(lp, lw) - _entropy(softmax(lp + lw)),
        "entropy counted twice": lambda lp, lw, p: _own_q(lp, lw) + 2 * _entropy(softmax(lp + lw)),
        "entropy in place of the log-likelihood": lambda lp, lw, p: _entropy(softmax(lp + lw)),
        "log-likelihood of the responsibilities": lambda lp, lw, p: np.log(softmax(lp + lw)).sum(),
        "normalised before the logarithm": lambda lp, lw, p: 0.0 * lp.sum(),
        "log10": lambda lp, lw, p: _lse(lp, lw).sum() / np.log(10),
        "log2": lambda lp, lw, p: _lse(lp, lw).sum() / np.log(2),
        "log1p": lambda lp, lw, p: np.log1p(np.exp(_lse(lp, lw))).sum(),
        "weights multiplied by K": lambda lp, lw, p: (_lse(lp, lw) + np.log(lp.shape[1])).sum(),
        "samples multiplied within each component": lambda lp, lw, p: log_sum(lp.sum(axis=0) + lw, 0),
        "joint densities multiplied within each component": lambda lp, lw, p: log_sum((lp + lw).sum(axis=0), 0),
        "mean over components": lambda lp, lw, p: (_lse(lp, lw) - np.log(lp.shape[1])).sum(),
        "divided by the number of cells": lambda lp, lw, p: _lse(lp, lw).sum() / p.X.size,
        "divided by the number of components": lambda lp, lw, p: _lse(lp, lw).sum() / p.K,
        "only the last sample": lambda lp, lw, p: _lse(lp, lw)[-1],
        "only the first sample": lambda lp, lw, p: _lse(lp, lw)[0],
        "without the last sample": lambda lp, lw, p: _lse(lp, lw)[:-1].sum(),
        "without the first sample": lambda lp, lw, p: _lse(lp, lw)[1:].sum(),
        "largest not added back": _without_largest,
        "largest added back once for all": partial(_one_largest, 1),
        "one largest for all not added back": partial(_one_largest, 0),
        "sum over components at the end": lambda lp, lw, p: np.log(np.exp(lp + lw).sum(axis=0)).sum(),
        "product over components": lambda lp, lw, p: (lp.sum(axis=1) + lw.sum()).sum() / p.K,
        "sum of squares": lambda lp, lw, p: (_lse(lp, lw) ** 2).sum(),
        "AIC's factor": lambda lp, lw, p: 2 * _lse(lp, lw).sum(),
        "median in place of the sum": lambda lp, lw, p: np.median(_lse(lp, lw)),
    },
    texts=TEXTS,
    apply=False,
)


def _q(lp: Array, lw: Array, r: Array) -> float:
    return float((r * (lp + lw)).sum())


AVERAGE = Slot(
    "average",
    lambda lp, lw, p: _q(lp, lw, p.r),
    {
        "entropy added": lambda lp, lw, p: _q(lp, lw, p.r) + _entropy(p.r),
        "entropy subtracted": lambda lp, lw, p: _q(lp, lw, p.r) - _entropy(p.r),
        "log-likelihood in place of Q": lambda lp, lw, p: _lse(lp, lw).sum(),
        "responsibilities left out": lambda lp, lw, p: (lp + lw).sum(),
        "hard responsibilities": lambda lp, lw, p: _q(lp, lw, hard(p.r)),
        "own responsibilities": lambda lp, lw, p: _own_q(lp, lw),
        "responsibilities squared": lambda lp, lw, p: _q(lp, lw, p.r**2),
        "weights not averaged": lambda lp, lw, p: (p.r * lp).sum() + lw.sum(),
        "weights once for each sample": lambda lp, lw, p: (p.r * lp).sum() + p.n * lw.sum(),
        "new weights in place of the current": lambda lp, lw, p: (p.r * (lp + np.log(p.r.mean(axis=0)))).sum(),
        "counts in place of the weights": lambda lp, lw, p: (p.r * (lp + np.log(p.r.sum(axis=0)))).sum(),
        "log of the weights forgotten": lambda lp, lw, p: (p.r * (lp + np.exp(lw))).sum(),
        "weights' part over n": lambda lp, lw, p: (p.r * lp).sum() + (p.r * lw).sum() / p.n,
        "densities not averaged": lambda lp, lw, p: lp.sum() + (p.r * lw).sum(),
        "weights' part only": lambda lp, lw, p: (p.r * lw).sum(),
        "logarithm outside of the sum": lambda lp, lw, p: np.log((p.r * np.exp(lp + lw)).sum(axis=1)).sum(),
        "logarithm outside, without weights": lambda lp, lw, p: np.log((p.r * np.exp(lp)).sum(axis=1)).sum(),
        "responsibilities inside the logarithm": lambda lp, lw, p: (lp + lw + np.log(p.r)).sum(),
        "responsibilities inside and outside the logarithm": lambda lp, lw, p: (p.r * (lp + lw + np.log(p.r))).sum(),
        "densities without logarithm": lambda lp, lw, p: (p.r * np.exp(lp + lw)).sum(),
        "mean in place of the sum": lambda lp, lw, p: _q(lp, lw, p.r) / p.n,
        "not summed over the samples": lambda lp, lw, p: (p.r * (lp + lw)).sum(axis=1),
        "not summed over the components": lambda lp, lw, p: (p.r * (lp + lw)).sum(axis=0),
        "not summed": lambda lp, lw, p: p.r * (lp + lw),
        "sign": lambda lp, lw, p: -_q(lp, lw, p.r),
        "divided by the number of components": lambda lp, lw, p: _q(lp, lw, p.r) / p.K,
        "log10": lambda lp, lw, p: _q(lp, lw, p.r) / np.log(10),
        "log2": lambda lp, lw, p: _q(lp, lw, p.r) / np.log(2),
        "minus the KL divergence": lambda lp, lw, p: (p.r * (lp + lw - log_sum(lp + lw, 1, True) - np.log(p.r))).sum(),
        "sums over samples and components multiplied": lambda lp, lw, p: p.r.sum() * (lp + lw).sum(),
        "only the largest responsibility": lambda lp, lw, p: (p.r * hard(p.r) * (lp + lw)).sum(),
        "weights in place of responsibilities": lambda lp, lw, p: (np.exp(lw) * (lp + lw)).sum(),
        "only the last sample": lambda lp, lw, p: (p.r * (lp + lw)).sum(axis=1)[-1],
        "only the last component": lambda lp, lw, p: (p.r * (lp + lw)).sum(axis=0)[-1],
        "entropy in place of Q": lambda lp, lw, p: _entropy(p.r),
        "largest subtracted": lambda lp, lw, p: (p.r * (lp + lw - (lp + lw).max(axis=1, keepdims=True))).sum(),
        "normalised log densities": lambda lp, lw, p: (p.r * (lp + lw - log_sum(lp + lw, 1, True))).sum(),
    },
    texts=TEXTS,
    apply=False,
)


def sums_of(lp: Array, p: Problem) -> dict[str, float]:
    """Return sums of which students put log-likelihoods and Q together, by name."""
    w, own = p.theta["weights"], softmax(lp + np.log(p.theta["weights"]))
    lw = np.log(w)
    return {
        "Σ_ik r_ik log p(x_i|k)": (p.r * lp).sum(),
        "Σ_ik r_ik log π_k": (p.r * lw).sum(),
        "the entropy of r": _entropy(p.r),
        "the log-likelihood": _lse(lp, lw).sum(),
        "the entropy of the function's own responsibilities": _entropy(own),
        "n Σ_k π_k log π_k": p.n * (w * lw).sum(),
        "Σ_k log π_k": lw.sum(),
        "n Σ_k log π_k": p.n * lw.sum(),
        "Σ_ik log p(x_i|k)": lp.sum(),
        "Σ_ik π_k log p(x_i|k)": (w * lp).sum(),
        "n log K": p.n * np.log(p.K),
        "n D": p.n * p.D,
        "Σ_k N_k log N_k/n": (p.r.sum(axis=0) * np.log(p.r.mean(axis=0))).sum(),
    }
