"""What we learn by putting the two halves of every mixture side by side.

`compare` runs the checks, tables and figures that ``python -m comparisons.gmm`` and
``python -m comparisons.bmm`` print;
``python -m comparisons`` runs every standard case. :mod:`comparisons.data` holds the data sets.
"""

from comparisons.comparison import compare
from comparisons.result import Comparison

__all__ = ["Comparison", "compare"]
