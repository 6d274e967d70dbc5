"""Is a Bernoulli or binomial mixture identifiable? A rank test.

Different parameters may give the same distribution of the data: with one flip per coin only Σ_k π_k p_k is known. Near
a point θ this happens exactly when the Fisher information, or the Jacobian of the cell probabilities P(x | θ) with
respect to the free parameters (π_1..π_{K-1}, p_11..p_KD), has lower rank than there are free parameters (Rothenberg
1971). The Jacobian is

    ∂P/∂π_k  = f_k(x) - f_K(x),      ∂P/∂p_kd = π_k f_k(x) (x_d / p_kd - (m_d - x_d) / (1 - p_kd)),

with f_k the component's probability of the cell x. It is taken at random points, which answers for the model, and at
the estimate, which answers for the fit. Where cells are missing, P is that of each set of features that samples showed
together.

References
----------
Rothenberg (1971), Identification in parametric models, Econometrica 39, 577-591.
Allman, Matias & Rhodes (2009), Annals of Statistics 37, 3099-3132 (generic identifiability if D >= 2 ceil(log2 K) + 1).
Blischke (1964), JASA 59, 510-528 (one binomial feature needs n_trials >= 2 K - 1).
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product
from math import ceil, log2

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from scipy.stats import binom

from em.identifiability import Identifiability
from em.uncertainty.louis import largest_parts
from models.bmm import BMMParameters
from models.validation import Array

RELATIVE_RANK_TOLERANCE = 1e-8
MOST_CELLS = 4096
MOST_PARAMETERS = 1000
MOST_PATTERNS = 100
BOUNDARY = 1e-8


def identify(
    parameters: BMMParameters,
    n_trials: ArrayLike = 1,
    frozen: Collection[str] = (),
    patterns: np.ndarray | None = None,
) -> Identifiability:
    """Test the rank of a Bernoulli or binomial mixture at random points and at ``parameters``.

    Parameters
    ----------
    parameters : BMMParameters
        The estimate.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials; of a matrix, the row with the most cells is used, which knows most.
    frozen : collection of str, default ()
        "weights" or "probs" that are known, and not asked about.
    patterns : ndarray of bool, shape (P, D), or None
        Which features samples showed together, where cells are missing; ``None``: some showed all. What is known is the
        distribution of each of these sets of features, and of no larger one.

    Examples
    --------
    >>> from em.bmm.identifiability import identify
    >>> from models.bmm import BMMParameters
    >>> identify(BMMParameters([0.5, 0.5], [[0.2], [0.8]])).rank
    1
    """
    K, D = parameters.n_components, parameters.n_features
    trials = np.asarray(n_trials, dtype=np.int64)
    if trials.ndim == 2:
        trials = trials[np.log1p(trials).sum(axis=1).argmax()]
    trials = np.broadcast_to(trials, D)
    p = sum(n for name, n in parameters.n_free.items() if name not in frozen)
    if K == 1 or p == 0:
        return Identifiability(True, p, p, "one component is always identified" if p else "nothing is estimated")
    together = largest_patterns(patterns, D)
    asked = _Asked(trials, frozenset(frozen), together)
    if (parameters.weights <= BOUNDARY).any() and not {"weights", "probs"} <= set(frozen):
        return _emptied(parameters, asked)
    if p > MOST_PARAMETERS or len(together) > MOST_PATTERNS:
        return Identifiability(True, p, p, "too large for a test of identifiability")
    if 2 * ceil(log2(K)) + 1 > together.sum(axis=1).min():  # above it the model is generically identifiable
        rng = np.random.RandomState(0)
        generic = [_rank(_random_point(K, D, rng), asked)[0] for _ in range(3)]
        if max(generic) < p:
            return _not_identified(parameters, asked, max(generic), p, "at random points of the model")
    rank, names, _ = _rank(parameters, asked)
    if rank < len(names):
        return _not_identified(parameters, asked, rank, len(names), "at the estimate")
    if not names:
        return Identifiability(True, 0, 0, "nothing is free: what is estimated is on the boundary (0 or 1)")
    return Identifiability(True, rank, len(names), f"identified: rank {rank} of {len(names)} free parameters")


@dataclass(frozen=True)
class _Asked:
    """Trials (D,), names of arrays that are known, and the sets of features that were seen together, (P, D)."""

    trials: np.ndarray
    frozen: frozenset[str]
    together: np.ndarray


def largest_patterns(patterns: np.ndarray | None, n_features: int) -> np.ndarray:
    """Return the patterns (P, D) of observed features that are no part of another: the others follow from them."""
    if patterns is None or patterns.all(axis=1).any():
        return np.ones((1, n_features), dtype=bool)
    distinct = np.unique(patterns, axis=0)
    distinct = distinct[np.argsort(-distinct.sum(axis=1), kind="stable")]
    kept: list[np.ndarray] = []
    for pattern in distinct:
        if not any((pattern <= larger).all() for larger in kept):
            kept.append(pattern)
        if len(kept) > MOST_PATTERNS:
            break
    return np.array(kept)


def _emptied(parameters: BMMParameters, asked: _Asked) -> Identifiability:
    """Nothing is known of a component without samples; the others are tested as a mixture of their own."""
    kept = parameters.weights > BOUNDARY
    empty = np.flatnonzero(~kept).tolist()
    weights = parameters.weights[kept]
    rest_of = BMMParameters(weights / weights.sum(), parameters.probs[kept])
    rest = identify(rest_of, asked.trials, asked.frozen, asked.together)
    if "probs" in asked.frozen:
        return rest
    p = rest.n_free_parameters + len(empty) * parameters.n_features
    found = (
        f"rank {rest.rank} of {p} free parameters at the estimate: component(s) {empty} have no share in the samples"
    )
    return Identifiability(False, rest.rank, p, f"{found}, so their probs are free", {f"probs[{empty[0]}, 0]": 1.0})


def _not_identified(parameters: BMMParameters, asked: _Asked, rank: int, p: int, where: str) -> Identifiability:
    rank_here, names, null = _rank(parameters, asked)
    direction = {name: float(part) for name, part in zip(names, null, strict=True)} if rank_here < len(names) else {}
    if len(asked.trials) == 1 and asked.trials[0] == 1 and not asked.frozen:
        known = float(parameters.weights @ parameters.probs[:, 0])
        detail = f"only sum_k weights_k probs_k = {known:.6g} is known"
    elif direction:
        detail = f"free direction, largest parts: {largest_parts(direction)}"
    else:
        detail = "here the probs on the boundary (0 or 1), held there, pin down the rest"
    if len(asked.together) > 1:
        detail += f"; samples show at most {asked.together.sum(axis=1).max()} of {len(asked.trials)} features together"
    sentence = f"rank {rank} of {p} free parameters {where}: different parameters give the same distribution; {detail}"
    return Identifiability(False, rank, p, sentence, direction)


def _rank(parameters: BMMParameters, asked: _Asked) -> tuple[int, list[str], Array]:
    """Return the rank, the names of the free parameters, and the direction that changes the distribution least."""
    names, estimated = _names(parameters, asked.frozen)
    if not names:
        return 0, [], np.empty(0)
    parts = []
    for pattern in asked.together:
        marginal = BMMParameters(parameters.weights, parameters.probs[:, pattern])
        part = _information_root(marginal, asked.trials[pattern])
        everywhere = np.zeros((len(part), len(estimated)))
        K = parameters.n_components
        everywhere[:, np.append(np.ones(K - 1, dtype=bool), np.tile(pattern, K))] = part
        parts.append(everywhere[:, estimated])
    scores = np.concatenate(parts)
    norms = np.linalg.norm(scores, axis=0)
    norms = np.where(norms > 1e-12 * norms.max(), norms, np.inf)  # a parameter without any effect stays a zero column
    triangle = np.linalg.qr(scores / norms, mode="r")  # the same singular values and right vectors, at less cost
    _, singular, right = np.linalg.svd(triangle, full_matrices=True)
    rank = int((singular > RELATIVE_RANK_TOLERANCE * singular[0]).sum())
    silent = np.flatnonzero(np.isinf(norms))
    freest = np.eye(len(names))[silent[0]] if len(silent) else right[-1] / norms
    return rank, names, freest / np.linalg.norm(freest)


def _names(parameters: BMMParameters, frozen: Collection[str]) -> tuple[list[str], np.ndarray]:
    """Return the names of the free parameters, and which they are among K - 1 weights and K D probs, as booleans."""
    K, interior = parameters.n_components, _interior(parameters.probs)
    names = [f"weights[{k}]" for k in range(K - 1)] + [f"probs[{k}, {d}]" for k, d in np.ndindex(interior.shape)]
    estimated = np.append(np.full(K - 1, "weights" not in frozen), interior.ravel() & ("probs" not in frozen))
    return [name for name, free in zip(names, estimated, strict=True) if free], estimated


def _interior(probs: Array) -> np.ndarray:
    return (probs > BOUNDARY) & (probs < 1 - BOUNDARY)


def _information_root(parameters: BMMParameters, trials: np.ndarray) -> Array:
    """Return a matrix whose rank is that of the Fisher information, one weighted score per cell x: K - 1 + K D columns.

    The score is ∂P/∂θ / P. All cells are enumerated where that is possible; otherwise `_typical_cells` are taken.
    """
    w, probs = parameters.weights, parameters.probs
    enumerable = np.log(trials + 1.0).sum() <= np.log(MOST_CELLS)
    if enumerable:
        cells = np.array(list(product(*(range(m + 1) for m in trials))), dtype=np.float64)
    else:
        cells = _typical_cells(probs, trials)
    with np.errstate(divide="ignore"):
        log_f = binom.logpmf(cells[:, None, :], trials, probs).sum(axis=2)  # (cells, K)
        log_p = logsumexp(log_f + np.log(w), axis=1, keepdims=True)
    cells, log_f, log_p = (array[np.isfinite(log_p[:, 0])] for array in (cells, log_f, log_p))
    ratio = np.exp(log_f - log_p)  # f_k / P
    p = np.where(_interior(probs), probs, 0.5)
    slopes = cells[:, None, :] / p - (trials - cells)[:, None, :] / (1 - p)  # (cells, K, D)
    by_weight = ratio[:, :-1] - ratio[:, -1:]
    by_prob = (w * ratio)[:, :, None] * slopes
    scores = np.concatenate([by_weight, by_prob.reshape(len(by_prob), -1)], axis=1)
    return scores * np.exp(0.5 * log_p) if enumerable else scores


def _typical_cells(probs: Array, trials: np.ndarray) -> Array:
    """Draw cells that show every parameter: 2 D of each component, half of them with one count moved by one.

    Draws of the mixture alone would leave a rare feature of a small component unseen, and call it unidentified.
    """
    K, D = probs.shape
    rng = np.random.RandomState(0)
    cells = rng.binomial(trials, probs[:, None, :], size=(K, 2 * D, D)).astype(np.float64)
    moved = cells[:, np.arange(D), np.arange(D)]
    cells[:, np.arange(D), np.arange(D)] = np.where(moved < trials, moved + 1, moved - 1)
    return cells.reshape(-1, D)


def _random_point(K: int, D: int, rng: np.random.RandomState) -> BMMParameters:
    weights = rng.dirichlet(np.full(K, 5.0))
    return BMMParameters(weights / weights.sum(), rng.uniform(0.1, 0.9, size=(K, D)))
