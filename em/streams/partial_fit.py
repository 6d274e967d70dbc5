"""`partial_fit` of every mixture: rows are taken batch after batch, and not kept."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted, validate_data

from em.chunked import is_chunked
from em.chunked.chunks import Chunks
from em.engine.blocks import blocks
from em.engine.problem import Arrays
from em.process.blas import one_blas_thread
from em.samples import Samples, encoded, kept_samples
from em.starts.restarts import Restarts
from em.status import NoMaximumWarning, NotIdentifiableWarning, left_to_the_status, tell
from em.streams import StreamSettings
from em.streams.state import Stream
from em.streams.stepwise import Stepwise
from models.frames import column_names
from models.parameters import Parameters
from models.validation import Array, check_columns, check_sample_weight, data_matrix

GROWTH = 1.1  # times more rows that are worth a fit, before the stream has begun
LOOKS = 2.0  # times more samples after which the stream looks back
OF_WHOLE_FITS = ["log_likelihood_", "objective_", "history_", "n_iter_", "n_e_steps_", "n_collapsed_", "collapsed_"]
OF_WHOLE_FITS += ["starts_", "converged_", "path_"]


class StreamedMixture[P: Parameters](Restarts[P]):
    """The part of an estimator that takes rows batch after batch."""

    _fixed: ClassVar[tuple[str, ...]] = ()  # statistics that are no sums over rows
    stream_: Stream

    @abstractmethod
    def _samples(self, X: Any, sample_weight: Any, names: Sequence[str] | None = None) -> Samples:
        """Return X and its weights as `fit` uses them, checked."""

    @abstractmethod
    def _check_settings(self, samples: Samples) -> None:
        """Raise a ValueError if a setting is not legal for these samples."""

    @abstractmethod
    def _check_data(self, samples: Samples) -> None:
        """Raise a ValueError if the samples, the prior or a setting of this family is not legal."""

    @abstractmethod
    def _check_model(self, n_features: int) -> None:
        """Raise a ValueError unless prior and init are of this family and its settings, for D features."""

    @abstractmethod
    def _remarks(self, samples: Samples) -> list[str]:
        """Set ``identifiability_``, and return sentences that a family adds to the status."""

    @abstractmethod
    def _keep_parameters(self, parameters: P) -> None:
        """Set ``parameters_`` and what follows from them alone."""

    def _about(self, statistics: Arrays, arrays: Arrays) -> dict[str, Array]:
        """Return statistics about fixed numbers that these parameters give, so that they can be added to others."""
        return dict(statistics)

    def _of_other_units(self, statistics: Arrays, there: Any) -> dict[str, Array]:
        """Return statistics in the units of another moved estimator in those of this one."""
        return dict(statistics)

    @property
    def _shared(self) -> tuple[str, ...]:
        """Names of the statistics that are not one for each component."""
        return ()

    def _check_part(self, part: Samples) -> None:
        """Raise a ValueError if rows that come in parts are none of the family's."""

    def _read_first(self, X: Any, names: Sequence[str] | None) -> None:
        """Learn from the first rows how to read others."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say of what only a whole fit knows that a stream does not."""
            if name in OF_WHOLE_FITS and "stream_" in self.__dict__:
                raise AttributeError(
                    f"{name} is not known of a stream, whose rows are not kept: score(X) and bic(X) take rows"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there are parameters: not while a stream has no legal fit so far."""
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

        The first rows are fitted as `fit` would, with restarts or from ``init``, each time that there are a tenth more;
        from ``first_rows`` on each batch is a step. A sample of all rows is kept: whenever twice as many have come,
        restarts on it look for a clearly better optimum, which a stream that comes in an unlucky order may need.
        Components keep their labels. After `fit` a stream starts at its parameters; nothing else of it is remembered,
        unless `begin_stream` was called.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The next rows, as `fit` takes them; one row is enough. Dask's chunks are taken one after the other.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        settings : StreamSettings or None, default None
            How to learn, given in the first call; ``None`` keeps what was given, or takes the defaults.

        Returns
        -------
        self
            Fitted as soon as the rows so far have a legal fit: parameters, ``n_samples_seen_``, ``status_``,
            ``identifiability_`` and all that asks for rows, such as ``score(X)`` and ``bic(X)``. The log-likelihood of
            all rows that came, ``history_`` and the like are not known, and are no attributes.

        Raises
        ------
        ValueError
            If X, the weights or a setting is not legal; the stream is as it was before.

        Notes
        -----
        A step after which a covariance would be singular, or which would otherwise leave the parameter space, is left
        out; ``status_`` counts them.

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
            for rows, weights in _chunks_of(X, sample_weight):
                self.partial_fit(rows, sample_weight=weights, settings=settings)
            return self
        stream, part = self._next(X, sample_weight, settings)
        with one_blas_thread():
            self._keep_stream(*self._learned(stream, part))
        return self

    def begin_stream(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None, *, settings: StreamSettings | None = None
    ) -> Self:
        """Begin a stream at the fitted parameters with the statistics of X, which one E-step gives.

        `partial_fit` goes on from there, and `em.merge` adds the statistics to those of other data. An estimator that
        was not fitted begins at ``init``, if that is parameters.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            The rows of the fit, or others.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        settings : StreamSettings or None, default None
            How to learn from what comes next.

        Returns
        -------
        self
            With the parameters of the M-step: one iteration of EM on X. Those of a fit to X that converged stay.

        Examples
        --------
        >>> from em import PoissonMixtureEM
        >>> X = [[0], [1], [2], [30], [33]] * 20
        >>> fit = PoissonMixtureEM(2, random_state=0).fit(X).begin_stream(X)
        >>> sorted(fit.partial_fit([[31], [34]]).rates_.ravel().round(1).tolist())
        [1.0, 31.5]
        """
        samples = self._samples(X, sample_weight)
        if "parameters_" not in self.__dict__ and isinstance(self.init, self._parameters_type):
            self._keep_parameters(self._starts(samples)[0])
        check_is_fitted(self)
        empty = Stream.empty(settings or StreamSettings(), self.parameters_.n_features)
        stream = empty.seen(samples.at_hand, self._unit(empty))
        stream = replace(stream, first_rows=stream.rows, first_weights=stream.row_weights)
        stream = replace(stream, n_samples=samples.total, looked=samples.total)
        with one_blas_thread():
            steps, arrays = Stepwise.at_estimate(self, stream)
            stream = steps.begun(stream, arrays, samples)
            self._keep_stream(self._remarked(steps, stream), steps)
        return self

    # How it learns ------------------------------------------------------------------------------------------------

    def _next(
        self, X: ArrayLike, sample_weight: ArrayLike | None, settings: StreamSettings | None
    ) -> tuple[Stream, Samples]:
        """Return the stream so far, and the next rows, checked."""
        stream, names = getattr(self, "stream_", None), column_names(X)
        if stream is None:
            self._read_first(X, names)
        elif settings not in (None, stream.settings):
            raise ValueError(f"settings must stay those of the stream's first call, {stream.settings}, got {settings}")
        matrix = np.ascontiguousarray(data_matrix(encoded(self, X), missing=True, names=names))
        part, _ = kept_samples(matrix, check_sample_weight(sample_weight, len(matrix)), names)
        validate_data(self, X, reset=stream is None, skip_check_array=True)
        if stream is None:
            D, K = part.X.shape[1], self.n_components
            known = max(K, 2) if isinstance(K, int) else 2
            self._check_settings(Samples(np.empty((known, D)), None, np.ones(known, dtype=bool), known))
            self._check_model(D)
            if not self._starts_anywhere:
                raise ValueError("init must not be labels in a stream, whose rows are not known")
            stream = Stream.empty(settings or StreamSettings(), D)
        self._check_part(part)
        return stream, part

    def _unit(self, stream: Stream) -> int:
        return stream.settings.unit(self.n_components, stream.rows.shape[1])

    def _learned(self, stream: Stream, part: Samples) -> tuple[Stream, Stepwise | None]:
        """Return the stream after these rows, and what made its last step."""
        unit, waiting = self._unit(stream), list[slice]()
        steps: Stepwise | None = None
        arrays: Arrays | None = None
        for rows in blocks(len(part.X), unit):
            piece = replace(part, X=part.X[rows], weights=None if part.weights is None else part.weights[rows])
            waiting.append(rows)
            if stream.n_samples < unit or not stream.begun:
                stream = self._gathered(stream, piece, unit)
                waiting, steps = [], None
                continue
            if steps is None:
                steps = Stepwise(self, stream)
                arrays, _ = steps.maximised(stream.running, stream.n_samples)
            assert arrays is not None
            stream, arrays = steps.step(stream, arrays, piece)
            if self._is_due(stream):
                stream, waiting = _with_rows(stream, part, waiting, unit), []
                stream = replace(stream, looked=stream.n_samples)
                with left_to_the_status():
                    stream = self._remarked(steps, steps.looked(stream))
                arrays, _ = steps.maximised(stream.running, stream.n_samples)
        return _with_rows(stream, part, waiting, unit), steps

    def _gathered(self, stream: Stream, piece: Samples, unit: int) -> Stream:
        """Return the stream with more of its first rows, begun where a fit of all of them is legal and worth while."""
        stream = replace(stream.seen(piece, unit), n_samples=stream.n_samples + piece.total)
        if stream.n_samples < GROWTH * stream.looked and not stream.looked < unit <= stream.n_samples:
            return stream
        stream = replace(stream, looked=stream.n_samples)
        names = getattr(self, "feature_names_in_", None)
        with left_to_the_status():
            started, why = self._started(stream, stream.sample(names))
        if not started.begun and stream.n_samples >= unit:
            tell(f"a stream of {stream.n_samples:g} samples has no start: {why}", NoMaximumWarning)
        if started.begun and not stream.begun and not self.identifiability_.identified:
            tell(self.identifiability_.sentence, NotIdentifiableWarning)
        return started

    def _started(self, stream: Stream, samples: Samples) -> tuple[Stream, str]:
        """Return the stream begun by a fit of the rows that are kept, or as it was, and why."""
        try:
            if stream.n_samples < max(self.n_components, 2):
                raise ValueError("it has fewer than two, or than components")
            check_columns(samples.n_observed > 0, samples.names)
            self._check_data(samples)
            distinct, here = self._distinct(samples), copy(self)
            if not stream.begun and "parameters_" in self.__dict__:
                here.init = self.parameters_
            tried = replace(stream, first_rows=stream.rows, first_weights=stream.row_weights)
            steps = Stepwise(here, tried)
            best = steps.there._best(steps.there._standard(distinct)).best
        except ValueError as error:
            return stream, str(error)
        if best.collapsed:
            return stream, best.status
        tried = steps.begun(tried, steps.relabelled(best.parameters, samples).arrays(), samples)
        if steps.parameters(tried.averaged, tried.n_samples) is None:
            return stream, "rounding leaves no mixture"
        return self._remarked(steps, tried), ""

    def _is_due(self, stream: Stream) -> bool:
        """Whether it is time to look at the sample of the rows."""
        return stream.settings.half_life is None and stream.n_samples >= LOOKS * stream.looked

    def _remarked(self, steps: Stepwise, stream: Stream) -> Stream:
        """Return the stream with what is to be said of its parameters."""
        parameters = steps.parameters(stream.averaged, stream.n_samples)
        if parameters is not None:
            self._keep_parameters(parameters)
        remarks = self._remarks(stream.sample())
        if not self.identifiability_.identified:
            remarks.append(f"not identified: {self.identifiability_.sentence}")
        return replace(stream, remarks=tuple(remarks))

    def _keep_stream(self, stream: Stream, steps: Stepwise | None) -> None:
        """Keep the stream and the parameters that it leads to."""
        for name in OF_WHOLE_FITS:
            self.__dict__.pop(name, None)
        n, self.stream_ = stream.n_samples, stream
        self.n_samples_seen_ = int(n) if n.is_integer() else n
        counts = f"stream of {n:.10g} samples"
        if not stream.begun:
            self.status_ = f"{counts}, without a legal fit so far"
            if isinstance(self.init, self._parameters_type) and len(stream.rows):
                self._keep_parameters(self._starts(stream.sample())[0])
                self._remarks(stream.sample())
            return
        parameters = (steps or Stepwise(self, stream)).parameters(stream.averaged, n)
        if parameters is not None:
            self._keep_parameters(parameters)
        said = [f"{counts}, {stream.n_steps} step(s) after its start", *stream.remarks]
        if stream.n_left_out:
            said.append(f"{stream.n_left_out} step(s) left out, which led out of the parameter space")
        self.status_ = "; ".join(said)


def _with_rows(stream: Stream, part: Samples, which: Sequence[slice], unit: int) -> Stream:
    """Return the stream with some of the rows in its sample."""
    if not which:
        return stream
    rows = slice(which[0].start, which[-1].stop)
    weights = None if part.weights is None else part.weights[rows]
    return stream.seen(replace(part, X=part.X[rows], weights=weights), unit)


def _chunks_of(X: Any, sample_weight: Any) -> Iterator[tuple[Any, Any]]:
    """Yield rows and weights of each chunk that has some; of a frame the rows are a frame."""
    from dask.base import compute

    parts = X.partitions if hasattr(X, "partitions") else X.blocks
    for number, weights in enumerate(Chunks.of(X, sample_weight).weights):
        rows, own = compute(parts[number], weights)
        if len(rows) and (own is None or np.any(own)):
            yield rows, own
