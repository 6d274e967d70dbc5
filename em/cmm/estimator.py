"""The estimator of categorical mixtures (latent class models) by EM; the steps are in :mod:`em.cmm`."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags

from em.chunked import is_chunked
from em.chunked.predictions import filled_chunks
from em.cmm import CategoricalSteps
from em.cmm.chunked_levels import levels_of_chunks
from em.exponential import ExponentialMixtureEM
from em.samples import Samples
from em.samples.reading import samples_to_use
from models.cmm import CMMParameters
from models.cmm.levels import codes_of, labels_of, levels_of
from models.cmm.parameters import labels_of_cells
from models.frames import filled_like
from models.parameters import Labels
from models.shown import shown
from models.validation import Array


@dataclass(eq=False, repr=False, kw_only=True)
class CategoricalMixtureEM(ExponentialMixtureEM[CMMParameters]):
    """Categorical mixture (latent class analysis) fitted by EM: maximum likelihood, or MAP under a Dirichlet prior.

    X is an array or a frame of labels, strings or whole numbers; NaN or None is a missing answer. Other settings and
    attributes are those of :class:`em.exponential.ExponentialMixtureEM`.

    Parameters
    ----------
    levels : int, or sequence of D ints or sequences of labels, or None, default None
        Number of levels of each item, labelled 0 to L_d - 1, or their labels. ``None`` takes the categories of a
        frame's columns, or else the labels in the data. New rows with other labels are refused.

    Attributes
    ----------
    levels_ : tuple of D tuples
        The labels of each item, in the order of its columns of ``probs_``.
    probs_ : ndarray, shape (K, C)
        Estimates, one item after the other; ``parameters_.by_feature`` has one array for each item.

    Examples
    --------
    >>> from em import CategoricalMixtureEM
    >>> X = [["red", "soft", "yes"], ["red", "soft", "yes"], ["blue", "hard", "no"], ["green", "hard", "no"]] * 5
    >>> fit = CategoricalMixtureEM(2, random_state=0).fit(X)
    >>> fit.levels_[0], sorted(fit.weights_.round(3).tolist())
    (('blue', 'green', 'red'), [0.5, 0.5])
    """

    levels: Any = None

    _parameters_type = CMMParameters

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that the data are categories, which may be strings."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only, tags.input_tags.categorical, tags.input_tags.string = False, True, True
        return tags

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Draw samples X (n, D) of labels, and their components z (n,)."""
        codes, z = super().sample(n_samples, random_state)
        return labels_of(codes, self.levels_), z

    def impute(self, X: ArrayLike) -> Any:
        """Return X (n, D) with each missing cell replaced by its most probable level given the row's observed cells.

        A pandas or polars frame gives a frame of the same kind. A Dask array or DataFrame gives a lazy one, in which
        each column of a frame keeps its type.
        """
        if is_chunked(X):
            labels = labels_of(np.empty((0, self.parameters_.n_features)), self.levels_)
            return filled_chunks(self._for_chunks(X).impute, X, labels)
        codes = samples_to_use(self, X, missing=True)
        expected, missing = self._normalised(X)[0] @ self.probs_, np.isnan(codes)
        ends = np.cumsum(self.parameters_.levels)[:-1]
        guesses = np.stack([cells.argmax(axis=1) for cells in np.split(expected, ends, axis=1)], axis=1)
        return filled_like(X, labels_of(np.where(missing, guesses, codes), self.levels_), missing)

    def for_rows(self, rows: np.ndarray) -> Self:
        """Return an unfitted estimator with the same settings for these rows, which hold codes."""
        n_levels = tuple(map(len, self.levels_))
        other = super().for_rows(rows).set_params(levels=n_levels)
        other.levels_ = tuple(tuple(range(L)) for L in n_levels)
        return other

    @property
    def _steps(self) -> CategoricalSteps:
        return CategoricalSteps(tuple(map(len, self.levels_)))

    def _labels_for(self, names: Sequence[str] | None) -> Labels:
        """Return the labels of each dim, given the names of the items; a cell is a level of an item."""
        return labels_of_cells(names, self.levels_)

    def _encoded(self, X: Any) -> Array:
        return codes_of(X, self.levels_)

    def _samples(self, X: ArrayLike, sample_weight: ArrayLike | None, names: Sequence[str] | None = None) -> Samples:
        self._read_first(X, names)
        return super()._samples(X, sample_weight, names)

    def _read_first(self, X: Any, names: Sequence[str] | None) -> None:
        known = self.init.levels if self.levels is None and isinstance(self.init, CMMParameters) else self.levels
        self.levels_ = levels_of_chunks(X, known, names) if is_chunked(X) else levels_of(X, known, names)

    def _reader(self) -> Self:
        reader = copy(self)
        reader.levels = self.levels_
        return reader

    def _check_model(self, n_features: int) -> None:
        super()._check_model(n_features)
        if isinstance(self.init, CMMParameters) and self.init.levels != self._steps.levels:
            raise ValueError(f"init must have levels {self._steps.levels}, got {shown(self.init.levels)}")
