"""Draws as a DataTree with PyMC's names and dims, whatever drew them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import SAMPLE


def tree_of(
    draws: Mapping[str, Any],
    stats: Mapping[str, Any],
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Return the groups ``posterior`` and ``sample_stats``.

    Parameters
    ----------
    draws : mapping of ndarray, shapes (chains, draws, ...)
        Declared quantities by name.
    stats : mapping of ndarray, shapes (chains, draws)
        What the sampler says of each draw.
    dims : mapping
        Dims of each quantity after chain and draw.
    coords : mapping or None
        Coordinates by dim; the others are numbered.
    """
    posterior = xr.Dataset({name: ((*SAMPLE, *dims[name]), values) for name, values in draws.items()})
    numbered = {str(dim): np.arange(size) for dim, size in posterior.sizes.items()}
    posterior = posterior.assign_coords({dim: (coords or {}).get(dim, number) for dim, number in numbered.items()})
    of_draws = {name: posterior.coords[name] for name in SAMPLE}
    sample_stats = xr.Dataset({name: (SAMPLE, values) for name, values in stats.items()}, of_draws)
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": sample_stats})
