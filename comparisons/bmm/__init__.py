"""The pair of the Bernoulli and binomial mixtures. Command line: ``python -m comparisons.bmm``."""

from typing import Any, override

import numpy as np
from numpy.typing import ArrayLike

from comparisons.bmm.data import CALIBRATIONS, CASES, DATASETS
from comparisons.declarations import Option
from comparisons.family import Point, conjugate_gaps_of_weights
from comparisons.independent import IndependentFamily
from models.bmm import BMMParameters, BMMPrior


class BMM(IndependentFamily):
    """Bernoulli mixture, or binomial mixture when ``n_trials`` is more than 1."""

    name, title, quantity_label = "bmm", "Bernoulli or binomial mixture", "success probability"
    estimator_name, parameters_type, prior_types = "BinomialMixtureEM", BMMParameters, (BMMPrior,)
    options = (Option("n_trials", 1, "Trials per cell of your own count data", "trials", of_data=True),)
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS
    n_trials: ArrayLike

    @override
    def is_binary(self) -> bool:
        return bool(np.all(np.asarray(self.n_trials) == 1))

    @override
    def conjugate_gaps(self, parameters: Any, n_samples: float, prior: Any) -> tuple[Point, Point]:
        """Of Beta(s + b, f + c), s + f = N: |b - (b + c) p| / N from MLE to mean, |1 - 2p| / N from mode to mean.

        The posterior sd is sqrt(p (1 - p) / N); at p of 0 or 1 that of half a success or failure.
        """
        N = np.maximum(parameters.weights[:, None] * n_samples * self.mean_size(parameters.n_features), 1)
        p = np.clip(parameters.probs, 0.5 / N, 1 - 0.5 / N)
        sd = np.sqrt(p * (1 - p) * N)
        weights = conjugate_gaps_of_weights(parameters.weights, n_samples, float(prior.concentration.max()))
        mle = np.abs(prior.successes - (prior.successes + prior.failures) * p) / sd
        return {"weights": weights[0], "probs": mle}, {"weights": weights[1], "probs": np.abs(1 - 2 * p) / sd}


FAMILY = BMM
