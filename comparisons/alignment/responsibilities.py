"""Compute responsibilities of posterior draws, p(z_i = k | x_i, θ_s), by Bayes' rule from log p(x_i, z_i = k | θ_s).

The joint density comes from a family's formulas in NumPy, for all draws at once, and not from PyMC. Rows are processed
in blocks, so that no array of size S x n x K is kept.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from comparisons.alignment.component_draws import SAMPLE, Arrays, as_point
from comparisons.alignment.relabelling import Blocks
from comparisons.families import family_of
from comparisons.family import NEARLY, Family
from em.bound import check_responsibilities, normalise
from em.engine.blocks import blocks
from models.validation import Array, data_matrix, real_numbers

BLOCK_CELLS = 2**21  # cells (draw, component, row) of a block: 16 MB, some 50 MB with intermediate results
CACHE_CELLS = 2**15  # cells of a block that are computed at a time
Draws = Mapping[str, Array]


@dataclass(frozen=True)
class LogJoint:
    """log p(x_i, z_i = k | θ_s) of given data, as a function of draws.

    :func:`log_joint` makes it for the families of this project. For any other mixture, write ``given``.

    Parameters
    ----------
    n_samples : int
        Number of rows n.
    given : callable
        Takes draws: a dict of arrays (S, K, ...), or (S, ...) for a quantity without components. Returns a function
        that takes a slice of m rows, and returns an array (S, K, m) in nats.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import poisson
    >>> from comparisons.alignment.responsibilities import LogJoint
    >>> counts = np.array([0, 2, 9, 7])
    >>> def given(draws):
    ...     weights, rates = draws["weights"][:, :, None], draws["rates"][:, :, None]
    ...     return lambda rows: np.log(weights) + poisson.logpmf(counts[rows], rates)
    >>> LogJoint(4, given).given({"weights": np.full((5, 2), 0.5), "rates": np.ones((5, 2))})(slice(0, 3)).shape
    (5, 2, 3)
    """

    n_samples: int
    given: Callable[[Draws], Callable[[slice], Array]] = field(repr=False)

    def normalised(self, draws: Arrays) -> Iterator[tuple[Array, Array]]:
        """Yield responsibilities (S, K, m) and log p(x_i | θ_s) (S, m), in blocks that cover the rows in order."""
        S, K = draws.n_draws, draws.n_components
        n_rows = min(self.n_samples, max(1, BLOCK_CELLS // (S * K)))
        parts = [(part, self.given(of_part)) for part, of_part in draws.parts(max(1, CACHE_CELLS // (n_rows * K)))]
        for rows in row_blocks(self.n_samples, S * K):
            m = rows.stop - rows.start
            p, log_prob = np.empty((S, K, m)), np.empty((S, m))
            for part, of_rows in parts:
                joint, shape = of_rows(rows), (part.stop - part.start, K, m)
                if joint.shape != shape:
                    raise ValueError(f"log_joint must return the shape {shape} (draws, K, rows), got {joint.shape}")
                if not (joint.max(axis=1) < np.inf).all():
                    raise ValueError("log_joint must return log probabilities, got NaN or infinity among them")
                by_row, log_prob[part] = normalise(joint.mT)
                p[part] = by_row.mT
            yield p, log_prob

    def responsibilities(self, draws: Arrays) -> Iterator[Array]:
        """Yield responsibilities (S, K, m), in blocks that cover the rows in order."""
        return (p for p, _ in self.normalised(draws))

    def at(self, draws: Arrays, rows: np.ndarray) -> tuple[Array, Array]:
        """Return responsibilities (S, K, m) of the samples in ``rows`` (m,), and the log-likelihood of all, (S,)."""
        chosen = np.empty((draws.n_draws, draws.n_components, len(rows)))
        log_likelihood, done = np.zeros(draws.n_draws), 0
        for p, log_prob in self.normalised(draws):
            here = (rows >= done) & (rows < done + p.shape[2])
            chosen[:, :, here] = p[:, :, rows[here] - done]
            log_likelihood += log_prob.sum(axis=1)
            done += p.shape[2]
        return chosen, log_likelihood


def log_joint(X: ArrayLike, family: str | Family, **options: Any) -> LogJoint:
    """Return log p(x_i, z_i = k | θ) of a family's mixture.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples; NaN where a cell is missing.
    family : str or Family
        "gmm", whose draws must hold weights, means and covariances; "bmm", weights and probs; or any other family.
    **options
        The family's options: ``covariance_type`` of "gmm", ``n_trials`` of "bmm".

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.alignment.responsibilities import log_joint
    >>> X = [[0, 1], [1, 1], [1, 0]]
    >>> draws = {"weights": np.full((10, 2), 0.5), "probs": np.full((10, 2, 2), 0.5)}
    >>> of_rows = log_joint(X, "bmm").given(draws)
    >>> bool(np.allclose(of_rows(slice(0, 3)), 3 * np.log(0.5)))
    True
    """
    matrix = data_matrix(X, missing=True)
    return LogJoint(len(matrix), family_of(family, **options).log_joint(matrix))


def of_array(responsibilities: Any, draws: Arrays) -> tuple[Blocks, int]:
    """Return given responsibilities (chain, draw, n, K) as blocks (S, K, m), and n.

    Raises
    ------
    ValueError
        If they have another shape, or are no probabilities.
    """
    if isinstance(responsibilities, xr.DataArray):
        last = [draws.component] if draws.component in responsibilities.dims else []
        responsibilities = responsibilities.transpose("chain", "draw", ..., *last).to_numpy()
    values, sizes, K = real_numbers("responsibilities", responsibilities), draws.sizes, draws.n_components
    if values.ndim != 4 or (*values.shape[:2], values.shape[3]) != (*sizes, K):
        wanted = f"({sizes[0]}, {sizes[1]}, n, {K}): (chain, draw, n, K)"
        raise ValueError(f"responsibilities must have shape {wanted}, got {values.shape}")
    sums, least = values.sum(axis=-1, dtype=np.float64), values.min()
    if not (least >= 0 and np.abs(sums - 1).max() <= NEARLY):
        wanted = "responsibilities must be non-negative and sum to 1 over the components"
        raise ValueError(f"{wanted}, got sums from {sums.min():.6g} to {sums.max():.6g}, least {least:.6g}")
    flat = values.reshape(-1, *values.shape[2:])
    return _in_blocks(flat.shape, lambda rows: np.array(flat[:, rows].swapaxes(1, 2), np.float64, order="C"))


def of_labels(z: xr.DataArray, K: int) -> tuple[Blocks, int]:
    """Return labels (chain, draw, n) as blocks (S, K, m) of ones and zeros, and n."""
    values = z.transpose("chain", "draw", ...).to_numpy()
    if values.ndim != 3:
        raise ValueError(f"labels must have the dims chain, draw and one for the samples, got {z.dims}")
    components, flat = np.arange(K)[:, None], values.reshape(-1, 1, values.shape[2])
    shape = len(flat), values.shape[2], K
    return _in_blocks(shape, lambda rows: (flat[:, :, rows] == components).astype(np.float64))


def _in_blocks(shape: tuple[int, ...], of_rows: Callable[[slice], Array]) -> tuple[Blocks, int]:
    """Return a function that yields blocks of responsibilities, ``of_rows`` of each slice of rows, and n."""
    S, n, K = shape
    return lambda: map(of_rows, row_blocks(n, S * K)), n


def template(reference: Any, n_samples: int, draws: Arrays, log_joint: LogJoint | None) -> Array:
    """Return a reference as a template (n, K): labels as ones and zeros, or responsibilities."""
    if isinstance(reference, Mapping) or hasattr(reference, "arrays") or hasattr(reference, "parameters_"):
        if log_joint is None:
            raise ValueError("reference must be labels or responsibilities: parameters need log_joint")
        point = as_point(reference, draws.posterior, draws.component).expand_dims(SAMPLE)
        blocks = log_joint.responsibilities(Arrays(point, draws.component))
        return np.concatenate([p[0].T for p in blocks])
    array, K = real_numbers("reference", reference), draws.n_components
    if array.shape == (n_samples,):
        if not np.isin(array, np.arange(K)).all():
            raise ValueError(f"reference must hold labels from 0 to {K - 1}, got {array.min()} to {array.max()}")
        return np.asarray(np.eye(K)[array.astype(int)])
    if array.shape != (n_samples, K):
        wanted = f"parameters (with log_joint), labels ({n_samples},) or responsibilities ({n_samples}, {K})"
        raise ValueError(f"reference must be {wanted}, got shape {array.shape}")
    return check_responsibilities(array, n_samples)


def most_probable(blocks: Blocks) -> Iterator[Array]:
    """Yield blocks (S, K, m) with 1 at the most probable component, the first of equals, and 0 elsewhere."""
    for p in blocks():
        yield (p.argmax(axis=1)[:, None] == np.arange(p.shape[1])[:, None]).astype(np.float64)


def row_blocks(n_samples: int, cells: int) -> Iterator[slice]:
    """Return slices that cover n rows in order, with as many rows of ``cells`` cells each as fit into a block."""
    return blocks(n_samples, max(1, BLOCK_CELLS // cells))
