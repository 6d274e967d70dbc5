"""Several probability vectors side by side along one axis, such as the probs of several items.

With blocks of L_b numbers, y the real vector and x the probabilities, PyMC's own map of one simplex is

    x_bl = exp z_bl / Σ_j exp z_bj,    z_b = (y_b, -Σ y_b),    y_bl = log x_bl - Σ_j log x_bj / L_b
    log |dx/dy| = Σ_b {log L_b + Σ_l log x_bl}

Here all blocks are mapped at once by products with constant matrices, so that shapes stay static, as JAX needs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from scipy.linalg import block_diag
from scipy.special import gammaln

from models.supports import Simplex
from models.validation import Array


class SimplexesTransform(Transform):
    """PyMC's transform of a simplex, for each block of the last axis.

    Parameters
    ----------
    sizes : sequence of int
        Lengths L_b of the blocks; each has L_b - 1 numbers on the real line.
    leading : tuple of int
        Shape of the axes before the last, which JAX needs.
    """

    name = "simplexes"
    ndim_supp = 1

    def __init__(self, sizes: Sequence[int], leading: tuple[int, ...] = ()) -> None:
        self.sizes, self.leading = tuple(sizes), leading
        self.same_block = block_diag(*(np.ones((L, L)) for L in self.sizes))  # (C, C)
        self.to_logits = block_diag(*(np.hstack([np.eye(L - 1), -np.ones((L - 1, 1))]) for L in self.sizes))
        self.to_reals = block_diag(*((np.eye(L) - 1 / L)[:, : L - 1] for L in self.sizes))

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return y of x."""
        return pt.specify_shape(pt.log(value) @ self.to_reals, (*self.leading, self.to_reals.shape[1]))

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return x of y."""
        logits = value @ self.to_logits
        shares = pt.exp(logits - logits.max(axis=-1, keepdims=True))
        return shares / (shares @ self.same_block)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return log |dx/dy| of each vector."""
        return np.log(self.sizes).sum() + pt.log(self.backward(value)).sum(axis=-1)


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
    b = np.asarray(concentration, dtype=np.float64)
    blocks = Simplex(tuple(sizes))
    log_norm = gammaln(blocks.sums(b)).sum() - gammaln(b).sum()

    def draw(shapes: Any, size: Any) -> Any:
        parts = np.split(np.arange(len(b)), np.cumsum(sizes)[:-1])
        return pt.concatenate([pm.Dirichlet.dist(shapes[..., part], size=size) for part in parts], axis=-1)

    def log_density(value: Any, shapes: Any) -> Any:
        terms = pt.switch(pt.eq(shapes, 1), 0.0, (shapes - 1) * pt.log(value))
        return log_norm + terms.sum(axis=-1)

    def middle(rv: Any, size: Any, shapes: Any) -> Any:
        return pt.broadcast_to(blocks.normalised(b), rv.shape)

    stated: dict[str, Any] = {"dist": draw, "logp": log_density, "support_point": middle, "signature": "(c)->(c)"}
    return pm.CustomDist(name, b, **stated, transform=SimplexesTransform(sizes, like["shape"][:-1]), **like)
