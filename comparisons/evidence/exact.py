"""Compute the exact posterior of a mixture of a few samples, by enumerating all label vectors z.

Under a conjugate prior the parameters integrate out. With n samples and K components,

    p(X, z) = p(z) p(X | z),        p(X) = Σ_z p(X, z)           K^n label vectors
    p(z)    = Γ(Σa) / Γ(n + Σa) Π_k Γ(N_k + a_k) / Γ(a_k)        Dirichlet-multinomial, N_k samples with label k

and p(X | z) is a product over components of closed forms. With κ_k, m_k and A_k as in :mod:`models.gmm`,
G_p(ν, Ψ) = log Γ_p(ν/2) - ν/2 log|Ψ| and p the side length of Ψ (1 for a variance), log p(X | z) is

    full       Σ_k  { G_D(ν0 + N_k, Ψ0 + A_k) - G_D(ν0, Ψ0) }                          + c
    tied              G_D(ν0 + n, Ψ0 + Σ_k A_k) - G_D(ν0, Ψ0)                          + c
    diag       Σ_kd { G_1(ν0 + N_k, ψ0_d + A_k,dd) - G_1(ν0, ψ0_d) }                   + c
    spherical  Σ_k  { G_1(ν0 + D N_k, ψ0 + tr A_k) - G_1(ν0, ψ0) }                     + c
               where c = - nD/2 log π + D/2 Σ_k log(κ0 / κ_k)
    BMM        Σ_id log C(m_id, x_id) + Σ_kd { log B(b_d + s_kd, c_d + f_kd) - log B(b_d, c_d) }

with s and f the successes and failures of component k. Each is the log normaliser of the conjugate posterior of
:mod:`em.families` minus that of the prior, plus the base measure; the tests compare them with products of predictive
densities and with quadrature. What depends on the samples of one component is computed once for each of the 2^n subsets
of samples (:class:`Sets`). The result is the reference for Gibbs sampling, variational inference, NUTS and SMC.

References
----------
Murphy (2007), Conjugate Bayesian analysis of the Gaussian distribution, technical report, section 9.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp

from em.families import conjugate_mixture
from em.gibbs import check_labels, one_hot
from models.shown import one_line
from models.validation import Array, count_at_least_one, data_matrix

MOST_SAMPLES = 12
MOST_LABELLINGS = 2e7  # K = 4 with 12 samples, which takes some seconds
BATCH = 2**19


class Sets:
    """Marginal likelihood and posterior means of every subset of samples, as the samples of one of K components.

    If A is the log normaliser of a component's conjugate distribution, and h the base measure::

        log p(X_set) = A(posterior) - A(prior) + Σ_i log h(x_i)

    Components share a "tied" covariance; A is then that of all components together.

    Parameters
    ----------
    mixture : ConjugateMixture or GaussianConjugate
        Data and conjugate prior.
    n_components : int
        Number of components K.

    Attributes
    ----------
    concentration : ndarray, shape (K,)
        Concentration a of the prior.
    members : ndarray, shape (2^n, n)
        1 where a sample belongs to a subset, else 0. Subset s contains sample i if bit i of the integer s is 1.
    """

    def __init__(self, mixture: Any, n_components: int) -> None:
        n = len(mixture.X)
        self.concentration = a = np.broadcast_to(mixture.prior.concentration, n_components)
        self.members = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.float64)
        mixture = replace(mixture, prior=replace(mixture.prior, concentration=1.0))  # weights are handled below
        self.posterior = mixture.posterior_of_sets(self.members[..., None], n_components)
        before = mixture.posterior(np.zeros((n, n_components))).log_normaliser()
        self._constant = gammaln(a.sum()) - gammaln(a.sum() + n)
        self._of_sets = gammaln(self.members.sum(axis=1)[:, None] + a) - gammaln(a)  # (2^n, K)
        if self.posterior.shared:
            self._constant += mixture.log_base.sum() - before
        else:
            log_prob = self.posterior.log_normaliser() - before / n_components + self.members @ mixture.log_base
            self._of_sets += log_prob[:, None]

    def log_joint(self, labels: np.ndarray) -> Array:
        """Return log p(X, z), shape (batch,), of label vectors given as K subsets each, shape (batch, K)."""
        of_components = (of_sets[own] for of_sets, own in zip(self._of_sets.T, labels.T, strict=True))
        log_joint = np.asarray(self._constant + sum(of_components))
        return log_joint + self.posterior.joined(labels).log_normaliser() if self.posterior.shared else log_joint

    def log_evidence(self) -> float:
        """Return log p(X) in nats."""
        parts = labellings(self.members.shape[1], len(self.concentration))
        return float(logsumexp([logsumexp(self.log_joint(labels)) for labels in parts]))

    def means(self, of_sets: Array) -> dict[str, Array]:
        """Return posterior means by name, given the probability (K, 2^n) that component k has a subset of samples.

        A mean is NaN if it does not exist for a subset of positive probability.
        """
        means = {}
        for name, mean in self.posterior.mean().items():
            unknown = np.isnan(mean)
            value = np.tensordot(of_sets, np.where(unknown, 0.0, mean), 1)
            value[np.tensordot(of_sets, unknown.astype(np.float64), 1) > 0] = np.nan
            means[name] = value.sum(axis=0) if name in self.posterior.shared else value[:, 0]
        return means


def labellings(n: int, K: int) -> Iterator[np.ndarray]:
    """Yield all K^n label vectors in batches, each vector as the subsets of its K components, shape (batch, K)."""

    def sets_of(samples: range) -> np.ndarray:
        sets = np.zeros((1, K), dtype=np.int64)
        for i in samples:
            sets = (sets[:, None] + (1 << i) * np.eye(K, dtype=np.int64)).reshape(-1, K)
        return sets

    n_together = min(n, int(log(BATCH) / log(K)) if K > 1 else n)
    first = sets_of(range(n_together))
    for rest in sets_of(range(n_together, n)):
        yield first + rest


@dataclass(frozen=True, eq=False)
class ExactPosterior:
    """The posterior of a mixture, by enumeration.

    Labels are exchangeable: under a prior that treats components alike, all components have the same posterior mean.

    Attributes
    ----------
    log_evidence : float
        log p(X) in nats.
    co_clustering : ndarray, shape (n, n)
        p(z_i = z_j | X).
    n_occupied : ndarray, shape (K + 1,)
        p(j components have samples | X) for j = 0, ..., K.
    responsibilities : ndarray, shape (n, K)
        p(z_i = k | X).
    means : dict of ndarray
        Posterior mean of each parameter by name; NaN where it does not exist (degrees of freedom too low).
    """

    log_evidence: float
    co_clustering: Array
    n_occupied: Array
    responsibilities: Array
    means: dict[str, Array]
    _mixture: Any = field(repr=False)

    __repr__ = one_line

    def log_predictive(self, points: ArrayLike, **size: Any) -> Array:
        """Return log p(x | X) of new points, shape (m,): the ratio of the evidence with and without the point.

        Parameters
        ----------
        points : array_like, shape (m, D)
            The new points.
        **size
            Sizes of the cells if the family has them, such as ``n_trials`` or ``exposure``: a number, (D,) or (m, D).
            By default they are those of X, if all rows of X have the same.
        """
        points, D = data_matrix(points, "points", missing=True), self._mixture.X.shape[1]
        if points.shape[1] != D:
            raise ValueError(f"points must have {D} columns like X, got {points.shape[1]}")
        with_each, K = self._mixture.with_each_of(points, **size), self.responsibilities.shape[1]
        return np.array([Sets(each, K).log_evidence() - self.log_evidence for each in with_each])


def exact_posterior(X: ArrayLike, n_components: int, prior: Any, **size: Any) -> ExactPosterior:
    """Return evidence and posterior means, summed over all K^n label vectors, without Monte Carlo error.

    Parameters
    ----------
    X : array_like, shape (n, D)
        At most 12 samples. A missing count (NaN) is legal.
    n_components : int
        Number of components K.
    prior : MixturePrior
        A conjugate prior; it determines the family, and the structure of covariances.
    **size
        Sizes of the cells if the family has them, such as ``n_trials`` or ``exposure``: a number, (D,) or (n, D).

    Raises
    ------
    ValueError
        If there are too many label vectors, the prior is not conjugate, or X is illegal for the family.

    Examples
    --------
    >>> from comparisons.evidence.exact import exact_posterior
    >>> from models.bmm import BMMPrior
    >>> exact = exact_posterior([[1], [0]], 2, BMMPrior(concentration=1, successes=1, failures=1))
    >>> exact.co_clustering[0, 1].round(6)  # 2/3 a priori, and then 1/6 against 1/4 for different answers
    np.float64(0.571429)
    """
    K, mixture = count_at_least_one("n_components", n_components), conjugate_mixture(X, prior, **size)
    n = len(mixture.X)
    if n > MOST_SAMPLES or K**n > MOST_LABELLINGS:
        wanted = f"X must have at most {MOST_SAMPLES} rows and n_components ** rows be at most {MOST_LABELLINGS:g}"
        raise ValueError(f"{wanted}, got {n} rows and {K} components: use em.gibbs")
    mixture.check_fits(K)
    sets = Sets(mixture, K)
    log_evidence, a = sets.log_evidence(), sets.concentration
    of_sets, n_occupied = np.zeros((K, 2**n)), np.zeros(K + 1)
    for labels in labellings(n, K):
        probability = np.exp(sets.log_joint(labels) - log_evidence)
        n_occupied += np.bincount((labels > 0).sum(axis=1), probability, K + 1)
        of_sets += [np.bincount(labels[:, k], probability, 2**n) for k in range(K)]
    members = sets.members
    together, responsibilities = members.T @ (of_sets.sum(axis=0)[:, None] * members), (of_sets @ members).T
    means = sets.means(of_sets) | {"weights": (a + responsibilities.sum(axis=0)) / (a.sum() + n)}
    return ExactPosterior(log_evidence, together, n_occupied, responsibilities, means, mixture)


def log_joint_of_labels(X: ArrayLike, z: ArrayLike, n_components: int, prior: Any, **size: Any) -> Array:
    """Return log p(X, z) in nats, shape (S,), with the parameters integrated out, for any number of samples.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    z : array_like of int, shape (S, n)
        Label vectors; labels from 0 to K - 1.
    n_components : int
        Number of components K.
    prior : MixturePrior
        A conjugate prior.
    **size
        Sizes of the cells if the family has them, such as ``n_trials``: a number, (D,) or (n, D).

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.evidence.exact import log_joint_of_labels
    >>> from models.bmm import BMMPrior
    >>> prior = BMMPrior(concentration=1, successes=1, failures=1)
    >>> np.exp(log_joint_of_labels([[1], [0]], [[0, 0], [0, 1]], 2, prior)) * 72  # 1/3 1/6, and 1/6 1/4
    array([4., 3.])
    """
    K, mixture = count_at_least_one("n_components", n_components), conjugate_mixture(X, prior, **size)
    mixture.check_fits(K)
    n, D = mixture.X.shape
    z = check_labels("z", z, (None, n), K)
    batch = max(1, BATCH // (n * K * D))
    parts = (one_hot(z[first : first + batch], K) for first in range(0, len(z), batch))
    after = np.concatenate([np.empty(0), *(_log_normaliser(mixture.posterior(part)) for part in parts)])
    return after - _log_normaliser(mixture.posterior(np.zeros((n, K)))) + mixture.log_base.sum()


def _log_normaliser(posterior: Any) -> Array:
    """Return the log normaliser of weights, log B(a), plus that of components, shape (...)."""
    a = posterior.concentration
    return np.asarray(gammaln(a).sum(axis=-1) - gammaln(a.sum(axis=-1)) + posterior.log_normaliser())
