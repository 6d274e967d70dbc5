"""Probability vectors side by side along one axis, as the answers to several questions are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import SimplexTransform

from models.validation import Array


class SimplexesTransform(SimplexTransform):
    """PyMC's transform of a simplex, for each block of the last axis.

    Parameters
    ----------
    sizes : sequence of int
        Lengths of the blocks; each has one number less on the real line.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Map blocks of probabilities to blocks of real numbers."""
        return self._joined([super(SimplexesTransform, self).forward(part) for part in self._parts(value, 0)])

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Map blocks of real numbers to blocks of probabilities."""
        return self._joined([super(SimplexesTransform, self).backward(part) for part in self._parts(value, 1)])

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the sum of the blocks' log-Jacobians."""
        return sum(super(SimplexesTransform, self).log_jac_det(part) for part in self._parts(value, 1))

    def _parts(self, value: Any, fewer: int) -> list[Any]:
        ends = [sum(self.sizes[: i + 1]) - (i + 1) * fewer for i in range(len(self.sizes))]
        value = pt.as_tensor(value)
        return [value[..., start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _joined(self, parts: list[Any]) -> Any:
        return parts[0] if len(parts) == 1 else pt.concatenate(parts, axis=-1)


def dirichlets(name: str, concentration: Array, sizes: Sequence[int], **like: Any) -> Any:
    """Add probability vectors with Dirichlet priors, side by side along the last axis, to the current PyMC model.

    Parameters
    ----------
    name : str
        Variable name.
    concentration : ndarray, shape (C,)
        Dirichlet concentrations, one block after the other.
    sizes : sequence of int
        Lengths of the blocks, which sum to C.
    **like
        ``shape`` (..., C) and ``dims`` of the variable.

    Examples
    --------
    >>> import numpy as np, pymc as pm
    >>> from models.distributions.simplexes import dirichlets
    >>> with pm.Model():
    ...     probs = dirichlets("probs", np.full(5, 2.0), sizes=(2, 3), shape=(4, 5))
    >>> pm.draw(probs, random_seed=0, mode="FAST_COMPILE").sum(axis=1).round(6).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    ends = np.cumsum(sizes).tolist()
    blocks = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def draw(b: Any, size: Any) -> Any:
        return pt.concatenate([pm.Dirichlet.dist(b[..., block], size=size) for block in blocks], axis=-1)

    def log_density(value: Any, b: Any) -> Any:
        return sum(pm.logp(pm.Dirichlet.dist(b[..., block]), value[..., block]) for block in blocks)

    def middle(rv: Any, size: Any, b: Any) -> Any:
        means = [b[..., block] / b[..., block].sum(axis=-1, keepdims=True) for block in blocks]
        return pt.broadcast_to(pt.concatenate(means, axis=-1), rv.shape)

    return pm.CustomDist(
        name,
        np.asarray(concentration, dtype=np.float64),
        dist=draw,
        logp=log_density,
        support_point=middle,
        signature="(c)->(c)",
        transform=SimplexesTransform(sizes),
        **like,
    )
