"""What every EM estimator shares: restarts, ranking, status, and scikit-learn's methods. It knows no family."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin, clone
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from em.acceleration import ACCELERATIONS
from em.bootstrap import bootstrap
from em.bound import normalise
from em.engine import Collapse, Parameters, Problem, Run, blocks, one_blas_thread, run_em
from em.entries import Entries
from em.information import Information, frequencies
from em.samples import Samples, check_sample_weight, samples_to_fit, samples_to_use
from em.starts import STARTS, start_responsibilities
from em.status import CollapseWarning, NoMaximumWarning, NotConvergedWarning
from em.uncertainty import KINDS, Uncertainty, check_level, from_information, from_replicates
from models.validation import Array, count_at_least_one, data_matrix, frozen_array, number_above, weights_array


class MixtureParameters(Parameters, Protocol):
    """What the estimators ask of parameters: sizes, beside the arrays that the loop asks for."""

    @property
    def n_components(self) -> int:
        """Number of components K."""

    @property
    def n_features(self) -> int:
        """Number of features D."""

    @property
    def n_free(self) -> dict[str, int]:
        """Number of free parameters by name."""


class MixtureEM[P: MixtureParameters](DensityMixin, BaseEstimator, ABC):
    """Base of the estimators; a family adds its problem (E-step, M-step, log prior) and its simulator."""

    _parameters_type: type[P]
    parameters_: P
    status_: str

    def __init__(
        self,
        n_components: int,
        prior: Any,
        n_init: int,
        init: Any,
        tol: float,
        max_iter: int,
        frozen: Mapping[str, Any] | None,
        acceleration: str | None,
        random_state: Any,
    ) -> None:
        self.n_components = n_components
        self.prior = prior
        self.n_init = n_init
        self.init = init
        self.tol = tol
        self.max_iter = max_iter
        self.frozen = frozen
        self.acceleration = acceleration
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing cells are good input."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # What a family adds -------------------------------------------------------------------------------------------

    @abstractmethod
    def _check_data(self, samples: Samples) -> None:
        """Raise a ValueError if the samples, the prior or a setting of this family is not legal."""

    @abstractmethod
    def _shapes(self, K: int, D: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter by name."""

    @abstractmethod
    def _problem(self, samples: Samples) -> Problem[P, Any]:
        """Return E-step, M-step and log prior on the samples."""

    @abstractmethod
    def _m_step(self, samples: Samples, responsibilities: Array) -> P:
        """Return the M-step's parameters, for starts."""

    @abstractmethod
    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        """Return a function that gives log p(x_i, z_i = k) for a slice of the rows of X."""

    @abstractmethod
    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        """Draw samples and labels from the fitted mixture."""

    @abstractmethod
    def _conditional_means(self, X: Array, responsibilities: Array) -> Array:
        """Return E[x_i | observed cells of x_i] (n, D), given p(z_i | observed cells of x_i)."""

    @abstractmethod
    def _information(self, X: Array, sample_weight: Array) -> Information:
        """Return the observed information at the estimate."""

    @abstractmethod
    def _entries(self, n_samples: float) -> Entries:
        """Return the parameters in a row."""

    def _released(self, problem: Problem[P, Any], run: Run[P]) -> P | None:
        """Return better parameters next to a limit that is no maximum, where this family knows a way, or None."""
        return None

    def _remarks(self, samples: Samples) -> list[str]:
        """Return sentences that a family adds to the status, and give its warnings."""
        return []

    # Fitting ------------------------------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to X.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples; at least 2 and at least K. NaN is a missing cell, taken to be missing at random: the likelihood is
            that of the observed cells. Rows that are all missing take no part.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs. From the same start the fit is that of the rows repeated as often
            (``init="random"`` draws responsibilities row by row). Weights that sum to 1 would stand for one sample.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, the weights or a setting is not legal, before any work.
        """
        samples = self._samples(X, sample_weight)
        with one_blas_thread():
            problem = self._problem(samples)
            runs = [self._run(problem, start) for start in self._starts(samples)]
            best = max(runs, key=lambda run: (not run.collapsed, run.objective))
            while best.converged and (start := self._released(problem, best)) is not None:
                best = best.then(self._run(problem, start))
            self._keep(best, n_collapsed=sum(run.collapsed for run in runs), n_runs=len(runs))
            self.status_ = "; ".join([self.status_, *self._remarks(samples)])
        return self

    def check(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """Return the rows of X as `fit` uses them, or raise the ValueError that `fit` would, before any work."""
        return self._samples(X, sample_weight).X

    def _samples(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Samples:
        samples = samples_to_fit(self, X, sample_weight, missing=True)
        self._check_settings(samples)
        self._check_data(samples)
        return samples

    def _run(self, problem: Problem[P, Any], start: P) -> Run[P]:
        return run_em(problem, start, tol=self.tol, max_iter=self.max_iter, acceleration=self.acceleration)

    def fit_predict(self, X: ArrayLike, y: Any = None) -> np.ndarray:
        """Fit the mixture and return the most probable label of each sample, shape (n,)."""
        return self.fit(X).predict(X)

    def _keep(self, best: Run[P], n_collapsed: int, n_runs: int) -> None:
        self.parameters_ = best.parameters
        for name, array in best.parameters.arrays().items():
            setattr(self, f"{name}_", array)
        counts = best.parameters.n_free
        self.n_free_parameters_ = sum(n for name, n in counts.items() if name not in (self.frozen or {}))
        self.log_likelihood_, self.objective_ = best.log_likelihood, best.objective
        self.history_, self.n_iter_, self.converged_ = best.history, best.n_iter, best.converged
        self.n_e_steps_, self.n_collapsed_ = best.n_e_steps, n_collapsed
        if n_collapsed == n_runs:
            self.status_ = f"no maximum: all {n_runs} restart(s) collapsed, this one {best.status}"
            advice = "pass a prior, use fewer components, or look for duplicated samples and collinear columns"
            warnings.warn(f"{self.status_}; {advice}", NoMaximumWarning, stacklevel=3)
            return
        self.status_ = f"{best.status}; best of {n_runs} restart(s)"
        if n_collapsed:
            self.status_ += f", of which {n_collapsed} collapsed and were not ranked"
            if n_collapsed > n_runs / 2:
                warnings.warn(f"{n_collapsed} of {n_runs} restarts collapsed", CollapseWarning, stacklevel=3)
        if not best.converged:
            warnings.warn(self.status_, NotConvergedWarning, stacklevel=3)

    def _starts(self, samples: Samples) -> list[P]:
        if isinstance(self.init, self._parameters_type):
            return [replace(self.init, **self._frozen(self.init.n_features))]  # type: ignore[type-var]
        if not isinstance(self.init, str):
            one_hot = np.eye(self.n_components)[np.asarray(self.init)[samples.kept]]
            try:
                return [self._m_step(samples, one_hot)]
            except Collapse as collapse:
                raise ValueError(f"init labels give no legal start: {collapse}") from None
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=self.n_init)
        return [self._start(samples, check_random_state(int(seed))) for seed in seeds]

    def _start(self, samples: Samples, rng: np.random.RandomState) -> P:
        return self._m_step(samples, start_responsibilities(samples, self.n_components, self.init, rng))

    def _frozen(self, n_features: int) -> dict[str, Array]:
        """Return the frozen parameters by name, checked."""
        shapes = self._shapes(self.n_components, n_features)
        if self.frozen is None:
            return {}
        if not isinstance(self.frozen, Mapping) or set(self.frozen) - set(shapes):
            raise ValueError(f"frozen must map some of {', '.join(shapes)} to their values, got {self.frozen!r}")
        checked = {name: frozen_array(f"frozen {name}", value, shapes[name]) for name, value in self.frozen.items()}
        if "weights" in checked:
            checked["weights"] = weights_array(checked["weights"])
            if (checked["weights"] == 0).any():
                raise ValueError(f"frozen weights must be positive, got {checked['weights']}: use fewer components")
        return checked

    def _log_prior(self, parameters: P) -> float:
        return 0.0 if self.prior is None else float(self.prior.log_prob(parameters))

    # Checks -------------------------------------------------------------------------------------------------------

    def _check_settings(self, samples: Samples) -> None:
        K, X = count_at_least_one("n_components", self.n_components), samples.X
        if len(X) < K:
            raise ValueError(f"n_components must be at most the number of samples {len(X)}, got {K}")
        self._frozen(X.shape[1])
        count_at_least_one("n_init", self.n_init)
        count_at_least_one("max_iter", self.max_iter)
        number_above("tol", self.tol, 0, inclusive=True)
        if self.acceleration not in ACCELERATIONS:
            raise ValueError(f"acceleration must be 'squarem' or None, got {self.acceleration!r}")
        if isinstance(self.init, str):
            if self.init not in STARTS:
                raise ValueError(f"init must be one of {', '.join(STARTS)}, parameters or labels, got {self.init!r}")
        elif isinstance(self.init, self._parameters_type):
            shape = (self.init.n_components, self.init.n_features)
            if shape != (K, X.shape[1]):
                raise ValueError(f"init must have (components, features) = {(K, X.shape[1])}, got {shape}")
        elif not _are_labels(self.init, samples.n_rows, K):
            raise ValueError(
                f"init must be one of {', '.join(STARTS)}, a {self._parameters_type.__name__}, or {samples.n_rows} "
                f"integer labels from 0 to {K - 1}, got {self.init!r}"
            )

    # Using a fitted mixture -----------------------------------------------------------------------------------------

    def _normalised(self, X: ArrayLike) -> tuple[Array, Array]:
        X = samples_to_use(self, X, missing=True)
        responsibilities, log_prob = np.empty((len(X), self.n_components)), np.empty(len(X))
        log_joint = self._log_joint_of(X)
        for rows in blocks(len(X)):
            responsibilities[rows], log_prob[rows] = normalise(log_joint(rows))
        return responsibilities, log_prob

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable label of each sample, shape (n,)."""
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the responsibilities p(z_i = k | x_i), shape (n, K)."""
        return self._normalised(X)[0]

    def score_samples(self, X: ArrayLike) -> Array:
        """Return log p(x_i) in nats, shape (n,)."""
        return self._normalised(X)[1]

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean of log p(x_i) over samples with an observed cell, in nats, as scikit-learn's users expect."""
        log_likelihood, n = self._log_likelihood_of(X, sample_weight)
        return log_likelihood / n

    def impute(self, X: ArrayLike) -> Array:
        """Return X (n, D) with each missing cell replaced by its conditional mean given the row's observed cells.

        E[x_id | observed] = Σ_k p(z_i = k | observed) E[x_id | observed, z_i = k]: the best guess under the fit. It is
        less spread out than the data that were not seen.
        """
        responsibilities = self.predict_proba(X)
        matrix = samples_to_use(self, X, missing=True)
        return np.where(np.isnan(matrix), self._conditional_means(matrix, responsibilities), matrix)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Array, np.ndarray]:
        """Draw samples X (n, D) and their labels z (n,) from the fitted mixture."""
        check_is_fitted(self)
        return self._simulate(n_samples, self.random_state if random_state is None else random_state)

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return -2 log-likelihood + p log n, with p free parameters; smaller is better (Schwarz 1978).

        n is the sum of the weights of rows with an observed cell; frozen parameters are not free.
        """
        log_likelihood, n = self._log_likelihood_of(X, sample_weight)
        return float(-2 * log_likelihood + self.n_free_parameters_ * np.log(n))

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return -2 log-likelihood + 2 p, with p free parameters; smaller is better (Akaike 1974)."""
        return float(-2 * self._log_likelihood_of(X, sample_weight)[0] + 2 * self.n_free_parameters_)

    def icl(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return BIC - 2 Σ_i log max_k p(z_i = k | x_i), the integrated completed likelihood; smaller is better.

        This is -2 log p(X, ẑ) + p log n at the most probable labels ẑ, as Biernacki, Celeux & Govaert (2000) define it
        and as R's mclust computes it (mclust's sign is the opposite). McLachlan & Peel (2000, chapter 6) add twice
        the entropy of the responsibilities instead, which is never less.
        """
        certainty = np.log(self.predict_proba(X).max(axis=1))
        weights, seen = check_sample_weight(sample_weight, len(certainty)), _has_observed(X)
        certainty = np.where(seen, certainty, 0.0)
        return float(self.bic(X, sample_weight) - 2 * (certainty.sum() if weights is None else weights @ certainty))

    def _log_likelihood_of(self, X: ArrayLike, sample_weight: ArrayLike | None) -> tuple[float, float]:
        """Return the log-likelihood of X, and the number of samples that it is of."""
        log_prob, seen = self.score_samples(X), _has_observed(X)
        weights = check_sample_weight(sample_weight, len(log_prob))
        if weights is None:
            return float(log_prob.sum()), float(seen.sum())
        return float(weights @ log_prob), float(weights[seen].sum())

    # How sure the estimate is -----------------------------------------------------------------------------------------

    def uncertainty(
        self,
        X: ArrayLike,
        *,
        kind: str = "louis",
        level: float = 0.95,
        sample_weight: ArrayLike | None = None,
        n_bootstrap: int = 499,
        random_state: Any = None,
        progress: bool = False,
    ) -> Uncertainty:
        """Return standard errors and intervals of every parameter, in one table that says which kind they are.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The samples that the mixture was fitted to.
        kind : {"louis", "bootstrap", "parametric bootstrap"}, default "louis"
            "louis" takes the observed information by Louis' identity, under a prior known as Laplace's approximation,
            and normal intervals on the log scale for variances, the logit scale for weights and probs, the plain scale
            for means and covariances. The bootstraps refit samples drawn from the rows of X, or from the fitted
            mixture, and take percentile intervals.
        level : float, default 0.95
            Nominal coverage of the intervals.
        sample_weight : array_like, shape (n,), or None
            How often each row counts; whole numbers for a bootstrap.
        n_bootstrap : int, default 499
            Number of bootstrap samples.
        random_state : int, RandomState or None, default None
            Seed or source of randomness of a bootstrap; None takes the estimator's.
        progress : bool, default False
            Whether a bootstrap shows a progress bar.

        Returns
        -------
        Uncertainty
            ``table``, ``standard_errors``, ``low``, ``high``, ``covariance``, ``status``.

        Raises
        ------
        ValueError
            If an argument is not legal, before any work.

        Notes
        -----
        Parameters on the boundary (probs of 0 or 1, empty components) have no standard error; the others are right
        with these held fixed. What is not identified has none either, and ``status`` names a free direction.

        Examples
        --------
        >>> from em import BernoulliMixtureEM
        >>> X = [[1]] * 36 + [[0]] * 64
        >>> BernoulliMixtureEM(1).fit(X).uncertainty(X)
        observed information (Louis), 0.95 intervals
        parameter    estimate  standard error      low     high
        weights[0]          1               -        -        -  always 1
        probs[0, 0]      0.36           0.048  0.27216  0.45834
        information of full rank 1
        """
        X = samples_to_use(self, X, missing=True)
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        level, w = check_level(level), frequencies(sample_weight, len(X))
        if count_at_least_one("n_bootstrap", n_bootstrap) < 2 and kind != "louis":
            raise ValueError(f"n_bootstrap must be at least 2 for a standard deviation, got {n_bootstrap}")
        if kind == "louis":
            name = "observed information (Louis)" if self.prior is None else "Laplace approximation (Louis)"
            return from_information(self._information(X, w), name, level)
        if (w % 1 != 0).any():
            raise ValueError(f"sample_weight must hold whole numbers, which count rows, for a bootstrap, got {w}")
        rows = np.repeat(np.arange(len(X)), w.astype(int))
        entries = self._entries(w.sum())
        replicates, status = bootstrap(
            self,
            X,
            rows,
            entries,
            parametric=kind == "parametric bootstrap",
            n_bootstrap=n_bootstrap,
            random_state=self.random_state if random_state is None else random_state,
            progress=progress,
        )
        return from_replicates(entries, replicates, kind, level, status)

    def at_estimate(self, rows: np.ndarray) -> Self:
        """Return an estimator for these rows of X that stands at the estimate: its fit starts there."""
        other = clone(self).set_params(init=self.parameters_)
        other.parameters_ = self.parameters_
        return other


def _has_observed(X: ArrayLike) -> np.ndarray:
    return ~np.isnan(data_matrix(X, missing=True)).all(axis=1)


def _are_labels(values: Any, n_samples: int, n_components: int) -> bool:
    try:
        labels = np.asarray(values)
    except ValueError:  # ragged
        return False
    if labels.shape != (n_samples,) or labels.dtype.kind not in "iu":
        return False
    return bool(((labels >= 0) & (labels < n_components)).all())
