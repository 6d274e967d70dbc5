"""Families of mixtures, found from the folders ``comparisons/<family>/`` that state a ``FAMILY``."""

from importlib import import_module
from pathlib import Path
from typing import Any

import comparisons
from comparisons.family import Family
from models.shown import shown


def family_names() -> tuple[str, ...]:
    """Return the names of the folders of `comparisons` that state a ``FAMILY``, in alphabetical order.

    No folder is imported. One that is added to ``comparisons.__path__`` counts too.
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
    """Return the family of this name with these options, or a family that was made before as it is.

    Raises
    ------
    ValueError
        If there is no such family, an option belongs to another one, or options come beside a family with its own.
    TypeError
        If an option belongs to no family.
    """
    if not isinstance(family, Family):
        return family_class(family)(**options)
    if options:
        raise ValueError(f"family must be a name where options are given, got {family!r} and {', '.join(options)}")
    return family


def family_of_fit(fit: Any) -> Family:
    """Return the family of a mixture fitted by EM, with its options: as `fit` was given them, or else as set before.

    Raises
    ------
    ValueError
        If it is no mixture fitted by EM, or some of its parameters were held fixed, which the PyMC models do not know.
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
    """Return the family that a prior belongs to; options of the mixture that the prior has too are taken from it."""
    for family in family_classes():
        if isinstance(prior, family.prior_types):
            of_mixture = [option.name for option in family.options if not option.of_data]
            own = {name: getattr(prior, name) for name in of_mixture if hasattr(prior, name)}
            return family(**own, **options)
    known = " or a ".join(kind.__name__ for family in family_classes() for kind in family.prior_types)
    raise ValueError(f"prior must be a {known}, got {type(prior).__name__}")


def refuse(family: type[Family], name: str, value: Any) -> None:
    """Raise an error that says which families take an option that this one does not."""
    owners = [repr(other.name) for other in family_classes() if name in {option.name for option in other.options}]
    if owners:
        raise ValueError(f"{name} belongs to family {' and '.join(owners)}, got {shown(value)} for {family.name!r}")
    takes = ", ".join(option.name for option in family.options) or "none"
    raise TypeError(f"{name} is no setting and no option; the options of family {family.name!r} are {takes}")
