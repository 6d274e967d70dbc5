"""Compare a random sample of many rows, and fit EM to all rows beside it.

Drawing a posterior of all rows would take too long. The MLE of a sample of m of n rows differs from the MLE of all
rows: by about sqrt(1 - m / n) standard errors of the sample, if the rows are independent and the model holds.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.comparison.fits import Fits
from comparisons.comparison.problem import Problem, Settings
from comparisons.declarations import AllRows, drawn_rows
from comparisons.family import Family
from em.chunked.sampling import row_numbers, rows_at, sizes_of_chunks
from em.status import left_to_the_status
from models.validation import Array


def sample_of(X: Array, kept: np.ndarray, family: Family, settings: Settings) -> tuple[np.ndarray, AllRows]:
    """Draw a random sample of the kept rows; return it as a mask (n,), and all kept rows."""
    numbers = np.flatnonzero(kept)
    chosen = np.zeros(len(kept), dtype=bool)
    chosen[numbers[row_numbers(len(numbers), settings.rows, settings.random_state)]] = True
    return chosen, AllRows(len(numbers), X[kept], family=family.of_rows(kept))


def sample_of_chunks(X: Any, settings: Settings, categorical: bool) -> tuple[Any, AllRows | None]:
    """Draw a random sample of the rows of chunks into memory; return it, and all rows, or None if it has them all."""
    sizes = sizes_of_chunks(X)
    n = int(sizes.sum())
    sample = rows_at(X, sizes, row_numbers(n, settings.rows, settings.random_state))
    if n <= settings.rows:
        return sample, None
    why = "labels of levels are not read by chunks here" if categorical else ""
    return sample, AllRows(n, None if why else X, why)


def with_all_rows(fits: Fits) -> Fits:
    """Fit all rows by maximum likelihood, starting at the sample's MLE; if that cannot be done, store the reason."""
    assert fits.all_rows is not None
    if not (fits.has_maximum and fits.identified):
        return replace(fits, all_rows=fits.all_rows.without("the sample has no identified maximum to start from"))
    if fits.all_rows.X is None:
        return fits
    family = fits.all_rows.family or fits.family
    estimator = family.estimator(n_components=fits.n_components, init=fits.mle.parameters_)
    try:
        with left_to_the_status():
            return replace(fits, of_all_rows=estimator.fit(fits.all_rows.X))
    except (ValueError, RuntimeError, OSError) as error:  # rows outside the sample may be illegal, files may be gone
        return replace(fits, all_rows=fits.all_rows.without(f"{error}"))


def sample_note(fits: Problem) -> str:
    """Return a note that the data are a random sample, such as "500 rows drawn at random from 20,000", or ""."""
    if fits.all_rows is None:
        return ""
    return drawn_rows(len(fits.X), fits.all_rows.n_rows, fits.settings.random_state)


def expected_distance(fits: Problem) -> str:
    """Return a note on the distance that is expected between the MLEs of the sample and of all rows."""
    assert fits.all_rows is not None
    m, n = len(fits.X), fits.all_rows.n_rows
    return f"about sqrt(1 - m/n) = {np.sqrt(max(1 - m / n, 0.0)):.2f} is expected for m = {m:,} of n = {n:,} rows"
