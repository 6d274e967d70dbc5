"""Mixtures of independent features: the log density is a sum over features of terms (n, K, D)."""

from collections.abc import Mapping
from typing import Any, override

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue
from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array


def _cell_size(p: Problem) -> Array:
    """Return the sizes of the cells in a shape that broadcasts with their log densities, (n, 1, D)."""
    names = [name for name in ("n_trials", "exposure") if name in p.given]
    return by_sample(p.size(names[0]) if names else np.ones(p.X.shape))


def by_component(array: Array) -> Array:
    """Return parameters (K, D) in a shape that broadcasts with samples, (1, K, D)."""
    return array[None, :, :]


def by_sample(array: Array) -> Array:
    """Return samples or sizes (n, D) in a shape that broadcasts with parameters, (n, 1, D)."""
    return array[:, None, :]


FEATURES = Catalogue(__file__, {"cell_size": _cell_size}).slot(
    "features", lambda cells, p: cells.sum(axis=2), ["cells"]
)


def hyperparameter(p: Problem, place: int, without: float) -> Array:
    """Return a hyperparameter for each feature, by its index in the prior; without a prior, return ``without``."""
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

    @override
    def terms(self, problem: Problem) -> dict[str, Array]:
        shape = problem.n, problem.K, problem.D
        return {s.name: np.broadcast_to(s.value(problem, ""), shape).sum(axis=2) for s in self.cell_slots}
