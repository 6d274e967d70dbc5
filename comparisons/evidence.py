"""The evidence p(X) of a conjugate mixture from Gibbs draws of its labels: Chib's identity, parameters integrated out.

For any θ*, and indeed any distribution of z in the numerator,

    1 / p(X) = E_{z | X}[ p(z | X, θ*) / p(X, z) ],    p(z | X, θ*) = Π_i r_{i z_i} at θ*

with log p(X, z) in closed form (:mod:`comparisons.exact`). The nearer the numerator is to p(z | X), the less the ratio
varies: it is averaged over 20 draws θ*. A Gibbs sampler that does not switch labels sees one of K! copies of the
posterior; with p(z | X, θ*) averaged over the K! labellings of θ* too, the average over one copy is that over all, and
nothing is lost (Berkhof, van Mechelen & Gelman 2003).

References
----------
Chib (1995), Marginal likelihood from the Gibbs output, JASA 90, 1313-1321.
Berkhof, van Mechelen & Gelman (2003), A Bayesian approach to the selection and testing of mixture models, Statistica
Sinica 13, 423-442.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from comparisons.exact import log_joint_of_labels
from comparisons.family import family_of
from models.bmm import BMMPrior
from models.gmm import GMMPrior
from models.validation import Array, data_matrix

STARS = 20


@dataclass(frozen=True)
class Evidence:
    """An estimate of log p(X) in nats.

    Attributes
    ----------
    log_evidence : float
        Logarithm of the average over independent runs of estimates of p(X).
    standard_error : float
        From the scatter of the runs.
    runs : tuple of float
        log p(X) of each.
    """

    log_evidence: float
    standard_error: float
    runs: tuple[float, ...]


def combined(runs: Any) -> Evidence:
    """Return the average of independent estimates of p(X), given as logarithms."""
    runs = np.asarray(runs, dtype=np.float64)
    shares = np.exp(runs - runs.max())
    error = shares.std(ddof=1) / shares.mean() / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
    return Evidence(float(logsumexp(runs) - np.log(len(runs))), float(error), tuple(runs.tolist()))


def chib_evidence(
    X: ArrayLike, draws: Mapping[str, Array], prior: GMMPrior | BMMPrior, n_trials: ArrayLike = 1
) -> Evidence:
    """Return the evidence from what :func:`em.gibbs.gibbs` drew.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    draws : mapping
        Arrays (chains, draws, ...) by name, with z.
    prior : GMMPrior or BMMPrior
        The prior that they were drawn under; it must treat components alike.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell, for counts.

    Examples
    --------
    >>> from comparisons.evidence import chib_evidence
    >>> from comparisons.exact import exact_posterior
    >>> from em.gibbs import gibbs
    >>> from models.bmm import BMMPrior
    >>> X, prior = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 1, 0]], BMMPrior(1, 1, 1)
    >>> found = chib_evidence(X, gibbs(X, 2, prior, random_state=0), prior)
    >>> round(found.log_evidence, 1), round(exact_posterior(X, 2, prior).log_evidence, 1)
    (-9.3, -9.3)
    """
    if not prior.exchangeable:
        raise ValueError("prior must treat all components alike (equal concentration), so that labels may be averaged")
    X = data_matrix(X, missing=True)
    half = family_of("gmm", 1, prior.covariance_type) if isinstance(prior, GMMPrior) else family_of("bmm", n_trials)
    flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in draws.items()}
    stars = np.linspace(0, len(flat["z"]) - 1, STARS).astype(int)
    log_joint = half.log_joint(X)({name: flat[name][stars] for name in half.parameter_names})(slice(0, len(X)))
    log_r = log_joint - logsumexp(log_joint, axis=1, keepdims=True)
    K, z, rows = log_r.shape[1], flat["z"].astype(int), np.arange(len(X))
    log_q = np.full(len(z), -np.inf)
    for of_star in log_r:
        for order in permutations(range(K)):
            log_q = np.logaddexp(log_q, of_star[np.array(order)[z], rows].sum(axis=1))
    log_q -= np.log(len(log_r) * factorial(K))
    log_ratio = (log_q - log_joint_of_labels(X, z, K, prior, n_trials)).reshape(draws["z"].shape[:2])
    inverse = combined(logsumexp(log_ratio, axis=1) - np.log(log_ratio.shape[1]))
    return Evidence(-inverse.log_evidence, inverse.standard_error, tuple((-np.array(inverse.runs)).tolist()))
