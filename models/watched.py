"""Whether a person watches the output, so that bars of progress are of use."""

from importlib.util import find_spec
from typing import Any


def is_watched(console: Any) -> bool:
    """Whether a person sees bars move on a rich console: in a terminal, or in a notebook that has ipywidgets."""
    return bool(console.is_terminal or (console.is_jupyter and find_spec("ipywidgets")))
