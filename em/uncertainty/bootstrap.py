"""The bootstrap of a mixture's estimate: fit again to samples that might as well have been seen.

Non-parametric: n rows drawn from the n rows of X with replacement. Parametric: n rows drawn from the fitted mixture,
with the same cells missing. Each fit starts at the estimate, and its components are matched to the estimate's by the
assignment of least total distance

    d(j, k) = Σ_i (r*_ij - r_ik)²

between the responsibilities that the fit and the estimate give the drawn rows (Kuhn 1955).

References
----------
McLachlan & Peel (2000), Finite Mixture Models, section 2.16.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.utils import check_random_state

from em.bound import normalise
from em.engine.blocks import blocks
from em.process.progress import track
from em.samples import Samples
from em.uncertainty.entries import Entries
from models.validation import Array

AT_A_TIME = 100  # replicates in one batch


def bootstrap(
    estimator: Any, X: Array, rows: np.ndarray, entries: Entries, seeds: list[int], parametric: bool, progress: bool
) -> tuple[Array, str]:
    """Return the entries of the refitted mixtures (B, p) and a sentence about the fits.

    Parameters
    ----------
    estimator : MixtureEM
        The fitted mixture.
    X : ndarray, shape (n, D)
        Its samples.
    rows : ndarray of int, shape (m,)
        The rows of X that were seen, each as often as it was.
    entries : Entries
        The p parameters at the estimate.
    seeds : list of int, length B
        Seeds of the bootstrap samples, which are independent.
    parametric : bool
        Whether to draw from the mixture instead of the rows.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If fewer than two of the fits have a maximum.
    """
    from em.batches import best_runs  # which knows estimators, as this module's callers do

    n_bootstrap, replicates, unconverged = len(seeds), [], 0
    fit = estimator.at_estimate(rows if parametric else np.arange(X.shape[0]))
    whole = None if parametric else fit._samples(X, None)
    for some in track(list(blocks(n_bootstrap, AT_A_TIME)), f"{n_bootstrap} bootstrap samples", progress):
        drawn = [_drawn(fit, whole, X, rows, check_random_state(seed)) for seed in seeds[some]]
        for samples, run in zip(drawn, best_runs([fit] * len(drawn), drawn), strict=True):
            if run.collapsed:
                continue
            unconverged += not run.converged
            roots = 1.0 if samples.weights is None else np.sqrt(samples.weights)[:, None]
            both = run.parameters, estimator.parameters_
            r, reference = (roots * normalise(fit._log_joint_at(samples, theta))[0] for theta in both)
            replicates.append(entries.of(run.parameters.permute(nearest_order(r, reference)).arrays()))
    if len(replicates) < 2:
        raise ValueError(f"n_bootstrap={n_bootstrap} left {len(replicates)} fits with a maximum, and two are needed")
    status = f"{len(replicates)} bootstrap samples, percentile intervals"
    if n_bootstrap > len(replicates):
        status += f"; {n_bootstrap - len(replicates)} more collapsed and were left out"
    if unconverged:
        status += f"; {unconverged} reached max_iter"
    return np.array(replicates), status


def _drawn(fit: Any, whole: Samples | None, X: Array, rows: np.ndarray, rng: np.random.RandomState) -> Samples:
    """Return the samples of one replicate: from the rows of the whole, or from the mixture with the holes of X."""
    if whole is None:
        samples: Samples = fit._samples(np.where(np.isnan(X[rows]), np.nan, fit.sample(len(rows), rng)[0]), None)
        return samples
    times = np.bincount(rng.choice(rows, size=len(rows)), minlength=X.shape[0])
    return replace(whole, weights=times[whole.numbers].astype(np.float64))  # of rows left out too: all are alike


def nearest_order(responsibilities: Array, reference: Array) -> np.ndarray:
    """Return the order that puts the component nearest to the reference's k, in all together, in the place of k.

    Parameters
    ----------
    responsibilities, reference : ndarray, shape (m, K)
        What two mixtures say about the same rows.

    Examples
    --------
    >>> import numpy as np
    >>> from em.uncertainty.bootstrap import nearest_order
    >>> nearest_order(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([1, 0])
    """
    overlap = responsibilities.T @ reference
    sizes = (responsibilities**2).sum(axis=0)[:, None] + (reference**2).sum(axis=0)
    return np.asarray(linear_sum_assignment((sizes - 2 * overlap).T)[1])
