"""Compare EM with PyMC on one mixture: EM's estimates, PyMC's density, mode and posterior, and a verdict."""

from typing import TYPE_CHECKING

from comparisons.comparison.problem import prepare
from models.lazy import on_demand

if TYPE_CHECKING:
    from comparisons.comparison.result import Comparison
    from comparisons.comparison.steps import compare, run

__all__ = ["Comparison", "compare", "prepare", "run"]
__getattr__ = on_demand(__name__, {"Comparison": "result", "compare": "steps", "run": "steps"})
