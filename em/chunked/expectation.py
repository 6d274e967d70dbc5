"""The E-step over chunks: what each gives, and what the chunks of a group share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from em.samples import Samples
from models.validation import Array


@dataclass(frozen=True)
class Pass:
    """Log-likelihoods (R,) and statistics of some rows; statistics that are no sums stay those of the first."""

    log_likelihood: Array
    statistics: dict[str, Array]
    fixed: tuple[str, ...]

    def __add__(self, other: Self) -> Self:
        sums = {
            name: array if name in self.fixed else array + other.statistics[name]
            for name, array in self.statistics.items()
        }
        return type(self)(self.log_likelihood + other.log_likelihood, sums, self.fixed)


@dataclass(frozen=True, eq=False)
class Expectation:
    """The E-step of runs at some parameters, chunk by chunk: what all chunks of a group need is computed once.

    Attributes
    ----------
    estimator : MixtureEM
        Has the E-step.
    theta : dict
        Parameters of all runs, by name.
    runs : ndarray
        Their numbers.
    as_holed : bool
        Whether any chunk has missing cells: then each is treated as if it had.
    """

    estimator: Any
    theta: dict[str, Array]
    runs: np.ndarray
    as_holed: bool

    @cached_property
    def _of_part(self) -> Callable[[Samples], tuple[Array, Mapping[str, Array]]]:
        return self.estimator._e_step_at(self.theta, self.runs, as_holed=self.as_holed)

    def __call__(self, part: Samples) -> Pass:
        """Return one chunk's part."""
        log_likelihood, statistics = self._of_part(part)
        return Pass(log_likelihood, dict(statistics), self.estimator._fixed)
