"""Base class of the estimators of mixtures with independent exponential-family features (:mod:`em.steps`)."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import Tags

from em.chunked.predictions import sums_of
from em.engine.problem import Arrays, Problem, log_prior_size
from em.estimator import MixtureEM
from em.identifiability.rank_test import identify
from em.samples import Samples, samples_of, weighted
from em.samples.distinct import hashes
from em.samples.reading import samples_to_use
from em.steps import Steps
from em.steps.problem import MStep, e_step
from em.steps.rows import Rows, Statistics
from em.sums import Sums
from em.uncertainty.entries import Entries
from em.uncertainty.independent import complete_data, log_prior_slopes, whitened
from em.uncertainty.louis import Information, labelled_sums, louis
from models.parameters import Parameters
from models.shown import listed
from models.simulation import simulate
from models.validation import Array, count_at_least_one, real_numbers

EMPTIED = 1e-8  # samples
MOST_WEIGHTS = 2**22  # (samples times distinct rows) that several samples may have as one batch


class ExponentialMixtureEM[P: Parameters](MixtureEM[P]):
    """Base class of the estimators whose family is a :class:`em.steps.Steps`.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    prior : MixturePrior or None, default None
        The family's conjugate prior; ``None`` is maximum likelihood without any smoothing.
    n_init : int, default 10
        Number of restarts; each runs until it ends or cannot win any more (:mod:`em.engine.race`). The best is kept.
    n_starts : int or None, default None
        Number of starts that are tried with 10 iterations each; the best ``n_init`` of them go on. None tries only
        ``n_init``. Both numbers are ignored if ``init`` gives one start.
    init : str, parameters or array_like, default "k-means++"
        "k-means++", "kmeans" or "random" (see :mod:`em.starts`), or one start: parameters; labels (n,) for a first
        M-step; or values of the components' quantity, such as rates (K, D), where each sample goes to the component
        whose mean is nearest.
    tol : float, default 1e-8
        Bound on the remaining gain, in nats of the whole objective (Aitken's extrapolation).
    max_iter : int, default 10000
        Largest number of iterations of each restart.
    frozen : dict or None, default None
        Values of "weights" or of the components' quantity that are fixed and not estimated.
    acceleration : {"multisecant", "squarem", None}, default "multisecant"
        Which leaps accelerate EM, if any (:mod:`em.engine.leaps`).
    random_state : int, RandomState or None, default None
        Seed or source of randomness of the restarts.

    Attributes
    ----------
    weights_, parameters_ : ndarray, shape (K,), and Parameters
        Estimates; each quantity of the family is an attribute too, such as ``probs_`` or ``rates_``.
    log_likelihood_, objective_ : float
        Sums over samples in nats, at the returned parameters; the objective includes the log prior.
    history_ : ndarray, shape (``n_iter_`` + 1,)
        Objective at the start and after each iteration of the best restart; an iteration is a plain step of EM or a
        leap. A final step of Newton's method counts to the last iteration.
    n_iter_, n_e_steps_ : int
        Iterations and E-steps of the best restart (a refused leap costs an E-step and is no iteration).
    converged_ : bool
        Whether the best restart converged.
    starts_ : list of dict
        The optima that restarts on all rows found, the best first: objective, times found, nats below the best.
    identifiability_ : Identifiability
        Rank of the model at the estimate, and a free direction if there is one.
    status_ : str
        How the fit ended, in words: also emptied components, estimates on the boundary, free directions.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    References
    ----------
    McLachlan & Peel (2000), Finite Mixture Models, Wiley, chapter 2.
    """

    _hashed = True

    @property
    @abstractmethod
    def _steps(self) -> Steps[P]:
        """The family's formulas."""

    @property
    def _parameters_type(self) -> type[P]:
        return self._steps.parameters_type

    def _size(self) -> Any:
        """Return the sizes of the cells of the fit: a number, (D,) or (n, D)."""
        return 1

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn whether the data may be negative, and sparse."""
        tags, cells = super().__sklearn_tags__(), self._parameters_type.cells
        tags.input_tags.positive_only, tags.input_tags.sparse = not cells.negative, cells.sparse_too
        return tags

    def _size_of(self, samples: Samples) -> Any:
        """Return the sizes of the cells, for the rows that take part if sizes differ between rows."""
        size = self._size()
        if not self._steps.cells.size_name or real_numbers(self._steps.cells.size_name, size).ndim < 2:
            return size
        whole = self._steps.cells.sizes(size, (samples.n_rows, samples.X.shape[1]))
        return whole[samples.numbers]

    def _shapes(self, K: int, D: int) -> dict[str, tuple[int, ...]]:
        return self._steps.shapes(K, D)

    def _row_sizes(self, samples: Samples) -> Array | None:
        size = np.asarray(self._size_of(samples))
        return size if size.ndim == 2 and (size != size[0]).any() else None

    def _rows(self, samples: Samples, *, lean: bool = False) -> Rows:
        return self._steps.rows(samples.X, self._size_of(samples), samples.names, lean=lean)

    def _check_model(self, n_features: int) -> None:
        if self.prior is not None:
            self._steps.check_prior(self.prior, self.n_components, n_features)
            self.prior.check_mode()

    def _check_data(self, samples: Samples) -> None:
        if not samples.in_memory:
            self._refuse_sizes_of_rows(self._size())
        samples.sum_of(self._check_cells)
        frozen, start = self._frozen(samples.X.shape[1]), self._known_from_init(samples.X.shape[1])
        for quantity in self._steps.quantities[1:]:
            for what, known in {f"frozen {quantity.name}": frozen, "init": start}.items():
                if quantity.name in known:
                    quantity.support.check(what, known[quantity.name])
        self._check_model(samples.X.shape[1])

    def _refuse_sizes_of_rows(self, size: Any) -> None:
        """Raise a ValueError if sizes differ between rows, because parts of X do not know their row numbers."""
        if np.ndim(size) == 2:
            name = self._steps.cells.size_name
            raise ValueError(f"{name} must be a number or one for each column if X comes in parts, got a matrix")

    def _check_cells(self, samples: Samples) -> None:
        """Raise a ValueError if a cell is not legal."""
        self._steps.check(samples.X, self._size_of(samples), samples.names, samples.numbers)

    def _check_parts(self) -> None:
        self._refuse_sizes_of_rows(self._size())

    def _joint_problem(self, samples: Sequence[Samples]) -> Problem[P] | None:
        """Merge the rows of all samples to distinct rows, each with one weight per sample."""
        if any(issparse(own.X) or self._row_sizes(own) is not None or not own.complete for own in samples):
            return None
        X = np.concatenate([own.X for own in samples])
        _, first, place = np.unique(hashes(X), return_index=True, return_inverse=True)  # much faster than of rows
        together = X[first]
        if len(samples) * len(together) > MOST_WEIGHTS or (together[place] != X).any():
            return None
        ends = np.cumsum([len(own.X) for own in samples])
        parts = zip(np.split(place, ends[:-1]), samples, strict=True)
        weights = np.array([np.bincount(part, own.weights, minlength=len(together)) for part, own in parts])
        union = samples_of(together, names=samples[0].names)
        return replace(self._problem(union, weights), n_samples=samples[0].total)

    def _problem(self, samples: Samples, own_weights: Array | None = None) -> Problem[P]:
        """Return the problem; ``own_weights`` (R, n) are weights of the rows for each run, if these differ."""
        steps, D, (mean_size, pooled) = self._steps, samples.X.shape[1], self._typical(samples)
        m_step = MStep(steps, self.prior, self._frozen(D))
        problem = Problem(
            steps.shapes(self.n_components, D),
            samples.e_step(self) if own_weights is None else self._e_step_of(samples, own_weights),
            m_step,
            self._log_priors,
            m_step.inside,
            steps.parameters,
            self._scales(pooled),
            {quantity.name: (quantity.support.least, quantity.support.most) for quantity in steps.quantities},
            whitened=partial(whitened, steps=steps, size=mean_size),
            n_samples=samples.total,
            log_prior_size=log_prior_size(self.prior, self.n_components, D),
        )
        return replace(problem, released=partial(m_step.released, problem=problem))

    def _e_step_of(
        self, samples: Samples, own_weights: Array | None = None, *, with_missing: bool = False
    ) -> Callable[[Arrays, np.ndarray], tuple[Array, Arrays]]:
        weights = samples.weights if own_weights is None else own_weights
        return e_step(self._steps, self._rows(samples, lean=True), weights)

    def _typical(self, samples: Samples) -> tuple[Array, P]:
        """Return the mean size of each feature's cells (D,), and the parameters of a single component."""
        size, statistics = samples.sum_of(self._sums_of).parts
        return size / samples.total, self._steps.most_probable(statistics, None)

    def _sums_of(self, samples: Samples) -> Sums:
        """Return the total size of each feature's cells (D,), and the statistics of all rows as one component."""
        rows, w = self._rows(samples, lean=True), samples.frequencies
        size = w.sum() * rows.size[0] if rows.size.strides[0] == 0 else w @ rows.size
        return Sums((size, self._steps.sums(rows, weighted(np.ones((len(rows), 1)), samples.weights))))

    def _scales(self, pooled: P) -> dict[str, Array | float]:
        """Return the scale of each quantity: 1 for probabilities, else the size of a single component's estimate."""
        return {
            quantity.name: 1.0 if quantity.support.bounded else np.where(array != 0, np.abs(array), 1.0)
            for quantity, array in zip(self._steps.quantities, pooled.arrays().values(), strict=True)
        }

    def _log_prior(self, parameters: P) -> float:
        """Return the log prior, without the density of frozen values that it makes impossible (on the boundary)."""
        log_prior = super()._log_prior(parameters)
        if log_prior == -np.inf and (given := set(self.frozen or {}) - {"weights"}):
            return float(self.prior.log_prob(parameters, given=given))
        return log_prior

    def _built(self, arrays: Arrays) -> P:
        return self._steps.parameters(arrays)

    def _log_joint_at(self, samples: Samples, parameters: P) -> Array:
        return self._steps.log_joint_of(self._rows(samples), parameters)

    def _m_step(self, samples: Samples, responsibilities: Array) -> P:
        statistics = self._steps.sums(self._rows(samples), weighted(responsibilities, samples.weights))
        return self._steps.most_probable(statistics, self.prior, self._frozen(samples.X.shape[1]))

    def _centers(self, samples: Samples, known: Arrays) -> Array | None:
        if not set(known) - {"weights"}:
            return None
        size, pooled = np.asarray(self._rows(samples).size).mean(axis=0), self._typical(samples)[1].arrays()
        given = {name: known.get(name, array) for name, array in pooled.items() if name != "weights"}
        return self._steps.expected(given, size)[0]

    def _conditional_means(self, X: Array, responsibilities: Array) -> Array:
        theta, steps = self.parameters_.arrays(), self._steps
        size = steps.cells.sizes(self._size_for(X.shape), X.shape) if steps.cells.size_name else np.ones(X.shape[1])
        return steps.means_given(theta, responsibilities, size)

    def _pooled(self, X: ArrayLike, sample_weight: ArrayLike | None) -> P:
        return self._steps.most_probable(sums_of(type(self)._statistics_of_one, self, X, sample_weight), None)

    def _statistics_of_one(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Statistics:
        matrix = samples_to_use(self, X, missing=True)
        rows, counted = self._steps.rows(matrix, self._size_for(matrix.shape)), self._counted(X, sample_weight)
        return self._steps.sums(rows, counted[:, None])

    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        rows = self._steps.rows(X, self._size_for(X.shape), getattr(self, "feature_names_in_", None))
        return lambda part: self._steps.log_joint_of(rows[part], self.parameters_)

    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        shape = (count_at_least_one("n_samples", n_samples), self.parameters_.n_features)
        return simulate(self.parameters_, n_samples, self._size_for(shape), random_state)

    def _information_of(self, samples: Samples) -> Information:
        entries, steps = self._entries(samples.total), self._steps
        slopes = None if self.prior is None else log_prior_slopes(steps, self.parameters_, self.prior, entries)
        return louis(entries, samples.sum_of(partial(self._labelled, entries=entries)), slopes)

    def _labelled(self, samples: Samples, entries: Entries) -> Sums:
        rows = self._rows(samples)
        return labelled_sums(entries, complete_data(self._steps, rows, self.parameters_, samples.frequencies))

    def _remarks(self, samples: Samples) -> list[str]:
        remarks: list[str] = []
        if emptied := np.flatnonzero(self.parameters_.weights * samples.total < EMPTIED).tolist():
            remarks.append(f"{listed(emptied, noun='component')} emptied: use fewer components or a prior")
        for quantity in self.parameters_.quantities[1:]:
            values = self.parameters_.arrays()[quantity.name]
            if n_held := int(quantity.support.at_edge(values).sum()):
                remarks.append(f"{n_held} of {values.size} {quantity.name} on the boundary ({quantity.support.edges})")
        if self.prior is not None and self.prior.log_prob(self.parameters_) == -np.inf:
            frozen = ", ".join(sorted(set(self.frozen or {}) - {"weights"}))
            remarks.append(f"the prior makes the frozen {frozen} impossible, so the objective leaves out their density")
        self.identifiability_ = identify(
            self._steps, self.parameters_, self._size_of(samples), self.frozen or (), samples.patterns, self._labels
        )
        return remarks
