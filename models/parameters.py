"""Parameters of any mixture: frozen, validated float64 arrays, declared as quantities."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from models.cells import Cells
from models.labels import plain
from models.shown import one_line
from models.supports import INSIDE, SIMPLEX, Index, Support
from models.validation import Array, component_order, frozen_array

Labels = Mapping[str, Sequence[str]]
NO_LABELS: Labels = MappingProxyType({})


def labels_of_features(names: Sequence[str] | None) -> Labels:
    """Return what tables call the entries along each dim, if the features have these names; {} for None."""
    return {} if names is None else {"feature": names, "feature_bis": names}


@dataclass(frozen=True)
class Quantity:
    """A declared array of a mixture's parameters.

    Attributes
    ----------
    name : str
        The name in code, in PyMC and in tables.
    dims : tuple of str
        Names of the axes: "component" first, unless all components share the array; "feature", ...
    support : Support
        The set in which its numbers lie.
    """

    name: str
    dims: tuple[str, ...]
    support: Support

    @property
    def shared(self) -> bool:
        """Whether all components share the array."""
        return "component" not in self.dims

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape for sizes by dim."""
        return tuple(sizes[dim] for dim in self.dims)

    def entry(self, index: Index, labels: Labels = NO_LABELS) -> str:
        """Return what tables call an entry, such as ``means[0, 1]``; with labels, ``means[0, eruptions]``.

        Parameters
        ----------
        index : tuple of int
            Index of the entry.
        labels : mapping of str to sequence of str
            Names of the entries along a dim, by dim (`labels_of_features`); other dims show numbers.

        Examples
        --------
        >>> from models.parameters import Quantity, labels_of_features
        >>> from models.supports import COVARIANCE
        >>> covariances = Quantity("covariances", ("component", "feature", "feature_bis"), COVARIANCE)
        >>> covariances.entry((0, 0, 1), labels_of_features(["eruptions", "waiting"]))
        'covariances[0, eruptions, waiting]'
        """
        parts = (plain(labels[dim][i]) if dim in labels else str(i) for dim, i in zip(self.dims, index, strict=True))
        return f"{self.name}[{', '.join(parts)}]"


WEIGHTS = Quantity("weights", ("component",), SIMPLEX)


@dataclass(frozen=True, eq=False, repr=False)
class Parameters(ABC):
    """Parameters θ of a mixture: its weights and its components.

    A family adds its arrays as fields, lists all arrays in ``quantities``, and states the legal data in ``cells``. Each
    array is checked: its shape must fit its dims, and its numbers must be finite and lie in its support.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Mixture weights π, non-negative, summing to one.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, or one does not lie in its support.
    """

    weights: Array

    cells: ClassVar[Cells] = Cells()

    __repr__ = one_line

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {}
        for quantity in self.quantities:
            shape = tuple(sizes.get(dim.removesuffix("_bis")) for dim in quantity.dims)
            array = frozen_array(quantity.name, getattr(self, quantity.name), shape)
            quantity.support.check(quantity.name, array)
            sizes.update(zip(quantity.dims, array.shape, strict=True))
            object.__setattr__(self, quantity.name, array)

    @property
    @abstractmethod
    def quantities(self) -> tuple[Quantity, ...]:
        """The declared arrays, in the order in which tables print them; the weights first."""

    @abstractmethod
    def draw_samples(self, z: np.ndarray, size: Array, rng: np.random.RandomState) -> Array:
        """Draw x_i given labels z (n,), shape (n, D), with cells of sizes (n, D)."""

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.sizes["feature"]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Length of each axis by dim."""
        return {dim: n for q in self.quantities for dim, n in zip(q.dims, getattr(self, q.name).shape, strict=True)}

    @property
    def options(self) -> tuple[Any, ...]:
        """Further fields beside the arrays, such as the structure of covariances; a prior must fit them."""
        declared = self.arrays()
        return tuple(getattr(self, f.name) for f in fields(self) if f.init and f.name not in declared)

    @property
    def n_free(self) -> dict[str, int]:
        """Number of free parameters of each quantity, by name."""
        return {q.name: q.support.n_free(getattr(self, q.name).shape) for q in self.quantities}

    @property
    def n_free_parameters(self) -> int:
        """Number of free parameters, of all quantities together."""
        return sum(self.n_free.values())

    def arrays(self) -> dict[str, Array]:
        """Return the declared quantities by name, in the order in which tables print them."""
        return {quantity.name: getattr(self, quantity.name) for quantity in self.quantities}

    def permute(self, order: ArrayLike) -> Self:
        """Return the same mixture with its components relabelled: new component j is old component ``order[j]``."""
        order = component_order(order, self.n_components)
        own: dict[str, Any] = {q.name: getattr(self, q.name)[order] for q in self.quantities if not q.shared}
        return replace(self, **own)

    def inside(self, step: float = INSIDE) -> dict[str, Array]:
        """Return the arrays by name; values nearer to the boundary than ``step`` are moved inside by it."""
        return {q.name: np.asarray(q.support.moved_inside(getattr(self, q.name), step)) for q in self.quantities}
