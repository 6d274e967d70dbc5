"""Convert draws of the Gibbs sampler to the form of PyMC's posterior, so that the same functions read both."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment.component_draws import tree_of
from comparisons.families import family_of_prior
from models.parameters import labels_of_features
from models.validation import Array


def as_datatree(draws: dict[str, Array], prior: Any, feature_names: Sequence[str] | None = None) -> xr.DataTree:
    """Return the draws of :func:`em.gibbs.gibbs` as a DataTree with PyMC's names and dims.

    Parameters
    ----------
    draws : dict of ndarray, shapes (chains, draws, ...)
        Parameters, labels and log-likelihood.
    prior : MixturePrior
        The prior of these draws.
    feature_names : sequence of str or None
        Names of the features, for tables; ``None`` numbers them.

    Returns
    -------
    DataTree
        Groups ``posterior`` (parameters, and z with dim ``obs``) and ``sample_stats`` (``log_likelihood``).

    Raises
    ------
    ValueError
        If the draws do not come from that sampler, or the prior belongs to another family.

    Examples
    --------
    >>> from comparisons.posterior.gibbs import as_datatree
    >>> from em.gibbs import gibbs
    >>> from models.bmm import BMMPrior
    >>> prior = BMMPrior()
    >>> tree = as_datatree(gibbs([[1, 1], [0, 0], [1, 0]], 2, prior, draws=5, chains=2), prior)
    >>> tree["posterior"]["probs"].dims, tree["posterior"]["z"].shape
    (('chain', 'draw', 'component', 'feature'), (2, 5, 3))
    """
    dims: dict[str, tuple[str, ...]] = {q.name: q.dims for q in family_of_prior(prior).quantities}
    dims |= {"z": ("obs",), "log_likelihood": ()}
    given = {name: np.ndim(value) for name, value in draws.items()} if isinstance(draws, dict) else {}
    if given != {name: 2 + len(own) for name, own in dims.items()}:
        wanted = f"draws must be what em.gibbs.gibbs returned under the prior, a {type(prior).__name__}: arrays by name"
        raise ValueError(f"{wanted}, {', '.join(dims)}, got {', '.join(given) or type(draws).__name__}")
    posterior = {name: value for name, value in draws.items() if name != "log_likelihood"}
    return tree_of(posterior, {"log_likelihood": draws["log_likelihood"]}, dims, labels_of_features(feature_names))
