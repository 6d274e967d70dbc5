"""A mixture as the EM loop sees it: arrays by name with an axis for runs, E-step, M-step and log prior."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from models.validation import Array

type Arrays = Mapping[str, Array]

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
ROUNDING = 1e3 * EPS  # of an objective, relative to its size or to one nat per sample


class Collapse(ValueError):  # noqa: N818 - an event in the life of a mixture, not a mistake of the caller
    """Raised by an M-step whose result is no mixture: a component collapsed onto a point or lost its samples."""


@dataclass(frozen=True)
class Problem[P]:
    """A mixture, its data and a prior, as functions of arrays whose first axis counts R runs.

    Parameters
    ----------
    shapes : mapping
        Shape of each declared array of one run, by name.
    expect : callable
        E-step: arrays and the numbers of their runs (R,) -> log-likelihoods (R,) in nats, and sufficient statistics
        under the responsibilities, arrays by name.
    maximise : callable
        M-step: statistics and the numbers of their runs -> arrays, and for each run why it collapsed, or "".
    log_prior : callable
        Arrays -> log prior (R,) in nats; 0 for maximum likelihood.
    inside : callable
        Arrays after arithmetic -> the arrays with probabilities that sum to one, and which runs (R,) lie in the
        parameter space.
    build : callable
        Arrays of one run, without the first axis -> parameters.
    scales : mapping
        Typical size of each parameter array, by name: the units in which the loop measures steps.
    edges : mapping
        Least and largest legal value of an array's entries, by name; arrays that are left out have none.
    whitened : callable or None, default None
        (arrays, m steps of each (R, m, ...)) -> the steps as rows (R, m, q) whose inner products are those of the
        complete data's information of one sample.
    released : callable or None, default None
        (arrays of one run, its objective, its number (1,)) -> better arrays next to that limit, or None at a maximum.
    n_samples : float, default 1
        Number of samples.
    log_prior_size : float, default 0
        Size of the terms of the log prior, which may cancel each other: the rounding of the objective grows with it
        (:func:`log_prior_size`).
    """

    shapes: Mapping[str, tuple[int, ...]]
    expect: Callable[[Arrays, np.ndarray], tuple[Array, Arrays]]
    maximise: Callable[[Arrays, np.ndarray], tuple[Arrays, Sequence[str]]]
    log_prior: Callable[[Arrays], Array]
    inside: Callable[[dict[str, Array]], tuple[Arrays, np.ndarray]]
    build: Callable[[dict[str, Array]], P]
    scales: Mapping[str, Array | float]
    edges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    whitened: Callable[[Arrays, Arrays], Array] | None = None
    released: Callable[[Arrays, float, np.ndarray], Arrays | None] | None = None
    n_samples: float = 1.0
    log_prior_size: float = 0.0

    @cached_property
    def _layout(self) -> list[tuple[str, slice, tuple[int, ...]]]:
        """Name, slice in a row of numbers, and shape of each array."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()]).tolist()
        slices = map(slice, [0, *ends[:-1]], ends)
        return list(zip(self.shapes, slices, self.shapes.values(), strict=True))

    def split(self, rows: Array) -> dict[str, Array]:
        """Return rows of numbers (..., P) as arrays by name, each (..., *shape)."""
        leading = rows.shape[:-1]
        return {name: rows[..., place].reshape(leading + shape) for name, place, shape in self._layout}

    def join(self, arrays: Arrays) -> Array:
        """Return arrays by name as rows of numbers (..., P)."""
        parts = [(arrays[name], len(shape)) for name, shape in self.shapes.items()]
        return np.concatenate([part.reshape((*part.shape[: part.ndim - n], -1)) for part, n in parts], axis=-1)

    @cached_property
    def unit(self) -> Array:
        """Return the scale of each number, shape (P,)."""
        return self.join({name: np.broadcast_to(self.scales[name], shape) for name, shape in self.shapes.items()})

    @cached_property
    def ends(self) -> Array:
        """Return the least and the largest value of each number, shape (2, P)."""
        ends = {name: self.edges.get(name, (-np.inf, np.inf)) for name in self.shapes}
        return np.array([self.join({n: np.full(s, ends[n][i]) for n, s in self.shapes.items()}) for i in range(2)])

    def of_runs(self, numbers: np.ndarray) -> "Problem[P]":
        """Return the problem of some of the runs, with their own data; ``numbers`` are theirs in this problem."""
        released = self.released
        return replace(
            self,
            released=released and (lambda arrays, objective, run: released(arrays, objective, numbers[run])),
            expect=lambda arrays, runs: self.expect(arrays, numbers[runs]),
            maximise=lambda statistics, runs: self.maximise(statistics, numbers[runs]),
        )

    def rounding(self, objective: Any) -> Any:
        """Return the rounding error of an objective, in nats."""
        return ROUNDING * np.abs(objective) + self._least_rounding

    def last_digit(self, objective: Any) -> Any:
        """Return the size of the last digit of an objective, in nats: the least possible gain."""
        return self.rounding(objective) * (EPS / ROUNDING)

    @cached_property
    def _least_rounding(self) -> float:
        return max(ROUNDING * (self.n_samples + self.log_prior_size), TINY)


