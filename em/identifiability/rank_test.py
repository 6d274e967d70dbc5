"""Is a mixture of independent exponential features identifiable? A rank test.

Different parameters may give the same distribution of the data: one flip of each coin determines only Σ_k π_k p_k. Near
a point θ this happens exactly if the Fisher information, or the Jacobian of the cell probabilities P(x | θ) by the free
parameters, has lower rank than there are free parameters (Rothenberg 1971). With f_k the probability of the cell x in
component k, a row of the Jacobian divided by P is the score of x (:mod:`em.steps`)::

    ∂ log P/∂π_k  = f_k / P,      ∂ log P/∂θ_kd = π_k f_k / P Σ_j T_jd(x) η_j'(θ_kd)

with respect to all entries; the matrix J of :mod:`em.uncertainty.entries` gives the derivatives by the free ones. The
rank at random points says whether the model is identifiable, the rank at the estimate whether the fit is. If cells are
missing, P is the probability of each set of features that were observed together.

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
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from em.bound import log_of
from em.identifiability import Identifiability
from em.steps import Steps
from em.uncertainty.entries import entries_of
from em.uncertainty.independent import INTERIOR
from em.uncertainty.louis import largest_parts
from models.parameters import NO_LABELS, Labels, Parameters
from models.shown import listed
from models.simulation import simulate
from models.validation import Array

RELATIVE_RANK_TOLERANCE = 1e-8
MOST_CELLS = 4096
MOST_PARAMETERS = 1000
MOST_PATTERNS = 100
BOUNDARY = 1e-8


def identify(
    steps: Steps[Any],
    parameters: Parameters,
    size: ArrayLike = 1,
    frozen: Collection[str] = (),
    patterns: np.ndarray | None = None,
    labels: Labels = NO_LABELS,
) -> Identifiability:
    """Test the rank of a mixture at random points and at ``parameters``.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    parameters : Parameters
        The estimate.
    size : array_like, shape (), (D,) or (n, D)
        Sizes of the cells. The test uses the row of a matrix with the largest sizes, which is the most informative.
    frozen : collection of str, default ()
        Quantities that were not estimated.
    patterns : ndarray of bool, shape (P, D), or None
        Sets of features that were observed together; ``None`` if a sample has all features. Only the distributions of
        these sets are determined by the data.
    labels : mapping of str to sequence of str
        Names of the features.

    Examples
    --------
    >>> from em.bmm import BINOMIAL
    >>> from em.identifiability.rank_test import identify
    >>> from models.bmm import BMMParameters
    >>> identify(BINOMIAL, BMMParameters([0.5, 0.5], [[0.2], [0.8]])).rank
    1
    """
    K, D = parameters.n_components, parameters.n_features
    sizes = np.asarray(size, dtype=np.float64)
    if sizes.ndim == 2:
        sizes = sizes[np.log1p(sizes).sum(axis=1).argmax()]
    p = sum(n for name, n in parameters.n_free.items() if name not in frozen)
    if K == 1 or p == 0:
        return Identifiability(True, p, p, "one component is always identified" if p else "nothing is estimated")
    together = largest_patterns(patterns, D)
    question = _Question(steps, np.broadcast_to(sizes, D), frozenset(frozen), together, labels)
    if (parameters.weights <= BOUNDARY).any() and not set(parameters.arrays()) <= set(frozen):
        return _emptied(parameters, question)
    if p > MOST_PARAMETERS or len(together) > MOST_PATTERNS:
        return Identifiability(True, p, p, "too large for a test of identifiability")
    if 2 * ceil(log2(K)) + 1 > together.sum(axis=1).min():  # with more features it is generically identifiable
        rng = np.random.RandomState(0)
        generic = [_rank(steps.random(parameters, rng), question)[0] for _ in range(3)]
        if max(generic) < p:
            return _not_identified(parameters, question, max(generic), p, "at random points of the model")
    rank, names, _ = _rank(parameters, question)
    if rank < len(names):
        return _not_identified(parameters, question, rank, len(names), "at the estimate")
    if not names:
        return Identifiability(True, 0, 0, "nothing is free: all estimates are on the boundary")
    return Identifiability(True, rank, len(names), f"identified: rank {rank} of {len(names)} free parameters")


@dataclass(frozen=True)
class _Question:
    """The family, sizes (D,), frozen quantities, sets of features that were observed together (P, D), and labels."""

    steps: Steps[Any]
    sizes: Array
    frozen: frozenset[str]
    together: np.ndarray
    labels: Labels


def largest_patterns(patterns: np.ndarray | None, n_features: int) -> np.ndarray:
    """Return the patterns (P, D) of observed features that are not subsets of others: the others add nothing."""
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


def _emptied(parameters: Parameters, question: _Question) -> Identifiability:
    """Return the result if components are empty: their parameters are free, the others are tested as a mixture."""
    kept, frozen = parameters.weights > BOUNDARY, question.frozen
    estimated = [q for q in parameters.quantities[1:] if q.name not in frozen]
    empty = np.flatnonzero(~kept).tolist()
    own = {q.name: getattr(parameters, q.name)[kept] for q in parameters.quantities if not q.shared}
    own["weights"] = own["weights"] / own["weights"].sum()
    mixture = question.steps.parameters({**parameters.arrays(), **own})
    rest = identify(question.steps, mixture, question.sizes, frozen, question.together, question.labels)
    if not estimated:
        return rest
    of_one = sum(parameters.n_free[q.name] for q in estimated) // parameters.n_components
    p = rest.n_free_parameters + len(empty) * of_one
    sentence = f"rank {rest.rank} of {p} free parameters at the estimate: no sample has a share of "
    sentence += f"{listed(empty, noun='component')}, so the {' and '.join(q.name for q in estimated)} there are free"
    return Identifiability(False, rest.rank, p, sentence, {estimated[0].entry((empty[0], 0), question.labels): 1.0})


def _not_identified(parameters: Parameters, question: _Question, rank: int, p: int, where: str) -> Identifiability:
    rank_here, names, null = _rank(parameters, question)
    direction = {name: float(part) for name, part in zip(names, null, strict=True)} if rank_here < len(names) else {}
    quantity, D = parameters.quantities[1], len(question.sizes)
    if known := question.steps.known_mean(parameters, question.sizes) if not question.frozen else "":
        detail = known
    elif direction:
        detail = f"free direction, largest parts: {largest_parts(direction)}"
    else:
        edges = quantity.support.edges
        detail = f"here the {quantity.name} on the boundary ({edges}), held there, pin down the rest"
    if len(question.together) > 1:
        detail += f"; samples show at most {question.together.sum(axis=1).max()} of {D} features together"
    sentence = f"rank {rank} of {p} free parameters {where}: different parameters give the same distribution; {detail}"
    return Identifiability(False, rank, p, sentence, direction)


def _rank(parameters: Parameters, question: _Question) -> tuple[int, list[str], Array]:
    """Return the rank, the names of the free parameters, and the direction that changes the distribution least."""
    entries = entries_of(parameters, 1.0, question.frozen, question.labels)
    names = [entries.names[j] for j in entries.free]
    if not names:
        return 0, [], np.empty(0)
    scores = np.concatenate([_scores(parameters, question, pattern) for pattern in question.together]) @ entries.by_free
    norms = np.linalg.norm(scores, axis=0)
    norms = np.where(norms > 1e-12 * norms.max(), norms, np.inf)  # a parameter without effect keeps a column of zeros
    triangle = np.linalg.qr(scores / norms, mode="r")  # has the same singular values and right vectors
    _, singular, right = np.linalg.svd(triangle, full_matrices=True)
    rank = int((singular > RELATIVE_RANK_TOLERANCE * singular[0]).sum())
    silent = np.flatnonzero(np.isinf(norms))
    freest = np.eye(len(names))[silent[0]] if len(silent) else right[-1] / norms
    return rank, names, freest / np.linalg.norm(freest)


def _scores(parameters: Parameters, question: _Question, pattern: np.ndarray) -> Array:
    """Return a matrix whose rank is that of the Fisher information: a row sqrt(P(x)) ∂ log P(x) for each cell x.

    The columns are all entries of the parameters. If the cells of the pattern's features are too many to enumerate, the
    rows are the scores of `_typical_cells`, without the factor sqrt(P(x)).
    """
    steps, weights = question.steps, parameters.weights
    cells, enumerated = _cells(parameters, question, pattern)
    rows = steps.rows(cells, np.broadcast_to(question.sizes, cells.shape))
    log_f = rows.log_base[:, None] + steps.log_kernel(rows, parameters.arrays())
    log_p = logsumexp(log_f + log_of(weights), axis=1, keepdims=True)
    possible = np.isfinite(log_p[:, 0])
    ratio = np.exp(log_f[possible] - log_p[possible])  # f_k / P
    terms = zip(rows.statistics, steps.derivatives(parameters.inside(INTERIOR)), strict=True)
    by_theta = np.asarray(sum(np.asarray(T)[possible][:, None, None] * first for T, (first, _) in terms))
    of_theta = (weights * ratio)[:, None, :, None] * by_theta
    scores = np.concatenate([ratio, of_theta.reshape(len(ratio), -1)], axis=1)
    return scores * np.exp(0.5 * log_p[possible]) if enumerated else scores


def _cells(parameters: Parameters, question: _Question, pattern: np.ndarray) -> tuple[Array, bool]:
    """Return cells (m, D), NaN outside the pattern, and whether these are all cells except improbable ones."""
    values = question.steps.values(parameters.arrays(), question.sizes)
    if values is not None:
        own = [of_feature if seen else np.array([np.nan]) for of_feature, seen in zip(values, pattern, strict=True)]
        if np.log([len(of_feature) for of_feature in own]).sum() <= np.log(MOST_CELLS):
            return np.array(list(product(*own)), dtype=np.float64), True
    cells = _typical_cells(parameters, question)
    cells[:, ~pattern] = np.nan
    return cells, False


def _typical_cells(parameters: Parameters, question: _Question) -> Array:
    """Draw at least 2 D cells from each component, and change one feature in D of them to a neighbouring value.

    Each feature is changed once. Draws from the mixture would miss the rare features of small components, which would
    then seem not identified.
    """
    K, D = parameters.n_components, parameters.n_features
    rng, n = np.random.RandomState(0), 2 * max(D, ceil(parameters.n_free_parameters / parameters.n_components))
    cells = []
    for k in range(K):
        alone = question.steps.parameters({**parameters.arrays(), "weights": np.eye(K)[k]})
        X = simulate(alone, n, np.broadcast_to(question.sizes, (n, D)), rng)[0]
        neighbours = question.steps.neighbours(X, np.broadcast_to(question.sizes, (n, D)))
        X[np.arange(D), np.arange(D)] = neighbours[np.arange(D), np.arange(D)]
        cells.append(X)
    return np.concatenate(cells)
