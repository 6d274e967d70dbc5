"""All rows of data that are too many to draw a posterior from: EM fits them beside the random sample that is compared.

A sample of m of n rows has its own maximum of the likelihood. That of all rows lies about sqrt(1 - m / n) standard
errors of the sample from it, if the rows are independent and the model holds.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.comparison.estimates import distinct_entries
from comparisons.comparison.fits import Fits
from comparisons.comparison.problem import Problem, Settings
from comparisons.declarations import AllRows, drawn_rows
from comparisons.family import Family
from em.chunked.sampling import row_numbers, rows_at, sizes_of_chunks
from em.status import left_to_the_status
from models.tables import rows_of
from models.validation import Array


def sample_of(X: Array, kept: np.ndarray, family: Family, settings: Settings) -> tuple[np.ndarray, AllRows]:
    """Return which rows (n,) a random sample of those that are kept has, and all that are kept."""
    numbers = np.flatnonzero(kept)
    chosen = np.zeros(len(kept), dtype=bool)
    chosen[numbers[row_numbers(len(numbers), settings.rows, settings.random_state)]] = True
    return chosen, AllRows(len(numbers), X[kept], family=family.of_rows(kept))


def sample_of_chunks(X: Any, settings: Settings, categorical: bool) -> tuple[Any, AllRows | None]:
    """Return a sample of chunks in memory, and all rows; None of these if there are no more."""
    sizes = sizes_of_chunks(X)
    n = int(sizes.sum())
    sample = rows_at(X, sizes, row_numbers(n, settings.rows, settings.random_state))
    if n <= settings.rows:
        return sample, None
    why = "labels of levels are not read by chunks here" if categorical else ""
    return sample, AllRows(n, None if why else X, why)


def with_all_rows(fits: Fits) -> Fits:
    """Return the fits with EM's of all rows by maximum likelihood, from the sample's; or with why it cannot be."""
    assert fits.all_rows is not None
    if not (fits.has_maximum and fits.identified):
        return replace(
            fits, all_rows=fits.all_rows.without("the sample has no maximum that is identified to start from")
        )
    if fits.all_rows.X is None:
        return fits
    family = fits.all_rows.family or fits.family
    estimator = family.estimator(n_components=fits.n_components, init=fits.mle.parameters_)
    try:
        with left_to_the_status():
            return replace(fits, of_all_rows=estimator.fit(fits.all_rows.X))
    except (ValueError, RuntimeError, OSError) as error:  # of rows not looked at before: no sample, or a file that went
        return replace(fits, all_rows=fits.all_rows.without(f"{error}"))


def said_of(fits: Problem) -> str:
    """Return what the data are a sample of, in words; nothing where they are all rows."""
    if fits.all_rows is None:
        return ""
    return drawn_rows(len(fits.X), fits.all_rows.n_rows, fits.settings.random_state)


def expected_distance(fits: Problem) -> str:
    """Return about how far the MLE of all rows lies from the sample's, in words."""
    assert fits.all_rows is not None
    m, n = len(fits.X), fits.all_rows.n_rows
    return f"about sqrt(1 - m/n) = {np.sqrt(max(1 - m / n, 0.0)):.2f} is expected for m = {m:,} of n = {n:,} rows"


def beside(comparison: Any) -> list[dict[str, Any]]:
    """Return one row per parameter: the sample's MLE and standard error, that of all rows, and how far they are apart.

    The distance is in standard errors of the sample.
    """
    if comparison.of_all_rows is None:
        return []
    errors = comparison.errors_of_mle
    of_all = distinct_entries(comparison.of_all_rows.parameters_.arrays(), comparison.family)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = (of_all - errors.estimates) / errors.standard_errors
    columns = {
        "parameter": errors.names,
        "sample": errors.estimates,
        "standard_error": errors.standard_errors,
        "all_rows": of_all,
        "distance": distance,
    }
    return rows_of(columns, unknown=None)