def one_run(arrays: Arrays) -> dict[str, Array]:
    """Return the arrays of one run with a leading axis for runs."""
    return {name: array[None] for name, array in arrays.items()}


def log_prior_size(prior: Any, n_components: int, n_features: int) -> float:
    """Return the approximate size of the terms of a log prior: x log x for the log-gamma of each shape parameter x."""
    names = {"concentration", "degrees_of_freedom", "variance_shape", "correlation_shape"}
    names |= set(getattr(prior, "hyperparameters", ()))
    shapes = [float(np.max(value)) for name in names if (value := getattr(prior, name, None)) is not None]
    return n_components * n_features * sum(x * (1 + np.log1p(x)) for x in shapes)


def one_by_one[P](
    like: P,
    expect: Callable[[P], tuple[float, Any]],
    maximise: Callable[[Any], P],
    log_prior: Callable[[P], float],
    build: Callable[[dict[str, Array]], P],
    scales: Mapping[str, Array | float],
    **rest: Any,
) -> Problem[P]:
    """Return a problem from functions of one run's parameters; runs are computed one after the other.

    Parameters
    ----------
    like : Parameters
        Parameters whose arrays have the right shapes.
    expect, maximise, log_prior, build, scales
        As for :class:`Problem`, of one run; statistics may be of any type, and ``maximise`` may raise `Collapse`.
    **rest
        Other fields of :class:`Problem`.
    """

    def each(arrays: Arrays) -> list[dict[str, Array]]:
        R = len(next(iter(arrays.values())))
        return [{name: array[r] for name, array in arrays.items()} for r in range(R)]

    def expect_all(arrays: Arrays, runs: np.ndarray) -> tuple[Array, Arrays]:
        pairs = [expect(build(one)) for one in each(arrays)]
        statistics = np.empty(len(pairs), dtype=object)
        statistics[:] = [of_one for _, of_one in pairs]
        return np.array([log_likelihood for log_likelihood, _ in pairs], dtype=np.float64), {"statistics": statistics}

    def maximise_all(statistics: Arrays, runs: np.ndarray) -> tuple[Arrays, Sequence[str]]:
        pairs = [_attempt(maximise, of_one) for of_one in statistics["statistics"]]
        made = [(like if theta is None else theta).arrays() for theta, _ in pairs]  # type: ignore[attr-defined]
        return {name: np.stack([one[name] for one in made]) for name in made[0]}, [why for _, why in pairs]

    def inside(arrays: dict[str, Array]) -> tuple[Arrays, np.ndarray]:
        return arrays, np.array([_attempt(build, one)[0] is not None for one in each(arrays)])

    return Problem(
        {name: array.shape for name, array in like.arrays().items()},  # type: ignore[attr-defined]
        expect_all,
        maximise_all,
        lambda arrays: np.array([log_prior(build(one)) for one in each(arrays)]),
        inside,
        build,
        scales,
        **rest,
    )


def _attempt[P](make: Callable[[Any], P], given: Any) -> tuple[P | None, str]:
    """Return make(given) and "", or None and why the result would be no mixture."""
    try:
        return make(given), ""
    except ValueError as error:  # a Collapse, or numbers outside the parameter space
        return None, str(error)
