"""The pair of the Poisson mixture. Command line: ``python -m comparisons.pmm``."""

from comparisons.independent import IndependentFamily
from comparisons.pmm.data import CALIBRATIONS, CASES, DATASETS
from models.pmm import PMMPrior


class PMM(IndependentFamily):
    """Poisson mixture, of counts with exposures."""

    name, title, quantity_label = "pmm", "Poisson mixture", "rate"
    estimator_name, prior_types = "PoissonMixtureEM", (PMMPrior,)
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS


FAMILY = PMM
