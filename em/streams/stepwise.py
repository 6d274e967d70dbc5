"""The steps of a stream: E-step of a batch, a weighted mean of statistics, M-step. It knows no family."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from scipy.special import gammaincc

from em.bound import normalise
from em.engine import best_of
from em.engine.problem import Arrays, one_run
from em.samples import Samples
from em.streams.state import Stream
from em.uncertainty.bootstrap import nearest_order
from models.validation import Array

FIRST = np.zeros(1, dtype=int)
REJECTED = 1e-3  # probability of so large a likelihood ratio, were the stream's parameters those of its rows
MOST_CYCLES, STILL = 500, 1e-5  # of a correction; in the units in which the engine measures steps


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

    @classmethod
    def at_estimate(cls, estimator: Any, stream: Stream) -> tuple[Self, dict[str, Array]]:
        """Return the same of a fitted estimator, and its parameters in these units."""
        here = copy(estimator)
        here.init = estimator.parameters_  # which is moved along with the rows
        steps = cls(here, stream)
        return steps, steps.there.init.arrays()

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
        with np.errstate(all="ignore"):
            running = self.mean(stream.running, means, settings.step(n, m, self.unit), arrays)
        after, _ = self.maximised(running, n + m)
        if after is None:
            return replace(stream, n_samples=n + m, n_left_out=stream.n_left_out + 1), arrays
        share = settings.share_of_average(n, m)
        averaged = self.mean(stream.averaged, running, share, arrays)
        expected = self.mean(stream.expected, means, share, arrays)
        new: dict[str, Any] = {"running": running, "averaged": averaged, "expected": expected}
        return replace(stream, n_samples=n + m, n_steps=stream.n_steps + 1, **new), after

    def begun(self, stream: Stream, arrays: Arrays, part: Samples) -> Stream:
        """Return the stream whose statistics are those of these samples at these parameters."""
        return _at(stream, self.expected(part, arrays)[0])

    def looked(self, stream: Stream) -> Stream:
        """Return the stream after a look at the sample of its rows: begun anew where that is better, or corrected.

        The stream begins anew at the best run on the sample where this holds all rows, or where a likelihood ratio test
        on it rejects the stream's parameters. The run that goes on from these competes with restarts.
        """
        arrays, _ = self.maximised(stream.averaged, stream.n_samples)
        sample = self.there._standard(self.estimator._distinct(stream.sample()))
        problem, runs = self.there._problem(sample), [self.there._best(sample).best]
        if arrays is not None:
            runs += self.there._run(problem, [problem.build(dict(arrays))], self.there.max_iter)
        best = best_of(runs, problem)
        if best.collapsed:
            return stream
        if arrays is not None and not stream.whole:
            gain = best.log_likelihood - float(problem.expect(one_run(arrays), FIRST)[0][0])
            if gammaincc(self.estimator.n_free_parameters_ / 2, max(gain, 0.0)) >= REJECTED:
                return self._corrected(stream, arrays)
        return self.begun(stream, self.relabelled(best.parameters, stream.sample()).arrays(), stream.sample())

    @property
    def labelled(self) -> bool:
        """Whether labels are given, by frozen parameters or a prior."""
        return bool(self.frozen) or not (self.estimator.prior is None or self.estimator.prior.exchangeable)

    def relabelled(self, parameters: Any, samples: Samples) -> Any:
        """Return parameters of these units with the labels of the estimator's own, where it has some and may choose."""
        if self.labelled or "parameters_" not in vars(self.estimator):
            return parameters
        mine = normalise(self.estimator._log_joint_at(samples, self.estimator.parameters_))[0]
        theirs = normalise(self.there._log_joint_at(self.there._standard(samples), parameters))[0]
        return parameters.permute(nearest_order(theirs, mine))

    def _corrected(self, stream: Stream, arrays: Arrays) -> Stream:
        """Return the stream at the end of its slow way: s* = s̄_sample(M(s*)) + (mean of s̄ - s̄_sample(M(s̃)))."""
        sample, center, problem = stream.sample(), arrays, self.problem
        at_start, _ = self.expected(sample, self._inside(arrays, stream.n_samples))
        gap = self._plus(self.there._about(stream.expected, center), at_start, -1)
        of_sample = at_start
        for _ in range(MOST_CYCLES):
            statistics = self._plus(self.there._about(of_sample, center), gap)
            after, _ = self.maximised(statistics, stream.n_samples)
            if after is None:
                return stream
            moved = np.abs(problem.join(one_run(after)) - problem.join(one_run(arrays))) / problem.unit
            if moved.max() <= STILL:
                break
            arrays = after
            of_sample, _ = self.expected(sample, self._inside(arrays, stream.n_samples))
        return _at(stream, statistics)

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
        """Return parameters for an E-step: what none of n samples showed is as rare as one in those remembered."""
        moved = self.problem.build(dict(arrays)).inside(1 / max(self.settings.remembered(n_samples), 2.0))
        return {name: array if name in self.frozen else moved[name] for name, array in arrays.items()}

    def mean(self, one: Arrays, other: Arrays, share: float, arrays: Arrays) -> dict[str, Array]:
        """Return (1 - share) one + share other, both about the same parameters."""
        one, other = self.there._about(one, arrays), self.there._about(other, arrays)
        return dict(other) if share == 1 else self._plus(one, self._plus(other, one, -1), share)

    def _plus(self, one: Arrays, other: Arrays, factor: float = 1) -> dict[str, Array]:
        """Return one + factor other, both about the same numbers."""
        fixed = self.there._fixed
        return {name: array if name in fixed else array + factor * other[name] for name, array in one.items()}

    def _times(self, factor: float, statistics: Arrays) -> dict[str, Array]:
        """Return statistics of so many times as many samples."""
        fixed = self.there._fixed
        return {name: array if name in fixed else factor * array for name, array in statistics.items()}


def _at(stream: Stream, statistics: Mapping[str, Array]) -> Stream:
    """Return the stream all of whose statistics are these."""
    return replace(stream, running=statistics, averaged=statistics, expected=statistics)
