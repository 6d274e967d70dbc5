"""Marginal likelihood and posterior means of sets of samples, as :mod:`comparisons.evidence.exact` needs them.

The samples of one component are a set. Its conjugate posterior has the log normaliser A, and with base measure h::

    log p(X_set) = A(posterior) - A(prior) + Σ_i log h(x_i)

A "tied" covariance is shared, so that there A is taken of all components together.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from models.validation import Array


class Sets:
    """What is known of all sets of samples, each the samples of one of K components.

    Parameters
    ----------
    mixture : ConjugateMixture or GaussianConjugate
        Data and conjugate prior.
    n_components : int
        Number of components K.

    Attributes
    ----------
    counts : ndarray, shape (2^n,)
        Number of samples in each set; sets are written as whole numbers, bit i for sample i.
    """

    def __init__(self, mixture: Any, n_components: int) -> None:
        self.n_samples = len(mixture.X)
        mixture = replace(mixture, prior=replace(mixture.prior, concentration=1.0))  # a set has the weights of no one
        members = members_of_sets(self.n_samples)
        self.counts = members.sum(axis=1)
        self.posterior = mixture.posterior_of_sets(members[..., None], n_components)
        before = mixture.posterior(np.zeros((self.n_samples, n_components))).log_normaliser()
        if self.posterior.shared:
            self._constant = mixture.log_base.sum() - before
        else:
            self._log_prob = self.posterior.log_normaliser() - before / n_components + members @ mixture.log_base

    def log_prob(self, labels: np.ndarray) -> Array:
        """Return log p(X | z), shape (batch,), of the sets (batch, K) that z makes."""
        if self.posterior.shared:
            return np.asarray(self.posterior.joined(labels).log_normaliser() + self._constant)
        return sum_over_components(self._log_prob[:, None], labels)

    def means(self, of_sets: Array) -> dict[str, Array]:
        """Return posterior means by name, from the probability (K, sets) that a set is component k's.

        A mean is NaN where it does not exist for a set that has a positive probability.
        """
        means = {}
        for name, mean in self.posterior.mean().items():
            unknown = np.isnan(mean)
            value = np.tensordot(of_sets, np.where(unknown, 0.0, mean), 1)
            value[np.tensordot(of_sets, unknown.astype(np.float64), 1) > 0] = np.nan
            means[name] = value.sum(axis=0) if name in self.posterior.shared else value[:, 0]
        return means


def members_of_sets(n: int) -> Array:
    """Return which samples belong to each set, shape (2^n, n), as 0 and 1."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.float64)


def sum_over_components(of_sets: Array, labels: np.ndarray) -> Array:
    """Return Σ_k of_sets[S_k, k], shape (batch,), of the sets S_k (batch, K) that are the components'.

    The last axis of ``of_sets`` may be 1 where it is the same for all components.
    """
    columns = np.broadcast_to(of_sets, (len(of_sets), labels.shape[1])).T
    return np.asarray(sum(column[own] for column, own in zip(columns, labels.T, strict=True)))
