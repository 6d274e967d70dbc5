"""What an audit asks of a family beyond its estimator; a family that knows more has a module ``auditing``.

``comparisons/<family>/auditing.py`` then states ``AUDIT``, a subclass of `FamilyAudit`.
"""

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from models.validation import Array

NEARLY_EMPTY = 1.0  # samples


class FamilyAudit:
    """The answers of a family whose components have no variances of their own."""

    def structure(self, arrays: Mapping[str, Array], options: Mapping[str, Any], n_features: int) -> dict[str, Any]:
        """Return the family's options, with those that shapes of plain arrays tell."""
        return dict(options)

    def suspects(self, parameters: Any, counts: Array, rows: Any, responsibilities: Array) -> list[tuple[bool, str]]:
        """Return for each component whether it has collapsed, and why it is suspect, or ""."""
        few = counts < NEARLY_EMPTY
        return [(False, f"keeps {n:.2g} samples" if few[k] else "") for k, n in enumerate(counts.tolist())]

    def smallest_variances(self, parameters: Any) -> Array | None:
        """Return the smallest variance of each component in any direction (K,), where a family has variances."""
        return None

    def raised(self, parameters: Any, added: Array) -> Any:
        """Return parameters with a number (K,) added to each component's variances."""
        return parameters

    def log_density_in_digits(self, rows: Any, parameters: Any) -> list[Decimal] | None:
        """Return log p(x_i) of rows in 60 digits, where float64 may have too few."""
        return None


def audit_of_family(name: str) -> FamilyAudit:
    """Return what a family's module ``auditing`` states, or the answers of any family."""
    module = f"comparisons.{name}.auditing"
    return import_module(module).AUDIT if find_spec(module) else FamilyAudit()


def members_of(rows: Any, responsibilities: Array, k: int) -> Array:
    """Return the rows whose most probable component is the k-th."""
    return np.asarray(rows[responsibilities.argmax(axis=1) == k])
