"""Count data as distinct rows: a likelihood is computed once for each, however many samples there are.

The log density has one value per sample, log p(x_i | θ) = values[which_i], which LOO needs. Who needs only the sum, as
NUTS does, need not spread the values over the rows: Σ_i values[which_i] = Σ_j count_j values_j. The rewrite below tells
PyTensor so.
"""

from typing import Any

import numpy as np
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.tensor.math import Sum, dot
from pytensor.tensor.rewriting.basic import register_canonicalize
from pytensor.tensor.subtensor import AdvancedSubtensor, indices_from_subtensor
from pytensor.tensor.variable import TensorConstant

from models.validation import Array


def distinct_rows(x: Array, size: Array) -> tuple[Array, Array, np.ndarray]:
    """Return the distinct rows of x with the sizes of their cells, both (m, D), and which each sample is, (n,)."""
    cells = np.concatenate([x, size], axis=1)
    if (cells % 1 != 0).any():
        cells = np.stack([np.unique(column, return_inverse=True)[1] for column in cells.T], axis=1)
    cells = cells.astype(np.int64)
    cells -= cells.min(axis=0)
    lengths = cells.max(axis=0) + 1
    if lengths.astype(float).prod() < 2**62:  # a row is the digits of a number
        _, first, which = np.unique(cells @ np.cumprod([1, *lengths[:-1]]), return_index=True, return_inverse=True)
    else:
        _, first, which = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    return x[first], size[first], which.ravel()


@register_canonicalize
@node_rewriter([Sum])
def sum_over_patterns(fgraph: Any, node: Any) -> list[Any] | None:
    """Σ_i values[which_i] -> Σ_j count_j values_j, where ``which`` is a constant that names every j."""
    rows = node.inputs[0]
    if rows.owner is None or not isinstance(rows.owner.op, AdvancedSubtensor):
        return None
    values, *inputs = rows.owner.inputs
    (m, *others), index = values.type.shape, indices_from_subtensor(inputs, rows.owner.op.idx_list)
    if m is None or others or len(index) != 1 or not isinstance(index[0], TensorConstant):
        return None
    which, dtypes = index[0].data, {values.type.dtype, node.outputs[0].type.dtype}
    if which.dtype.kind != "i" or which.ndim != 1 or which.min() < 0 or dtypes != {"float64"}:
        return None
    counts = np.bincount(which, minlength=m)
    return [dot(counts.astype(np.float64), values)] if counts.all() else None
