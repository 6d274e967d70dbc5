"""What we learn by putting the two halves of every mixture side by side.

`compare` runs the checks, tables and figures that ``python -m comparisons.gmm`` and ``python -m comparisons.bmm``
print; ``python -m comparisons`` runs every standard case. :mod:`comparisons.data` holds the data sets.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comparisons.comparison import compare
    from comparisons.result import Comparison

__all__ = ["Comparison", "compare"]


def __getattr__(name: str) -> Any:
    """Load the machinery, and with it ArviZ and PyMC, only when it is asked for (PEP 562)."""
    if name == "compare":
        from comparisons.comparison import compare

        return compare
    if name == "Comparison":
        from comparisons.result import Comparison

        return Comparison
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
