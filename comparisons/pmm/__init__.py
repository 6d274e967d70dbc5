"""The pair of the Poisson mixture. Command line: ``python -m comparisons.pmm``."""

from numpy.typing import ArrayLike

from comparisons.declarations import Option
from comparisons.independent import IndependentFamily
from comparisons.pmm.data import CALIBRATIONS, CASES, DATASETS
from models.pmm import PMMParameters, PMMPrior


class PMM(IndependentFamily):
    """Poisson mixture, of counts with exposures."""

    name, title, quantity_label = "pmm", "Poisson mixture", "rate"
    estimator_name, parameters_type, prior_types = "PoissonMixtureEM", PMMParameters, (PMMPrior,)
    options = (Option("exposure", 1.0, "Exposure of each cell of your own counts", of_data=True),)
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS
    exposure: ArrayLike


FAMILY = PMM
