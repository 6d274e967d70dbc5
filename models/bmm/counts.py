"""What counts as data for a Bernoulli or binomial mixture: whole numbers x with 0 <= x <= n_trials."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from models.frames import column_names
from models.shown import cell, listed, shown
from models.validation import Array, data_matrix, real_numbers, refuse_cell, row_slices, sparse_matrix


def count_matrix(X: ArrayLike, n_trials: ArrayLike = 1, names: Sequence[str] | None = None) -> tuple[Array, Array]:
    """Return X (n, D) as float64 and ``n_trials`` of the same shape, read-only where no cell is missing.

    A missing cell (NaN) is one of no trials and no success: its likelihood is 1 whatever the probs.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Counts of successes; 0/1 or booleans when ``n_trials`` is 1.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell.
    names : sequence of str or None
        What errors call the columns; ``None`` takes the names that a frame has.

    Raises
    ------
    ValueError
        If X is not a finite matrix of whole numbers between 0 and ``n_trials``, or ``n_trials`` does not fit X.
    """
    names = column_names(X) if names is None else names
    X = data_matrix(X, missing=True, names=names)
    trials = trials_matrix(n_trials, X.shape)
    if any(np.isnan(X[rows]).any() for rows in row_slices(X)):
        missing = np.isnan(X)
        X, trials = np.where(missing, 0.0, X), np.where(missing, 0.0, trials)
    if any(_misfits(X[rows], trials[rows]).any() for rows in row_slices(X)):
        row, column = np.argwhere(_misfits(X, trials))[0]
        observed = X[trials > 0]
        given = "values" if observed.size == X.size else "observed values"
        misfit = f"{cell('X', (row, column), names)} = {X[row, column]:.15g}"
        _refuse(observed, trials, given, misfit, _recoding(X, trials, names))
    return X, trials


def sparse_count_matrix(X: Any, n_trials: ArrayLike = 1) -> tuple[csr_array, Array]:
    """Return sparse X as float64 rows (CSR) and ``n_trials`` of the same shape: one row, repeated without a copy.

    Parameters
    ----------
    X : scipy.sparse matrix or array, shape (n, D)
        Counts of successes.
    n_trials : int or array_like, shape (D,)
        Number of trials of each cell, the same in every row.

    Raises
    ------
    ValueError
        If X does not hold whole numbers between 0 and ``n_trials``, or ``n_trials`` does not fit X.
    """
    X = sparse_matrix(X)
    trials = trials_matrix(n_trials, X.shape)
    if np.ndim(n_trials) == 2:
        raise ValueError(
            f"n_trials must be a number or have shape ({X.shape[1]},) where X is sparse, got {trials.shape}: "
            "pass X.toarray() if trials differ between rows"
        )
    for cells in row_slices(X.data[:, None]):
        misfits = np.flatnonzero(_misfits(X.data[cells], trials[0][X.indices[cells]]))
        if len(misfits):
            at = cells.start + misfits[0]
            row = int(np.searchsorted(X.indptr, at, side="right")) - 1
            misfit = f"{cell('X', (row, X.indices[at]))} = {X.data[at]:.15g}"
            _refuse(np.append(X.data, 0.0), trials, "sparse values", misfit)
    return X, trials


def trials_matrix(n_trials: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return ``n_trials`` broadcast to the shape (n, D) of the data, checked to be whole numbers of at least 1."""
    given = real_numbers("n_trials", n_trials)
    wanted = "n_trials must be whole numbers of at least 1"
    if given.dtype.kind == "b":
        raise ValueError(f"{wanted}, got {shown(n_trials)}")
    with np.errstate(invalid="ignore"):  # infinity % 1
        misfits = ~np.isfinite(given) | (given < 1) | (given % 1 != 0)
    if misfits.any():
        refuse_cell(wanted, "n_trials", given, misfits)
    if given.shape not in [(), shape[1:], shape]:
        raise ValueError(
            f"n_trials must be a number or have shape {shape[1:]} or {shape} to fit X of shape {shape}, "
            f"got {given.shape}"
        )
    return np.broadcast_to(given.astype(np.float64), shape)


def common_trials(trials: Array) -> Array:
    """Return the number of trials of each column (D,) that all rows of a matrix (n, D) of trials share.

    Cells of no trials, which are missing, do not count; a column that is missing altogether gets 1.

    Raises
    ------
    ValueError
        If rows differ.
    """
    most = np.maximum(trials.max(axis=0), 1.0)
    if ((trials > 0) & (trials != most)).any():
        raise ValueError("n_trials must be given for new rows, since it differed between the rows of X")
    return most


def _refuse(observed: Array, trials: Array, given: str, misfit: str, advice: str = "") -> NoReturn:
    if (trials <= 1).all():
        wanted = "only 0 and 1 (or booleans), because n_trials is 1"
    else:
        wanted = f"whole numbers from 0 to n_trials ({trials.max():.15g} at most)"
    negative = "" if observed.min() >= 0 else ". Negative values in data are no counts"
    raise ValueError(
        f"X must hold {wanted}, got {given} from {observed.min():.15g} to {observed.max():.15g}; the first misfit is "
        f"{misfit}{negative}{advice}"
    )


def _recoding(X: Array, trials: Array, names: Sequence[str] | None) -> str:
    """Return how items of two values become 0 and 1, where that is all that the data need, or nothing."""
    if (trials > 1).any():
        return ""
    values = [set(x[m > 0].tolist()) for x, m in zip(X.T, trials.T, strict=True)]
    if all(of_column <= {1.0, 2.0} for of_column in values):
        return ". Every value is 1 or 2: subtract 1 from X"
    misfits = [d for d, of_column in enumerate(values) if not of_column <= {0.0, 1.0}]
    if all(values[d] == {1.0, 2.0} for d in misfits):
        return f". Subtract 1 from column(s) {listed(misfits, names)}, whose values are 1 and 2"
    if all(len(values[d]) == 2 and all(value.is_integer() for value in values[d]) for d in misfits):
        return f". Encode the two values of column(s) {listed(misfits, names)} as 0 and 1"
    return ""


def _misfits(X: Array, trials: Array) -> np.ndarray:
    return (X < 0) | (trials < X) | (np.floor(X) != X)


def is_bernoulli(n_trials: Any) -> bool:
    """Whether every cell is a single trial."""
    return bool((np.asarray(n_trials) == 1).all())
