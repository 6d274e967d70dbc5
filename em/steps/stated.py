"""The formulas that a family of independent exponential features states (:mod:`em.steps`)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import issparse

from em.engine.blocks import blocks
from em.steps.rows import Parts, Theta
from models.cells import Cells
from models.parameters import Parameters, Quantity
from models.validation import Array, row_slices

CELLS_OF_A_COUNT = 4  # a table of log h is worth while from this many cells for each possible count


class Stated[P: Parameters](ABC):
    """The formulas of a family: data, density, conjugate prior.

    Attributes
    ----------
    prior_type : type
        Class of the conjugate prior, which has the class of the parameters as an attribute.
    quantities : tuple of Quantity
        The arrays of the parameters: the weights, and the quantities of the components.
    hyper_offsets : tuple
        The usual parameters of the conjugate prior, its ``hyperparameters``, minus χ_j.
    options : dict
        What parameters hold beside their arrays, such as levels; the prior's ``check_fits`` takes it after K and D.
    lengths : dict
        Lengths of dims that are neither components nor features.
    """

    prior_type: ClassVar[type[Any]]
    hyper_offsets: ClassVar[tuple[float, ...]]
    options: Mapping[str, Any] = MappingProxyType({})
    lengths: Mapping[str, int] = MappingProxyType({})

    # Data -------------------------------------------------------------------------------------------------------------

    @property
    def parameters_type(self) -> type[Any]:
        """Class of the parameters."""
        return self.prior_type.parameters_type

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:  # noqa: D102 - among the attributes
        return tuple(self.parameters_type.quantities)

    @property
    def cells(self) -> Cells:
        """Which data are legal, and the name of the sizes of cells, such as "n_trials"."""
        return self.parameters_type.cells

    def check(
        self, X: Any, size: Any, names: Sequence[str] | None = None, numbers: np.ndarray | None = None
    ) -> tuple[Any, Array]:
        """Return X and sizes, (n, D) each, with 0 in missing cells; raise a ValueError if they are not legal.

        The error calls columns by ``names`` and rows by ``numbers``.
        """
        return self.cells.sparse(X, size, numbers) if issparse(X) else self.cells.dense(X, size, names, numbers)

    @abstractmethod
    def statistics(self, X: Any, size: Any) -> tuple[Any, ...]:
        """Return T_j of checked rows, each (n, p_j), 0 in missing cells. The sizes of a sparse X are `Shifted`."""

    def log_base_of_cells(self, x: Array, size: Array) -> Array:
        """Return log h of each cell; it must be 0 in missing cells and, for counts, at x = 0."""
        return np.zeros(x.shape)

    def log_base(self, X: Any, size: Array) -> Array:
        """Return log h of checked rows, shape (n,)."""
        if issparse(X):
            of_row = np.repeat(np.arange(len(size)), np.diff(X.indptr))
            terms = self.log_base_of_cells(X.data, size[0][X.indices])
            return np.bincount(of_row, terms, minlength=len(size)).astype(np.float64)
        of_cells = self.log_base_of_cells
        return np.concatenate([log_base_of_rows(of_cells, X[rows], size[rows]) for rows in row_slices(X)])

    # Density ----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def natural(self, theta: Theta) -> Parts:
        """Return η_j, each (..., K, p_j); -inf if a positive T_j is impossible."""

    @abstractmethod
    def slopes(self, theta: Theta) -> tuple[tuple[Array, Array], ...]:
        """Return η_j' and η_j'' for each j, with respect to the parameter of the same component and feature.

        Each has shape (..., K, p) if a component has one quantity. If it has q quantities, η_j' is (q, ..., K, p) and
        η_j'' is (q, q, ..., K, p).
        """

    def derivatives(self, theta: Theta) -> tuple[tuple[Array, Array], ...]:
        """Return `slopes` as η_j' (q, ..., K, p) and η_j'' (q, q, ..., K, p), also if q = 1."""
        slopes = self.slopes(theta)
        return (
            slopes if len(self.quantities) > 2 else tuple((first[None], second[None, None]) for first, second in slopes)
        )

    @abstractmethod
    def expected(self, theta: Theta, size: Array) -> tuple[Array, Parts]:
        """Return E[x | z = k] (K, D) and E[T_j | z = k], each (K, p_j), of cells with sizes (D,).

        Sizes of shape (n, 1, D) give E[x | z = k] of each row, shape (n, K, D).
        """

    def means_given(self, theta: Theta, responsibilities: Array, size: Array) -> Array:
        """Return Σ_k r_ik E[x_i | z_i = k], shape (n, D), of cells with sizes (D,) or (n, D)."""
        if size.ndim == 1:
            return responsibilities @ self.expected(theta, size)[0]
        means = np.empty(size.shape)
        for rows in blocks(len(size)):
            of_each = self.expected(theta, size[rows, None])[0]  # (rows, K, D)
            means[rows] = np.einsum("nk,nkd->nd", responsibilities[rows], of_each)
        return means

    def information(self, theta: Theta, size: Array) -> Array:
        """Return the Fisher information about θ_k in one sample with z = k, -Σ_j E[T_j] η_j'', (q, q, ..., K, p)."""
        terms = zip(self.expected(theta, size)[1], self.derivatives(theta), strict=True)
        return -np.asarray(sum(T * second for T, (_, second) in terms))

    def falls_onto_a_point(self, theta: Theta) -> np.ndarray:
        """Return which components (..., K) shrink onto a point, so that the likelihood is unbounded; here, none."""
        return np.zeros(theta["weights"].shape, dtype=bool)

    # Conjugate prior --------------------------------------------------------------------------------------------------

    @abstractmethod
    def mode(self, chi: Parts, of_prior: Parts) -> dict[str, Array]:
        """Return the mode of the conjugate density of θ, each (..., K, p); NaN where χ = 0, which has no mode.

        Rounding must not put a value on the boundary if the prior, of hyperparameters ``of_prior``, excludes it.
        """

    def mode_given(self, chi: Parts, of_prior: Parts, frozen: Theta) -> dict[str, Array]:
        """Return the mode with the frozen arrays at their values."""
        mode = self.mode(chi, of_prior)
        known = {name: np.broadcast_to(frozen[name], array.shape) for name, array in mode.items() if name in frozen}
        return mode | known

    @abstractmethod
    def moments(self, hyper: Parts) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return mean and variance of θ, given the usual parameters of its distribution, each (..., K, p_j)."""

    @abstractmethod
    def draw(self, hyper: Parts, rng: np.random.RandomState) -> dict[str, Array]:
        """Draw θ inside its support, also if it rounds to the boundary, which Gibbs sampling could not leave."""

    @abstractmethod
    def log_normaliser(self, hyper: Parts) -> Array:
        """Return A = log ∫ exp Σ_j χ_j · η_j dθ, summed over features, shape (..., K)."""

    @abstractmethod
    def mean_natural(self, hyper: Parts) -> Parts:
        """Return E[η_j], each (..., K, p_j)."""


def log_base_of_rows(of_cells: Callable[[Array, Array], Array], X: Array, size: Array) -> Array:
    """Return Σ_d log h(x_id), shape (n,), from a table if all rows have the same sizes and few different counts.

    A million cells hold few different counts, and log x! takes time.

    Parameters
    ----------
    of_cells : callable
        Function of values and sizes of cells, arrays of the same shape, that returns log h of each cell.
    X : ndarray, shape (n, D)
        Samples.
    size : ndarray, shape (n, D)
        Sizes of cells; the array has stride 0 along the rows if all rows have the same sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from em.steps.stated import log_base_of_rows
    >>> X = np.repeat([[0.0, 2.0], [1.0, 0.0]], 6, axis=0)
    >>> log_base_of_rows(lambda x, size: -x * size, X, np.broadcast_to([3.0, 5.0], X.shape))[5:7]
    array([-10.,  -3.])
    """
    n, D = X.shape
    if not size.strides[0] and X.min() >= 0 and X.max() + 1 <= n / CELLS_OF_A_COUNT:
        counts, features = X.astype(np.intp), np.arange(D)
        if (counts == X).all():
            occurs = np.zeros((counts.max() + 1, D), dtype=bool)
            occurs[counts, features] = True
            x, d = np.nonzero(occurs)
            terms = np.zeros(occurs.shape)
            terms[x, d] = of_cells(x.astype(np.float64), size[0, d])
            return np.asarray(terms.take(counts * D + features).sum(axis=1))
    return of_cells(X, size).sum(axis=1)
