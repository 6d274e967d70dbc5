"""Turn draws and points of a comparison into plain arrays by name, and make the table of estimates."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import SAMPLE
from comparisons.family import Family
from em.uncertainty.entries import entries_of
from models.tables import rows_of
from models.validation import Array


def stack(posterior: xr.Dataset) -> dict[str, Array]:
    """Return draws (chain * draw, ...) by name."""
    return {str(name): array.to_numpy().reshape(-1, *array.shape[2:]) for name, array in posterior.data_vars.items()}


def single(parameters: Any) -> dict[str, Array]:
    """Return parameters as a single draw."""
    return {name: array[None] for name, array in parameters.arrays().items()}


def distinct_entries(point: Mapping[Any, Any], family: Family) -> Array:
    """Return the distinct entries of a declared point as one vector (p,)."""
    arrays = {quantity: np.asarray(point[quantity.name]) for quantity in family.quantities}
    return np.array([array[place] for q, array in arrays.items() for place in q.support.distinct_entries(array.shape)])


def estimates_of(fits: Any, draws: Any) -> list[dict[str, Any]]:
    """Return one row per distinct parameter: estimates, posterior, their gaps, and those of the conjugate K = 1 case.

    A gap is a distance from the posterior mean in posterior sd.
    """
    import arviz as az  # slow to import

    family, aligned, of_map = fits.family, draws.aligned, draws.in_order(fits.map.parameters_)
    mode = of_map.arrays()
    entries = partial(distinct_entries, family=family)
    mean, sd = entries(aligned.mean(SAMPLE)), entries(aligned.std(SAMPLE))
    varying = np.where(sd > 0, sd, np.nan)  # the weight of a single component does not vary
    with np.errstate(invalid="ignore", divide="ignore"):
        rhat, ess = entries(az.rhat(aligned)), entries(az.ess(aligned, method="bulk"))
    mle_gap, map_gap = map(entries, family.conjugate_gaps(fits.reference, max(1.0, fits.labelled), fits.prior))
    best = entries(fits.mle.parameters_.arrays()) if fits.has_maximum and fits.identified else np.nan * mean
    columns = {
        "parameter": entries_of(of_map, np.inf, labels=fits.labels).names,
        "truth": np.nan * mean if fits.truth is None else entries(draws.in_order(fits.truth).arrays()),
        "mle": best,
        "map": entries(mode),
        "mean": mean,
        "sd": sd,
        "mle_gap_sd": (best - mean) / varying,
        "mle_gap_conjugate": mle_gap,
        "map_gap_sd": (entries(mode) - mean) / varying,
        "map_gap_conjugate": map_gap,
        "rhat": rhat,
        "ess": ess,
    }
    return rows_of(columns, unknown=None)
