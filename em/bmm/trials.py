"""Numbers of trials that differ between rows: what the methods of `BinomialMixtureEM` say of new rows.

Where the trials of the fit have shape (n, D), they belong to the n rows of the fit. New rows bring their own:
``fit.predict(X, n_trials=trials)``. Through scikit-learn's tools they travel as metadata, which cross-validation cuts
as it cuts X::

    sklearn.set_config(enable_metadata_routing=True)
    estimator = BinomialMixtureEM(2).set_fit_request(n_trials=True).set_score_request(n_trials=True)
    cross_val_score(estimator, X, params={"n_trials": trials})
"""

from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from em.estimator import MixtureEM
from models.bmm import BMMParameters
from models.bmm.counts import trials_matrix
from models.validation import Array, real_numbers


class TrialsOfRows(MixtureEM[BMMParameters]):
    """The methods of a fitted mixture with one more argument, ``n_trials``; all else is that of `FittedMixture`.

    ``n_trials`` is a number, or an array of shape (D,) or (n, D) for X of shape (n, D). ``None`` takes the trials of
    the fit; where they differ between its rows, X must have as many rows.
    """

    n_trials: Any
    n_trials_: Any
    _given: Any = None  # held by the copies that `_with` makes

    def fit(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None, n_trials: ArrayLike | None = None
    ) -> Self:
        """Fit the mixture to X, as :meth:`em.estimator.MixtureEM.fit` says.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        n_trials : int or array_like, shape (D,) or (n, D), or None
            Number of trials of each cell in this fit and for its methods; ``None`` takes the parameter of that name.
        """
        if n_trials is None and hasattr(self, "n_trials_"):
            del self.n_trials_
        if n_trials is not None:
            array = real_numbers("n_trials", n_trials)
            self.n_trials_ = array if array.ndim else n_trials
        return super().fit(X, y, sample_weight)

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None, n_trials: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit the mixture and return the most probable label of each sample, of weight 0 too, shape (n,)."""
        return self.fit(X, y, sample_weight=sample_weight, n_trials=n_trials).predict(X)

    def predict(self, X: ArrayLike, n_trials: ArrayLike | None = None) -> np.ndarray:
        """Return the most probable label of each sample, shape (n,)."""
        return super(TrialsOfRows, self._with(n_trials)).predict(X)

    def predict_proba(self, X: ArrayLike, n_trials: ArrayLike | None = None) -> Array:
        """Return the responsibilities p(z_i = k | x_i), shape (n, K).

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        n_trials : int or array_like, shape (D,) or (n, D), or None
            Number of trials of each cell; ``None`` takes those of the fit.

        Raises
        ------
        ValueError
            If ``n_trials`` is None, the trials of the fit differ between its rows, and X has another number of rows.

        Examples
        --------
        >>> from em import BinomialMixtureEM
        >>> X, trials = [[0], [2], [9], [28]], [[3], [20], [10], [30]]
        >>> fit = BinomialMixtureEM(2, n_trials=trials, random_state=0).fit(X)
        >>> fit.predict_proba([[1], [8]], n_trials=[[12], [9]]).max(axis=1).round(3).tolist()
        [1.0, 1.0]
        """
        return super(TrialsOfRows, self._with(n_trials)).predict_proba(X)

    def score_samples(self, X: ArrayLike, n_trials: ArrayLike | None = None) -> Array:
        """Return log p(x_i) in nats, shape (n,)."""
        return super(TrialsOfRows, self._with(n_trials)).score_samples(X)

    def score(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None, n_trials: ArrayLike | None = None
    ) -> float:
        """Return the mean of log p(x_i) over samples with an observed cell, in nats."""
        return super(TrialsOfRows, self._with(n_trials)).score(X, y, sample_weight)

    def impute(self, X: ArrayLike, n_trials: ArrayLike | None = None) -> Array:
        """Return X (n, D) with each missing cell replaced by its conditional mean given the row's observed cells."""
        return super(TrialsOfRows, self._with(n_trials)).impute(X)

    def sample(
        self, n_samples: int = 1, random_state: Any = None, n_trials: ArrayLike | None = None
    ) -> tuple[Array, np.ndarray]:
        """Draw samples X (n, D) of these trials and their labels z (n,) from the fitted mixture."""
        return super(TrialsOfRows, self._with(n_trials)).sample(n_samples, random_state)

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None, n_trials: ArrayLike | None = None) -> float:
        """Return -2 log-likelihood + p log n, with p free parameters; smaller is better (Schwarz 1978)."""
        return super(TrialsOfRows, self._with(n_trials)).bic(X, sample_weight)

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None, n_trials: ArrayLike | None = None) -> float:
        """Return -2 log-likelihood + 2 p, with p free parameters; smaller is better (Akaike 1974)."""
        return super(TrialsOfRows, self._with(n_trials)).aic(X, sample_weight)

    def icl(self, X: ArrayLike, sample_weight: ArrayLike | None = None, n_trials: ArrayLike | None = None) -> float:
        """Return BIC - 2 Σ_i log max_k p(z_i = k | x_i), the integrated completed likelihood; smaller is better."""
        return super(TrialsOfRows, self._with(n_trials)).icl(X, sample_weight)

    def for_rows(self, rows: np.ndarray) -> Self:
        """Return an unfitted estimator of the same settings for these rows of X, with their trials."""
        trials = self._trials()
        return super().for_rows(rows).set_params(n_trials=np.asarray(trials)[rows] if np.ndim(trials) == 2 else trials)

    def _with(self, n_trials: ArrayLike | None) -> Self:
        """Return this fitted mixture for one call about rows of these trials."""
        if n_trials is None:
            return self
        check_is_fitted(self)
        other = copy(self)
        other._given = n_trials
        return other

    def _trials(self) -> Any:
        return getattr(self, "n_trials_", self.n_trials)

    def _trials_for(self, shape: tuple[int, ...]) -> Any:
        """Return the trials given in this call, or those of the fit where they fit rows of this shape (n, D)."""
        if self._given is not None:
            return self._given
        trials = self._trials()
        of_fit = np.shape(trials)
        if len(of_fit) != 2 or of_fit == shape or of_fit[1:] != shape[1:]:
            return trials
        rows = trials_matrix(trials, of_fit)
        if (rows == rows[0]).all():
            return rows[0]
        n, D = shape
        raise ValueError(
            f"n_trials must be given for {n} row(s), because it differs between the {of_fit[0]} rows of the fit: pass "
            f"n_trials=, a number or an array of shape ({D},) or ({n}, {D}), to the method that takes the rows"
        )
