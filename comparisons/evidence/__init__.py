"""Estimate the evidence p(X) of a conjugate mixture from Gibbs draws of its labels, by Chib's identity.

The parameters are integrated out. For any θ* that does not depend on the draws of z in the average,

    1 / p(X) = E_{z | X}[ p(z | X, θ*) / p(X, z) ],    p(z | X, θ*) = Π_i r_{i z_i} at θ*

with log p(X, z) in closed form (:mod:`comparisons.evidence.exact`). The identity holds for any distribution of z in the
numerator; the closer it is to p(z | X), the less the ratio varies. So for each chain the numerator is averaged over 20
draws θ* of the other chains. (With draws of the same chain, the average would include their own z, where the ratio is
largest, and the estimate of p(X) would be too small: by a nat on faithful, K = 3.)

A Gibbs sampler that does not switch labels explores one of K! copies of the posterior. Averaging p(z | X, θ*) over the
K! labellings of θ* corrects for this: the average over one copy is then the average over all (Berkhof, van Mechelen &
Gelman 2003). With T_jk = Σ_i 1[z_i = j] log r_ik, the sum over labellings is the permanent of exp T, which takes 2^K K
steps instead of K!.

References
----------
Chib (1995), Marginal likelihood from the Gibbs output, JASA 90, 1313-1321.
Berkhof, van Mechelen & Gelman (2003), A Bayesian approach to the selection and testing of mixture models, Statistica
Sinica 13, 423-442.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from comparisons.evidence.exact import log_joint_of_labels
from em.families import conjugate_mixture
from models.validation import Array

STARS = 20  # draws θ* in the average
IMPOSSIBLE = -1e12  # stands for log 0, because 0 times -inf is NaN


@dataclass(frozen=True)
class Evidence:
    """An estimate of log p(X) in nats.

    Attributes
    ----------
    log_evidence : float
        Logarithm of the average of the estimates of p(X) by independent runs.
    standard_error : float
        Standard error of ``log_evidence``, from the scatter of the runs.
    runs : tuple of float
        log p(X) by each run.
    """

    log_evidence: float
    standard_error: float
    runs: tuple[float, ...]


def combined(runs: Any) -> Evidence:
    """Average independent estimates of p(X), given as logarithms."""
    runs = np.asarray(runs, dtype=np.float64)
    shares = np.exp(runs - runs.max())
    error = shares.std(ddof=1) / shares.mean() / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
    return Evidence(float(logsumexp(runs) - np.log(len(runs))), float(error), tuple(runs.tolist()))


def chib_evidence(X: ArrayLike, draws: Mapping[str, Array], prior: Any, **size: Any) -> Evidence:
    """Return the evidence, estimated from draws of :func:`em.gibbs.gibbs`.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    draws : mapping
        Arrays (chains, draws, ...) by name, with z. A single chain is split into two halves.
    prior : MixturePrior
        The prior of these draws; it must be conjugate and treat components alike.
    **size
        Sizes of the cells if the family has them, such as ``n_trials`` or ``exposure``: a number, (D,) or (n, D).

    Raises
    ------
    ValueError
        If the prior is not conjugate or does not treat components alike, or the draws do not belong to these data.

    Examples
    --------
    >>> from comparisons.evidence import chib_evidence
    >>> from comparisons.evidence.exact import exact_posterior
    >>> from em.gibbs import gibbs
    >>> from models.bmm import BMMPrior
    >>> X, prior = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 1, 0]], BMMPrior(1, 1, 1)
    >>> evidence = chib_evidence(X, gibbs(X, 2, prior, random_state=0), prior)
    >>> round(evidence.log_evidence, 1), round(exact_posterior(X, 2, prior).log_evidence, 1)
    (-9.3, -9.3)
    """
    mixture = conjugate_mixture(X, prior, **size)
    if not prior.exchangeable:
        raise ValueError("prior must treat all components alike (equal concentration), so that labels may be averaged")
    names = [quantity.name for quantity in mixture.quantities]
    if not isinstance(draws, Mapping) or (lacking := {"z", *names} - set(draws)):
        given = type(draws).__name__ if not isinstance(draws, Mapping) else f"no {', '.join(sorted(lacking))}"
        raise ValueError(f"draws must be what em.gibbs.gibbs returned under the prior, arrays by name, got {given}")
    n_chains, n_draws, n_labels = draws["z"].shape
    if n_labels != (n := len(mixture.X)):
        raise ValueError(f"draws must have labels of the {n} rows of X, got {n_labels} of them")
    if n_chains * n_draws < 2:
        raise ValueError("draws must be at least 2, to average one over the other, got 1")
    if n_chains == 1:
        half = n_draws // 2
        draws = {name: array[0, : 2 * half].reshape(2, half, *array.shape[2:]) for name, array in draws.items()}
    inverses = []
    for chain, z in enumerate(draws["z"].astype(int)):
        others = {name: np.concatenate(np.delete(draws[name], chain, axis=0)) for name in names}
        stars = np.unique(np.linspace(0, len(others["weights"]) - 1, STARS).astype(int))
        log_joint = np.swapaxes(mixture.log_joint({name: array[stars] for name, array in others.items()}), 1, 2)
        log_ratio = _log_numerator(z, log_joint) - log_joint_of_labels(X, z, log_joint.shape[1], prior, **size)
        inverses.append(logsumexp(log_ratio) - np.log(len(z)))
    inverse = combined(inverses)
    return Evidence(-inverse.log_evidence, inverse.standard_error, tuple(-run for run in inverse.runs))


def _log_numerator(z: np.ndarray, log_joint: Array) -> Array:
    """Return log p(z | X, θ*) of labels (S, n), averaged over θ* and over the labellings of θ*.

    ``log_joint`` has the shape (number of θ*, K, n).
    """
    n_stars, K, _ = log_joint.shape
    log_r = log_joint - logsumexp(log_joint, axis=1, keepdims=True)
    log_r = np.maximum(log_r, IMPOSSIBLE).reshape(n_stars * K, -1).T
    T = np.stack([((z == j) @ log_r).reshape(len(z), n_stars, K) for j in range(K)], axis=2)  # (S, θ*, K, K)
    of_stars = [_log_permanent(T[:, star]) for star in range(n_stars)]
    return logsumexp(of_stars, axis=0) - np.log(n_stars) - lgamma(K + 1)


def _log_permanent(T: Array) -> Array:
    """Return log Σ_σ Π_j exp T_jσ(j) over the permutations σ, of matrices (S, K, K).

    By the recursion of Bellman and of Held and Karp: the sum over all assignments of the first m rows to a set of m
    columns is a sum over the column k of row m, of exp T_mk times the sum for the first m - 1 rows and the set without
    k.
    """
    K = T.shape[-1]
    of_sets = np.zeros((2**K, len(T)))
    for columns in range(1, 2**K):
        row = columns.bit_count() - 1
        inside = [k for k in range(K) if columns >> k & 1]
        of_sets[columns] = np.logaddexp.reduce([of_sets[columns ^ (1 << k)] + T[:, row, k] for k in inside])
    return of_sets[-1]
