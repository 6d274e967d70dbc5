"""The pair of the Bernoulli and binomial mixtures. Command line: ``python -m comparisons.bmm``."""

from collections.abc import Callable, Mapping
from typing import Any, override

import numpy as np
from numpy.typing import ArrayLike

from comparisons.bmm.calibration import CALIBRATIONS
from comparisons.bmm.data import CASES, DATASETS
from comparisons.declarations import Option
from comparisons.family import (
    Family,
    Point,
    conjugate_gaps_of_weights,
    log_ratio_weights,
    sum_to_one,
    with_features,
)
from em import BinomialMixtureEM
from em import bmm as em_bmm
from models import bmm as model_bmm
from models.bmm.parameters import QUANTITIES
from models.validation import Array

INSIDE = 1e-8


class BMM(Family):
    """Bernoulli mixture, or binomial mixture when ``n_trials`` is more than 1."""

    name = "bmm"
    title = "Bernoulli or binomial mixture"
    options = (Option("n_trials", 1, "Trials per cell of your own count data", "trials", of_data=True),)
    estimator_type = BinomialMixtureEM
    parameters_type = model_bmm.BMMParameters
    prior_types = (model_bmm.BMMPrior,)
    prior_counts = ("concentration", "successes", "failures")
    quantities = QUANTITIES
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS
    n_trials: ArrayLike

    @override
    def default_prior(self, X: Array, n_components: int, prior_family: str = "conjugate") -> model_bmm.BMMPrior:
        return model_bmm.BMMPrior()

    @override
    def shaped(self, draws: Mapping[str, Array]) -> Point:
        weights, probs = draws["weights"], with_features("probs", draws["probs"])
        if probs.min() < 0 or probs.max() > 1:
            raise ValueError(f"draws must have probs from 0 to 1, got {probs.min():.6g} to {probs.max():.6g}")
        return {"weights": sum_to_one(weights, probs.shape[:2]), "probs": probs}

    @override
    def log_joint(self, X: Array) -> Callable[[Mapping[str, Array]], Callable[[slice], Array]]:
        """Return log π_k + Σ_d log C(m, x) + x log p_kd + (m - x) log(1 - p_kd), of the observed cells of x_i."""
        data = em_bmm.BINOMIAL.rows(X, self.n_trials)

        def given(draws: Mapping[str, Array]) -> Callable[[slice], Array]:
            draws = self.shaped(draws)
            with np.errstate(divide="ignore"):
                log_weights = np.log(draws["weights"])[:, :, None]
            if X.shape[1] != (D := draws["probs"].shape[2]):
                raise ValueError(f"X must have {D} columns like the probs, got {X.shape[1]}")

            def of_rows(rows: slice) -> Array:
                kernel = em_bmm.BINOMIAL.log_kernel(data[rows], draws)
                return log_weights + data.log_base[rows] + np.swapaxes(kernel, 1, 2)

            return of_rows

        return given

    @override
    def is_binary(self) -> bool:
        return bool(np.all(np.asarray(self.n_trials) == 1))

    @override
    def unconstrained(self, draws: dict[str, Array]) -> Array:
        """Log weight ratios and log odds."""
        p = draws["probs"].reshape(len(draws["probs"]), -1)
        return np.hstack([log_ratio_weights(draws["weights"]), np.log(p) - np.log1p(-p)])

    @override
    def conjugate_gaps(self, parameters: Any, n_samples: int, prior: Any) -> tuple[Point, Point]:
        """Of Beta(s + b, f + c), s + f = N: |b - (b + c) p| / N from MLE to mean, |1 - 2p| / N from mode to mean.

        The posterior sd is sqrt(p (1 - p) / N); at p of 0 or 1 that of half a success or failure.
        """
        N = np.maximum(parameters.weights[:, None] * n_samples * self._mean_trials(), 1)
        p = np.clip(parameters.probs, 0.5 / N, 1 - 0.5 / N)
        sd = np.sqrt(p * (1 - p) * N)
        weights = conjugate_gaps_of_weights(parameters.weights, n_samples, float(prior.concentration.max()))
        mle = np.abs(prior.successes - (prior.successes + prior.failures) * p) / sd
        return {"weights": weights[0], "probs": mle}, {"weights": weights[1], "probs": np.abs(1 - 2 * p) / sd}

    @override
    def free_coordinates(self, parameters: Any) -> dict[str, np.ndarray]:
        return {"probs": (parameters.probs > INSIDE) & (parameters.probs < 1 - INSIDE)}

    @override
    def prior_on_response(self, prior: Any, X: Array) -> tuple[float, Array]:
        total = np.asarray(prior.successes + prior.failures)
        return float(total.max()), np.asarray(prior.successes / total)

    @override
    def anywhere(self, fit: Any, rng: np.random.RandomState) -> model_bmm.BMMParameters:
        K, D = fit.probs_.shape
        return model_bmm.BMMParameters(rng.dirichlet(np.ones(K)), rng.uniform(size=(K, D)))

    @override
    def ridge(self, fit: Any) -> tuple[str, ...]:
        return "probs[0, 0]", "probs[1, 0]"

    def _mean_trials(self) -> Array:
        trials = np.asarray(self.n_trials, dtype=np.float64)
        return trials.mean(axis=0) if trials.ndim == 2 else trials


FAMILY = BMM
