"""A mixture of independent exponential features as the EM loop sees it, for many runs at once (:mod:`em.engine`)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.engine.problem import EPS, Arrays, Problem, one_run
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
        """Return the arrays by name, and for each run why it has collapsed, or "" where it goes on."""
        theta = self.steps.modes(statistics_of(statistics), self.prior, self.frozen)
        fallen = self.steps.falls_onto_a_point(theta)
        if not fallen.any():
            return theta, [""] * len(runs)
        return theta, [f"component {own.argmax()} falls onto a point" if own.any() else "" for own in fallen]

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
        supports = {q.name: q.support for q in self.steps.quantities[1:] if q.name not in self.frozen}
        held = {name: support.at_edge(theta[name][0]) for name, support in supports.items()}
        if not any(edge.any() for edge in held.values()):
            return None
        inside = {
            name: support.normalised(
                np.where(held[name], support.moved_inside(theta[name][0], INWARD_STEP), theta[name][0])
            )
            for name, support in supports.items()
        }
        statistics = problem.expect({**theta, **one_run(inside)}, run)[1]
        after = problem.maximise(statistics, run)[0]
        moved = dict(theta)
        for name, support in supports.items():
            inwards = held[name] & support.goes_inside(after[name][0], inside[name])
            moved[name] = support.normalised(np.where(inwards, inside[name], theta[name][0]))[None]
        gain = float(problem.expect(moved, run)[0][0] + problem.log_prior(moved)[0]) - objective
        return moved if gain > 1e3 * EPS * abs(objective) else None
