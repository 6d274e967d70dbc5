"""The parts of an audit that depend on the family, such as when a component counts as collapsed.

`FamilyAudit` has the defaults. A family overrides them in a module ``comparisons/<family>/auditing.py``, which defines
``AUDIT``, an instance of a subclass.
"""

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from models.validation import Array

NEARLY_EMPTY = 1.0  # samples


class FamilyAudit:
    """The defaults, for a family whose components have no variances of their own."""

    def structure(self, arrays: Mapping[str, Array], options: Mapping[str, Any], n_features: int) -> dict[str, Any]:
        """Return the family's options, completed by those that follow from the shapes of the arrays."""
        return dict(options)

    def suspects(self, parameters: Any, counts: Array, rows: Any, responsibilities: Array) -> list[tuple[bool, str]]:
        """Return for each component whether it has collapsed, and a finding; "" if the component is sound."""
        few = counts < NEARLY_EMPTY
        return [(False, f"keeps {n:.2g} samples" if few[k] else "") for k, n in enumerate(counts.tolist())]

    def smallest_variances(self, parameters: Any) -> Array | None:
        """Return the smallest variance of each component in any direction (K,); None without variances."""
        return None

    def with_added_variances(self, parameters: Any, added: Array) -> Any:
        """Return parameters with a number (K,) added to each component's variances."""
        return parameters

    def log_density_in_digits(self, rows: Any, parameters: Any) -> list[Decimal] | None:
        """Return log p(x_i) of rows in 60 digits; None for a family where float64 is enough."""
        return None


def audit_of_family(name: str) -> FamilyAudit:
    """Return the ``AUDIT`` of a family's module ``auditing``, or the defaults."""
    module = f"comparisons.{name}.auditing"
    return import_module(module).AUDIT if find_spec(module) else FamilyAudit()
