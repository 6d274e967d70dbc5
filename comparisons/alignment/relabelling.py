"""The three rules that undo label switching, as functions of plain arrays.

The posterior of a mixture does not change when its components are relabelled, so each of S draws has one of K! orders.
A rule finds the orders ν_1, ..., ν_S of least loss, where component ν_s(k) of draw s gets the index k:

    pivot      Σ_s Σ_k Σ_e (θ_s[ν_s(k), e] - θ*[k, e])² / σ_e²                 θ* given; σ_e the posterior's spread
    ECR        Σ_s Σ_i 1(z_si ≠ ν_s(z*_i))                                     z* given, or part of the minimum
    Stephens   Σ_s Σ_i Σ_k p_s[i, ν_s(k)] log(p_s[i, ν_s(k)] / q[i, k])        q part of the minimum

Given θ*, z* or q, each draw is an assignment problem of its own (Kuhn 1955), and is solved exactly. Given the orders,
z* and q have closed forms: the most common label, and the mean responsibilities. The two steps alternate until neither
lowers the loss, which never increases. This may be a local minimum, so the iteration starts from several draws, and the
run of least loss is kept.

References
----------
Marin, Mengersen & Robert (2005), Handbook of Statistics 25, 459-507: pivotal reordering.
Papastamoulis & Iliopoulos (2010), Journal of Computational and Graphical Statistics 19, 313-331: equivalence classes
representatives (ECR); Rodríguez & Walker (2014), ibid. 23, 25-45: its first iterative version.
Stephens (2000), Journal of the Royal Statistical Society B 62, 795-809, algorithm 2.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import xlogy

from models.validation import Array

MAX_ITER = 100
ROUNDING = 1e-12
Blocks = Callable[[], Iterable[Array]]


class Relabelling(NamedTuple):
    """Orders (S, K), the loss of each draw (S,), and how the iteration ended."""

    orders: np.ndarray
    losses: Array
    n_iter: int
    converged: bool


def assign(costs: Array) -> np.ndarray:
    """Return for each draw the order of its components with the least total cost.

    Parameters
    ----------
    costs : ndarray, shape (..., K, K)
        Cost of giving the draw's component j (first axis) the index k (second axis).

    Returns
    -------
    ndarray of int, shape (..., K)
        ``order``: the draw's component ``order[k]`` gets the index k.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.alignment.relabelling import assign
    >>> assign(np.array([[5.0, 0.0], [0.0, 5.0]]))
    array([1, 0])
    """
    best = [linear_sum_assignment(matrix.T)[1] for matrix in costs.reshape(-1, *costs.shape[-2:])]
    return np.array(best, dtype=int).reshape(costs.shape[:-1])


def total(costs: Array, orders: np.ndarray) -> Array:
    """Return Σ_k costs[..., orders[k], k], the cost of each draw's order, shape (...)."""
    return np.take_along_axis(costs, orders[..., None, :], axis=-2).sum(axis=(-2, -1))


# Pivot ----------------------------------------------------------------------------------------------------------------


def pivot(draws: Array, reference: Array, scale: Array) -> Relabelling:
    """Return the orders of least Σ_k Σ_e (θ_s[ν_s(k), e] - θ*[k, e])² / σ_e².

    Parameters
    ----------
    draws : ndarray, shape (S, K, E)
        The E entries of each component.
    reference : ndarray, shape (K, E)
        θ*.
    scale : ndarray, shape (E,)
        σ_e.
    """
    costs = np.stack([(((draws - component) / scale) ** 2).sum(axis=-1) for component in reference], axis=-1)
    orders = assign(costs)
    return Relabelling(orders, total(costs, orders), 1, True)


def pivot_scale(draws: Array, reference: Array) -> Array:
    """Return σ_e, shape (E,): the posterior standard deviation of an entry, averaged (squared) over components.

    The standard deviation within components needs matched draws. So the draws are matched first in units of the
    standard deviation over all draws and components, and σ_e is computed from the result. An entry that is constant
    over all draws and components gets σ_e = infinity: it costs the same in every order.
    """
    pooled = draws.std(axis=(0, 1))
    pooled = np.where(pooled > ROUNDING * np.abs(draws).max(axis=(0, 1)), pooled, np.inf)
    matched = np.take_along_axis(draws, pivot(draws, reference, pooled).orders[:, :, None], axis=1)
    within = np.sqrt(matched.var(axis=0).mean(axis=0))
    return np.maximum(within, 1e-6 * pooled)  # an entry that is constant within components has a large, finite weight


