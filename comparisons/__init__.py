"""What we learn by putting the PyMC model and the EM estimator of every mixture side by side.

`compare` runs the checks, tables and figures that ``python -m comparisons.gmm`` and ``python -m comparisons.bmm``
print; ``python -m comparisons`` runs every standard case. :mod:`comparisons.data` holds the data sets. `align` and
`diagnose` take posterior draws from any sampler; `name_components` tells them which dimensions count components. Each
name loads its machinery, and with it ArviZ and PyMC, only when it is asked for.
"""

from typing import TYPE_CHECKING

from models.lazy import on_demand

if TYPE_CHECKING:
    from comparisons.alignment import align
    from comparisons.alignment.component_draws import name_components
    from comparisons.alignment.diagnosis import diagnose
    from comparisons.alignment.responsibilities import log_joint
    from comparisons.auditing.result import Audit
    from comparisons.auditing.steps import audit
    from comparisons.comparison.result import Comparison
    from comparisons.comparison.steps import compare

HOMES = {
    "Audit": "auditing.result",
    "Comparison": "comparison.result",
    "align": "alignment",
    "audit": "auditing.steps",
    "compare": "comparison.steps",
    "diagnose": "alignment.diagnosis",
    "log_joint": "alignment.responsibilities",
    "name_components": "alignment.component_draws",
}
__all__ = ["Audit", "Comparison", "align", "audit", "compare", "diagnose", "log_joint", "name_components"]
__getattr__ = on_demand(__name__, HOMES)
