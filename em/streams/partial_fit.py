"""`partial_fit` and `begin_stream` of every mixture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from em.chunked import is_chunked
from em.chunked.chunks import Chunks
from em.chunked.predictions import apply_to_chunk
from em.chunked.samples import check_header
from em.process.blas import one_blas_thread
from em.samples import Samples, kept_samples, samples_of
from em.samples.reading import encoded
from em.streams import StreamSettings
from em.streams.learning import OF_WHOLE_FITS, StreamLearner
from em.streams.state import Stream
from em.streams.stepwise import Stepwise
from models.frames import column_names
from models.parameters import Parameters
from models.validation import Array, check_sample_weight, data_matrix


class StreamedMixture[P: Parameters](StreamLearner[P]):
    """The part of an estimator that learns from rows batch after batch."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Explain why a stream lacks an attribute that only `fit` sets."""
            if name in OF_WHOLE_FITS and "stream_" in self.__dict__:
                raise AttributeError(
                    f"{name} is not known for a stream, because its rows are not kept: use score(X) and bic(X)"
                )
            return self.__getattribute__(name)  # raises the usual AttributeError

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there are parameters; a stream without a legal fit so far has none."""
        return "parameters_" in self.__dict__ or ("stream_" not in self.__dict__ and "status_" in self.__dict__)

    def partial_fit(
        self,
        X: ArrayLike,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        settings: StreamSettings | None = None,
    ) -> Self:
        """Learn from the next rows of a stream by stepwise EM (:mod:`em.streams`); the rows are not kept.

        The first rows are fitted as by `fit`, with restarts or from ``init``, again each time that there are a tenth
        more. From ``first_rows`` rows on each batch is a step. A random sample of all rows is kept. Whenever their
        number has doubled, restarts on the sample look for a clearly better optimum, which a stream in an unlucky order
        may need. Components keep their labels. After `fit`, a stream starts at the fitted parameters. It knows nothing
        else of the fit, unless `begin_stream` was called.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The next rows, as for `fit`; one row is enough. Dask's chunks are taken one after the other.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        settings : StreamSettings or None, default None
            Settings of the stream, given in the first call; ``None`` keeps those, or takes the defaults.

        Returns
        -------
        self
            Fitted as soon as the rows so far have a legal fit. It then has parameters, ``n_samples_seen_``,
            ``status_``, ``identifiability_`` and all methods that take rows, such as ``score(X)`` and ``bic(X)``. It
            has no ``log_likelihood_``, ``history_`` and the like, which need all rows.

        Raises
        ------
        ValueError
            If X, the weights or a setting is not legal; the stream is then unchanged.

        Notes
        -----
        A step is left out if a covariance would be singular after it, or if it would otherwise leave the parameter
        space. ``status_`` counts these steps.

        References
        ----------
        Cappé & Moulines (2009), On-line expectation-maximization algorithm for latent data models, Journal of the Royal
        Statistical Society B 71, 593-613.

        Examples
        --------
        >>> import numpy as np
        >>> from em import GaussianMixtureEM
        >>> rng, stream = np.random.default_rng(0), GaussianMixtureEM(2, random_state=0)
        >>> for _ in range(50):
        ...     stream = stream.partial_fit(np.append(rng.normal(size=40), rng.normal(6, 1, size=60))[:, None])
        >>> stream.n_samples_seen_, sorted(stream.weights_.round(1).tolist())
        (5000, [0.4, 0.6])
        """
        if is_chunked(X):
            with _all_or_nothing(self):
                for number, rows, weights in _chunks_of(X, sample_weight):
                    apply_to_chunk(partial(self.partial_fit, sample_weight=weights, settings=settings), rows, number)
            return self
        with _all_or_nothing(self), one_blas_thread():
            self._keep_stream(*self._learned(*self._next(X, sample_weight, settings)))
        return self

    def begin_stream(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None, *, settings: StreamSettings | None = None
    ) -> Self:
        """Begin a stream at the fitted parameters, with the statistics of X from one E-step.

        `partial_fit` goes on from there, and `em.merge` adds the statistics to those of other data. An estimator that
        is not fitted begins at ``init``, if that is parameters.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The rows of the fit, or other rows.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        settings : StreamSettings or None, default None
            Settings of the stream.

        Returns
        -------
        self
            With the parameters of the M-step, after one iteration of EM on X. If `fit` to X converged, they stay the
            same.

        Examples
        --------
        >>> from em import PoissonMixtureEM
        >>> X = [[0], [1], [2], [30], [33]] * 20
        >>> fit = PoissonMixtureEM(2, random_state=0).fit(X).begin_stream(X)
        >>> sorted(fit.partial_fit([[31], [34]]).rates_.ravel().round(1).tolist())
        [1.0, 31.5]
        """
        with _all_or_nothing(self):
            self._begin(X, sample_weight, settings)
        return self

    def _begin(self, X: ArrayLike, sample_weight: ArrayLike | None, settings: StreamSettings | None) -> None:
        self._check_parts()
        if "parameters_" in self.__dict__:
            samples = self._reader()._samples(X, sample_weight)
            check_header(self, X, reset=False)
        else:
            samples = self._samples(X, sample_weight)
            if isinstance(self.init, self._parameters_type):
                self._keep_parameters(self._starts(samples)[0])
            check_is_fitted(self)
        empty = Stream.empty(settings or StreamSettings(), self.parameters_.n_features)
        stream = empty.with_rows(samples, self._unit(empty))
        stream = replace(stream, first_rows=stream.rows, first_weights=stream.row_weights)
        stream = replace(stream, n_samples=samples.total, looked=samples.total)
        with one_blas_thread():
            steps, arrays = Stepwise.at_estimate(self, stream)
            stream = steps.started(stream, arrays, samples)
            self._keep_stream(self._remarked(steps, stream), steps)

    def _next(
        self, X: ArrayLike, sample_weight: ArrayLike | None, settings: StreamSettings | None
    ) -> tuple[Stream, Samples]:
        """Return the stream so far, and the next rows, checked, as samples."""
        stream, names = getattr(self, "stream_", None), column_names(X)
        known = stream is not None or "parameters_" in self.__dict__
        if not known:
            self._read_first(X, names)
        if stream is not None and settings not in (None, stream.settings):
            raise ValueError(f"settings must stay those of the stream's first call, {stream.settings}, got {settings}")
        matrix = np.ascontiguousarray(data_matrix(encoded(self, X), missing=True, names=names))
        part = kept_samples(matrix, _checked_weights(sample_weight, len(matrix)), names)
        check_header(self, X, reset=not known)
        if stream is None:
            D, K = part.X.shape[1], self.n_components
            least = max(K, 2) if isinstance(K, int) else 2
            self._check_settings(samples_of(np.empty((least, D))))
            self._check_model(D)
            if self._starts_from_labels:
                raise ValueError("init must not be labels for a stream, because labels belong to known rows")
            stream = Stream.empty(settings or StreamSettings(), D)
        self._check_parts()
        if len(part.X):
            self._check_cells(part)
        return stream, part


def _checked_weights(sample_weight: Any, n: int) -> Array | None:
    """Return weights (n,) as `check_sample_weight` does, but allow all to be 0: such a batch changes nothing."""
    if sample_weight is not None and np.shape(sample_weight) == (n,) and not np.any(sample_weight):
        return np.zeros(n)
    return check_sample_weight(sample_weight, n)


@contextmanager
def _all_or_nothing(estimator: Any) -> Iterator[None]:
    """Restore all attributes of an estimator if anything fails, an interrupt included."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:  # such as Ctrl-C
        estimator.__dict__ = before
        raise


def _chunks_of(X: Any, sample_weight: Any) -> Iterator[tuple[int, Any, Any]]:
    """Yield number, rows and weights of each chunk with a positive weight; the rows of a frame are a frame."""
    from dask.base import compute

    parts = X.partitions if hasattr(X, "partitions") else X.blocks
    for number, weights in enumerate(Chunks.of(X, sample_weight).weights):
        rows, own = compute(parts[number], weights)
        if len(rows) and (own is None or np.any(own)):
            yield number, rows, own
