"""The inputs that a family's steps are tried on: ordinary, special, small, far out; and E-step and M-step in turn."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, ClassVar

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from models.validation import Array

WEIGHTS_OF = {1: (1.0,), 2: (0.7, 0.3), 3: (0.5, 0.2, 0.3), 4: (0.4, 0.1, 0.3, 0.2)}


class Inputs:
    """Random inputs on which different mistakes give different answers, and EM's iterations on them.

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
    prior : prior or None
        Of MAP.
    two_sets : bool
        Whether a function takes old parameters too, and makes their responsibilities itself.
    n_samples : tuple of two ints
        Numbers of samples of an M-step's ordinary problems.
    """

    family: Any
    quantities: Any
    formulas: Any
    prior: Any
    falls_with_fit = False
    shared: tuple[str, ...] = ()
    two_sets: bool = False
    n_samples: ClassVar[tuple[int, int]] = (7, 8)
    size_names: Any

    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        """Return random samples, parameters and responsibilities; ``plain`` ones have few digits."""
        prior = self.family.default_prior(np.ones((4, D)) + np.eye(4, D), K) if self.prior is None else self.prior
        drawn = self.family.draw_parameters(prior, K, D, rng).arrays()
        theta = {**drawn, "weights": self.draw_weights(rng, K, plain)}
        X = self.family.simulate(theta, n, rng)
        return self.problem("", X, theta, self.draw_responsibilities(rng, n, K, plain))

    def complete(
        self, rng: np.random.RandomState, X: Array, plain: bool, given: Mapping[str, Any], **components: Array
    ) -> Problem:
        """Complete samples and parameters of the components to a problem, by random weights and responsibilities."""
        theta = {"weights": self.draw_weights(rng, len(next(iter(components.values()))), plain), **components}
        r = self.draw_responsibilities(rng, len(X), len(theta["weights"]), plain)
        return Problem("", X, theta, r, given, self.prior)

    def problem(self, name: str, X: Array, theta: Mapping[str, Array], r: Array) -> Problem:
        """Return a problem with the family's options."""
        return Problem(name, X, theta, r, dict(self.family.of_data), self.prior)

    def draw_weights(self, rng: np.random.RandomState, K: int, plain: bool = False) -> Array:
        """Return unequal weights in no order; ``plain`` ones have one digit."""
        if plain and K in WEIGHTS_OF:
            return np.array(WEIGHTS_OF[K])
        weights = np.asarray(WEIGHTS_OF.get(K, np.arange(1.0, K + 1))) + rng.uniform(-0.05, 0.05, size=K)
        return np.asarray(weights / weights.sum())

    def draw_responsibilities(self, rng: np.random.RandomState, n: int, K: int, plain: bool = False) -> Array:
        """Return responsibilities, none of them 0."""
        r = rng.dirichlet(0.8 + np.roll(np.arange(K), 1), size=n) * 0.96 + 0.04 / K
        if plain:
            r = np.round(r, 1)
            r[:, -1] = 1 - r[:, :-1].sum(axis=1)
        r = np.roll(r, max(K - 2, 0), axis=1)  # the largest component is not always the first one
        return np.asarray(r / r.sum(axis=1, keepdims=True))

    def shape(self) -> tuple[int | None, int | None]:
        """Return numbers of components and of features that options or prior fix."""
        prior = self.prior
        K = None if prior is None or np.ndim(prior.concentration) == 0 else len(prior.concentration)
        hyperparameters = [getattr(prior, name) for name in getattr(prior, "hyperparameters", ())]
        given = [*self.family.of_data.values(), *hyperparameters]
        return K, next((np.shape(value)[-1] for value in given if np.ndim(value)), None)

    def sizes(self, step: str) -> list[tuple[str, int, int, int]]:
        """Return name, n, K and D of the problems; those with a name are special."""
        K, D = self.shape()
        n, more = self.n_samples if step == "m" else (7, 8)
        few = more if step == "m" else 1
        usual = [
            ("", n, 3, 2),
            ("", more, 2 if step == "m" else 4, 3),
            ("one component", 5 + few, 1, 2),
            ("one feature", n, 2, 1),
        ]
        if step != "m":
            usual.append(("one sample", 1, 3, 2))
        rows = [(name, n, K or k, D or d) for name, n, k, d in usual]
        return [row for row, plain in zip(rows, usual, strict=True) if row == plain or not row[0]]

    def problems(self, step: str) -> list[Problem]:
        """Return the inputs that decide whether a step is right."""
        rng = np.random.RandomState(20)
        return [self.draw(rng, n, K, D).changed(name=name) for name, n, K, D in self.sizes(step)]

    def problems_of(self, step: str) -> list[Problem]:
        """Return the inputs that decide, with old parameters if the function takes them."""
        return self.with_old_parameters(self.problems(step))

    def with_old_parameters(self, problems: Sequence[Problem]) -> list[Problem]:
        """Add old parameters to inputs, and their responsibilities, if the function takes two sets of parameters."""
        if not self.two_sets:
            return list(problems)
        olds = [{f"old {name}": self._old_value(name, a, p.K) for name, a in p.theta.items()} for p in problems]
        both = [p.changed(given={**p.given, **old}) for p, old in zip(problems, olds, strict=True)]
        return [p.changed(r=self.responsibilities(self.at_old(p))) for p in both]

    def at_old(self, problem: Problem) -> Problem:
        """Return a problem at its old parameters."""
        return problem.changed(**{name: problem.given[f"old {name}"] for name in problem.theta})

    def _old_value(self, name: str, a: Array, K: int) -> Array:
        """Return other parameters of the same kind: averages of neighbouring components."""
        return a if name in self.shared or len(a) != K else np.asarray(0.6 * a + 0.4 * np.roll(a, 1, axis=0))

    def small_problems(self, step: str) -> list[Problem]:
        """Return small inputs with few digits, the smallest first."""
        rng, (K, D) = np.random.RandomState(3), self.shape()
        sizes = [(1, 1, 1), (1, 2, 1), (2, 2, 1), (1, 1, 2), (1, 2, 2), (2, 2, 2), (3, 3, 2)]
        if step == "m":
            sizes = [(n + 2, k, d) for n, k, d in sizes]
        fixed = list(dict.fromkeys((n, K or k, D or d) for n, k, d in sizes))
        return [self.draw(rng, n, k, d, plain=True) for n, k, d in fixed]

    def another_problem(self, problem: Problem) -> Problem:
        """Return an input of the same size with other numbers."""
        return self.draw(np.random.RandomState(24), problem.n, problem.K, problem.D)

    def near_edge(self, problem: Problem) -> list[Problem]:
        """Return the problem with parameters near an edge of their range, in a list; nothing where there is none."""
        return []

    def flat_problems(self, step: str) -> list[Problem]:
        """Return inputs of one feature, for functions that take arrays without an axis of features."""
        rng = np.random.RandomState(21)
        n, more = self.n_samples
        sizes = [("", n, 3), ("", more, 2), ("one component", n, 1)]
        return [self.draw(rng, n, K, 1).changed(name=name) for name, n, K in sizes]

    def other_problems(self, step: str) -> list[tuple[bool, str, list[Problem]]]:
        """Return other kinds of inputs, for functions that do not take the usual ones.

        Each is a tuple: whether the arrays have no axis of features, a note for the student, and the problems.
        """
        if self.shape()[1] not in (None, 1):
            return []
        return [(True, "takes one feature, as arrays without its axis", self.flat_problems(step))]

    def far_problems(self) -> list[Problem]:
        """Return inputs far out, where plain densities underflow."""
        return []

    far_out = "densities underflow there; add their logarithms instead, and subtract the largest before exp"

    def without_feature_axis(self, problem: Problem) -> dict[str, Any]:
        """Return samples and parameters of a single feature as arrays without the axis of features."""
        arrays = {"X": problem.X, **problem.theta, **{name: problem.given[name] for name in self.size_names}}
        one = {name: a[..., 0] for name, a in arrays.items() if np.ndim(a) > 1 and np.shape(a)[-1] == 1}
        return {**arrays, **one}

    # E-step and M-step in turn ----------------------------------------------------------------------------------------

    def fit_problem(self) -> Problem:
        """Return samples of two components that are apart, and a start that is no fixed point."""
        rng = np.random.RandomState(8)
        drawn = self.draw(rng, 90, 2, 3)
        X = self.family.simulate(dict(drawn.theta), 90, rng)
        near = self.draw(rng, 90, 2, 3).theta
        start = {name: 0.8 * drawn.theta[name] + 0.2 * near[name] for name in drawn.theta}
        return drawn.changed(X=X, **start)

    def in_units(self, theta: Mapping[str, Array], shift: Array, scale: Array) -> dict[str, Array]:
        """Return the parameters that change with the units, for data (X - shift) / scale; {} if data have no units."""
        return {}

    def variances(self, problem: Problem) -> Array | None:
        """Return the current variances (K, D), or None where there are none."""
        return None

    def responsibilities(self, problem: Problem) -> Array:
        """Return the E-step's responsibilities at the current parameters."""
        return self.formulas["responsibilities"].value(problem)

    def as_responsibilities(self, answer: Array, problem: Problem) -> Array:
        """Convert the answer of an E-step to responsibilities (n, K), or raise a ValueError."""
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
        """Return parameters with their components in the order that is nearest to other parameters, ``like``."""
        K = len(like[self.quantities[0]])
        orders = [self.permuted(theta, order) for order in permutations(range(K))]
        return min(orders, key=lambda other: sum(float(np.abs(other[name] - like[name]).max()) for name in like))

    def objective_at(self, problem: Problem) -> float:
        """Return the objective of EM, in nats."""
        return float(self.formulas["log_likelihood"].value(problem))

    def limit_from(self, problem: Problem, n_iter: int = 400) -> dict[str, Array]:
        """Return the limit of EM from the current parameters."""
        before = theta = dict(problem.theta)
        for _ in range(n_iter):
            try:
                before, theta = theta, self.iterate(problem.changed(**theta))
            except np.linalg.LinAlgError:  # a component has collapsed
                return before
            if all(np.allclose(theta[name], before[name], rtol=1e-7, atol=1e-10) for name in theta):
                break
        return theta

    def misfit(self, problem: Problem, theta: Mapping[str, Array]) -> str:
        """Return why arrays are no parameters of this mixture, or ""."""
        try:
            self.family.parameters_type(**theta, **self.family.of_mixture)
        except ValueError as misfit:
            return str(misfit)
        return ""
