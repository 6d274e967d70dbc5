"""What a family states for the tests of the contract: one row for each kind of estimate, in `tests/family_*.py`."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import logsumexp


@dataclass(frozen=True, repr=False)
class Family:
    """One row: a family with one kind of estimate.

    ``prior`` takes (K, D) and gives a prior that treats components alike, or None. ``parameters`` draws parameters
    from (rng, K, D), ``simulate`` draws X from (parameters, n, rng). ``known`` is the closed-form fit from (X by
    component, prior), as a dict without weights, and ``log_prob`` the log density of one sample in one component,
    also on the boundary of a support (NaN if there is no distribution); both are written with none of the code
    under test. ``to_vector`` and ``from_vector`` map parameters without their weights to an unconstrained vector
    and back. ``options`` go to every step and the estimator, ``structure`` to the M-step and the estimator.
    ``n_free`` is the number of free parameters of two components of two features, and ``expected`` the mean sample
    of each component.
    """

    name: str
    steps: Any
    estimator: type
    prior: Callable[[int, int], Any]
    parameters: Callable[[np.random.RandomState, int, int], Any]
    simulate: Callable[[Any, int, np.random.RandomState], np.ndarray]
    known: Callable[[list[np.ndarray], Any], dict[str, np.ndarray]]
    log_prob: Callable[[np.ndarray, Any, int], float]
    to_vector: Callable[[Any], np.ndarray]
    from_vector: Callable[[np.ndarray, np.ndarray, int, int], Any]
    n_free: int
    expected: Callable[[Any], np.ndarray]
    options: dict[str, Any] = field(default_factory=dict)
    structure: dict[str, Any] = field(default_factory=dict)

    def __repr__(self):
        return self.name

    def fit(self, X, K, *, quiet=(), sample_weight=None, **settings):
        """Fit with this row's prior; the warnings in ``quiet`` are expected and dropped."""
        prior = self.prior(K, X.shape[1])
        with warnings.catch_warnings():
            for category in quiet:
                warnings.simplefilter("ignore", category)
            return self.estimator(K, prior=prior, **self.options, **self.structure, **settings).fit(
                X, sample_weight=sample_weight
            )

    def objective(self, X, K, **held):
        """Return the observed-data objective as a function of log weights and `to_vector`; ``held`` arrays stay."""
        prior, D = self.prior(K, X.shape[1]), X.shape[1]

        def function(vector):
            weights = np.exp(vector[:K] - logsumexp(vector[:K]))
            parameters = self.from_vector(weights, vector[K:], K, D)
            parameters = replace(parameters, **held)
            _, log_likelihood = self.steps.e_step(X, parameters, **self.options)
            return log_likelihood + (0.0 if prior is None else prior.log_prob(parameters))

        return function

    def m_step(self, X, responsibilities, prior):
        return self.steps.m_step(X, responsibilities, prior, **self.options, **self.structure)

    def problem(self, seed, K, D, n):
        """Draw samples from random parameters, and other random parameters to start from."""
        rng = np.random.RandomState(seed)
        X = self.simulate(self.parameters(rng, K, D), n, rng)
        return X, self.parameters(rng, K, D), rng

    def closed_form(self, X, z, K):
        """Return the fit with known labels z (n,), component by component, as arrays by name."""
        prior = self.prior(K, X.shape[1])
        counts = np.array([np.sum(z == k) for k in range(K)], dtype=float)
        a = np.broadcast_to(1.0 if prior is None else prior.concentration, K)
        arrays = self.known([X[z == k] for k in range(K)], prior)
        return {"weights": (counts + a - 1) / (counts + a - 1).sum(), **arrays}


def no_prior(K, D):
    """Maximum likelihood."""