# ECR and Stephens -----------------------------------------------------------------------------------------------------


def log_mean(q: Array) -> Array:
    """Return Stephens' score log q[i, k] of a unit of responsibility at index k."""
    return np.log(np.maximum(q, 1e-300))


def commonest(q: Array) -> Array:
    """Return ECR's score of a label k: 0 for the most common label, which is the pivot z*_i, and -1 for all others."""
    return np.asarray(np.eye(q.shape[1])[q.argmax(axis=1)] - 1)


def relabel(
    blocks: Blocks, score: Callable[[Array], Array], starts: Sequence[int | Array], max_iter: int = MAX_ITER
) -> Relabelling:
    """Alternate between the template q and the orders, from each start; return the run of least loss.

    Both rules minimise Σ_s Σ_i Σ_k p (log p - score(q)) with p = p_s[i, ν_s(k)] and q the mean of p over draws. For
    ECR, p is 1 where z_si = k and 0 elsewhere, so that p log p = 0.

    Parameters
    ----------
    blocks : callable
        Returns an iterator over blocks of rows of p, each of shape (S, K, m). It is called once per iteration; no array
        of size S x n is kept.
    score : callable
        :func:`log_mean` for Stephens, :func:`commonest` for ECR.
    starts : sequence of int or ndarray, shape (n, K)
        First templates: a template, or the number of a draw whose p is the template. The result has the order of
        components of the first start.
    max_iter : int
        Largest number of iterations; 1 keeps the template as it is given.
    """
    runs: dict[int, Relabelling] = {}
    active, entropies = list(range(len(starts))), np.zeros(1)
    for n_iter in range(1, max_iter + 1):
        costs, done = {r: np.zeros(1) for r in active}, 0
        for p in blocks():
            S, K, m = p.shape
            if n_iter == 1:
                entropies = entropies + xlogy(p, p).sum(axis=(1, 2))
            for r in active:
                q = _mean(p, runs[r].orders) if r in runs else _first_template(starts[r], p, done)
                costs[r] = costs[r] - (p.reshape(S * K, m) @ score(q)).reshape(S, K, K)
            done += m
        for r, of_run in costs.items():
            orders = _better(of_run, runs[r].orders) if r in runs else assign(of_run)
            stopped = max_iter == 1 or (r in runs and np.array_equal(orders, runs[r].orders))
            runs[r] = Relabelling(orders, entropies + total(of_run, orders), n_iter, stopped)
        active = [r for r in active if not runs[r].converged]
        if not active:
            break
    best = min(runs.values(), key=lambda run: float(run.losses.sum()))
    return best._replace(orders=_labelled_like(runs[0].orders, best.orders))


def _first_template(start: int | Array, p: Array, done: int) -> Array:
    return start[done : done + p.shape[2]] if isinstance(start, np.ndarray) else p[start].T


def _mean(p: Array, orders: np.ndarray) -> Array:
    """Return q[i, k], the mean over draws of p_s[i, ν_s(k)], shape (m, K)."""
    S, K, m = p.shape
    one_hot = np.eye(K)[np.argsort(orders, axis=1)].reshape(S * K, K)  # 1 where component j gets the index k
    return np.asarray(p.reshape(S * K, m).T @ one_hot / S)


def _better(costs: Array, orders: np.ndarray) -> np.ndarray:
    """Return the best orders; keep the present order of a draw if the best one gains no more than rounding."""
    best = assign(costs)
    present = total(costs, orders)
    gains = present - total(costs, best) > ROUNDING * np.abs(present)
    return np.where(gains[:, None], best, orders)


def _labelled_like(wanted: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Permute the indices, in all draws alike, so that most components have the index that ``wanted`` gives them."""
    agreement = (orders[:, :, None] == wanted[:, None, :]).sum(axis=0)
    return orders[:, assign(-agreement.astype(np.float64))]
