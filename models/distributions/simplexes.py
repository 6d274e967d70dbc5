"""Probability vectors side by side along one axis, as the answers to several questions are."""

from collections.abc import Sequence
from typing import Any

import pytensor.tensor as pt
from pymc.distributions.transforms import SimplexTransform


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
        parts = self._parts(value, 1)
        return sum(
            (super(SimplexesTransform, self).log_jac_det(part) for part in parts[1:]), super().log_jac_det(parts[0])
        )

    def _parts(self, value: Any, fewer: int) -> list[Any]:
        ends = [sum(self.sizes[: i + 1]) - (i + 1) * fewer for i in range(len(self.sizes))]
        value = pt.as_tensor(value)
        return [value[..., start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _joined(self, parts: list[Any]) -> Any:
        return parts[0] if len(parts) == 1 else pt.concatenate(parts, axis=-1)
