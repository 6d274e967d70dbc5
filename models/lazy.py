"""PyMC models of a family are loaded when they are asked for: a family's package imports without PyMC."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

BUILDERS = "build_model", "build_marginal_model"


def builders_of(package: str) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` (PEP 562), which takes the builders of PyMC models from its module ``story``.

    Examples
    --------
    >>> from models.lazy import builders_of
    >>> builders_of("models.pmm")("build_model").__name__
    'build_model'
    """

    def from_story(name: str) -> Any:
        if name in BUILDERS:
            return getattr(import_module(f"{package}.story"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return from_story
