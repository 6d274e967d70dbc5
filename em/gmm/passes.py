"""One pass over the data for all runs: E-step and sufficient statistics together.

The result is that of :func:`em.gmm.e_step` and :func:`em.gmm.statistics.sufficient_statistics`. Here the E-step of R
mixtures is one matrix product of a chunk's statistics and the natural parameters (:mod:`em.gmm.natural_form`). A second
product, with the responsibilities, gives the sums for the M-step. Rows are read in chunks, so no array of size n x K is
needed.
"""

import math
from threading import local
from typing import Any

import numpy as np

from em.bound import normalise, normalise_in_range
from em.engine.blocks import sum_over_chunks
from em.engine.problem import Arrays
from em.gmm import component_log_prob, log_joint
from em.gmm.natural_form import NaturalForm
from em.gmm.statistics import GaussianStatistics, sufficient_statistics
from models.gmm import GMMParameters
from models.validation import Array

MOST_NUMBERS_KEPT = 2**22  # in the statistics of all rows; if there are more, each pass computes them again by chunk
FEW_STATISTICS = 100  # of a row; with more, the matrix product takes nearly all the time
MOST_NUMBERS_OF_THREAD = 2**20  # in an array that a thread keeps to write to

type Weights = Array | None


class GaussianRows:
    """The Gaussian E-step of many runs on complete rows.

    Parameters
    ----------
    X : ndarray, or an object that gives one when it is sliced, shape (n, D) or (R, n, D)
        Samples, near 0 and of size 1: the same for all runs, or one set for each run.
    form : NaturalForm
        The natural form for D features and the structure of the covariances.
    weights : ndarray, shape (n,) or (R, n), or None
        Frequencies; ``None`` counts each row once.
    keep : bool, default True
        Whether to keep the statistics of all rows between passes, if they fit in memory.
    """

    def __init__(self, X: Any, form: NaturalForm, weights: Weights = None, *, keep: bool = True) -> None:
        self.X, self.form, self.weights = X, form, weights
        self.n_rows, self.own = X.shape[-2], len(X.shape) == 3
        self.kept: Array | None = None
        if self.own:
            self.kept = np.stack([self.form.statistics(x) for x in X])
        elif keep and self.n_rows * self.form.n_statistics <= MOST_NUMBERS_KEPT:
            self.kept = self.form.statistics(np.asarray(X[:], dtype=np.float64))

    def expect(
        self, theta: Arrays, runs: np.ndarray, at: tuple[Array, np.ndarray] | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """Return log-likelihoods (R,) in nats and sufficient statistics of the runs with these numbers, at ``theta``.

        ``at`` is the result of `NaturalForm.at` if it is already known.
        """
        natural, narrow = self.form.at(theta) if at is None else at
        if not narrow.any():
            log_likelihood, sums = self._natural(natural, runs)
            return log_likelihood, self.form.moments(sums).arrays()
        by_product, log_likelihood, sums = ~narrow.any(axis=1), np.empty(len(runs)), np.zeros(natural.shape)
        if by_product.any():
            log_likelihood[by_product], sums[by_product] = self._natural(natural[by_product], runs[by_product])
        statistics = self.form.moments(sums).arrays()
        for r in np.flatnonzero(~by_product).tolist():
            parameters = GMMParameters(**{n: array[r] for n, array in theta.items()}, covariance_type=self._kind)
            log_likelihood[r], of_run = self._partly_centred(parameters, natural[r], narrow[r], int(runs[r]))
            for name, array in of_run.arrays().items():
                statistics[name][r] = array
        return log_likelihood, statistics

    def _natural(self, natural: Array, runs: np.ndarray) -> tuple[Array, Array]:
        R, K, p = natural.shape
        weights = self.weights[runs] if self.weights is not None and self.weights.ndim == 2 else self.weights
        kept = self.kept[runs] if self.own and self.kept is not None else self.kept
        flat = natural if self.own else natural.reshape(R * K, p)

        def step(rows: slice) -> tuple[Array, dict[str, Array]]:
            statistics = self._statistics(rows) if kept is None else kept[..., rows]
            room, w = _room("joint", *flat.shape[:-1], statistics.shape[-1]), _of_rows(weights, rows)

            def joint() -> Array:
                return np.matmul(flat, statistics, out=room).reshape(R, K, -1).mT

            in_range = normalise_in_range(joint(), w) if p <= FEW_STATISTICS else None
            responsibilities, log_prob = in_range or normalise(joint(), overwrite=True, weights=w)
            r = responsibilities.mT
            sums = (r if self.own else r.reshape(R * K, -1)) @ statistics.mT
            return log_prob.sum(axis=1), {"sums": sums.reshape(R, K, p)}

        log_likelihood, sums = sum_over_chunks(self.n_rows, R * K + (1 if self.own else p), step)
        return log_likelihood, sums["sums"]

    def _statistics(self, rows: slice) -> Array:
        """Return the statistics of a slice of the rows, in memory that the thread's next call overwrites."""
        statistics = _room("statistics", self.form.n_statistics, rows.stop - rows.start)
        columns = statistics[self.form.columns]
        if hasattr(self.X, "put_columns"):
            self.X.put_columns(rows, columns)
        else:
            columns[:] = self.X[rows].T
        return self.form.completed(statistics)

    def _partly_centred(
        self, parameters: GMMParameters, natural: Array, narrow: np.ndarray, run: int
    ) -> tuple[float, GaussianStatistics]:
        """Return log-likelihood and statistics of one run; components marked ``narrow`` (K,) take the centred form."""
        if narrow.all():
            return self.centred(parameters, run)
        X, weights, kept = self._of_run(run)
        w, means = parameters.weights[narrow], parameters.means[narrow]
        those = GMMParameters(w / w.sum(), means, parameters.covariances[narrow], self._kind)

        def step(rows: slice) -> tuple[Array, dict[str, Array]]:
            x = np.asarray(X[rows], dtype=np.float64)
            statistics = self._statistics(rows) if kept is None else kept[:, rows]
            joint = np.matmul(natural, statistics, out=_room("joint", len(natural), statistics.shape[-1]))
            joint[narrow] = (component_log_prob(x, those) + np.log(w)).T
            responsibilities, log_prob = normalise(joint.T, overwrite=True, weights=_of_rows(weights, rows))
            moments = sufficient_statistics(x, responsibilities[:, narrow], means, self._kind).arrays()
            del moments["centers"]
            return log_prob.sum(keepdims=True), {"sums": responsibilities.T @ statistics.T, **moments}

        log_likelihood, sums = sum_over_chunks(self.n_rows, sum(natural.shape), step)
        statistics = self.form.moments(sums.pop("sums")).arrays()
        for name, array in {"centers": means, **sums}.items():
            statistics[name][narrow] = array
        return float(log_likelihood[0]), GaussianStatistics(self._kind, **statistics)

    def centred(self, parameters: GMMParameters, run: int = 0) -> tuple[float, GaussianStatistics]:
        """Return log-likelihood and statistics of one run by the centred form, with moments about the means."""
        X, weights, _ = self._of_run(run)

        def step(rows: slice) -> tuple[Array, dict[str, Array]]:
            x = np.asarray(X[rows], dtype=np.float64)
            responsibilities, log_prob = normalise(log_joint(x, parameters), weights=_of_rows(weights, rows))
            moments = sufficient_statistics(x, responsibilities, parameters.means, self._kind).arrays()
            del moments["centers"]
            return log_prob.sum(keepdims=True), moments

        K, D = parameters.means.shape
        log_likelihood, sums = sum_over_chunks(self.n_rows, K * D, step)
        return float(log_likelihood[0]), GaussianStatistics(self._kind, centers=parameters.means, **sums)

    def _of_run(self, run: int) -> tuple[Any, Weights, Array | None]:
        """Return the rows of a run, their weights, and their statistics if they are kept."""
        weights = self.weights[run] if self.weights is not None and self.weights.ndim == 2 else self.weights
        if self.own:
            return self.X[run], weights, None if self.kept is None else self.kept[run]
        return self.X, weights, self.kept

    @property
    def _kind(self) -> str:
        return self.form.covariance_type


def gaussian_pass(X: Any, parameters: GMMParameters, sample_weight: Weights = None) -> tuple[float, GaussianStatistics]:
    """Return the log-likelihood (sum, nats) and the responsibility-weighted sufficient statistics.

    Parameters
    ----------
    X : ndarray, shape (n, D)
        Samples of any float type and memory order. A memory-mapped array is read chunk by chunk.
    parameters : GMMParameters
        Current parameters, of any structure.
    sample_weight : ndarray, shape (n,), or None
        Frequencies of the rows; ``None`` counts each row once.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gmm.passes import gaussian_pass
    >>> from models.gmm import GMMParameters
    >>> parameters = GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> log_likelihood, statistics = gaussian_pass(np.array([[0.0], [1.0], [2.0]]), parameters)
    >>> statistics.counts
    array([1.5, 1.5])
    """
    kind, theta = parameters.covariance_type, {name: array[None] for name, array in parameters.arrays().items()}
    rows = GaussianRows(X, NaturalForm(kind, parameters.n_features), sample_weight, keep=False)
    log_likelihood, statistics = rows.expect(theta, np.zeros(1, dtype=int))
    return float(log_likelihood[0]), GaussianStatistics(kind, **{name: array[0] for name, array in statistics.items()})


_of_thread = local()


def _room(name: str, *shape: int) -> Array:
    """Return an uninitialised array in memory that this thread reuses for all arrays of this name.

    Where freed memory goes back to the system, as in Dask's workers, a new array costs a page fault for each 4 kB. That
    took half of the time of a pass.
    """
    n = math.prod(shape)
    if n > MOST_NUMBERS_OF_THREAD:
        return np.empty(shape)
    if getattr(_of_thread, name, np.empty(0)).size < n:
        setattr(_of_thread, name, np.empty(n))
    return np.asarray(getattr(_of_thread, name)[:n].reshape(shape))


def _of_rows(weights: Weights, rows: slice) -> Array | float:
    """Return the weights of some rows, or 1 if each row counts once."""
    return 1.0 if weights is None else weights[..., rows]
