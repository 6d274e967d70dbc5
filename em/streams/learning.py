"""Learn from a stream: restarts on the first rows, then steps, and looks back at a sample of the rows."""

from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

from em.engine.problem import Arrays
from em.samples import Samples
from em.starts.restarts import Restarts
from em.status import NoMaximumWarning, NotIdentifiableWarning, left_to_the_status, tell
from em.streams.state import Stream
from em.streams.stepwise import Stepwise
from models.parameters import Parameters
from models.shown import counted
from models.validation import Array, check_columns

GROWTH = 1.1  # before the stream has begun, a fit is tried again after 1.1 times more samples
LOOKS = 2.0  # the stream looks back each time that there are 2 times more samples
OF_WHOLE_FITS = ["log_likelihood_", "objective_", "history_", "n_iter_", "n_e_steps_", "n_collapsed_", "collapsed_"]
OF_WHOLE_FITS += ["starts_", "converged_", "path_"]


class StreamLearner[P: Parameters](Restarts[P]):
    """The part of an estimator that updates a stream with the next rows."""

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
        """Raise a ValueError if the samples, the prior or a setting of the family is not legal."""

    @abstractmethod
    def _check_model(self, n_features: int) -> None:
        """Raise a ValueError unless prior and init fit the family, its settings and D features."""

    @abstractmethod
    def _remarks(self, samples: Samples) -> list[str]:
        """Set ``identifiability_``, and return the family's sentences for the status."""

    def _centred_at(self, statistics: Arrays, arrays: Arrays) -> dict[str, Array]:
        """Return statistics centred at the parameters ``arrays``, so that they can be added to others like them."""
        return dict(statistics)

    def _in_own_units(self, statistics: Arrays, other: Any) -> dict[str, Array]:
        """Return statistics, given in the units of the estimator ``other``, in the units of this one."""
        return dict(statistics)

    @property
    def _shared(self) -> tuple[str, ...]:
        """Names of the statistics that are not one for each component."""
        return ()

    def _check_parts(self) -> None:
        """Raise a ValueError if a setting does not suit rows that come in parts."""

    def _check_cells(self, samples: Samples) -> None:
        """Raise a ValueError if a cell is not legal."""

    def _read_first(self, X: Any, names: Sequence[str] | None) -> None:
        """Store what the first rows tell about how to read all rows, such as levels."""

    def _reader(self) -> Any:
        """Return a copy that reads rows as this fitted estimator does, and may change while it does so."""
        return copy(self)

    # What follows -------------------------------------------------------------------------------------------------

    def _unit(self, stream: Stream) -> int:
        return stream.settings.unit(self.n_components, stream.rows.shape[1])

    def _learned(self, stream: Stream, part: Samples) -> tuple[Stream, Stepwise | None]:
        """Return the stream after the rows of ``part``, and the `Stepwise` of its last step, or None."""
        unit = self._unit(stream)
        done = drawn = 0  # rows learned from so far, and rows that the sample has drawn from
        steps: Stepwise | None = None
        arrays: Arrays = {}
        while done < len(part.X):
            if stream.n_samples < unit or not stream.begun:
                piece = part.part(slice(done, done + unit))
                stream, steps = self._gathered(stream, piece, unit), None
                done = drawn = done + len(piece.X)
                continue
            if steps is None:
                steps = Stepwise(self, stream)
                arrays = self._arrays(steps, stream)
            piece = part.part(slice(done, done + stream.settings.longest_step(unit)))
            stream, arrays = steps.step(stream, arrays, piece)
            done += len(piece.X)
            if stream.settings.half_life is None and stream.n_samples >= LOOKS * stream.looked:
                stream, drawn = stream.with_rows(part.part(slice(drawn, done)), unit), done
                stream = replace(stream, looked=stream.n_samples)
                with left_to_the_status():
                    stream = self._remarked(steps, steps.looked_back(stream))
                arrays = self._arrays(steps, stream)
        return (stream.with_rows(part.part(slice(drawn, done)), unit) if drawn < done else stream), steps

    def _arrays(self, steps: Stepwise, stream: Stream) -> Arrays:
        """Return the parameters of the running statistics; if the M-step fails, the estimate."""
        arrays, _ = steps.maximised(stream.running, stream.n_samples)
        return Stepwise.at_estimate(self, stream)[1] if arrays is None else arrays

    def _gathered(self, stream: Stream, piece: Samples, unit: int) -> Stream:
        """Add first rows to the stream; begin it if a fit of all rows so far is due and succeeds."""
        stream = replace(stream.with_rows(piece, unit), n_samples=stream.n_samples + piece.total)
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
        """Begin the stream by a fit of the rows that are kept; if that fails, return it unchanged, and why."""
        try:
            if stream.n_samples < max(self.n_components, 2):
                raise ValueError("there are fewer samples than two, or than components")
            check_columns(samples.n_observed > 0, samples.names)
            self._check_data(samples)
            distinct, here = self._distinct(samples), copy(self)
            if not stream.begun and "parameters_" in self.__dict__:
                here.init = self.parameters_
            tried = replace(stream, first_rows=stream.rows, first_weights=stream.row_weights)
            steps = Stepwise(here, tried)
            best = steps.scaled._best(steps.scaled._standardised(distinct)).best
        except ValueError as error:
            return stream, str(error)
        if best.collapsed:
            return stream, best.status
        tried = steps.started(tried, steps.relabelled(best.parameters, samples).arrays(), samples)
        if steps.parameters(tried.averaged, tried.n_samples) is None:
            return stream, "rounding leaves no mixture"
        return self._remarked(steps, tried), ""

    def _remarked(self, steps: Stepwise, stream: Stream) -> Stream:
        """Return the stream with the remarks about its parameters."""
        parameters = steps.parameters(stream.averaged, stream.n_samples)
        if parameters is not None:
            self._keep_parameters(parameters)
        remarks = self._remarks(stream.sample())
        if not self.identifiability_.identified:
            remarks.append(f"not identified: {self.identifiability_.sentence}")
        return replace(stream, remarks=tuple(remarks))

    def _keep_stream(self, stream: Stream, steps: Stepwise | None) -> None:
        """Set ``stream_`` and the attributes that follow from it."""
        for name in OF_WHOLE_FITS:
            self.__dict__.pop(name, None)
        n, self.stream_ = stream.n_samples, stream
        self.n_samples_seen_ = int(n) if n.is_integer() else n
        counts = f"stream of {counted(n, 'sample')}"
        if not stream.begun:
            self.status_ = f"{counts}, without a legal fit so far"
            if isinstance(self.init, self._parameters_type) and len(stream.rows):
                self._keep_parameters(self._starts(stream.sample())[0])
                self._remarks(stream.sample())
            return
        steps = steps or Stepwise(self, stream)
        parameters = steps.parameters(stream.averaged, n)
        said = [f"{counts}, {counted(stream.n_steps, 'step')} after its start", *stream.remarks]
        if parameters is None:
            why = steps.maximised(stream.averaged, n)[1] or "rounding leaves none in the units of X"
            said.append(f"parameters are as they were, as the statistics give no mixture: {why}")
        else:
            self._keep_parameters(parameters)
        if stream.n_left_out:
            said.append(f"{counted(stream.n_left_out, 'step')} left out, which led out of the parameter space")
        self.status_ = "; ".join(said)
