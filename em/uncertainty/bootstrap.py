"""The bootstrap of a mixture's estimate: refit the mixture to many simulated samples.

The non-parametric bootstrap draws n rows from the n rows of X with replacement. The parametric bootstrap draws n rows
from the fitted mixture, and the cells that are missing in X are missing again. Each fit starts at the estimate. Its
components are matched to the estimate's by the assignment with the least total distance

    d(j, k) = Σ_i (r*_ij - r_ik)²

between the responsibilities of the drawn rows under the fit and under the estimate (Kuhn 1955).

If the n rows are too many to be fitted again and again, n rows are drawn with replacement from a random part of m rows
(the bag of little bootstraps, with a single bag). Let θ̂_m be the fit to this part with each row counted n / m times.
Then θ* - θ̂_m is distributed as θ̂ - θ, up to a relative error of the order 1 / sqrt(m), so the replicates are
θ̂ + θ* - θ̂_m.

References
----------
McLachlan & Peel (2000), Finite Mixture Models, section 2.16.
Kleiner, Talwalkar, Sarkar & Jordan (2014), A scalable bootstrap for massive data, JRSS B 76, 795-816.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from em.bound import normalise
from em.chunked import is_chunked
from em.chunked.samples import chunked_samples
from em.chunked.sampling import in_memory
from em.engine import Run
from em.engine.blocks import batches
from em.process.progress import track
from em.samples import Samples
from em.samples.distinct import row_order
from em.samples.reading import samples_to_use
from em.uncertainty.entries import Entries
from em.uncertainty.louis import frequencies
from models.validation import Array

MOST_RESAMPLED = 20_000  # rows of chunks in the random part; standard errors are then off by about 1 %

type Draw = Callable[[np.random.RandomState], Samples]


def resampled(
    estimator: Any, X: Any, sample_weight: Any, seeds: Sequence[int], progress: bool
) -> tuple[Entries, Array, str]:
    """Return the entries of the fit, bootstrap replicates of them (B, p), and a sentence about the bootstrap fits.

    Parameters
    ----------
    estimator : MixtureEM
        The fitted mixture.
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        Its samples.
    sample_weight : array_like, shape (n,), or None
        How often each row counts, in whole numbers.
    seeds : sequence of int, length B
        Independent seeds of the bootstrap samples.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If fewer than two of the fits have a maximum, or if the fit to the random part has none.
    """
    if is_chunked(X):
        samples: Any = chunked_samples(estimator._for_chunks(X), X, sample_weight)
        rows = in_memory(samples, MOST_RESAMPLED)
        fit = estimator.at_estimate(np.arange(rows.n_rows))
    else:
        matrix = samples_to_use(estimator, X, missing=True)
        frequencies(sample_weight, matrix.shape[0], whole=True)
        fit = estimator.at_estimate(np.arange(matrix.shape[0]))
        rows = samples = fit._distinct(fit._samples(matrix, sample_weight))
    n, entries = samples.total, estimator._entries(samples.total)
    draw = _resampling(rows, n)
    replicates, status = _fitted(estimator, fit, draw, rows.X.size, entries, seeds, progress)
    if round(rows.total) == round(n):
        return entries, replicates, status
    for _, of_part in _refits(estimator, fit, entries, [replace(rows, weights=rows.frequencies * (n / rows.total))]):
        status += f"; each drawn from {rows.total:,.0f} of {n:,.0f} samples at random"
        return entries, replicates + (entries.values - of_part), status
    raise ValueError(f"X must have a maximum on a random part of {rows.total:,.0f} samples, got a fit that collapsed")


def simulated(
    estimator: Any, X: Any, sample_weight: Any, seeds: Sequence[int], progress: bool
) -> tuple[Entries, Array, str]:
    """Do as `resampled`, with samples drawn from the mixture; X must be dense and in memory."""
    if is_chunked(X):
        raise ValueError("kind must be 'louis' or 'bootstrap' where X is in chunks, got 'parametric bootstrap'")
    matrix: Any = samples_to_use(estimator, X, missing=True)
    if issparse(matrix):
        raise TypeError("X must be dense for a parametric bootstrap, which draws dense X: pass kind='bootstrap'")
    rows = repeated_rows(sample_weight, matrix)
    fit, missing, entries = estimator.at_estimate(rows), np.isnan(matrix[rows]), estimator._entries(len(rows))

    def draw(rng: np.random.RandomState) -> Samples:
        return fit._samples(np.where(missing, np.nan, fit.sample(len(rows), rng)[0]), None)

    return entries, *_fitted(estimator, fit, draw, missing.size, entries, seeds, progress)


def _resampling(rows: Samples, n_samples: float) -> Draw:
    """Return a function that draws n samples with replacement, as multinomial frequencies of the rows.

    The draws follow the hashes of the rows, so that they do not depend on the order of the rows.
    """
    order, weights, n = row_order(rows.X, rows.weights, hashed=True), rows.weights, round(n_samples)
    shares = np.full(len(order), 1 / len(order)) if weights is None else weights[order] / weights.sum()

    def draw(rng: np.random.RandomState) -> Samples:
        once = weights is None and n == len(order)  # then integers take a tenth of the multinomial's time
        times = np.empty(len(order))
        times[order] = np.bincount(rng.randint(n, size=n), minlength=n) if once else rng.multinomial(n, shares)
        return replace(rows, weights=times)  # rows of weight 0 stay, so that all samples have the same rows

    return draw


def _fitted(
    estimator: Any, fit: Any, draw: Draw, n_numbers: int, entries: Entries, seeds: Sequence[int], progress: bool
) -> tuple[Array, str]:
    """Return the entries (B, p) of fits to drawn samples that start at the estimate, and a sentence about the fits.

    ``draw`` draws a sample, of ``n_numbers`` numbers.
    """
    n_bootstrap, replicates, unconverged = len(seeds), list[Array](), 0
    for some in track(batches(n_bootstrap, n_numbers), f"{n_bootstrap} bootstrap samples", progress):
        for run, values in _refits(estimator, fit, entries, [draw(check_random_state(seed)) for seed in seeds[some]]):
            unconverged += not run.converged
            replicates.append(values)
    if len(replicates) < 2:
        raise ValueError(f"n_bootstrap={n_bootstrap} left {len(replicates)} fits with a maximum, and two are needed")
    status = f"{len(replicates)} bootstrap samples, percentile intervals"
    if n_bootstrap > len(replicates):
        status += f"; {n_bootstrap - len(replicates)} more collapsed and were left out"
    if unconverged:
        status += f"; {unconverged} reached max_iter"
    return np.array(replicates), status


def _refits(estimator: Any, fit: Any, entries: Entries, drawn: Sequence[Samples]) -> Iterator[tuple[Run[Any], Array]]:
    """Yield the run of each bootstrap sample that has a maximum, and its entries (p,) with aligned labels."""
    from em.batches import best_runs  # em.batches imports the estimators, which import this module

    for samples, run in zip(drawn, best_runs([fit] * len(drawn), drawn), strict=True):
        if run.collapsed:
            continue
        roots = 1.0 if samples.weights is None else np.sqrt(samples.weights)[:, None]
        both = run.parameters, estimator.parameters_
        r, reference = (roots * normalise(fit._log_joint_at(samples, theta))[0] for theta in both)
        yield run, entries.of(run.parameters.permute(nearest_order(r, reference)).arrays())


def nearest_order(responsibilities: Array, reference: Array) -> np.ndarray:
    """Return the order of components that is nearest to the reference's, by the least total distance d(j, k).

    Parameters
    ----------
    responsibilities, reference : ndarray, shape (m, K)
        Responsibilities of the same rows under two mixtures.

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


def repeated_rows(sample_weight: ArrayLike | None, X: Any) -> np.ndarray:
    """Return the row numbers of X, each repeated by its weight.

    They are in the order of the rows' values, so that draws do not depend on the order of the rows.

    Raises
    ------
    ValueError
        If the weights are not whole numbers.
    """
    weights, order = frequencies(sample_weight, X.shape[0], whole=True), row_order(X)
    return np.repeat(order, weights[order].astype(int))
