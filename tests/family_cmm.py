"""The categorical rows of the table that contract tests run over: items of three levels and two in turn."""

import numpy as np
from contract import Family, no_prior

from em import CategoricalMixtureEM, cmm
from models.cmm import CMMParameters, CMMPrior, simulate


def levels_of_items(D):
    return (3, 2, 3)[:D]


def dirichlet_prior(K, D):
    return CMMPrior(1.7, np.linspace(1.2, 3, sum(levels_of_items(D))))


def parameters(rng, K, D):
    levels = levels_of_items(D)
    probs = np.hstack([0.1 + (1 - 0.1 * L) * rng.dirichlet(np.ones(L), size=K) for L in levels])
    return CMMParameters(rng.dirichlet(np.full(K, 5.0)), probs, levels)


def draw(theta, n, rng):
    X, _ = simulate(theta, n, rng)
    for code in range(3):  # so that no level is missing, and every estimate under soft responsibilities is interior
        X[code] = np.minimum(code, np.array(theta.levels) - 1)
    return X


def known(groups, prior):
    levels = levels_of_items(groups[0].shape[1])
    shares = []
    for X in groups:
        counts = [float((x == code).sum()) for x, L in zip(X.T, levels, strict=True) for code in range(L)]
        counts = np.array(counts) + (0 if prior is None else prior.pseudo_counts - 1)
        parts = np.split(counts, np.cumsum(levels)[:-1])
        shares.append(np.concatenate([part / part.sum() for part in parts]))
    return {"probs": np.array(shares)}


def log_prob(x, theta, k):
    starts = np.cumsum((0, *theta.levels[:-1]))
    return sum(np.log(theta.probs[k, start + int(code)]) for start, code in zip(starts, x, strict=True))


def from_vector(weights, vector, K, D):
    levels = levels_of_items(D)
    odds = np.split(np.exp(vector.reshape(K, -1)), np.cumsum(levels)[:-1], axis=1)
    return CMMParameters(weights, np.hstack([part / part.sum(axis=1, keepdims=True) for part in odds]), levels)


CATEGORICAL = {
    "steps": cmm,
    "estimator": CategoricalMixtureEM,
    "parameters": parameters,
    "simulate": draw,
    "known": known,
    "log_prob": log_prob,
    "to_vector": lambda theta: np.log(theta.probs).ravel(),
    "from_vector": from_vector,
    "n_free": 1 + 2 * (2 + 1),
    "expected": lambda theta: np.stack([p @ np.arange(p.shape[1]) for p in theta.by_feature], axis=1),
}
ROWS = [
    Family(name="categorical-ML", prior=no_prior, **CATEGORICAL),
    Family(name="categorical-MAP", prior=dirichlet_prior, **CATEGORICAL),
]
