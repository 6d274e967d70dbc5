"""Legal data of a mixture with independent features: cells, which may each have a size."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np
import scipy
from numpy.typing import ArrayLike

from models.frames import column_names
from models.shown import cell, shown
from models.validation import Array, data_matrix, real_numbers, refuse_cell, row_slices, sparse_matrix


class Cells:
    """Checks of the cells x of the data and of their sizes, such as numbers of trials or exposures.

    A family overrides class attributes and methods. The base class takes real numbers without sizes: every size is 1.

    Attributes
    ----------
    size_name : str
        Name of the argument for sizes; "" if cells have no sizes.
    wanted_size : str
        A description of legal sizes for error messages.
    whole, negative, sparse_too : bool
        Whether cells are whole numbers; whether they may be negative; whether 0 is legal, so that X may be sparse.
    legal : float
        An example of a legal cell.
    """

    size_name: ClassVar[str] = ""
    wanted_size: ClassVar[str] = "positive"
    whole: ClassVar[bool] = False
    negative: ClassVar[bool] = True
    sparse_too: ClassVar[bool] = False
    legal: ClassVar[float] = 0.0

    def size_misfits(self, size: Array) -> np.ndarray:
        """Return which sizes are illegal."""
        return ~np.isfinite(size) | (size <= 0)

    def misfits(self, x: Array, size: Array) -> np.ndarray:
        """Return which cells, of these sizes, are illegal; a missing cell is a 0 of size 0."""
        return np.zeros(x.shape, dtype=bool)

    def wanted(self, size: Array) -> str:
        """Return a description of legal cells for error messages."""
        return "real numbers"

    def advice(self, X: Array, size: Array, names: Sequence[str] | None) -> str:
        """Return advice about illegal cells for the error message, or ""."""
        return ""

    def dense(
        self,
        X: ArrayLike,
        size: ArrayLike = 1,
        names: Sequence[str] | None = None,
        numbers: np.ndarray | None = None,
    ) -> tuple[Array, Array]:
        """Return X (n, D) as float64 and sizes of the same shape, read-only where no cell is missing.

        A missing cell (NaN) becomes a 0 of size 0, whose likelihood is 1 at any parameters.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        size : number or array_like, shape (D,) or (n, D)
            Size of each cell.
        names : sequence of str or None
            Names of the columns in error messages; ``None`` takes those of a frame.
        numbers : ndarray of int, shape (n,), or None
            Numbers of the rows in error messages, if X is a part of the user's matrix.

        Raises
        ------
        ValueError
            If X is not a finite matrix of legal cells, or the sizes are illegal or do not fit X.
        """
        names = column_names(X) if names is None else names
        X = data_matrix(X, missing=True, names=names)
        sizes = self.sizes(size, X.shape)
        if any(np.isnan(X[rows]).any() for rows in row_slices(X)):
            missing = np.isnan(X)
            X, sizes = np.where(missing, 0.0, X), np.where(missing, 0.0, sizes)
        if any(self.misfits(X[rows], sizes[rows]).any() for rows in row_slices(X)):
            row, column = np.argwhere(self.misfits(X, sizes))[0]
            observed = X[sizes > 0]
            given = "values" if observed.size == X.size else "observed values"
            at = row if numbers is None else numbers[row]
            misfit = f"{cell('X', (at, column), names)} = {X[row, column]:.15g}"
            self._refuse(observed, sizes, given, misfit, self.advice(X, sizes, names))
        return X, sizes

    def sparse(
        self, X: Any, size: ArrayLike = 1, numbers: np.ndarray | None = None
    ) -> tuple["scipy.sparse.csr_array", Array]:
        """Return sparse X as float64 rows (CSR) and sizes of the same shape: one row, repeated without a copy.

        Parameters
        ----------
        X : scipy.sparse matrix or array, shape (n, D)
            Samples.
        size : number or array_like, shape (D,)
            Size of each cell, the same in every row.
        numbers : ndarray of int, shape (n,), or None
            As for `dense`.

        Raises
        ------
        ValueError
            If X does not hold legal cells, or the sizes are illegal or do not fit X.
        """
        X = sparse_matrix(X)
        sizes = self.sizes(size, X.shape)
        if np.ndim(size) == 2:
            raise ValueError(
                f"{self.size_name} must be a number or have shape ({X.shape[1]},) if X is sparse, got "
                f"{sizes.shape}: pass X.toarray() if it differs between rows"
            )
        for cells in row_slices(X.data[:, None]):
            misfits = np.flatnonzero(self.misfits(X.data[cells], sizes[0][X.indices[cells]]))
            if len(misfits):
                at = cells.start + misfits[0]
                row = int(np.searchsorted(X.indptr, at, side="right")) - 1
                place = row if numbers is None else numbers[row], X.indices[at]
                misfit = f"{cell('X', place)} = {X.data[at]:.15g}"
                self._refuse(np.append(X.data, 0.0), sizes, "sparse values", misfit)
        return X, sizes

    def size_of(self, size: Any, named: Mapping[str, Any]) -> Any:
        """Return the sizes given to a call as ``size``, or as a keyword by the family's own name, such as ``exposure``.

        Raises
        ------
        TypeError
            If a keyword has another name.
        """
        if others := sorted(set(named) - {self.size_name}):
            wanted = (
                f"sizes of cells must be given as {self.size_name}" if self.size_name else "cells have no sizes here"
            )
            raise TypeError(f"{wanted}, got {', '.join(others)}")
        return named.get(self.size_name, size)

    def sizes(self, size: ArrayLike, shape: tuple[int, ...]) -> Array:
        """Return sizes broadcast to the shape (n, D) of the data, checked to be legal."""
        if not self.size_name:
            return np.broadcast_to(np.ones(()), shape)
        name, given = self.size_name, real_numbers(self.size_name, size)
        wanted = f"{name} must be {self.wanted_size}"
        if given.dtype.kind == "b":
            raise ValueError(f"{wanted}, got {shown(size)}")
        with np.errstate(invalid="ignore"):  # infinity % 1
            misfits = self.size_misfits(given)
        if misfits.any():
            refuse_cell(wanted, name, given, misfits)
        if given.shape not in [(), shape[1:], shape]:
            raise ValueError(
                f"{name} must be a number or have shape {shape[1:]} or {shape} to fit X of shape {shape}, "
                f"got {given.shape}"
            )
        return np.broadcast_to(given.astype(np.float64), shape)

    def _refuse(self, observed: Array, sizes: Array, given: str, misfit: str, advice: str = "") -> NoReturn:
        negative = ". Negative values in data are no counts" if self.sparse_too and observed.min() < 0 else ""
        raise ValueError(
            f"X must hold {self.wanted(sizes)}, got {given} from {observed.min():.15g} to {observed.max():.15g}; the "
            f"first misfit is {misfit}{negative}{advice}"
        )


class Counts(Cells):
    """Whole numbers of at least 0, or of at least ``legal`` in a subclass such as `PositiveCounts`."""

    whole, negative, sparse_too = True, False, True

    def misfits(self, x: Array, size: Array) -> np.ndarray:
        """Return which counts are illegal in cells of these sizes."""
        return ((x < self.legal) & (size > 0)) | (np.floor(x) != x)

    def wanted(self, size: Array) -> str:
        """Return a description of legal counts for error messages."""
        return f"whole numbers of at least {self.legal:g}"


class PositiveCounts(Counts):
    """Whole numbers of at least 1."""

    sparse_too, legal = False, 1.0


class Positives(Cells):
    """Positive numbers."""

    negative, legal = False, 1.0

    def misfits(self, x: Array, size: Array) -> np.ndarray:
        """Return which observed cells are not positive."""
        return (x <= 0) & (size > 0)

    def wanted(self, size: Array) -> str:
        """Return a description of legal cells for error messages."""
        return "positive numbers"
