"""Plain arrays by name, and this project's own parameters without a fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.auditing.library_fit import LibraryFit
from comparisons.families import family_class, family_classes
from models.parameters import Parameters


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> LibraryFit | None:
    """Return arrays under their own names; ``family`` names the family."""
    if isinstance(fit, Parameters):
        pair = next(pair for pair in family_classes() if isinstance(fit, pair.parameters_type))
        stored = {option.name: getattr(fit, option.name) for option in pair.options if hasattr(fit, option.name)}
        name = type(fit).__name__
        return LibraryFit(source=name, family=pair.name, arrays=fit.arrays(), options={**stored, **options})
    if not isinstance(fit, Mapping) or "weights" not in fit:
        return None
    if family is None:
        raise ValueError("family must be given beside plain arrays, such as family='gmm', got None")
    pair = family_class(family)
    given = {option.name: fit[option.name] for option in pair.options if option.name in fit}
    arrays = {name: np.asarray(values) for name, values in fit.items() if name not in given}
    return LibraryFit(source="arrays", family=pair.name, arrays=arrays, options={**given, **options})
