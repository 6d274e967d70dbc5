"""Mixtures of independent features: the log density is a sum over features of terms (n, K, D)."""

from collections.abc import Mapping
from typing import Any, override

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot, texts_beside
from comparisons.coursework.formulas.textbook import Convention, Textbook
from models.validation import Array

TEXTS = texts_beside(__file__)
FEATURES = Slot(
    "features",
    lambda cells, p: cells.sum(axis=2),
    {
        "probabilities of features added": lambda cells, p: np.log(np.exp(cells).sum(axis=2)),
        "probabilities of features averaged": lambda cells, p: np.log(np.exp(cells).mean(axis=2)),
        "averaged over the features": lambda cells, p: cells.mean(axis=2),
        "only the first feature": lambda cells, p: cells[:, :, 0],
        "only the last feature": lambda cells, p: cells[:, :, -1],
        "first feature left out": lambda cells, p: cells[:, :, 1:].sum(axis=2),
        "last feature left out": lambda cells, p: cells[:, :, :-1].sum(axis=2),
        "largest feature only": lambda cells, p: cells.max(axis=2),
        "smallest feature only": lambda cells, p: cells.min(axis=2),
        "log probabilities multiplied": lambda cells, p: cells.prod(axis=2),
        "probabilities of features multiplied without logarithm": lambda cells, p: np.exp(cells.sum(axis=2)),
        "probabilities added, without logarithm": lambda cells, p: np.exp(cells).sum(axis=2),
        "summed over the components before": lambda cells, p: np.cumsum(cells.sum(axis=2), axis=1),
        "summed over the samples before": lambda cells, p: np.cumsum(cells.sum(axis=2), axis=0),
        "log10 of the probabilities": lambda cells, p: cells.sum(axis=2) / np.log(10),
        "log2 of the probabilities": lambda cells, p: cells.sum(axis=2) / np.log(2),
        "divided by the size of the cells": lambda cells, p: (cells / _size(p)[:, None, :]).sum(axis=2),
    },
    TEXTS,
    apply=False,
)


def _size(p: Problem) -> Array:
    names = [name for name in ("n_trials", "exposure") if name in p.given]
    return p.size(names[0]) if names else np.ones(p.X.shape)


def by_component(array: Array) -> Array:
    """Return parameters (K, D) as they stand beside samples, (1, K, D)."""
    return array[None, :, :]


def by_sample(array: Array) -> Array:
    """Return samples or sizes (n, D) as they stand beside parameters, (n, 1, D)."""
    return array[:, None, :]


INTEGERS = Convention("integers", "X", lambda a, p: a.astype(int), lambda a, p: a, free=True)


class CellTextbook(Textbook):
    """A family whose log density is a sum over features; ``cell_slots`` are its terms."""

    cell_slots: tuple[Slot, ...] = ()

    @property
    @override
    def density_slots(self) -> tuple[Slot, ...]:  # type: ignore[override]
        return (*self.cell_slots, FEATURES)

    @override
    def combine_density(self, problem: Problem, values: Mapping[str, Any]) -> Array:
        shape = problem.n, problem.K, problem.D
        cells = sum(np.broadcast_to(values[slot.name], shape) for slot in self.cell_slots)
        return np.asarray(values["features"](np.asarray(cells), problem))

    @override
    def basis(self, problem: Problem) -> dict[str, tuple[float, Array]]:
        log_weights = np.broadcast_to(np.log(problem.theta["weights"]), (problem.n, problem.K))
        terms = {
            slot.name: (1.0, np.broadcast_to(slot.right(problem), (problem.n, problem.K, problem.D)).sum(axis=2))
            for slot in self.cell_slots
        }
        kept = {name: term for name, term in terms.items() if np.ptp(term[1], axis=1).max() > 0}
        return {"log π_k": (1.0, log_weights), **kept}
