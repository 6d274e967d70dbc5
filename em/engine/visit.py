"""Parameters that runs of EM came to, and what their E-step gave there."""

from dataclasses import dataclass

import numpy as np

from em.engine.problem import Arrays
from models.validation import Array


@dataclass(frozen=True)
class Visit:
    """Parameters of R runs as rows of numbers, what their E-step gave, and which came by a leap."""

    x: Array
    log_likelihood: Array
    objective: Array
    statistics: Arrays
    leapt: np.ndarray

    def take(self, which: np.ndarray) -> "Visit":
        """Return the same for some of the runs."""
        statistics = {name: array[which] for name, array in self.statistics.items()}
        return Visit(self.x[which], self.log_likelihood[which], self.objective[which], statistics, self.leapt[which])

    def put(self, which: np.ndarray, other: "Visit") -> None:
        """Write what another visit gave in the place of some runs."""
        for mine, theirs in [
            (self.x, other.x),
            (self.log_likelihood, other.log_likelihood),
            (self.objective, other.objective),
            (self.leapt, other.leapt),
            *((array, other.statistics[name]) for name, array in self.statistics.items()),
        ]:
            mine[which] = theirs
