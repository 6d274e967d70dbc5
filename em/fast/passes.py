"""One pass over the data, E-step and sufficient statistics together, as fast as this machine can.

The definition is :func:`em.gmm.e_step` with :func:`em.gmm.sufficient_statistics`, or :mod:`em.steps`, block by block.
Where the work pays for loading Numba, :mod:`em.fast.kernels` does the same sums. Either way rows are taken in chunks,
which threads share; the chunks' sums are added in the order of the rows, so that the number of threads changes no bit,
and nothing of size n x K is held.
"""

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.linalg.lapack import dtrtri
from scipy.sparse import issparse

from em.bound import log_of, normalise
from em.engine import Summable, sum_over_blocks
from em.fast.plain import plain
from em.gmm import GaussianStatistics, log_joint, sufficient_statistics
from em.process.blas import one_blas_thread
from em.steps import Rows, Statistics, Steps
from models.gmm import GMMParameters
from models.parameters import Parameters
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
    weights = plain(EVERY_ROW if sample_weight is None else sample_weight)
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
        log_likelihood = run(plain(X[rows]), weights[rows], means, inverses, log_base, counts, first, second)
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
    return log_likelihood, sufficient_statistics(plain(X), responsibilities, parameters.means, kind)


def exponential_pass[P: Parameters](
    steps: Steps[P],
    rows: Rows,
    parameters: P,
    sample_weight: Array | None = None,
    *,
    threads: int | None = None,
    n_passes: float = 1,
) -> tuple[float, Statistics]:
    """Return Σ log p(x) without the base measure (nats) and the statistics under the responsibilities.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    rows : Rows
        Checked samples; sparse ones are never made dense.
    parameters : Parameters
        Current parameters.
    sample_weight, threads, n_passes
        As for :func:`gaussian_pass`.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm import BINOMIAL
    >>> from em.fast.passes import exponential_pass
    >>> from models.bmm import BMMParameters
    >>> rows = BINOMIAL.rows([[1.0, 1.0], [0.0, 0.0]])
    >>> exponential_pass(BINOMIAL, rows, BMMParameters([0.5, 0.5], [[0.9, 0.9], [0.1, 0.1]]))[1].counts
    array([1., 1.])
    """
    n, D = rows.X.shape
    weights = plain(EVERY_ROW if sample_weight is None else sample_weight)
    log_weights = log_of(parameters.weights)

    def step(part: slice) -> tuple[float, Statistics]:
        block = rows[part]
        responsibilities, log_likelihood = _weighted(
            log_weights + steps.log_kernel(block, parameters.arrays()), weights[part]
        )
        return log_likelihood, steps.sums(block, responsibilities)

    if issparse(rows.X):
        return _sum_over_chunks(n, step, threads)
    if pays(n, D, parameters.n_components, n_passes):
        compiled = steps.compiled_step(rows, parameters, weights)
        if compiled is not None:
            return _sum_over_chunks(n, compiled, threads)
    return sum_over_blocks(n, step)


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
