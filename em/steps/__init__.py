"""EM for mixtures of exponential families whose features are independent given the label.

A family states its formulas (:mod:`em.steps.stated`), and all steps follow from them. With T the sufficient statistics
of a row, η the natural parameters and h the base measure,

    log p(x_i | z_i = k) = log h(x_i) + Σ_j T_j(x_i) · η_j(θ_k)

The E-step is one matrix product for each j and a log-sum-exp. The M-step needs N_k = Σ_i r_ik and
S_kj = Σ_i r_ik T_j(x_i). The conjugate prior of θ_k has one hyperparameter χ_j for each η_j,

    p(θ_k) = exp {Σ_j χ_j · η_j(θ_k) - A(χ)},    posterior: χ_kj = χ_j + S_kj

The M-step is the mode of that posterior; maximum likelihood is the case χ = 0 of a flat prior. Gibbs sampling draws
from the posterior, mean field needs its E[η], exact enumeration and Chib's evidence its log normaliser A(χ)
(:mod:`em.steps.conjugate`). Louis' identity needs the derivatives of η (:mod:`em.uncertainty.independent`). The usual
parameters of a distribution are χ_j plus a constant: Beta(b, c) has χ = (b - 1, c - 1).

Every array of θ or χ may have leading axes, written "...", such as one for chains or for components.

References
----------
Bishop (2006), Pattern Recognition and Machine Learning, section 2.4; Diaconis & Ylvisaker (1979), Conjugate priors for
exponential families, Annals of Statistics 7, 269-281.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.bound import check_parameters, check_responsibilities, log_of, normalise
from em.samples import weighted
from em.steps.rows import Parts, Rows, Shifted, Statistics, Theta, products
from em.steps.stated import Stated
from models.parameters import Parameters
from models.validation import Array, check_sample_weight


class Steps[P: Parameters](Stated[P]):
    """The formulas of a family (:class:`em.steps.stated.Stated`), and the steps that follow from them."""

    # What follows from the formulas -----------------------------------------------------------------------------------

    def rows(self, X: Any, size: Any = 1, names: Sequence[str] | None = None, *, lean: bool = False) -> Rows:
        """Return checked rows with their statistics.

        With ``lean``, statistics that depend on the sizes are `Shifted` if all rows have the same sizes, and need no
        memory of their own.
        """
        X, size = self.check(X, size, names)
        alike = lean and self.cells.sparse_too and size.strides[0] == 0
        of_cells = Shifted(size[0], 0.0, X) if issparse(X) or alike else size
        return Rows(X, size, self.statistics(X, of_cells), self.log_base(X, size))

    def log_kernel(self, rows: Rows, theta: Theta) -> Array:
        """Return Σ_j T_j · η_j, shape (..., n, K), with the leading axes of θ."""
        return products(rows.statistics, self.natural(theta))

    def log_measure(self, rows: Rows) -> Array:
        """Return log h(x_i), shape (n,), as it goes with an expectation of η.

        It differs from ``rows.log_base`` if a family's `log_kernel` contains part of log h.
        """
        return rows.log_base

    def log_joint_of(self, rows: Rows, parameters: P) -> Array:
        """Return log π_k + log p(x_i | z_i = k), shape (n, K), in nats."""
        return log_of(parameters.weights) + rows.log_base[:, None] + self.log_kernel(rows, parameters.arrays())

    def sums(self, rows: Rows, responsibilities: Array) -> Statistics:
        """Return the statistics N_k and S_kj under responsibilities (..., n, K)."""
        r, counts = responsibilities.mT, responsibilities.sum(axis=-2)
        flat, sums = r.reshape(-1, r.shape[-1]), []
        of_X: Any = None
        for part in rows.statistics:
            if part.ndim > 2:  # each chain has data of its own
                sums.append(r @ part)
                continue
            if of_X is None and (part is rows.X or isinstance(part, Shifted)):
                of_X = flat @ rows.X
            of_part = of_X if part is rows.X else part.sums(flat, of_X) if isinstance(part, Shifted) else flat @ part
            sums.append(np.asarray(of_part).reshape(*counts.shape, -1))
        return Statistics(counts, tuple(sums))

    def chi(self, prior: Any) -> Parts:
        """Return χ_j of a prior, each a number or (p_j,); 0 for ``None``, the flat prior."""
        if prior is None:
            return (np.zeros(()),) * len(self.hyper_offsets)
        pairs = zip(self.prior_type.hyperparameters, self.hyper_offsets, strict=True)
        return tuple(np.asarray(getattr(prior, name)) - offset for name, offset in pairs)

    def updated(self, prior: Any, statistics: Statistics) -> Parts:
        """Return χ_j + S_kj."""
        return tuple(chi + S for chi, S in zip(self.chi(prior), statistics.sums, strict=True))

    def most_probable(self, statistics: Statistics, prior: Any, frozen: Theta | None = None) -> P:
        """Return the M-step: the parameters at the mode of prior plus statistics.

        π_k = (N_k + a_k - 1) / Σ_j (N_j + a_j - 1), with a = 1 for maximum likelihood, and θ_k is the mode under χ_k.
        If a component has no observed cell of a feature, such as an empty one, Q does not depend on θ_kd, which gets
        the estimate from all samples pooled. Parameters named in ``frozen`` keep the values given there.
        """
        return self.parameters(self.modes(statistics, prior, frozen or {}))

    def modes(self, statistics: Statistics, prior: Any, frozen: Theta) -> dict[str, Array]:
        """Return the arrays of `most_probable`, unchecked. The statistics may have a leading axis for runs."""
        N = statistics.counts
        pseudo = 0.0 if prior is None else np.asarray(prior.concentration) - 1
        weights = (N + pseudo) / (N + pseudo).sum(axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            theta = self.mode_given(self.updated(prior, statistics), self.chi(prior), frozen)
            if any(np.isnan(array).any() for array in theta.values()):
                pooled = Statistics(N, tuple(part.sum(axis=-2, keepdims=True) for part in statistics.sums))
                of_all = self.mode_given(pooled.sums, self.chi(None), {})
                theta = {name: np.where(np.isnan(array), of_all[name], array) for name, array in theta.items()}
        if "weights" in frozen:
            weights = np.broadcast_to(frozen["weights"], weights.shape)
        return {"weights": weights, **theta}

    def parameters(self, arrays: Theta) -> P:
        """Return the parameters that have these arrays."""
        return self.parameters_type(**arrays, **self.options)

    def shapes(self, n_components: int, n_features: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each declared array by name."""
        sizes = {"component": n_components, "feature": n_features, **self.lengths}
        return {quantity.name: quantity.shape(sizes) for quantity in self.quantities}

    def check_prior(self, prior: Any, n_components: int, n_features: int) -> None:
        """Raise a ValueError unless the prior is of the family's type and fits K components and D features."""
        if not isinstance(prior, self.prior_type):
            raise ValueError(f"prior must be None or a {self.prior_type.__name__}, got {type(prior).__name__}")
        prior.check_fits(n_components, n_features, *self.options.values())

    def values(self, theta: Theta, size: Array) -> list[range] | None:
        """Return the values that a cell of each feature may take, except improbable ones; None if x is continuous."""
        return None

    def known_mean(self, parameters: P, size: Array) -> str:
        """Return a sentence about the mean if the data determine only the mean of the mixture, else ""."""
        return ""

    def neighbours(self, X: Array, size: Array) -> Array:
        """Return a neighbouring legal value of each cell."""
        return X + 1

    def random(self, like: P, rng: np.random.RandomState) -> P:
        """Return random parameters with the shapes of ``like``, for a test of identifiability."""
        weights = rng.dirichlet(np.full(like.n_components, 5.0))
        own = {q.name: q.support.random(getattr(like, q.name), rng) for q in like.quantities[1:]}
        return self.parameters({"weights": weights / weights.sum(), **own})

    @property
    def own(self) -> str:
        """Name of the components' quantity, such as "probs"; of several, the first."""
        return self.quantities[1].name

    # The textbook's steps ---------------------------------------------------------------------------------------------
    # Every step also takes `size` under the family's own name, such as ``n_trials``.

    def component_log_prob(self, X: ArrayLike, parameters: P, size: ArrayLike = 1, **named: Any) -> Array:
        """Return log p(x_i | z_i = k), shape (n, K), in nats.

        Examples
        --------
        >>> import numpy as np
        >>> from em import bmm
        >>> from models.bmm import BMMParameters
        >>> parameters = BMMParameters([0.5, 0.5], [[0.9, 0.5], [0.1, 0.5]])
        >>> np.exp(bmm.component_log_prob([[0, 1], [1, 1]], parameters)).round(3)
        array([[0.05, 0.45],
               [0.45, 0.05]])
        """
        rows = self._fitting_rows(X, parameters, self.cells.size_of(size, named))
        return rows.log_base[:, None] + self.log_kernel(rows, parameters.arrays())

    def log_joint(self, X: ArrayLike, parameters: P, size: ArrayLike = 1, **named: Any) -> Array:
        """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats.

        Examples
        --------
        >>> import numpy as np
        >>> from em import bmm
        >>> from models.bmm import BMMParameters
        >>> parameters = BMMParameters([0.5, 0.5], [[0.9, 0.5], [0.1, 0.5]])
        >>> np.exp(bmm.log_joint([[0, 1], [1, 1]], parameters)).round(3)
        array([[0.025, 0.225],
               [0.225, 0.025]])
        """
        return self.log_joint_of(self._fitting_rows(X, parameters, self.cells.size_of(size, named)), parameters)

    def e_step(self, X: ArrayLike, parameters: P, size: ArrayLike = 1, **named: Any) -> tuple[Array, float]:
        """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        parameters : Parameters
            Current parameters.
        size : number or array_like, shape (D,) or (n, D)
            Size of each cell, if the family has sizes. The family's own name works too, such as ``n_trials``.

        Examples
        --------
        A Bernoulli mixture, then a Poisson mixture:

        >>> from em import bmm
        >>> from models.bmm import BMMParameters
        >>> bmm.e_step([[0, 1], [1, 1]], BMMParameters([0.5, 0.5], [[0.9, 0.5], [0.1, 0.5]]))[0].round(3)
        array([[0.1, 0.9],
               [0.9, 0.1]])
        >>> from em import pmm
        >>> from models.pmm import PMMParameters
        >>> pmm.e_step([[0], [9]], PMMParameters([0.5, 0.5], [[1.0], [8.0]]), exposure=1)[0].round(3)
        array([[0.999, 0.001],
               [0.   , 1.   ]])
        """
        responsibilities, log_prob = normalise(self.log_joint(X, parameters, size, **named))
        return responsibilities, float(log_prob.sum())

    def m_step(
        self,
        X: ArrayLike,
        responsibilities: ArrayLike,
        prior: Any = None,
        size: ArrayLike = 1,
        sample_weight: ArrayLike | None = None,
        **named: Any,
    ) -> P:
        """Return the parameters that maximise Q (plus the log prior), given the responsibilities.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        responsibilities : array_like, shape (n, K)
            Rows sum to one; one-hot rows give the closed-form fit with known labels.
        prior : MixturePrior or None
            ``None`` for maximum likelihood.
        size : number or array_like, shape (D,) or (n, D)
            Size of each cell, if the family has sizes. The family's own name works too, such as ``n_trials``.
        sample_weight : array_like, shape (n,), or None
            How often each row occurs.

        Examples
        --------
        A Bernoulli mixture, then a Poisson mixture:

        >>> from em import bmm, pmm
        >>> bmm.m_step([[1, 0], [1, 1], [0, 1]], [[1, 0], [1, 0], [0, 1]]).probs
        array([[1. , 0.5],
               [0. , 1. ]])
        >>> pmm.m_step([[1], [3], [8]], [[1, 0], [1, 0], [0, 1]], exposure=[[1], [1], [2]]).rates
        array([[2.],
               [4.]])
        """
        rows = self.rows(X, self.cells.size_of(size, named))
        n = len(rows)
        r = weighted(check_responsibilities(responsibilities, n), check_sample_weight(sample_weight, n))
        if prior is not None:
            self.check_prior(prior, r.shape[1], rows.X.shape[1])
            prior.check_mode()
        return self.most_probable(self.sums(rows, r), prior)

    def _fitting_rows(self, X: ArrayLike, parameters: P, size: ArrayLike) -> Rows:
        check_parameters(parameters, self.parameters_type)
        rows = self.rows(X, size)
        if rows.X.shape[1] != parameters.n_features:
            raise ValueError(f"X must have {parameters.n_features} columns like the {self.own}, got {rows.X.shape[1]}")
        return rows
