"""Compare the PyMC model and the EM estimator of every mixture.

`compare` runs the checks, and makes the tables and figures, that ``python -m comparisons.gmm`` and
``python -m comparisons.bmm`` show; ``python -m comparisons`` runs every standard case. `audit` checks a fit of any
library. :mod:`comparisons.data` has the data sets. `align` and `diagnose` take posterior draws from any sampler;
`name_components` tells them which dimensions count components. A name is imported, and ArviZ and PyMC with it, when it
is first used.
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
