"""EM's steps for the Bernoulli and binomial mixtures, as pure functions that can be called and checked by hand.

The formulas are in :mod:`models.bmm`, the code is here. The estimators in :mod:`em.bmm.estimator` iterate these steps.
As an exponential family (:mod:`em.steps`) with a Beta prior (:mod:`em.steps.beta`), the binomial has::

    T = (x, m - x),    η = (log p, log(1 - p)),    log h = Σ_d log C(m_d, x_d)

The steps are methods of :class:`em.steps.Steps`. The size of a cell is its number of trials m, ``n_trials``, 1 by
default.

Examples
--------
>>> from em import bmm
>>> from models.bmm import BMMParameters
>>> r, log_likelihood = bmm.e_step([[1, 1], [0, 0]], BMMParameters([0.5, 0.5], [[0.9, 0.9], [0.1, 0.1]]))
>>> r.round(3)
array([[0.988, 0.012],
       [0.012, 0.988]])
>>> bmm.m_step([[1, 0], [1, 1], [0, 1]], [[1, 0], [1, 0], [0, 1]]).probs
array([[1. , 0.5],
       [0. , 1. ]])
"""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import gammaln

from em.bmm.deviance import MANY_TRIALS, deviance, log_saturated
from em.steps.beta import BetaSteps
from em.steps.rows import Parts, Rows, Theta, largest_of
from models.bmm import BMMParameters, BMMPrior
from models.validation import Array, row_slices


class BinomialSteps(BetaSteps[BMMParameters]):
    """x_d ~ Binomial(m_d, p_kd), with Beta priors."""

    prior_type = BMMPrior

    def statistics(self, X: Any, size: Any) -> tuple[Any, ...]:
        """T = (x, m - x)."""
        return X, size - X

    def log_base(self, X: Any, size: Array) -> Array:
        """Return Σ_d log C(m_d, x_d), with log Bin(x | m, x / m) for cells of many trials, to match `log_kernel`."""
        if largest_of(size) <= 1:
            return np.zeros(len(size))
        return super().log_base(X, size)

    def log_base_of_cells(self, x: Array, size: Array) -> Array:
        """Return log C(m, x), or log Bin(x | m, x / m) if the trials are many."""
        plain, many = _log_choose(x, size), size > MANY_TRIALS
        return np.where(many, log_saturated(x, size), plain) if many.any() else plain

    def expected(self, theta: Theta, size: Array) -> tuple[Array, Parts]:
        """E[x] = m p, E[T] = (m p, m (1 - p))."""
        p = theta["probs"]
        return size * p, (size * p, size * (1 - p))

    def values(self, theta: Theta, size: Array) -> list[range]:
        """Return the counts 0 to m_d."""
        return [range(int(m) + 1) for m in size]

    def known_mean(self, parameters: BMMParameters, size: Array) -> str:
        """Return a sentence with the mean if there is one feature with one trial: then only the mean is identified."""
        mean = float(parameters.weights @ parameters.probs[:, 0])
        return f"only sum_k weights_k probs_k = {mean:.6g} is known" if size.tolist() == [1.0] else ""

    def neighbours(self, X: Array, size: Array) -> Array:
        """Return one success more, or one less if all trials were successes."""
        return np.where(size > X, X + 1, X - 1)

    def log_measure(self, rows: Rows) -> Array:
        """Σ_d log C(m_d, x_d), whatever the number of trials."""
        if rows.size.max() <= MANY_TRIALS:
            return rows.log_base
        X = rows.X.toarray() if issparse(rows.X) else rows.X
        return np.concatenate([_log_choose(X[part], rows.size[part]).sum(axis=1) for part in row_slices(X)])

    def log_kernel(self, rows: Rows, theta: Theta) -> Array:
        """Return Σ_d x log p + (m - x) log(1 - p), with minus the deviance for cells of many trials.

        The deviance keeps the digits that the plain form loses there (:mod:`em.bmm.deviance`).
        """
        if largest_of(rows.size) <= MANY_TRIALS:
            return super().log_kernel(rows, theta)
        if issparse(rows.X):
            parts = [rows[part] for part in row_slices(rows.X)]
            dense = [Rows(part.X.toarray(), part.size, (), part.log_base) for part in parts]
            return np.concatenate([self.log_kernel(part, theta) for part in dense], axis=-2)
        X, many = rows.X, rows.size > MANY_TRIALS
        x, m = np.where(many, 0.0, X), np.where(many, 0.0, rows.size)
        plain = Rows(x, m, (x, m - x), rows.log_base)
        x, m, probs = np.where(many, X, 0.0), np.where(many, rows.size, 0.0), theta["probs"]
        flat = probs.reshape(-1, probs.shape[-1])
        deviances = np.stack([deviance(x, m, p).sum(axis=-1) for p in flat], axis=-1)
        of_draws = np.moveaxis(deviances.reshape(len(x), *probs.shape[:-1]), 0, -2)
        return super().log_kernel(plain, theta) - of_draws


def _log_choose(x: Array, m: Array) -> Array:
    return np.asarray(gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1))


BINOMIAL = BinomialSteps()


component_log_prob, log_joint = BINOMIAL.component_log_prob, BINOMIAL.log_joint
e_step, m_step = BINOMIAL.e_step, BINOMIAL.m_step
