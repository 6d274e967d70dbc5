"""A fit of a case, with the warnings of its calls and the rounding errors of its numbers."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse

from benchmarks.fuzz.cases import Case
from benchmarks.fuzz.reference import EPS, Reference, binomial_reference, gaussian_reference, prior_size
from models.validation import Array

FEW_ITERATIONS = 2
EXTRAPOLATION = 10.0  # Aitken's estimate of the gain still to come is right within this factor


@dataclass
class Watch:
    """Makes calls and records their warnings."""

    warned: list[warnings.WarningMessage] = field(default_factory=list)

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call the function and return its result."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                return function(*arguments, **named)
            finally:
                self.warned += caught


class Refused(Exception):  # noqa: N818 - an answer of the estimator
    """The estimator raised a ValueError or a TypeError, which is the cause of this error."""


class Fit:
    """A fitted case.

    Attributes
    ----------
    case : Case
        The case.
    estimator : estimator
        The fitted estimator.
    """

    def __init__(self, case: Case, watch: Watch, **changes: Any) -> None:
        self.case, self.watch = case, watch
        try:
            self.estimator = watch.call(case.estimator, **changes)
            watch.call(self.estimator.fit, case.X, sample_weight=case.weight)
        except (ValueError, TypeError) as error:
            if isinstance(error, np.linalg.LinAlgError):  # a subclass of ValueError, but no message for a user
                raise
            raise Refused(f"refused: {type(error).__name__}: {error}") from error

    def again(self, case: Case | None = None, **changes: Any) -> Self:
        """Return another fit, of another case or with other settings."""
        return type(self)(case or self.case, self.watch, **changes)

    def ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Return the result of a method of the estimator."""
        return self.watch.call(getattr(self.estimator, method), *arguments, **named)

    @property
    def is_mixture(self) -> bool:
        """Whether it is a mixture, and not K-means."""
        return self.case.family != "kmeans"

    @property
    def collapsed(self) -> bool:
        """Whether all restarts collapsed."""
        return bool(getattr(self.estimator, "collapsed_", False))

    @property
    def on_a_ridge(self) -> bool:
        """Whether different parameters give the same distribution of these data."""
        return self.is_mixture and not self.estimator.identifiability_.identified

    @property
    def arrays(self) -> dict[str, Array]:
        """The estimates by name."""
        return self.estimator.parameters_.arrays() if self.is_mixture else {"centers": self.estimator.cluster_centers_}

    @cached_property
    def kept(self) -> np.ndarray:
        """Which rows take part, as indices."""
        return np.flatnonzero(self.case.weights > 0)

    @property
    def w(self) -> Array:
        """Weights of the rows that take part."""
        return self.case.weights[self.kept]

    def reference(self, case: Case) -> Reference:
        """Return the log densities of the rows of a case in the same units; for K-means minus squared distances."""
        X = case.plain if issparse(case.plain) else case.X
        X = (X.toarray() if issparse(X) else X)[case.weights > 0]
        if case.gaussian:
            return gaussian_reference(X, self.estimator.parameters_)
        if not self.is_mixture:
            return self._distances(case.plain[case.weights > 0])
        trials = case.settings.get("n_trials", 1)
        trials = trials[case.weights > 0] if np.ndim(trials) == 2 else np.broadcast_to(trials, X.shape)
        return binomial_reference(X, trials, self.estimator.weights_, self.estimator.probs_)

    def _distances(self, X: Array) -> Reference:
        """Return minus the squared distance to the nearest centre as log densities of one component, in plain units."""
        a, b = self.case.unit
        gaps = X[:, None] - (self.arrays["centers"] / a - b)
        of = ((gaps**2).sum(axis=2)).argmin(axis=1)
        gap = np.abs(gaps[np.arange(len(X)), of])
        far = np.abs(X).max(axis=0) + abs(b)  # centres and rows have errors of EPS times this
        squares = (gap**2).sum(axis=1)
        moved = (4 * EPS * gap * far + (4 * EPS * far) ** 2).sum(axis=1)
        return Reference(-squares[:, None], (X.shape[1] + 2) ** 2 * EPS * squares, moved)

    @cached_property
    def own(self) -> Reference:
        """The reference for the fitted rows."""
        return self.reference(self.case)

    @property
    def log_likelihood(self) -> float:
        """The log-likelihood by the reference, or minus the inertia in plain units."""
        return float(self.w @ self.own.log_prob)

    @property
    def objective(self) -> float:
        """The estimator's objective; for K-means that of the reference, in plain units."""
        return float(self.estimator.objective_) if self.is_mixture else self.log_likelihood

    @cached_property
    def rounding(self) -> float:
        """Bound on the error of an objective from the rounding of its terms."""
        prior = prior_size(self.case.estimator().prior, self.estimator.parameters_) if self.is_mixture else 0.0
        size = 0.0 if not np.isfinite(self.objective) else abs(self.objective)
        return float(self.w @ self.own.rounding + EPS * (len(self.w) * size + 16 * prior))

    @cached_property
    def storing(self) -> float:
        """Bound on the change of an objective if data and parameters are rounded to floats."""
        return float(self.w @ self.own.storing)

    @cached_property
    def slack(self) -> float:
        """Bound on the difference of the objective from that of a fit that must be the same.

        A fit that converged is about ``tol`` from its limit, which it extrapolates from its last gains. In a fit that
        stopped earlier, each iteration may enlarge rounding errors by the largest term of a row, because the logits
        change by as much; after more than `FEW_ITERATIONS` there is no bound.
        """
        noise = self.rounding + self.storing
        if self.estimator.converged_:
            return noise + EXTRAPOLATION * float(self.case.settings["tol"])
        if self.estimator.n_iter_ > FEW_ITERATIONS:
            return np.inf
        return noise * max(float(self.own.rounding.max() / EPS), 1.0) ** self.estimator.n_iter_
