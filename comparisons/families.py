"""Find the families of mixtures: every folder ``comparisons/<family>/`` whose ``__init__.py`` defines ``FAMILY``."""

from importlib import import_module
from pathlib import Path
from typing import Any

import comparisons
from comparisons.family import Family
from models.shown import shown


def family_names() -> tuple[str, ...]:
    """Return the names of all families, in alphabetical order.

    No family is imported. Folders in all of ``comparisons.__path__`` are searched.
    """
    files = (file for root in comparisons.__path__ for file in Path(root).glob("*/__init__.py"))
    return tuple(sorted({file.parent.name for file in files if "\nFAMILY = " in file.read_text(encoding="utf-8")}))


def family_class(name: str) -> type[Family]:
    """Return the class of the family called ``name``."""
    if name not in (names := family_names()):
        raise ValueError(f"family must be one of {', '.join(names)}, got {shown(name)}")
    return import_module(f"comparisons.{name}").FAMILY


def family_classes() -> list[type[Family]]:
    """Return the classes of all families."""
    return [family_class(name) for name in family_names()]


def family_of(family: str | Family, **options: Any) -> Family:
    """Return the family of this name with these options; a Family is returned unchanged.

    Raises
    ------
    ValueError
        If there is no such family, an option belongs to another family, or options are given with a Family.
    TypeError
        If an option belongs to no family.
    """
    if not isinstance(family, Family):
        return family_class(family)(**options)
    if options:
        raise ValueError(f"family must be a name where options are given, got {family!r} and {', '.join(options)}")
    return family


def family_of_fit(fit: Any) -> Family:
    """Return the family of a mixture fitted by EM, with the options of the fit.

    Options come from the call of `fit`, or else from the estimator's settings.

    Raises
    ------
    ValueError
        If it is no mixture fitted by EM, or some parameters were held fixed, which the PyMC models do not support.
    """
    parameters = getattr(fit, "parameters_", None)
    for family in family_classes():
        if isinstance(parameters, family.parameters_type) and hasattr(fit, "frozen"):
            if fit.frozen:
                given = f"{', '.join(fit.frozen)} frozen"
                raise ValueError(f"family must be a mixture without frozen parameters, got {given}")
            set_before = {o.name: getattr(fit, o.name) for o in family.options if hasattr(fit, o.name)}
            return family(**{name: getattr(fit, f"{name}_", value) for name, value in set_before.items()})
    raise ValueError(f"family must be a name, a Family, a mixture fitted by EM or a selection, got {shown(fit)}")


def family_of_prior(prior: Any, **options: Any) -> Family:
    """Return the family of a prior, with options; options of the mixture that the prior has are taken from it."""
    for family in family_classes():
        if isinstance(prior, family.prior_types):
            of_mixture = [option.name for option in family.options if not option.of_data]
            own = {name: getattr(prior, name) for name in of_mixture if hasattr(prior, name)}
            return family(**own, **options)
    known = " or a ".join(kind.__name__ for family in family_classes() for kind in family.prior_types)
    raise ValueError(f"prior must be a {known}, got {type(prior).__name__}")


def refuse(family: type[Family], name: str, value: Any) -> None:
    """Raise an error about an option that this family does not take; name the families that do."""
    owners = [repr(other.name) for other in family_classes() if name in {option.name for option in other.options}]
    if owners:
        raise ValueError(f"{name} belongs to family {' and '.join(owners)}, got {shown(value)} for {family.name!r}")
    from comparisons.comparison.problem import DEFAULTS
    from comparisons.data.options import did_you_mean

    options = [option.name for option in family.options]
    takes = f"the options of family {family.name!r} are {', '.join(options) or 'none'}"
    near = "" if name in DEFAULTS else did_you_mean(name, [*options, *DEFAULTS])
    raise TypeError(f"{name} is no setting and no option; {takes}{near}")
