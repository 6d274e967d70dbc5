"""Parameters of a categorical mixture: frozen, validated, float64."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.parameters import WEIGHTS, Labels, Parameters, Quantity, labels_of_features
from models.supports import Simplex
from models.validation import Array, count_at_least_one


def quantities(levels: tuple[int, ...]) -> tuple[Quantity, ...]:
    """Return the declared arrays of items with these numbers of levels."""
    return WEIGHTS, Quantity("probs", ("component", "cell"), Simplex(levels))


def labels_of_cells(names: Sequence[str] | None, levels: Iterable[Iterable[Any]]) -> Labels:
    """Return what tables call the entries along each dim, if the items have these names, or none, and levels.

    Examples
    --------
    >>> from models.cmm.parameters import labels_of_cells
    >>> labels_of_cells(["eye", "sex"], [["blue", "brown"], range(2)])["cell"]
    ['eye blue', 'eye brown', 'sex 0', 'sex 1']
    >>> labels_of_cells(None, [["no", "yes"]])["cell"]
    ['item 0 no', 'item 0 yes']
    """
    of_items = [(f"item {d}" if names is None else names[d], own) for d, own in enumerate(levels)]
    return {**labels_of_features(names), "cell": [f"{item} {level}" for item, own in of_items for level in own]}


@dataclass(frozen=True, eq=False, repr=False)
class CMMParameters(Parameters):
    """Parameters θ = (π, p) of a categorical mixture of D items, whose levels may differ in number.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Mixture weights π, non-negative, summing to one.
    probs : array_like, shape (K, C)
        Probabilities p_kdl of the levels of each item, one item after the other: C = Σ_d L_d cells. Those of one item
        sum to one; exactly 0 and 1 are legal.
    levels : sequence of int, length D
        Number of levels L_d of each item.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, or weights or the probs of an item do not sum to one.

    Examples
    --------
    >>> from models.cmm import CMMParameters
    >>> parameters = CMMParameters([0.4, 0.6], [[0.1, 0.9, 0.2, 0.3, 0.5], [0.8, 0.2, 0.6, 0.3, 0.1]], levels=(2, 3))
    >>> parameters.by_feature[1].tolist()
    [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]
    """

    probs: Array
    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        levels = tuple(count_at_least_one("levels", n_levels) for n_levels in self.levels)
        object.__setattr__(self, "levels", levels)
        if np.shape(self.probs)[-1:] != (sum(levels),):
            raise ValueError(
                f"probs must have a column for each of the sum(levels) = {sum(levels)} levels, got shape "
                f"{np.shape(self.probs)}"
            )
        super().__post_init__()

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Weights and probs."""
        return quantities(self.levels)

    def draw_samples(self, z: np.ndarray, size: Array, rng: np.random.RandomState) -> Array:
        """Draw codes x_id ~ Categorical(p_{z_i d}), 0 to L_d - 1."""
        columns = []
        for probs in self.by_feature:
            steps = probs.cumsum(axis=1) / probs.sum(axis=1, keepdims=True)
            columns.append((rng.uniform(size=(len(z), 1)) >= steps[z, :-1]).sum(axis=1))
        return np.stack(columns, axis=1)

    @property
    def n_features(self) -> int:
        """Number of items D."""
        return len(self.levels)

    @property
    def by_feature(self) -> list[Array]:
        """The probs of each item, D arrays of shape (K, L_d)."""
        return np.split(self.probs, np.cumsum(self.levels)[:-1], axis=1)
