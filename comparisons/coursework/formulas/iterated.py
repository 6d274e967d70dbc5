"""What a family brings to the check of a whole fit: an iteration of the textbook, its limit, and where it begins."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula
from models.validation import Array


class Iterated(ABC):
    """E-step and M-step one after the other.

    Attributes
    ----------
    family : Family
        With its options.
    quantities : tuple of str
        Names of the parameters.
    formulas : dict
        Formulas by quantity.
    falls_with_fit : bool
        Whether what the fit reports falls as it gets better, as an inertia does.
    shared : tuple of str
        Quantities that all components share.
    """

    family: Any

    @property
    @abstractmethod
    def quantities(self) -> tuple[str, ...]:
        """Names of the parameters."""

    @property
    @abstractmethod
    def formulas(self) -> dict[str, Formula]:
        """The formulas by quantity."""

    @abstractmethod
    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        """Return random samples, parameters and responsibilities."""

    falls_with_fit = False
    shared: tuple[str, ...] = ()

    def fit_problem(self) -> Problem:
        """Return samples of two components that are apart, and a start that is no fixed point."""
        rng = np.random.RandomState(8)
        drawn = self.draw(rng, 90, 2, 3)
        X = self.family.simulate(dict(drawn.theta), 90, rng)
        near = self.draw(rng, 90, 2, 3).theta
        start = {name: 0.8 * drawn.theta[name] + 0.2 * near[name] for name in drawn.theta}
        return drawn.changed(X=X, **start)

    def responsibilities(self, problem: Problem) -> Array:
        """Return the E-step's responsibilities at the current parameters."""
        return self.formulas["responsibilities"].value(problem)

    def as_responsibilities(self, answer: Array, problem: Problem) -> Array:
        """Return what an E-step gave as responsibilities (n, K), or raise a ValueError."""
        if answer.shape != (problem.n, problem.K):
            raise ValueError("no responsibilities")
        return answer

    def iterate(self, problem: Problem) -> dict[str, Array]:
        """Return M(E(θ))."""
        soft = problem.changed(r=self.responsibilities(problem))
        return {name: self.formulas[name].value(soft) for name in self.quantities}

    def permuted(self, theta: Mapping[str, Array], order: Sequence[int]) -> dict[str, Array]:
        """Return parameters with their components in another order."""
        K = len(order)
        return {name: a[list(order)] if len(a) == K and name not in self.shared else a for name, a in theta.items()}

    def aligned(self, theta: Mapping[str, Array], like: Mapping[str, Array]) -> dict[str, Array]:
        """Return parameters with their components in the order in which they are most like others."""
        K = len(like[self.quantities[0]])
        orders = [self.permuted(theta, order) for order in permutations(range(K))]
        return min(orders, key=lambda other: sum(float(np.abs(other[name] - like[name]).max()) for name in like))

    def objective_at(self, problem: Problem) -> float:
        """Return what EM climbs, in nats."""
        return float(self.formulas["log_likelihood"].value(problem))

    def limit_from(self, problem: Problem, n_iter: int = 400) -> dict[str, Array]:
        """Return where EM goes from the current parameters."""
        theta = dict(problem.theta)
        for _ in range(n_iter):
            before, theta = theta, self.iterate(problem.changed(**theta))
            if all(np.allclose(theta[name], before[name], rtol=1e-7, atol=1e-10) for name in theta):
                break
        return theta

    def misfit(self, problem: Problem, theta: Mapping[str, Array]) -> str:
        """Return why arrays are no parameters of this mixture, or nothing."""
        try:
            self.family.parameters_type(**theta, **self.family.of_mixture)
        except ValueError as misfit:
            return str(misfit)
        return ""
