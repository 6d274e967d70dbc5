"""Sizes of cells that differ between rows: numbers of trials in a binomial mixture, exposures in a Poisson mixture.

If the sizes of the fit have shape (n, D), they belong to the n rows of the fit. New rows have sizes of their own, under
the name of the estimator's parameter: ``fit.predict(X, n_trials=trials)``. In scikit-learn's tools they are metadata,
which cross-validation splits as it splits X::

    sklearn.set_config(enable_metadata_routing=True)
    estimator = BinomialMixtureEM(2).set_fit_request(n_trials=True).set_score_request(n_trials=True)
    cross_val_score(estimator, X, params={"n_trials": trials})
"""

import os
from collections.abc import Callable
from copy import copy
from functools import wraps
from inspect import signature
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from em.exponential import ExponentialMixtureEM
from models.shown import counted
from models.validation import real_numbers

METHODS = ["predict", "predict_proba", "score_samples", "score", "impute", "sample", "bic", "aic", "icl"]
METHODS += ["summary", "assignments", "report"]
OF_STREAMS = ["partial_fit", "begin_stream"]  # sizes are those of the estimator, the same in every row
ROUTED = "fit", "predict", "predict_proba", "score"  # by scikit-learn, as metadata


def takes_sizes[T](method: Callable[..., T]) -> Callable[..., T]:
    """Return a method with one more keyword argument, the sizes of the cells of the rows that it takes.

    A method of streams refuses them, and says where they go.
    """
    known = signature(method).parameters

    @wraps(method)
    def with_sizes(self: Any, *arguments: Any, **named: Any) -> T:
        size = {name: named.pop(name) for name in named.keys() - known.keys()}
        if size and method.__name__ in OF_STREAMS:
            self._steps.cells.size_of(None, size)  # raises an error about another name
            where = f"to {type(self).__name__}(...) for a stream, as a number or one for each column"
            raise TypeError(f"{self._size_name} must be given {where}, and not to {method.__name__}")
        return method(self._with(size) if size else self, *arguments, **named)

    return with_sizes


class SizesOfRows(ExponentialMixtureEM[Any]):
    """Methods of a fitted mixture with one more argument, the sizes of the cells of the rows that they take.

    Its name is that of the estimator's own parameter, ``n_trials`` or ``exposure``: a number, or an array of shape (D,)
    or (n, D) for X of shape (n, D). ``None`` takes the sizes of the fit; if these differ between its rows, X must have
    as many rows.

    Raises
    ------
    ValueError
        If no sizes are given, although those of the fit differ between its rows and X has another number of rows.
    TypeError
        If an argument has another name.

    Examples
    --------
    >>> from em import BinomialMixtureEM
    >>> X, trials = [[0], [2], [9], [28]], [[3], [20], [10], [30]]
    >>> fit = BinomialMixtureEM(2, n_trials=trials, random_state=0).fit(X)
    >>> fit.predict_proba([[1], [8]], n_trials=[[12], [9]]).max(axis=1).round(3).tolist()
    [1.0, 1.0]
    """

    _size_name: ClassVar[str]
    _given: Any = None  # set in the copies that `_with` makes

    def __init_subclass__(cls, **named: Any) -> None:
        """Tell scikit-learn's metadata routing which argument the methods take."""
        steps: Any = cls._steps
        cls._size_name = steps.cells.size_name
        for method in ROUTED:
            setattr(cls, f"__metadata_request__{method}", {cls._size_name: None})
        super().__init_subclass__(**named)

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        keep_path: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        **size: Any,
    ) -> Self:
        """Fit the mixture to X as :meth:`em.estimator.MixtureEM.fit`, with sizes given here or in the constructor.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        keep_path : bool, default False
            Whether to keep ``path_``.
        checkpoint : str, path or None, default None
            A file in which the state of the fit is stored.
        **size
            ``n_trials`` or ``exposure`` of each cell, for this fit and its methods; ``None`` takes the parameter of
            that name.
        """
        given, fitted = self._steps.cells.size_of(None, size), f"{self._size_name}_"
        if given is None and hasattr(self, fitted):
            delattr(self, fitted)
        if given is not None:
            array = real_numbers(self._size_name, given)
            setattr(self, fitted, array if array.ndim else given)
        return super().fit(X, y, sample_weight, keep_path=keep_path, checkpoint=checkpoint)

    def for_rows(self, rows: np.ndarray) -> Self:
        """Return an unfitted estimator of the same settings for these rows of X, with their sizes."""
        size = self._size()
        of_rows = np.asarray(size)[rows] if np.ndim(size) == 2 else size
        return super().for_rows(rows).set_params(**{self._size_name: of_rows})

    def _with(self, size: dict[str, Any]) -> Self:
        """Return a copy of this fitted mixture for one call, with these sizes of cells."""
        check_is_fitted(self)
        other = copy(self)
        other._given = self._steps.cells.size_of(None, size)
        return other

    def _for_chunks(self, X: Any) -> Self:
        self._refuse_sizes_of_rows(self._size() if self._given is None else self._given)
        return super()._for_chunks(X)

    def _size(self) -> Any:
        return getattr(self, f"{self._size_name}_", getattr(self, self._size_name))

    def _size_for(self, shape: tuple[int, ...]) -> Any:
        """Return the sizes given in this call, or those of the fit if they suit rows of this shape (n, D)."""
        if self._given is not None:
            return self._given
        size, name = self._size(), self._size_name
        of_fit = np.shape(size)
        if len(of_fit) != 2 or of_fit == shape or of_fit[1:] != shape[1:]:
            return size
        rows = self._steps.cells.sizes(size, of_fit)
        if (rows == rows[0]).all():
            return rows[0]
        n, D = shape
        raise ValueError(
            f"{name} must be given for {counted(n, 'row')}, because it differs between the {of_fit[0]} rows of the "
            f"fit: pass {name}=, a number or an array of shape ({D},) or ({n}, {D}), to the method that takes the rows"
        )


for _method in METHODS + OF_STREAMS:
    setattr(SizesOfRows, _method, takes_sizes(getattr(ExponentialMixtureEM, _method)))
