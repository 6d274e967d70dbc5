"""Attributes of a package whose module is imported on first use (PEP 562)."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

BUILDERS = "build_model", "build_marginal_model"


def on_demand(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``; ``homes`` maps each name to the module of the package that defines it.

    The package's ``dir()``, which editors complete names from, lists these names too.

    Examples
    --------
    >>> from models.lazy import on_demand
    >>> on_demand("models.pmm", {"PMMPrior": "prior"})("PMMPrior").__name__
    'PMMPrior'
    """

    def from_home(name: str) -> Any:
        if name in homes:
            return getattr(import_module(f"{package}.{homes[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    of_package = vars(import_module(package))
    of_package.setdefault("__dir__", lambda: sorted({*of_package, *homes}))
    return from_home


def builders_of(package: str) -> Callable[[str], Any]:
    """Return a family's ``__getattr__``, which takes the builders of PyMC models from its module ``story``."""
    return on_demand(package, dict.fromkeys(BUILDERS, "story"))
