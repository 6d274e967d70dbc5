"""EM's steps for the categorical mixture, as pure functions that can be called and checked by hand.

The formulas are in :mod:`models.cmm`. The estimator in :mod:`em.cmm.estimator` iterates these steps. As an exponential
family (:mod:`em.steps`) over the C = Σ_d L_d levels of all items, the mixture has::

    T_dl = [x_d = l],    η = log p,    log h = 0
    p_kd ~ Dirichlet(b_d):  χ = b - 1,    A = Σ_d {Σ_l log Γ(b_dl) - log Γ(Σ_l b_dl)},    mode (b - 1) / Σ_l (b - 1)

Samples are codes 0 to L_d - 1 here; the estimator takes labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from em.bound import check_parameters, log_of
from em.cmm.chunked_levels import levels_of_chunks
from em.steps import Steps
from em.steps.conjugate import ConjugateMixture
from em.steps.rows import Parts, Theta
from models.cmm import CMMParameters, CMMPrior
from models.cmm.levels import Codes, Labels, codes_of, levels_of
from models.cmm.parameters import labels_of_cells, quantities
from models.parameters import Labels as NamesByDim
from models.supports import Simplex
from models.validation import Array

TINY, LEAST = float(np.finfo(np.float64).tiny), 1e-300


class CategoricalSteps(Steps[CMMParameters]):
    """x_d ~ Categorical(p_kd), with Dirichlet priors.

    Parameters
    ----------
    levels : sequence of int, length D
        Number of levels of each item.
    """

    prior_type, hyper_offsets = CMMPrior, (1.0,)

    def __init__(self, levels: Sequence[int]) -> None:
        self.levels = tuple(levels)
        self.options, self.lengths = {"levels": self.levels}, {"cell": sum(self.levels)}
        self.quantities, self.items = quantities(self.levels), Simplex(self.levels)

    def check(
        self, X: Any, size: Any, names: Sequence[str] | None = None, numbers: np.ndarray | None = None
    ) -> tuple[Any, Array]:
        """Return the codes, and the sizes of the cells: 1, or 0 where an answer is missing."""
        return Codes(self.levels).dense(X, size, names, numbers)

    def statistics(self, X: Any, size: Array) -> tuple[Any, ...]:
        """T_dl = [x_d = l]."""
        one_hot = np.zeros((len(X), sum(self.levels)))
        for d, start in enumerate(np.cumsum((0, *self.levels[:-1])).tolist()):
            one_hot[np.arange(len(X)), start + X[:, d].astype(int)] = size[:, d]
        return (one_hot,)

    def natural(self, theta: Theta) -> Parts:
        """η = log p."""
        return (log_of(theta["probs"]),)

    def slopes(self, theta: Theta) -> tuple[tuple[Array, Array], ...]:
        """η' = 1 / p, η'' = -1 / p²."""
        p = theta["probs"]
        return ((1 / p, -1 / p**2),)

    def expected(self, theta: Theta, size: Array) -> tuple[Array, Parts]:
        """E[x_d] = Σ_l l p_dl, E[T_dl] = p_dl."""
        p = theta["probs"]
        codes = np.concatenate([np.arange(L) for L in self.levels])
        return size * self.items.sums(codes * p), (np.repeat(size, self.levels) * p,)

    def mode(self, chi: Parts, of_prior: Parts) -> dict[str, Array]:
        """(b_l - 1) / Σ_j (b_j - 1)."""
        counts, least = chi[0], np.where(of_prior[0] > 0, TINY, 0.0)
        return {"probs": np.maximum(counts / self.items.totals(counts), least)}

    def moments(self, hyper: Parts) -> tuple[dict[str, Array], dict[str, Array]]:
        """Mean b_l / B and variance of p_l, with B = Σ_j b_j."""
        totals = self.items.totals(hyper[0])
        mean = hyper[0] / totals
        return {"probs": mean}, {"probs": mean * (1 - mean) / (totals + 1)}

    def draw(self, hyper: Parts, rng: np.random.RandomState) -> dict[str, Array]:
        """p_kd ~ Dirichlet(b_d): gammas over their sum."""
        gammas = np.maximum(rng.standard_gamma(hyper[0]), TINY)
        return {"probs": np.maximum(gammas / self.items.totals(gammas), LEAST)}

    def log_normaliser(self, hyper: Parts) -> Array:
        """A = Σ_d {Σ_l log Γ(b_dl) - log Γ(Σ_l b_dl)}."""
        return np.asarray(gammaln(hyper[0]).sum(axis=-1) - gammaln(self.items.sums(hyper[0])).sum(axis=-1))

    def mean_natural(self, hyper: Parts) -> Parts:
        """E[log p_l] = digamma(b_l) - digamma(Σ_j b_j)."""
        return (digamma(hyper[0]) - digamma(self.items.totals(hyper[0])),)

    def values(self, theta: Theta, size: Array) -> list[range]:
        """Return the codes 0 to L_d - 1."""
        return [range(L) for L in self.levels]

    def neighbours(self, X: Array, size: Array) -> Array:
        """Return the next code; 0 follows the last."""
        return (X + 1) % np.asarray(self.levels)


