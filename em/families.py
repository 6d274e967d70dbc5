"""Find the families of mixtures from the folders ``em/<family>/`` and ``models/<family>/``; no table lists them.

A folder is a family's if it holds a module ``estimator``. A prior, or parameters, belong to the family in whose folder
their class is defined.
"""

import importlib
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

import em
from em.steps import Steps
from em.steps.conjugate import ConjugateMixture
from models.frames import check_dense
from models.parameters import Parameters
from models.prior import MixturePrior


def conjugate_mixture(X: Any, prior: Any, **size: Any) -> Any:
    """Return data and a conjugate prior in the form that Gibbs sampling, mean field and exact enumeration need.

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
        If the prior is not conjugate, or X is not legal data of the family.
    TypeError
        If the family does not take an argument, or X is sparse.
    """
    given = type(prior).__name__
    if not isinstance(prior, MixturePrior) or not prior.conjugate:
        raise ValueError(f"prior must be conjugate, {_suggested_prior(prior)}, got {given}")
    module = family_module(prior)
    build = getattr(module, "conjugate_mixture", None)
    if build is not None and (foreign := size.keys() - signature(build).parameters.keys()):
        raise TypeError(f"{', '.join(sorted(foreign))} must be left out under a {given}")
    check_dense("X", X)
    if build is not None:
        return build(X, prior, **size)
    steps = steps_of(module)
    return ConjugateMixture(steps, steps.rows(X, steps.cells.size_of(1, size)), prior)


def mixture_of_chunks(X: Any, prior: Any, **size: Any) -> Any:
    """Return the `conjugate_mixture` of a Dask array or DataFrame without its data; it then takes the rows of chunks.

    A family that needs to know more of X than its number of columns, such as levels, defines ``example_of_chunks``.
    """
    example_of = getattr(family_module(prior), "example_of_chunks", None)
    rows, size = (np.ones((1, X.shape[1])), size) if example_of is None else example_of(X, **size)
    return conjugate_mixture(rows, prior, **size)


def without_samples(mixture: Any) -> Any:
    """Return a `conjugate_mixture` without its data, but with what new rows need, such as sizes and levels."""
    X, size = mixture.example()
    return conjugate_mixture(X, mixture.prior, **size)


def _suggested_prior(prior: Any) -> str:
    """Name a conjugate prior of a prior's family, for an error message."""
    if not isinstance(prior, MixturePrior):
        return "such as a GMMPrior"
    package = f"models.{type(prior).__module__.split('.')[1]}"
    names = [kind.__name__ for kind in _classes(package, MixturePrior) if getattr(kind, "conjugate", False)]
    return f"such as a {names[0]}" if names else f"and {package} has no such one: comparisons.compare draws by NUTS"


def steps_of(module: Any) -> Steps[Any]:
    """Return the formulas of a module ``em.<family>``: its only instance of `em.steps.Steps`."""
    (steps,) = (value for value in vars(module).values() if isinstance(value, Steps))
    return steps


def family_names() -> list[str]:
    """Return the names of all families, in alphabetical order."""
    return sorted({file.parent.name for folder in em.__path__ for file in Path(folder).glob("*/estimator.py")})


def estimators() -> dict[str, Any]:
    """Return the estimators of all families by the names of their classes.

    Examples
    --------
    >>> from em.families import estimators
    >>> "PoissonMixtureEM" in estimators()
    True
    """
    from em.estimator import MixtureEM

    return {cls.__name__: cls for name in family_names() for cls in _classes(f"em.{name}.estimator", MixtureEM)}


def values() -> dict[str, type]:
    """Return the parameters and priors of all families by the names of their classes."""
    both = Parameters, MixturePrior
    return {cls.__name__: cls for name in family_names() for cls in _classes(f"models.{name}", both)}


def _classes(module: str, bases: Any) -> list[type]:
    """Return the classes in a module that are defined in its own folder and derive from any of the bases."""
    defined = vars(importlib.import_module(module)).values()
    return [
        cls for cls in defined if isinstance(cls, type) and issubclass(cls, bases) and cls.__module__.startswith(module)
    ]


def family_module(value: Any) -> Any:
    """Return the package ``em.<family>`` of a prior or of parameters."""
    return importlib.import_module(f"em.{type(value).__module__.split('.')[1]}")
