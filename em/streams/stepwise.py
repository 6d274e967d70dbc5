"""Steps of a stream: E-step of a batch, weighted mean of statistics, M-step. They know no family."""

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
REJECTED = 1e-3  # p-value of the likelihood ratio test below which a stream begins anew
MOST_CYCLES, STILL = 500, 1e-5  # of a correction: iterations, and the step, in the engine's units, that ends it


class Stepwise:
    """Stepwise EM of one estimator, in the units of the rows that started its stream.

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
        self.scaled = estimator._in_standard_units(first)
        self.problem = self.scaled._problem(self.scaled._standardised(first))
        self.unit = stream.settings.unit(estimator.n_components, first.X.shape[1])
        self.frozen = estimator.frozen or {}

    @classmethod
    def at_estimate(cls, estimator: Any, stream: Stream) -> tuple[Self, dict[str, Array]]:
        """Return the `Stepwise` of a fitted estimator, and its parameters in these units."""
        here = copy(estimator)
        here.init = estimator.parameters_  # converted to these units with the rows
        steps = cls(here, stream)
        return steps, steps.scaled.init.arrays()

    def maximised(self, statistics: Arrays, n_samples: float) -> tuple[Mapping[str, Array] | None, str]:
        """Return the M-step of mean statistics of n samples, arrays and "", or None and why they give no mixture."""
        scaled = self._times(self.settings.remembered(n_samples), statistics)
        if not all(np.isfinite(array).all() for array in scaled.values()):
            return None, "a cell is too far from all others"
        with np.errstate(all="ignore"):
            arrays, (why,) = self.problem.maximise(one_run(scaled), FIRST)
            _, (legal,) = self.problem.inside(dict(arrays))
        if why or not legal:
            return None, why or "rounding left the parameter space"
        return {name: array[0] for name, array in arrays.items()}, ""

    def expected(self, part: Samples, arrays: Arrays) -> dict[str, Array]:
        """Return the mean statistics of samples, in the units of X, at parameters in these units."""
        with np.errstate(all="ignore"):  # squares of cells may overflow
            standard = self.scaled._standardised(part)
            statistics = standard.e_step(self.scaled)(one_run(arrays), FIRST)[1]
            means = self._times(1 / part.total, {name: array[0] for name, array in statistics.items()})
            return self.scaled._centred_at(means, arrays)

    def step(self, stream: Stream, arrays: Arrays, part: Samples) -> tuple[Stream, Arrays]:
        """Return the stream after a step, and its parameters; a step that leaves the parameter space is left out."""
        means = self.expected(part, self._inside(arrays, stream.n_samples))
        n, m, settings = stream.n_samples, part.total, self.settings
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

    def started(self, stream: Stream, arrays: Arrays, part: Samples) -> Stream:
        """Return the stream with the statistics of ``part`` at these parameters."""
        return _at(stream, self.expected(part, arrays))

    def looked_back(self, stream: Stream) -> Stream:
        """Look back at the random sample of the rows: begin anew if that is better, else correct the statistics.

        The stream begins anew at the best run on the sample if the sample holds all rows, or if a likelihood ratio test
        on it rejects the stream's parameters. Runs start from these parameters and from restarts.
        """
        arrays, _ = self.maximised(stream.averaged, stream.n_samples)
        sample = self.scaled._standardised(self.estimator._distinct(stream.sample()))
        problem, runs = self.scaled._problem(sample), [self.scaled._best(sample).best]
        if arrays is not None:
            runs += self.scaled._run(problem, [problem.build(dict(arrays))], self.scaled.max_iter)
        best = best_of(runs, problem)
        if best.collapsed:
            return stream
        if arrays is not None and not stream.whole:
            gain = best.log_likelihood - float(problem.expect(one_run(arrays), FIRST)[0][0])
            if gammaincc(self.estimator.n_free_parameters_ / 2, max(gain, 0.0)) >= REJECTED:
                return self._corrected(stream, arrays)
        return self.started(stream, self.relabelled(best.parameters, stream.sample()).arrays(), stream.sample())

    @property
    def labelled(self) -> bool:
        """Whether frozen parameters or a prior that is not exchangeable fix the labels."""
        return bool(self.frozen) or not (self.estimator.prior is None or self.estimator.prior.exchangeable)

    def relabelled(self, parameters: Any, samples: Samples) -> Any:
        """Return parameters, in these units, with components in the estimator's order, unless labels are fixed."""
        if self.labelled or "parameters_" not in vars(self.estimator):
            return parameters
        mine = normalise(self.estimator._log_joint_at(samples, self.estimator.parameters_))[0]
        theirs = normalise(self.scaled._log_joint_at(self.scaled._standardised(samples), parameters))[0]
        return parameters.permute(nearest_order(theirs, mine))

    def _corrected(self, stream: Stream, arrays: Arrays) -> Stream:
        """Return the stream at the limit of its path: s* = s̄_sample(M(s*)) + (mean of s̄ - s̄_sample(M(s̃)))."""
        sample, center, problem = stream.sample(), arrays, self.problem
        at_start = self.expected(sample, self._inside(arrays, stream.n_samples))
        gap = self._plus(self.scaled._centred_at(stream.expected, center), at_start, -1)
        of_sample = at_start
        for _ in range(MOST_CYCLES):
            statistics = self._plus(self.scaled._centred_at(of_sample, center), gap)
            after, _ = self.maximised(statistics, stream.n_samples)
            if after is None:
                return stream
            change = np.abs(problem.join(one_run(after)) - problem.join(one_run(arrays))) / problem.unit
            if change.max() <= STILL:
                break
            arrays = after
            of_sample = self.expected(sample, self._inside(arrays, stream.n_samples))
        return _at(stream, statistics)

    def parameters(self, statistics: Arrays, n_samples: float) -> Any:
        """Return the parameters in the units of X, or None if the statistics of n samples give no mixture."""
        arrays, _ = self.maximised(statistics, n_samples)
        if arrays is None:
            return None
        try:
            parameters = self.scaled._in_units_of_data(self.problem.build(dict(arrays)))
        except ValueError:  # rounding leaves no mixture in the units of X
            return None
        frozen: dict[str, Any] = self.estimator._frozen(parameters.n_features)
        return replace(parameters, **frozen)  # without rounding

    def _inside(self, arrays: Arrays, n_samples: float) -> dict[str, Array]:
        """Return parameters for an E-step, in which a probability or weight of 0 becomes 1 / (remembered samples)."""
        moved = self.problem.build(dict(arrays)).inside(1 / max(self.settings.remembered(n_samples), 2.0))
        return {name: array if name in self.frozen else moved[name] for name, array in arrays.items()}

    def mean(self, one: Arrays, other: Arrays, share: float, arrays: Arrays) -> dict[str, Array]:
        """Return (1 - share) one + share other, both centred at the same parameters."""
        one, other = self.scaled._centred_at(one, arrays), self.scaled._centred_at(other, arrays)
        return dict(other) if share == 1 else self._plus(one, self._plus(other, one, -1), share)

    def _plus(self, one: Arrays, other: Arrays, factor: float = 1) -> dict[str, Array]:
        """Return one + factor other, both centred at the same numbers."""
        fixed = self.scaled._fixed
        return {name: array if name in fixed else array + factor * other[name] for name, array in one.items()}

    def _times(self, factor: float, statistics: Arrays) -> dict[str, Array]:
        """Return statistics times a factor."""
        fixed = self.scaled._fixed
        return {name: array if name in fixed else factor * array for name, array in statistics.items()}


def _at(stream: Stream, statistics: Mapping[str, Array]) -> Stream:
    """Return the stream with all its statistics set to these."""
    return replace(stream, running=statistics, averaged=statistics, expected=statistics)