@dataclass(frozen=True)
class Answers(ConjugateMixture):
    """Answers to items, their conjugate prior, and the labels of each item's levels."""

    levels: tuple[Labels, ...] = ()

    def example(self) -> tuple[Array, dict[str, Any]]:
        """Return a row without answers, and the levels."""
        return np.full((1, len(self.levels)), np.nan), {"levels": self.levels}

    def encode(self, X: Any) -> Array:
        """Return the codes of labels."""
        return codes_of(X, self.levels)

    def labels(self, names: Sequence[str] | None) -> NamesByDim:
        """Return the labels of each dim, given the names of the items; a cell is a level of an item."""
        return labels_of_cells(names, self.levels)

    def _encoded(self, X: Any) -> Array:
        return self.encode(X)


def example_of_chunks(X: Any, levels: Any = None) -> tuple[Array, dict[str, Any]]:
    """Return a row without answers, and the levels that occur in the chunks of X."""
    return np.full((1, X.shape[1]), np.nan), {"levels": levels_of_chunks(X, levels)}


def conjugate_mixture(X: Any, prior: CMMPrior, levels: Any = None) -> ConjugateMixture:
    """Return the data with their conjugate prior, as Gibbs sampling, mean field and exact enumeration take them."""
    labels = levels_of(X, levels)
    steps = CategoricalSteps(tuple(map(len, labels)))
    return Answers(steps, steps.rows(codes_of(X, labels)), prior, labels)


def _steps_of(parameters: CMMParameters) -> CategoricalSteps:
    check_parameters(parameters, CMMParameters)
    return CategoricalSteps(parameters.levels)


def component_log_prob(X: ArrayLike, parameters: CMMParameters) -> Array:
    """Return log p(x_i | z_i = k) = Σ_d log p_kd,x_id, shape (n, K), in nats.

    Examples
    --------
    >>> import numpy as np
    >>> from em import cmm
    >>> from models.cmm import CMMParameters
    >>> parameters = CMMParameters([0.5, 0.5], [[0.8, 0.1, 0.1], [0.1, 0.0, 0.9]], levels=(3,))
    >>> np.exp(cmm.component_log_prob([[0], [2]], parameters)).round(3)
    array([[0.8, 0.1],
           [0.1, 0.9]])
    """
    return _steps_of(parameters).component_log_prob(X, parameters)


def log_joint(X: ArrayLike, parameters: CMMParameters) -> Array:
    """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats.

    Examples
    --------
    >>> import numpy as np
    >>> from em import cmm
    >>> from models.cmm import CMMParameters
    >>> parameters = CMMParameters([0.5, 0.5], [[0.8, 0.1, 0.1], [0.1, 0.0, 0.9]], levels=(3,))
    >>> np.exp(cmm.log_joint([[0], [2]], parameters)).round(3)
    array([[0.4 , 0.05],
           [0.05, 0.45]])
    """
    return _steps_of(parameters).log_joint(X, parameters)


def e_step(X: ArrayLike, parameters: CMMParameters) -> tuple[Array, float]:
    """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

    Parameters
    ----------
    X : array_like, shape (n, D)
        Codes 0 to L_d - 1.
    parameters : CMMParameters
        Current parameters.

    Examples
    --------
    >>> from em import cmm
    >>> from models.cmm import CMMParameters
    >>> cmm.e_step([[0], [2]], CMMParameters([0.5, 0.5], [[0.8, 0.1, 0.1], [0.1, 0.0, 0.9]], levels=(3,)))[0].round(3)
    array([[0.889, 0.111],
           [0.1  , 0.9  ]])
    """
    return _steps_of(parameters).e_step(X, parameters)


def m_step(
    X: ArrayLike,
    responsibilities: ArrayLike,
    prior: CMMPrior | None = None,
    levels: Sequence[int] | None = None,
    sample_weight: ArrayLike | None = None,
) -> CMMParameters:
    """Return the parameters that maximise Q (plus the log prior), given the responsibilities.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Codes 0 to L_d - 1.
    responsibilities : array_like, shape (n, K)
        Rows sum to one; one-hot rows give the closed-form fit with known labels.
    prior : CMMPrior or None
        ``None`` for maximum likelihood.
    levels : sequence of int, length D, or None
        Number of levels of each item; ``None`` is its largest code plus 1.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs.

    Examples
    --------
    >>> from em import cmm
    >>> cmm.m_step([[0], [1], [2]], [[1, 0], [1, 0], [0, 1]]).probs
    array([[0.5, 0.5, 0. ],
           [0. , 0. , 1. ]])
    """
    if levels is None:
        levels = (np.nanmax(np.asarray(X, dtype=np.float64), axis=0) + 1).astype(int).tolist()
    return CategoricalSteps(levels).m_step(X, responsibilities, prior, sample_weight=sample_weight)
