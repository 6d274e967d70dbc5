"""Read fits of other libraries: one module for each library, which does not import it.

A module defines ``recognise(fit, family, options)``. It returns a :class:`comparisons.auditing.library_fit.LibraryFit`;
or None if the fit is of another library; or it raises a ValueError if such a fit is no mixture. To add a library, add a
module.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from comparisons.auditing.library_fit import LibraryFit


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> LibraryFit:
    """Return a fit as its library describes it.

    Raises
    ------
    ValueError
        If the fit's class is not supported, or it is no mixture.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    readings = (import_module(f"{__name__}.{name}").recognise(fit, family, options) for name in names)
    if (library_fit := next(filter(None, readings), None)) is not None:
        return library_fit
    raise ValueError(
        f"fit must be a fitted mixture of {', '.join(names)}, parameters of this project, or a mapping such as "
        f'{{"weights": ..., "means": ..., "covariances": ...}} with family=, got {type(fit).__name__}'
    )


def class_from(fit: Any, library: str, *names: str) -> str:
    """Return the first of these classes of a library that a fit is an instance of, or "".

    The library is not imported.

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
