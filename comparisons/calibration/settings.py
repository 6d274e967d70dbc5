"""What is calibrated: the models and priors that the families declare."""

from comparisons.calibration.simulations import Setting
from comparisons.family import family_classes

SETTINGS = {
    f"{family.name}-{name}": Setting(**arguments)
    for family in family_classes()
    for name, arguments in family.calibrations.items()
}
BROKEN = tuple(f"{family.name}-{next(iter(family.calibrations))}" for family in family_classes() if family.calibrations)
"""Settings that are shown to fail without their Jacobian, the first of each family."""
