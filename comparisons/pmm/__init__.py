"""The pair of the Poisson mixture. Command line: ``python -m comparisons.pmm``."""

from numpy.typing import ArrayLike

from comparisons.declarations import Option
from comparisons.independent import IndependentFamily
from comparisons.pmm.data import CALIBRATIONS, CASES, DATASETS
from em.pmm import POISSON
from em.pmm.estimator import PoissonMixtureEM


class PMM(IndependentFamily):
    """Poisson mixture, of counts with exposures."""

    title = "Poisson mixture"
    options = (Option("exposure", 1.0, "Exposure of each cell of your own counts", of_data=True),)
    steps, estimator_type, quantity_label = POISSON, PoissonMixtureEM, "rate"
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS
    exposure: ArrayLike


FAMILY = PMM
