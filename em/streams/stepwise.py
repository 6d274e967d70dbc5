"""The steps of a stream: E-step of a batch, a weighted mean of statistics, M-step. It knows no family."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from em.bound import normalise
from em.engine import best_of
from em.engine.problem import Arrays, one_run
from em.samples import Samples
from em.samples.part import is_clear
from em.streams.state import Stream
from models.validation import Array

FIRST = np.zeros(1, dtype=int)


class Stepwise:
    """Stepwise EM of one estimator, in the units of the rows that its stream was started from.

    Parameters
    ----------
    estimator : MixtureEM
        The mixture.
    stream : Stream
        Its stream.
    """

    def __init__(self, estimator: Any, stream: Stream) -> None:
        first = stream.first(getattr(estimator, "feature_names_in_", None))
        self.estimator, self.settings = estimator, stream.settings
        self.there = estimator._moved(first)
        self.problem = self.there._problem(self.there._standard(first))
        self.unit = stream.settings.unit(estimator.n_components, first.X.shape[1])
        self.frozen = estimator.frozen or {}

    def maximised(self, statistics: Arrays, n_samples: float) -> tuple[Mapping[str, Array] | None, str]:
        """Return the arrays of the M-step, or None and why they would be no mixture, of statistics of n samples."""
        scaled = self._times(self.settings.remembered(n_samples), statistics)
        if not all(np.isfinite(array).all() for array in scaled.values()):
            return None, "a cell is too far from all others"
        with np.errstate(all="ignore"):
            arrays, (why,) = self.problem.maximise(one_run(scaled), FIRST)
            _, (legal,) = self.problem.inside(dict(arrays))
        if why or not legal:
            return None, why or "rounding left the parameter space"
        return {name: array[0] for name, array in arrays.items()}, ""

    def expected(self, part: Samples, arrays: Arrays) -> tuple[dict[str, Array], float]:
        """Return the mean statistics of samples in the units of X at parameters of these units, and their number."""
        with np.errstate(all="ignore"):  # of cells whose squares fit no float
            standard = self.there._standard(part)
            statistics = standard.e_step(self.there)(one_run(arrays), FIRST)[1]
        means = self._times(1 / part.total, {name: array[0] for name, array in statistics.items()})
        return self.there._about(means, arrays), part.total

    def step(self, stream: Stream, arrays: Arrays, part: Samples) -> tuple[Stream, Arrays]:
        """Return the stream after a step, and its parameters; where these would be none, the step is left out."""
        means, m = self.expected(part, self._inside(arrays, stream.n_samples))
        n, settings = stream.n_samples, self.settings
        running = self._mean(stream.running, means, settings.step(n, m, self.unit), arrays)
        after, _ = self.maximised(running, n + m)
        if after is None:
            return replace(stream, n_samples=n + m, n_left_out=stream.n_left_out + 1), arrays
        averaged = self._mean(stream.averaged, running, settings.share_of_average(n, m), arrays)
        steps = {"n_samples": n + m, "n_steps": stream.n_steps + 1}
        return replace(stream, running=running, averaged=averaged, **steps), after

    def begun(self, stream: Stream, arrays: Arrays, part: Samples) -> Stream:
        """Return the stream whose statistics are those of these samples at these parameters."""
        means, _ = self.expected(part, arrays)
        return replace(stream, running=means, averaged=means)

    def restarted(self, stream: Stream, arrays: Arrays) -> Stream:
        """Return the stream, or one at a clearly better optimum if restarts on the sample of its rows know one.

        The run that goes on from the stream's parameters competes, so that what the sample alone says gives no lead.
        """
        sample = self.there._standard(self.estimator._distinct(stream.sample()))
        problem, built = self.there._problem(sample), self.problem.build(dict(arrays))
        own = self.there._run(problem, [built], self.there.max_iter)[0]
        best = self.there._best(sample).best
        if best.collapsed or best_of([own, best], problem) is own:
            return stream
        theirs, ours = (normalise(self.there._log_joint_at(sample, run.parameters))[1] for run in (best, own))
        if not own.collapsed and not is_clear(theirs - ours, sample.weights):
            return stream
        return self.begun(stream, best.parameters.arrays(), stream.sample())

    def parameters(self, statistics: Arrays, n_samples: float) -> Any:
        """Return the parameters in the units of X, or None where statistics of n samples give none."""
        arrays, _ = self.maximised(statistics, n_samples)
        if arrays is None:
            return None
        try:
            parameters = self.there._back(self.problem.build(dict(arrays)))
        except ValueError:  # rounding leaves no mixture in the units of X
            return None
        held: dict[str, Any] = self.estimator._frozen(parameters.n_features)
        return replace(parameters, **held)  # without rounding

    def _inside(self, arrays: Arrays, n_samples: float) -> dict[str, Array]:
        """Return parameters for an E-step: what n samples never showed is not impossible, but as rare as one in n."""
        moved = self.problem.build(dict(arrays)).inside(1 / max(n_samples, 2.0))
        return {name: array if name in self.frozen else moved[name] for name, array in arrays.items()}

    def _mean(self, one: Arrays, other: Arrays, share: float, arrays: Arrays) -> dict[str, Array]:
        """Return (1 - share) one + share other, both about the same parameters."""
        one, other, fixed = self.there._about(one, arrays), self.there._about(other, arrays), self.there._fixed
        if share == 1:
            return dict(other)
        means = {name: array + share * (other[name] - array) for name, array in one.items() if name not in fixed}
        return means | {name: other[name] for name in fixed}

    def _times(self, factor: float, statistics: Arrays) -> dict[str, Array]:
        """Return statistics of so many times as many samples."""
        fixed = self.there._fixed
        return {name: array if name in fixed else factor * array for name, array in statistics.items()}
