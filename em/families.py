"""Which family a prior is of, found from the folder that its class comes from: no table lists the families."""

import importlib
from inspect import signature
from typing import Any

from models.frames import check_dense
from models.prior import MixturePrior


def conjugate_mixture(X: Any, prior: Any, **size: Any) -> Any:
    """Return data and conjugate prior as what Gibbs sampling, mean field and exact enumeration ask of a family.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    prior : MixturePrior
        A conjugate prior.
    **size
        Sizes of the cells where the family has some, such as ``n_trials``.

    Raises
    ------
    ValueError
        If the prior is not conjugate, or X not what the family takes.
    TypeError
        If an argument is none of the family's, or X is sparse.
    """
    given = type(prior).__name__
    if not isinstance(prior, MixturePrior) or not prior.conjugate:
        raise ValueError(f"prior must be conjugate, such as a GMMPrior, got {given}")
    build = family_module(prior).conjugate_mixture
    if foreign := set(size) - set(signature(build).parameters):
        raise TypeError(f"{', '.join(sorted(foreign))} must be left out under a {given}")
    check_dense("X", X)
    return build(X, prior, **size)


def family_module(value: Any) -> Any:
    """Return the package ``em.<family>`` of a prior or of parameters."""
    return importlib.import_module(f"em.{type(value).__module__.split('.')[1]}")
