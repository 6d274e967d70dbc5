"""Draws and points of a comparison as plain arrays by name, and the table of estimates made from them."""

from typing import Any

import numpy as np
import xarray as xr

from comparisons.family import Family
from models.validation import Array


def stack(posterior: xr.Dataset) -> dict[str, Array]:
    """Return draws (chain * draw, ...) by name."""
    return {str(name): array.to_numpy().reshape(-1, *array.shape[2:]) for name, array in posterior.data_vars.items()}


def single(parameters: Any) -> dict[str, Array]:
    """Return parameters as a single draw."""
    return {name: array[None] for name, array in parameters.arrays().items()}


def distinct_entries(point: dict[str, Array], family: Family) -> Array:
    """Return the distinct entries of a declared point as one vector."""
    return np.array([value[index] for name, value in point.items() for index in family.entries(name, value)])


def estimates_of(fits: Any, draws: Any) -> list[dict[str, Any]]:
    """Return one row per distinct parameter: estimates, posterior, and their gaps beside the conjugate K = 1 gaps."""
    import arviz as az  # slow to import

    aligned, map_parameters = draws.aligned, draws.in_order(fits.map.parameters_)
    true = None if fits.truth is None else draws.in_order(fits.truth).arrays()
    with np.errstate(invalid="ignore", divide="ignore"):  # the weight of a single component does not vary
        rhat, ess = az.rhat(aligned), az.ess(aligned, method="bulk")
    conjugate = fits.family.conjugate_gaps(fits.reference, len(fits.X), fits.prior)
    rows = []
    for name in aligned.data_vars:
        values = aligned[name].to_numpy()
        mle = fits.mle.parameters_.arrays()[name] if fits.has_maximum and fits.identified else None
        for index in fits.family.entries(name, values[0, 0]):
            at = (slice(None), slice(None), *index)
            mean, sd = float(values[at].mean()), float(values[at].std())
            truth = None if true is None else float(true[name][index])
            best = None if mle is None else float(mle[index])
            mode = float(map_parameters.arrays()[name][index])
            rows.append(
                {
                    "parameter": f"{name}[{', '.join(map(str, index))}]",
                    "truth": truth,
                    "mle": best,
                    "map": mode,
                    "mean": mean,
                    "sd": sd,
                    "mle_gap_sd": None if best is None or sd == 0 else (best - mean) / sd,
                    "mle_gap_conjugate": float(conjugate[0][name][index]),
                    "map_gap_sd": None if sd == 0 else (mode - mean) / sd,
                    "map_gap_conjugate": float(conjugate[1][name][index]),
                    "rhat": float(rhat[name].to_numpy()[index]),
                    "ess": float(ess[name].to_numpy()[index]),
                }
            )
    return rows
