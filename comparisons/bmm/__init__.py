"""The pair of the Bernoulli and binomial mixtures. Command line: ``python -m comparisons.bmm``."""

from typing import override

import numpy as np
from numpy.typing import ArrayLike

from comparisons.bmm.data import CALIBRATIONS, CASES, DATASETS
from comparisons.declarations import Option
from comparisons.independent import IndependentFamily
from models.bmm import BMMPrior


class BMM(IndependentFamily):
    """Bernoulli mixture, or binomial mixture when ``n_trials`` is more than 1."""

    name, title, quantity_label = "bmm", "Bernoulli or binomial mixture", "success probability"
    estimator_name, prior_types = "BinomialMixtureEM", (BMMPrior,)
    options = (Option("n_trials", 1, "Trials per cell of your own count data", "trials", of_data=True),)
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS
    n_trials: ArrayLike

    @override
    def is_binary(self) -> bool:
        return bool(np.all(np.asarray(self.n_trials) == 1))


FAMILY = BMM
