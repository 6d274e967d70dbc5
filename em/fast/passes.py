"""One pass over the data, E-step and sufficient statistics together, as fast as this machine can.

The definition is :func:`em.gmm.e_step` with :func:`em.gmm.sufficient_statistics` (:mod:`em.bmm` alike), block by block.
Where the work pays for loading Numba, :mod:`em.fast.kernels` does the same sums. Either way rows are taken in chunks,
which threads share; the chunks' sums are added in the order of the rows, so that the number of threads changes no bit,
and nothing of size n x K is held.
"""

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.linalg.lapack import dtrtri
from scipy.sparse import csr_array, issparse

from em.bmm import CountStatistics, log_kernel, log_probs, log_weights, sparse_log_joint
from em.bmm import sufficient_statistics as sufficient_counts
from em.bmm.deviance import MANY_TRIALS
from em.bound import normalise
from em.engine import Summable, sum_over_blocks
from em.fast.sparse import rows_of
from em.gmm import GaussianStatistics, log_joint, sufficient_statistics
from em.process.blas import one_blas_thread
from models.bmm import BMMParameters
from models.gmm import GMMParameters
from models.validation import Array

CHUNK_ROWS = 8192
COMPILING = 1e9  # cells x components x passes that take NumPy as long as compiling takes: some 10 s
EVERY_ROW = np.empty(0)  # weights of 1


def pays(n_rows: int, n_columns: int, n_components: int, n_passes: float) -> bool:
    """Whether so many passes are worth compiling the kernels for."""
    return n_rows * (n_columns + 2) * n_components * n_passes >= COMPILING


def gaussian_pass(
    X: Array,
    parameters: GMMParameters,
    sample_weight: Array | None = None,
    *,
    threads: int | None = None,
    n_passes: float = 1,
) -> tuple[float, GaussianStatistics]:
    """Return the log-likelihood (sum, nats) and the sufficient statistics under the responsibilities.

    Parameters
    ----------
    X : ndarray, shape (n, D)
        Samples, of any float type and memory order; a memory-mapped array is read chunk by chunk.
    parameters : GMMParameters
        Current parameters, of any structure.
    sample_weight : ndarray, shape (n,), or None
        Frequencies, which multiply log-likelihood and responsibilities; ``None`` counts each row once.
    threads : int or None, default None
        Threads that share the rows; ``None`` takes all the process may use. The result is the same to the last bit.
    n_passes : float, default 1
        How many such passes are to come: kernels are compiled only where that pays.

    Examples
    --------
    >>> import numpy as np
    >>> from em.fast.passes import gaussian_pass
    >>> from models.gmm import GMMParameters
    >>> parameters = GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> log_likelihood, statistics = gaussian_pass(np.array([[0.0], [1.0], [2.0]]), parameters)
    >>> statistics.counts
    array([1.5, 1.5])
    """
    n, D = X.shape
    K, means = parameters.n_components, parameters.means
    weights = _plain(EVERY_ROW if sample_weight is None else sample_weight)
    if not pays(n, D, K, n_passes):
        return sum_over_blocks(n, lambda rows: _gaussian_block(X[rows], parameters, weights[rows]))
    from em.fast import kernels

    roots, matrices = parameters.cholesky, parameters.covariance_type in ("full", "tied")
    inverses = _inverses(parameters)
    diagonal = np.diagonal(roots, axis1=-2, axis2=-1) if matrices else roots.reshape(len(roots), -1)
    half_log_det = np.broadcast_to(np.log(diagonal), (K, D)).sum(axis=1)
    with np.errstate(divide="ignore"):
        log_base = np.log(parameters.weights) - 0.5 * D * np.log(2 * np.pi) - half_log_det
    run = kernels.gaussian_matrices if matrices else kernels.gaussian_variances

    def step(rows: slice) -> tuple[float, GaussianStatistics]:
        counts, first, second = np.zeros(K), np.zeros((K, D)), np.zeros(inverses.shape)
        log_likelihood = run(_plain(X[rows]), weights[rows], means, inverses, log_base, counts, first, second)
        if parameters.covariance_type == "tied":
            second = second.sum(axis=0)
        elif parameters.covariance_type == "spherical":
            second = second.sum(axis=1)
        return log_likelihood, GaussianStatistics(parameters.covariance_type, means, counts, first, second)

    return _sum_over_chunks(n, step, threads)


def _inverses(parameters: GMMParameters) -> Array:
    """Return L_k⁻¹ (K, D, D) of matrices, 1 / σ_kd (K, D) of variances."""
    K, D = parameters.means.shape
    match parameters.covariance_type:
        case "full":
            return np.array([dtrtri(root, lower=1)[0] for root in parameters.cholesky], order="C")
        case "tied":
            return np.array([dtrtri(parameters.cholesky, lower=1)[0]] * K, order="C")
        case "diag":
            return 1 / parameters.cholesky
        case _:
            return np.repeat(1 / parameters.cholesky[:, None], D, axis=1)


def _gaussian_block(X: Array, parameters: GMMParameters, weights: Array) -> tuple[float, GaussianStatistics]:
    responsibilities, log_likelihood = _weighted(log_joint(X, parameters), weights)
    kind = parameters.covariance_type
    return log_likelihood, sufficient_statistics(_plain(X), responsibilities, parameters.means, kind)


