"""The textbook of a family: its formulas term by term, inputs to check steps on, and usual names of arguments.

A family defines it as ``TEXTBOOK`` in ``comparisons/<family>/coursework``, and its known mistakes as rows of a file
beside its formulas (:mod:`comparisons.coursework.formulas.catalogue`). A family without one is checked against its
steps in `em`: mistakes in weights, normalisation and sums are named, and wrong terms of its own are located.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from comparisons.coursework.calling.outputs import Expected
from comparisons.coursework.calling.roles import OLD_SET, spellings_of
from comparisons.coursework.formulas import objectives
from comparisons.coursework.formulas.catalogue import INDEX, wrong_indices
from comparisons.coursework.formulas.conventions import EACH, LOGS, MEAN, TRANSPOSED, Convention
from comparisons.coursework.formulas.estimates import weights_formula
from comparisons.coursework.formulas.inputs import Inputs
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula, Slot, Wrong
from comparisons.coursework.unlisted.sums import scaled_by_counts
from comparisons.family import Family
from models.validation import Array

STEPS = {"e": "E-step", "m": "M-step", "log_likelihood": "log-likelihood", "q": "Q"}
ANSWERS = {"e": ("responsibilities", "log_likelihood"), "log_likelihood": ("log_likelihood",), "q": ("q",)}


class Textbook(Inputs):
    """The formulas of a family, term by term; as it stands, of any family by its steps in `em`.

    Parameters
    ----------
    family : Family
        The family with its options.
    prior : prior or None
        Prior of MAP; ``None`` is maximum likelihood.
    given : mapping
        Options that the caller gave.
    """

    spellings: ClassVar[Mapping[str, str]] = {}
    sections: ClassVar[Mapping[str, str]] = {}
    titles: ClassVar[Mapping[str, str]] = STEPS
    answers: ClassVar[Mapping[str, tuple[str, ...]]] = ANSWERS
    notebook: ClassVar[str] = "02_em_for_gmm.ipynb"
    texts: ClassVar[Mapping[str, str]] = {}
    formulas_know_priors: ClassVar[bool] = True
    density_slots: tuple[Slot, ...] = ()
    component_axis: ClassVar[int] = -1
    densities: Slot = objectives.DENSITIES
    swaps: Slot | None = None
    intermediates: ClassVar[Mapping[str, Callable[[Problem], Any]]] = {}
    sums: ClassVar[Mapping[str, Callable[[Problem], Any]]] = {}
    conventions: tuple[Convention, ...] = ()

    def __init__(self, family: Family, prior: Any = None, given: Mapping[str, Any] | None = None) -> None:
        self.family, self.prior, self.given = family, prior, dict(given or {})

    # Names ------------------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What the mixture is called in a sentence."""
        title = self.family.title
        return title[:1].lower() + title[1:] if title.split()[0] not in ("Gaussian", "Bernoulli", "Poisson") else title

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the parameters in the textbook's order."""
        return self.family.parameter_names

    @property
    def size_names(self) -> tuple[str, ...]:
        """Options that are sizes of cells."""
        return tuple(option.name for option in self.family.options if option.of_data)

    @cached_property
    def all_spellings(self) -> dict[str, frozenset[str]]:
        """Usual names of arguments and results by role."""
        return spellings_of(self.spellings)

    def section(self, step: str) -> str:
        """Return file and heading of the notebook that derives a step."""
        heading = self.sections.get(step, STEPS.get(step, step))
        return f'notebooks/{self.notebook}, "{heading}"'

    def first_quantity(self, step: str) -> str:
        """Return the first quantity that a step returns."""
        return self.quantities[0] if step == "m" else self.answers[step][0]

    def note_sizes(self, roles: Collection[str], defaults: Mapping[str, Any]) -> None:
        """Adapt the inputs to a function that takes sizes of cells as arguments, with or without defaults."""

    # Formulas ---------------------------------------------------------------------------------------------------------

    def parameters(self, problem: Problem) -> Any:
        """Return the current parameters as the family's own class."""
        return self.family.parameters_type(**problem.theta, **self.family.of_mixture)

    def sizes_of(self, problem: Problem) -> dict[str, Any]:
        """Return the sizes of the cells by name."""
        return {name: problem.given[name] for name in self.size_names}

    def log_density(self, problem: Problem) -> Array:
        """Return log p(x_i | z_i = k) by the family's step in `em`, shape (n, K)."""
        steps = import_module(f"em.{self.family.name}")
        return np.asarray(steps.component_log_prob(problem.X, self.parameters(problem), **self.sizes_of(problem)))

    def combine_density(self, problem: Problem, values: Mapping[str, Any]) -> Array:
        """Return log p(x_i | z_i = k) from the values of `density_slots`, shape (n, K)."""
        return self.log_density(problem)

    def log_density_of(self, problem: Problem) -> Array:
        """Return log p(x_i | z_i = k) by the right values of the slots, shape (n, K)."""
        return self.combine_density(problem, {slot.name: slot.value(problem, "") for slot in self.density_slots})

    def m_step(self, problem: Problem) -> dict[str, Array]:
        """Return the M-step by quantity: by the formulas with slots where they are all there, else by `em`."""
        if (problem.prior is None or self.formulas_know_priors) and {*self.quantities} <= {*self.formulas}:
            return {name: self.formulas[name].value(problem) for name in self.quantities}
        steps = import_module(f"em.{self.family.name}")
        theta = steps.m_step(problem.X, problem.r, problem.prior, **self.sizes_of(problem), **self.family.of_mixture)
        return dict(theta.arrays())

    def terms(self, problem: Problem) -> dict[str, Array]:
        """Return the terms of the log density by name, shape (n, K)."""
        shape = problem.n, problem.K
        return {slot.name: np.broadcast_to(slot.value(problem, ""), shape) for slot in self.density_slots}

    def cells(self, problem: Problem) -> Array | None:
        """Return log densities of single features (n, K, D), or None if features depend on each other."""
        return None

    def additions(self, quantity: str, problem: Problem) -> dict[str, Array]:
        """Return arrays that students may have added to a quantity, by name."""
        if quantity == "responsibilities":
            return {"1": np.ones(1)}
        if quantity not in problem.theta:
            free = sum(np.size(a) for a in problem.theta.values()) - ("weights" in problem.theta)
            numbers = {
                "the number of parameters": free,
                "the number of parameters times log n": free * np.log(problem.n),
            }
            numbers |= objectives.sums_of(self.log_density_of(problem), problem) if "weights" in problem.theta else {}
            return {name: np.array(float(number)) for name, number in numbers.items()}
        N, old = problem.r.sum(axis=0), problem.theta[quantity]
        if quantity in self.shared or len(old) != problem.K:
            return {"1": np.ones(old.shape), "the old value": old}
        arrays = {"1": np.ones(old.shape), "the old value": old, "the new value": self.m_step(problem)[quantity]}
        if old.shape == (problem.K, problem.D):
            arrays["the mean of all samples"] = np.broadcast_to(problem.X.mean(axis=0), old.shape)
        if quantity == "weights":
            arrays["1/K"] = np.full(problem.K, 1 / problem.K)
            arrays["the sum of squared responsibilities over n"] = (problem.r**2).mean(axis=0)
        return scaled_by_counts(arrays, N)

    def objective(self, quantity: str, text: str, last: Slot) -> Formula:
        """Return a formula of log densities and log weights."""

        def combine(p: Problem, v: Mapping[str, Any]) -> Array:
            densities = v[self.densities.name](self.combine_density(p, v), p)
            return np.asarray(v[last.name](densities, v["weights"], p))

        swaps = self.swaps
        if quantity == "q" and swaps is not None:
            of_two = dict(self._mistakes_of_two_sets()) if self.two_sets else {}
            ((title, texts),) = objectives.CATALOGUE.tables["new parameters"].items()
            of_new = dict(self._wrong_parameters(self.m_step, title, *texts))
            swaps = replace(swaps, wrong={**of_two, **of_new, **swaps.wrong})
        axis = self.component_axis
        terms = (wrong_indices(slot, axis, "component", INDEX) if slot.apply else slot for slot in self.density_slots)
        return Formula(quantity, text, (*terms, self.densities, objectives.WEIGHTS, last), combine, swaps)

    def _wrong_parameters(
        self, other: Callable[[Problem], Mapping[str, Array]], title: str, hint: str, why: str
    ) -> Iterator[tuple[str, Wrong]]:
        """Yield mistakes in which one quantity, or all of them, are those of other parameters."""
        for name in self.quantities:
            one = lambda p, name=name: p.changed(**{name: other(p)[name]})  # noqa: E731
            yield title.replace("parameters", name), Wrong(one, hint, why)
        yield title, Wrong(lambda p: p.changed(**other(p)), hint, why)

    def _mistakes_of_two_sets(self) -> Iterator[tuple[str, Wrong]]:
        """Yield mistakes of a Q of two sets of parameters: the wrong set, or a mistake in the E-step inside."""
        texts = objectives.CATALOGUE.tables["two sets"]
        title = "old parameters in the log density"
        yield from self._wrong_parameters(lambda p: self.at_old(p).theta, title, *texts[title])
        exchanged = lambda p: self.at_old(p).changed(r=self.responsibilities(p))  # noqa: E731
        title = "old and new parameters exchanged"
        yield title, Wrong(exchanged, *texts[title])
        title = "new weights in the responsibilities"
        for name in self.quantities:
            newer = lambda p, name=name: self.at_old(p).changed(**{name: p.theta[name]})  # noqa: E731
            mixed = lambda p, newer=newer: p.changed(r=self.responsibilities(newer(p)))  # noqa: E731
            yield title.replace("weights", name), Wrong(mixed, *texts[title])
        formula = self.formula_of_responsibilities
        for change in formula.singles():
            step = lambda p, change=change: p.changed(r=formula.value_with(self.at_old(p), [change]))  # noqa: E731
            yield f"E-step: {change.name}", Wrong(step, change.mistake.hint, change.mistake.why)

    @cached_property
    def formula_of_responsibilities(self) -> Formula:
        """The E-step's formula."""

        def divisor(p: Problem) -> Array:
            return np.exp(objectives.log_sum(self.log_density_of(p) + np.log(p.theta["weights"]), 1, True))

        return replace(self.objective("responsibilities", objectives.R, objectives.NORMALISE), divisor=divisor)

    @cached_property
    def formulas(self) -> dict[str, Formula]:
        """The formulas by quantity."""
        of_densities = (
            self.formula_of_responsibilities,
            self.objective("log_likelihood", objectives.ELL, objectives.AGGREGATE),
            self.objective("q", objectives.Q, objectives.AVERAGE),
        )
        return {formula.quantity: formula for formula in (*of_densities, *self.estimates())}

    def estimates(self) -> tuple[Formula, ...]:
        """Return the formulas of the M-step that have slots."""
        return (weights_formula(self.prior is not None),)

    def truth(self, step: str, problem: Problem) -> dict[str, Array]:
        """Return the right answer of a step, by quantity."""
        if step == "m":
            return self.m_step(problem)
        return {name: self.formulas[name].value(problem) for name in self.answers[step]}

    def expected(self, step: str, problem: Problem) -> list[Expected]:
        """Return what a step must return, with shapes."""
        right = self.truth(step, problem)
        return [
            Expected(name, (value.shape, *self.other_shapes(name, problem)), name != "log_likelihood" or step != "e")
            for name, value in right.items()
        ]

    def other_shapes(self, quantity: str, problem: Problem) -> Sequence[tuple[int, ...]]:
        """Return shapes that a quantity may also have."""
        return [(problem.K, problem.n)] if quantity == "responsibilities" else []

    def needed(self, step: str) -> tuple[str, ...]:
        """Return the roles of a step's arguments in the textbook's order."""
        if step == "m":
            return ("X", "responsibilities")
        return ("X", *self.quantities) if step != "q" else ("X", "responsibilities", *self.quantities)

    def optional(self, step: str) -> tuple[str, ...]:
        """Return the roles that a function may have besides, if an argument has such a name."""
        parameters = (*self.quantities, "parameters") if step == "m" else ("parameters", "responsibilities")
        return (*self.size_names, *parameters, "K", "D", "n", *([OLD_SET] if step == "q" else []))

    def value_of(self, role: str, problem: Problem) -> Any:
        """Return the value of an argument by its role, in the textbook's convention."""
        if role in problem.theta:
            return problem.theta[role]
        plain = {"X": problem.X, "responsibilities": problem.r, "K": problem.K, "D": problem.D, "n": problem.n}
        return plain[role] if role in plain else problem.given.get(role)

    def all_conventions(self, step: str) -> tuple[Convention, ...]:
        """Return the family's conventions and those of responsibilities; an E-step may not sum log p(x_i)."""
        means = [replace(MEAN, quantity=step)] if step in ("q", "log_likelihood") else []
        return (*self.conventions, TRANSPOSED, LOGS, *((EACH,) if step == "e" else ()), *means)
