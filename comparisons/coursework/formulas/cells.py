"""Mixtures of independent features: the log density is a sum over features of terms (n, K, D)."""

from collections.abc import Callable, Mapping
from typing import Any, override

import numpy as np
from scipy.special import gammaln

from comparisons.coursework.formulas.catalogue import Catalogue
from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import WEIGHTS
from comparisons.coursework.formulas.slots import Slot
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

POWERS: dict[str, Callable[[Array], Array]] = {
    "{}": lambda a: a,
    "log {}": lambda a: np.log(a),
    "{}²": lambda a: a**2,
    "√{}": lambda a: np.sqrt(a),
    "1/{}": lambda a: 1 / a,
    "exp {}": lambda a: np.exp(a),
    "log(1 + {})": lambda a: np.log1p(a),
    "log max({}, 1)": lambda a: np.log(np.maximum(a, 1)),
    "log {}!": lambda a: gammaln(a + 1),
    "{0} log {0}": lambda a: a * np.log(a),
}


def _cell_size(p: Problem) -> Array:
    """Return the sizes of the cells beside their log densities, shape (n, 1, D)."""
    names = [name for name in ("n_trials", "exposure") if name in p.given]
    return by_sample(p.size(names[0]) if names else np.ones(p.X.shape))


def by_component(array: Array) -> Array:
    """Return parameters (K, D) as they stand beside samples, (1, K, D)."""
    return array[None, :, :]


def by_sample(array: Array) -> Array:
    """Return samples or sizes (n, D) as they stand beside parameters, (n, 1, D)."""
    return array[:, None, :]


FEATURES = Catalogue(__file__, {"cell_size": _cell_size}).slot(
    "features", lambda cells, p: cells.sum(axis=2), ["cells"]
)


def hyperparameter(p: Problem, place: int, without: float) -> Array:
    """Return a number of the prior for each feature, by its place; ``without`` stands for it in maximum likelihood."""
    value = without if p.prior is None else getattr(p.prior, p.prior.hyperparameters[place])
    return np.broadcast_to(np.asarray(value), p.D)


INTEGERS = Convention("integers", "X", lambda a, p: a.astype(int), lambda a, p: a, free=True)


class CellTextbook(Textbook):
    """A family whose log density is a sum over features; ``cell_slots`` are its terms."""

    cell_slots: tuple[Slot, ...] = ()
    features = FEATURES
    component_axis = 1

    @property
    @override
    def density_slots(self) -> tuple[Slot, ...]:  # type: ignore[override]
        return (*self.cell_slots, self.features)

    @override
    def combine_density(self, problem: Problem, values: Mapping[str, Any]) -> Array:
        return np.asarray(values["features"](self._sum(problem, values), problem))

    def _sum(self, problem: Problem, values: Mapping[str, Any]) -> Array:
        shape = problem.n, problem.K, problem.D
        return np.asarray(sum(np.broadcast_to(values[slot.name], shape) for slot in self.cell_slots))

    @override
    def cells(self, problem: Problem) -> Array:
        return self._sum(problem, {slot.name: slot.value(problem, "") for slot in self.cell_slots})

    @property
    @override
    def terms(self) -> tuple[Slot, ...]:
        return (WEIGHTS, *self.cell_slots)

    def atoms_of_data(self, problem: Problem) -> dict[str, Array]:
        """Return numbers of each sample by name, shape (n, 1, D)."""
        return {"x": by_sample(problem.X)}

    def atoms_of_parameters(self, problem: Problem) -> dict[str, Array]:
        """Return numbers of each component by name, shape (1, K, D) or (n, K, D)."""
        return {self.quantities[1]: by_component(problem.theta[self.quantities[1]])}

    @override
    def atoms(self, problem: Problem) -> dict[str, Array]:
        data, theta = (
            {form.format(name): change(a) for form, change in POWERS.items() for name, a in arrays.items()}
            for arrays in (self.atoms_of_data(problem), self.atoms_of_parameters(problem))
        )
        shape, ones = (problem.n, problem.K, problem.D), np.ones((1, 1, 1))
        found = {
            f"{x} · {t}".strip(" ·"): np.broadcast_to(a * b, shape).sum(axis=2)
            for x, a in {"": ones, **data}.items()
            for t, b in {"": ones, **theta}.items()
        }
        return super().atoms(problem) | {name: a for name, a in found.items() if np.ptp(a, axis=1).any() or "x" in name}

    @override
    def table(self, problem: Problem, slot: Slot, name: str) -> Array:
        if slot is WEIGHTS:
            return super().table(problem, slot, name)
        shape = problem.n, problem.K, problem.D
        return np.asarray(np.broadcast_to(slot.value(problem, name), shape).sum(axis=2))
