"""Decide whether a person watches the output, so that progress bars are useful."""

from importlib.util import find_spec
from typing import Any


def is_watched(console: Any) -> bool:
    """Whether a rich console shows progress bars: in a terminal, or in a notebook with ipywidgets."""
    return bool(console.is_terminal or (console.is_jupyter and find_spec("ipywidgets")))
