"""A mixture of independent exponential features as the EM loop sees it, for many runs at once (:mod:`em.engine`)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.engine.problem import EPS, Arrays, Problem
from em.steps import Steps
from em.steps.passes import statistics_of
from em.steps.rows import Theta
from models.validation import Array

INWARD_STEP = 1e-6


@dataclass(frozen=True)
class MStep:
    """The M-step of R runs, and what else the loop asks of their parameters.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    prior : MixturePrior or None
        ``None`` is maximum likelihood.
    frozen : mapping
        Arrays that keep their values, by name.
    """

    steps: Steps[Any]
    prior: Any
    frozen: Theta

    def __call__(self, statistics: Arrays, runs: np.ndarray) -> tuple[Arrays, list[str]]:
        """Return the arrays by name, and for each run that it goes on."""
        return self.steps.modes(statistics_of(statistics), self.prior, self.frozen), [""] * len(runs)

    def inside(self, theta: dict[str, Array]) -> tuple[Arrays, np.ndarray]:
        """Return arrays that a leap has moved with what must sum to one doing so, and which runs' are mixtures."""
        legal = np.ones(len(theta["weights"]), dtype=bool)
        for quantity in self.steps.quantities:
            if quantity.name not in self.frozen:
                theta[quantity.name] = quantity.support.normalised(theta[quantity.name])
            legal &= quantity.support.holds(theta[quantity.name])
        return theta, legal

    def released(self, theta: Arrays, objective: float, run: np.ndarray, problem: Problem[Any]) -> Arrays | None:
        """Release values that EM holds on the boundary although the objective rises inwards (Karush-Kuhn-Tucker fails).

        A prob of 0 is a fixed point of EM whatever its slope, so a run may be trapped. From just inside the boundary
        one M-step tells which way each such value wants to go.

        Parameters
        ----------
        theta, objective, run
            Arrays of one run, where it converged to, and its number (:class:`em.engine.problem.Problem`).
        problem : Problem
            That of the run.
        """
        name, support = self.steps.quantities[1].name, self.steps.quantities[1].support
        values = theta[name][0]
        held = support.at_edge(values)
        if not held.any() or name in self.frozen:
            return None
        inside = support.normalised(np.where(held, support.moved_inside(values, INWARD_STEP), values))
        statistics = problem.expect({**theta, name: inside[None]}, run)[1]
        after = problem.maximise(statistics, run)[0][name][0]
        inwards = held & support.goes_inside(after, inside)
        moved = {**theta, name: support.normalised(np.where(inwards, inside, values))[None]}
        gain = float(problem.expect(moved, run)[0][0] + problem.log_prior(moved)[0]) - objective
        return moved if gain > 1e3 * EPS * abs(objective) else None
