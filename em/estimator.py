"""Base class of the EM estimators: `fit`, checks and the status. It knows no family.

Restarts are in :mod:`em.starts.restarts`, and the methods of a fitted mixture in :mod:`em.fitted`.
"""

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags

from em.chunked import is_chunked
from em.chunked.samples import check_header, chunked_samples
from em.engine.leaps import ACCELERATIONS
from em.engine.path import EMPath, plain_path
from em.engine.problem import Arrays, Problem
from em.process.blas import one_blas_thread
from em.samples import Samples
from em.samples.reading import samples_to_fit
from em.starts import STARTS, are_labels, shape_of
from em.starts.restarts import SearchResult
from em.status import CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning, tell
from em.streams.partial_fit import StreamedMixture
from em.uncertainty.entries import Entries, entries_of
from models.parameters import Parameters
from models.shown import counted, shown
from models.validation import Array, count_at_least_one, number_above, random_source


@dataclass(eq=False, repr=False)
class MixtureEM[P: Parameters](StreamedMixture[P]):
    """Base class of the estimators; a family adds its problem (E-step, M-step, log prior) and its simulator.

    The settings (:class:`em.fitted.Settings`) are dataclass fields; a family adds its own.
    """

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that cells may be missing."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # What a family adds -------------------------------------------------------------------------------------------

    def _e_step_of(self, samples: Samples, *, with_missing: bool = False) -> Callable[..., Any]:
        """Return the E-step of a batch of runs on samples in memory (:class:`em.engine.problem.Problem`).

        Statistics must add up over parts of the samples. A family whose statistics do not add up has no such E-step.
        """
        raise ValueError(f"X must be in memory and whole: the M-step of a {type(self).__name__} needs all rows at once")

    def _e_step_at(self, theta: Arrays, runs: np.ndarray, *, with_missing: bool) -> Callable[[Samples], Any]:
        """Return the E-step at fixed parameters, as a function of a part of the samples."""
        return lambda part: self._e_step_of(part, with_missing=with_missing)(theta, runs)

    @abstractmethod
    def _built(self, arrays: Arrays) -> P:
        """Return the parameters that have these arrays."""

    @property
    def _remedy(self) -> str:
        """Advice for the message that every restart collapsed."""
        return "fewer components or a prior may help"

    # Fitting ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        keep_path: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Fit the mixture to X.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            Samples, at least 2 and at least K. NaN is a missing cell, assumed to be missing at random: the likelihood
            is that of the observed cells. Rows without an observed cell are left out. Dask's rows stay in their chunks
            (:mod:`em.chunked`).
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs. The fit is that of the repeated rows, so weights that sum to 1 would
            count as one sample.
        keep_path : bool, default False
            Whether to keep ``path_``, an :class:`em.engine.path.EMPath`: the parameters of each iteration of plain EM,
            without leaps, from the start of the best restart until an iteration gains less than 1e-4 nats.
        checkpoint : str, path or None, default None
            A file in which the state of the fit is stored (:mod:`em.saving.checkpoints`). If the fit is interrupted,
            the same call continues from the last stored iteration, and returns the same result to the last bit.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, the weights or a setting is not legal, before any work; or if ``checkpoint`` is the file of another
            fit.

        Notes
        -----
        The fit depends only on the set of rows. Equal rows are merged to one with the sum of their weights, and random
        draws depend on the order of the rows' values. So rows in another order, or repeated instead of weighted, give
        the same fit to the last bit. With more than two million cells that hardly repeat, sums are added in the order
        of the rows, and the fit is the same up to rounding.
        """
        for name in ("path_", "stream_", "n_samples_seen_"):
            self.__dict__.pop(name, None)
        samples = self._samples(X, sample_weight)
        with one_blas_thread():
            distinct = self._distinct(samples)
            with self._checkpointed(checkpoint, distinct) as kept:
                result = self._search(distinct)
                kept.result = result.best.parameters
            self._fitted(result, samples)
            if keep_path:
                self.path_ = EMPath(copy(self), self._path_from(result.best.start, distinct))
        return self

    def _checkpointed(self, path: str | os.PathLike[str] | None, samples: Samples) -> AbstractContextManager[Any]:
        """Return a context manager that stores the state of the fit and its result in a file, if there is a path."""
        if path is None:
            return nullcontext(SimpleNamespace())
        from em.saving.checkpoints import checkpointed  # imports all families

        return checkpointed(path, self, samples)

    def _path_from(self, start: P | None, samples: Samples) -> list[P]:
        """Return the parameters of each iteration of plain EM from a start, which is in standard units."""
        scaled = self._in_standard_units(samples)
        path = [] if start is None else plain_path(scaled._problem(scaled._standardised(samples)), start)
        frozen: dict[str, Any] = self._frozen(samples.X.shape[1])  # without rounding
        return [replace(scaled._in_units_of_data(parameters), **frozen) for parameters in path]

    def _fitted(self, result: SearchResult[P], samples: Samples) -> None:
        """Store the best run, and complete the status."""
        self._keep(result)
        remarks = self._remarks(samples)
        if not self.identifiability_.identified:
            remarks.append(f"not identified: {self.identifiability_.sentence}")
            tell(self.identifiability_.sentence, NotIdentifiableWarning)
        self.status_ = "; ".join([self.status_, *remarks])

    def check(self, X: ArrayLike, sample_weight: ArrayLike | None = None, names: Sequence[str] | None = None) -> Array:
        """Return the rows of X as `fit` uses them, or raise the ValueError that `fit` would raise.

        Error messages call columns by ``names``, or by those of a frame. For chunks only the shape is returned.
        """
        return self._samples(X, sample_weight, names).X

    def _samples(self, X: ArrayLike, sample_weight: ArrayLike | None, names: Sequence[str] | None = None) -> Samples:
        if not is_chunked(X):
            samples = samples_to_fit(self, X, sample_weight, missing=True, names=names)
        else:
            samples = chunked_samples(self, X, sample_weight, names)
            check_header(self, X, reset=True)
        self._check_settings(samples)
        self._check_data(samples)
        return samples

    def _in_units_of_data(self, parameters: P) -> P:
        """Return parameters in standard units in the units of X; raise a ValueError if rounding makes them illegal."""
        return parameters

    def _joint_problem(self, samples: Sequence[Samples]) -> Problem[P] | None:
        """Return the problem of runs on several samples, run r on samples r; None if they cannot form a batch."""
        return None

    def _sized_problem(self, samples: Samples, sizes: np.ndarray) -> Problem[P]:
        """Return the maximum-likelihood problem of runs with ``sizes`` (R,) components, padded with weights of 0."""
        return self._problem(samples)

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None, **named: Any
    ) -> np.ndarray:
        """Fit the mixture, and return each sample's most probable label, shape (n,), also of samples of weight 0.

        Arguments are those of `fit`.
        """
        return self.fit(X, sample_weight=sample_weight, **named).predict(X)

    def _keep(self, result: SearchResult[P]) -> None:
        best, n_collapsed, n_starts, self.starts_ = result
        self._keep_parameters(best.parameters)
        self.log_likelihood_, self.objective_ = best.log_likelihood, best.objective
        self.history_, self.n_iter_, self.converged_ = best.history, best.n_iter, best.converged
        self.n_e_steps_, self.n_collapsed_, self.collapsed_ = best.n_e_steps, n_collapsed, best.collapsed
        if best.collapsed:
            self.status_ = f"no maximum: all {counted(n_starts, 'restart')} collapsed, this one {best.status}"
            tell(f"{self.status_}; {self._remedy}", NoMaximumWarning)
            return
        self.status_ = f"{best.status}; best of {counted(n_starts, 'restart')}"
        if n_collapsed:
            self.status_ += f", of which {n_collapsed} collapsed and were not ranked"
            if n_collapsed > n_starts / 2:
                tell(f"{n_collapsed} of {n_starts} restarts collapsed", CollapseWarning)
        if not best.converged:
            tell(self.status_, NotConvergedWarning)

    def _entries(self, n_samples: float) -> Entries:
        return entries_of(self.parameters_, n_samples, self.frozen or (), self._labels)

    def _log_prior(self, parameters: P) -> float:
        return 0.0 if self.prior is None else float(self.prior.log_prob(parameters))

    def _log_priors(self, theta: Arrays) -> Array:
        """Return the log prior of R runs."""
        R = len(theta["weights"])
        if self.prior is None:
            return np.zeros(R)
        runs = [self._built({name: array[r] for name, array in theta.items()}) for r in range(R)]
        return np.array([self._log_prior(parameters) for parameters in runs])

    # Checks -------------------------------------------------------------------------------------------------------

    def _check_settings(self, samples: Samples) -> None:
        K, X = count_at_least_one("n_components", self.n_components), samples.X
        if X.shape[0] < K:
            raise ValueError(f"n_components must be at most the number of samples {X.shape[0]}, got {K}")
        self._frozen(X.shape[1])
        count_at_least_one("n_init", self.n_init)
        if self.n_starts is not None and count_at_least_one("n_starts", self.n_starts) < self.n_init:
            raise ValueError(f"n_starts must be None or at least n_init={self.n_init}, got {self.n_starts}")
        count_at_least_one("max_iter", self.max_iter)
        number_above("tol", self.tol, 0, inclusive=True)
        random_source(self.random_state)
        if self.acceleration not in ACCELERATIONS:
            raise ValueError(
                f"acceleration must be one of 'multisecant', 'squarem' or None, got {shown(self.acceleration)}"
            )
        if isinstance(self.init, self._parameters_type):
            shape = (self.init.n_components, self.init.n_features)
            if shape != (K, X.shape[1]):
                raise ValueError(f"init must have (components, features) = {(K, X.shape[1])}, got {shape}")
        elif not self._is_start(samples):
            labels = f"{samples.n_rows} integer labels from 0 to {K - 1}, " if samples.in_memory else ""
            where = "" if samples.in_memory else " for X in chunks"
            _, name, *_ = shapes = self._shapes(K, X.shape[1])
            raise ValueError(
                f"init must be one of {', '.join(STARTS)}, a {self._parameters_type.__name__}, {labels}"
                f"or {name} of shape {shapes[name]}{where}, got {shown(self.init)}"
            )
        self._known_from_init(X.shape[1])

    def _is_start(self, samples: Samples) -> bool:
        """Whether ``init`` is the name of a method, labels or a matrix."""
        if isinstance(self.init, str):
            return self.init in STARTS
        labels = samples.in_memory and are_labels(self.init, samples.n_rows, self.n_components)
        return labels or len(shape_of(self.init)) == 2