def count_pass(
    X: Any,
    trials: Array,
    parameters: BMMParameters,
    sample_weight: Array | None = None,
    *,
    threads: int | None = None,
    n_passes: float = 1,
) -> tuple[float, CountStatistics]:
    """Return Σ log p(x) without the binomial coefficients (nats) and the statistics under the responsibilities.

    Parameters
    ----------
    X : ndarray or csr_array, shape (n, D)
        Counts of successes; sparse rows, which hold no stored zeros, are never made dense.
    trials : ndarray, shape (n, D)
        Number of trials of each cell; with stride 0 along the rows (`numpy.broadcast_to`) where every row has the same,
        as it must for sparse X.
    parameters : BMMParameters
        Current parameters.
    sample_weight, threads, n_passes
        As for :func:`gaussian_pass`.

    Examples
    --------
    >>> import numpy as np
    >>> from em.fast.passes import count_pass
    >>> from models.bmm import BMMParameters
    >>> X = np.array([[1.0, 1.0], [0.0, 0.0]])
    >>> log_likelihood, statistics = count_pass(X, np.ones((2, 2)), BMMParameters([0.5, 0.5], [[0.9, 0.9], [0.1, 0.1]]))
    >>> statistics.counts
    array([1., 1.])
    """
    n, D = X.shape
    K, same_trials = parameters.n_components, trials.strides[0] == 0
    weights = _plain(EVERY_ROW if sample_weight is None else sample_weight)
    if issparse(X):
        return _sum_over_chunks(n, _sparse_step(X, trials[0], parameters, weights), threads)
    log_pi = log_weights(parameters)
    if trials.max() > MANY_TRIALS or not pays(n, D, K, n_passes):

        def block(rows: slice) -> tuple[float, CountStatistics]:
            responsibilities, log_likelihood = _weighted(
                log_pi + log_kernel(X[rows], trials[rows], parameters.probs), weights[rows]
            )
            return log_likelihood, sufficient_counts(X[rows], trials[rows], responsibilities)

        return sum_over_blocks(n, block)
    from em.fast import kernels

    log_success, log_failure, never, always = log_probs(parameters.probs)
    of_x, of_m = np.array([log_success - log_failure, never - always]), np.array([log_failure, always])
    of_m_same = of_m @ trials[0] if same_trials else np.zeros((2, K))
    base = np.array([log_pi, np.zeros(K)]) + of_m_same
    if not (never.any() or always.any()):
        of_x, of_m, base = of_x[:1], of_m[:1], base[:1]  # nothing is impossible, so nothing to count
    no_trials = _plain(np.empty((0, D)))

    def step(rows: slice) -> tuple[float, CountStatistics]:
        counts, successes, expected = np.zeros(K), np.zeros((K, D)), np.zeros((K, D))
        own = no_trials if same_trials else _plain(trials[rows])
        log_likelihood = kernels.count_products(
            _plain(X[rows]), own, weights[rows], of_x, of_m, base, counts, successes, expected
        )
        return log_likelihood, CountStatistics(
            counts, successes, counts[:, None] * trials[0] if same_trials else expected
        )

    return _sum_over_chunks(n, step, threads)


def _sparse_step(
    X: csr_array, trials: Array, parameters: BMMParameters, weights: Array
) -> Callable[[slice], tuple[float, CountStatistics]]:
    """Return the step on rows of sparse X, each of these trials (D,)."""
    log_joint_of = sparse_log_joint(parameters, trials)

    def step(rows: slice) -> tuple[float, CountStatistics]:
        x = rows_of(X, rows)
        responsibilities, log_likelihood = _weighted(log_joint_of(x), weights[rows])
        counts = responsibilities.sum(axis=0)
        return log_likelihood, CountStatistics(counts, responsibilities.T @ x, counts[:, None] * trials)

    return step


def _weighted(joint: Array, weights: Array) -> tuple[Array, float]:
    responsibilities, log_prob = normalise(joint)
    if len(weights):
        return responsibilities * weights[:, None], float((log_prob * weights).sum())
    return responsibilities, float(log_prob.sum())


def _sum_over_chunks[S: Summable](
    n_rows: int, step: Callable[[slice], tuple[float, S]], threads: int | None
) -> tuple[float, S]:
    """Sum over chunks of rows that threads share; the sums are added in the order of the rows."""
    chunks = [slice(start, min(start + CHUNK_ROWS, n_rows)) for start in range(0, n_rows, CHUNK_ROWS)]
    threads = min(threads or available_threads(), len(chunks))
    with one_blas_thread():
        if threads == 1:
            return _sum(map(step, chunks))
        with ThreadPoolExecutor(threads) as pool:
            return _sum(pool.map(step, chunks))


def _sum[S: Summable](parts: Iterable[tuple[float, S]]) -> tuple[float, S]:
    log_likelihoods: list[float] = []
    total: S | None = None
    for log_likelihood, statistics in parts:
        log_likelihoods.append(log_likelihood)
        total = statistics if total is None else total + statistics
    assert total is not None
    return math.fsum(log_likelihoods), total


def available_threads() -> int:
    """Return how many processors this process may use, or fewer if OMP_NUM_THREADS says so."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wish = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(wish)) if wish.isdigit() and int(wish) > 0 else processors


def _plain(X: Array) -> Array:
    """Return float64 in C order, read-only: a view, or a copy of a chunk in another type or order."""
    plain = np.ascontiguousarray(X, dtype=np.float64).view()
    plain.flags.writeable = False  # one type of argument, so the kernels are compiled once
    return plain
