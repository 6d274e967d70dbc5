"""How fits of each library are read: one module for each, which imports none of them.

A module states ``recognise(fit, family, options)``, which returns a :class:`comparisons.auditing.given.Given`, None
where the fit is of no class that it knows, or raises a ValueError that says why such a fit is no mixture. A library is
added by a file.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from comparisons.auditing.given import Given


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> Given:
    """Return what the library that a fit is of says about it.

    Raises
    ------
    ValueError
        If the fit is of no class that is known here, or is no mixture.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    readings = (import_module(f"{__name__}.{name}").recognise(fit, family, options) for name in names)
    if (given := next(filter(None, readings), None)) is not None:
        return given
    raise ValueError(
        f"fit must be a fitted mixture of {', '.join(names)}, parameters of this project, or a mapping such as "
        f'{{"weights": ..., "means": ..., "covariances": ...}} with family=, got {type(fit).__name__}'
    )


def class_from(fit: Any, library: str, *names: str) -> str:
    """Return which of these classes of a library a fit is of, or derived from; nothing for another one.

    Examples
    --------
    >>> from sklearn.mixture import GaussianMixture
    >>> from comparisons.auditing.libraries import class_from
    >>> class_from(GaussianMixture(), "sklearn", "GaussianMixture")
    'GaussianMixture'
    """
    ancestors = {cls.__name__ for cls in type(fit).__mro__ if cls.__module__.split(".")[0] == library}
    return next((name for name in names if name in ancestors), "")


def check_is_fitted(fit: Any, *attributes: str) -> None:
    """Raise a ValueError unless a fit has these attributes."""
    if missing := [name for name in attributes if not hasattr(fit, name)]:
        raise ValueError(f"fit must be fitted first, got a {type(fit).__name__} without {', '.join(missing)}")
