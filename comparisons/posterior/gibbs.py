"""Draws of the Gibbs sampler in the shape of PyMC's posterior: what reads the one reads the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from comparisons.family import family_of_prior
from comparisons.posterior.tree import tree_of
from models.validation import Array


def as_datatree(draws: dict[str, Array], prior: Any) -> xr.DataTree:
    """Return the draws of :func:`em.gibbs.gibbs` as a DataTree with PyMC's names and dims.

    Parameters
    ----------
    draws : dict of ndarray, shapes (chains, draws, ...)
        Parameters, labels and log-likelihood.
    prior : MixturePrior
        The prior that they were drawn under.

    Returns
    -------
    DataTree
        Groups ``posterior`` (parameters, and z with dim ``obs``) and ``sample_stats`` (``log_likelihood``).

    Raises
    ------
    ValueError
        If the draws are not of that sampler, or the prior is of another family.
    """
    if not isinstance(draws, Mapping) or "log_likelihood" not in draws:
        raise ValueError(f"draws must be what em.gibbs.gibbs returned, arrays by name, got {type(draws).__name__}")
    dims: dict[str, tuple[str, ...]] = {q.name: q.dims for q in family_of_prior(prior).quantities}
    dims |= {"z": ("obs",), "log_likelihood": ()}
    lacking = [name for name in dims if name not in draws]
    others = [name for name, value in draws.items() if name not in dims or np.ndim(value) != 2 + len(dims[name])]
    if lacking or others:
        wanted = f"draws must be what em.gibbs.gibbs returned under the prior, a {type(prior).__name__}"
        raise ValueError(f"{wanted}; missing: {', '.join(lacking) or 'none'}; not of it: {', '.join(others) or 'none'}")
    posterior = {name: value for name, value in draws.items() if name != "log_likelihood"}
    return tree_of(posterior, {"log_likelihood": draws["log_likelihood"]}, dims)
