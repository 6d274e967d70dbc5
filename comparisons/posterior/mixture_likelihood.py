"""A mixture's log-likelihood in natural parameters, and its gradient, as JAX computes them: one E-step.

    ℓ = Σ_i log Σ_k exp(η_k · t_i),    ∂ℓ/∂η_k = Σ_i r_ik t_i,    r_ik = exp(η_k · t_i) / Σ_j exp(η_j · t_i)

with t_i = t(x_i) the statistics of a sample. The gradient is what the M-step adds up, so the responsibilities are kept
from the forward pass. With m_i = max_k η_k · t_i and s_i = Σ_k exp(η_k · t_i - m_i), which lies between 1 and K, one
logarithm serves many samples; XLA takes longer for one than for three exponentials ::

    ℓ = Σ_i m_i + Σ_i log s_i = Σ_i m_i + Σ_groups log Π_{i in group} s_i
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import pytensor.tensor as pt
from pytensor.graph.rewriting.basic import in2out, node_rewriter
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.special import LogSumExp
from pytensor.tensor.symbolic import TensorSymbolicOp

GROUP = 16  # samples under one logarithm: K**16 is far from overflow
NARROW = 100  # numbers η, up to which sums written out are faster than XLA's matrix product, and quick to compile


class MixtureLogLikelihood(TensorSymbolicOp):
    """Σ_i log Σ_k exp(η_k · t_i) of natural parameters η (K, T) and statistics t (T, n)."""

    __props__ = ()

    def build_inner_graph(self, natural: Any, statistics: Any) -> list[Any]:
        """Return the definition."""
        return [pt.logsumexp(natural @ statistics, axis=0).sum()]


@node_rewriter([Sum])
def _mixture_log_likelihood(fgraph: Any, node: Any) -> list[Any] | None:
    """Σ_i (log Σ_k exp (η t)_ki) -> MixtureLogLikelihood(η, t)."""
    summed = node.inputs[0].owner
    if summed is None or not isinstance(summed.op, LogSumExp) or summed.op.axis != (0,):
        return None
    product = summed.inputs[0].owner
    if product is None or not isinstance(product.op, Dot):
        return None
    return [MixtureLogLikelihood()(*product.inputs)]


mixture_log_likelihoods = in2out(_mixture_log_likelihood, name="mixture_log_likelihoods")


def mixture_log_likelihood(op: Any, **kwargs: Any) -> Callable[[Any, Any], Any]:
    """Return `MixtureLogLikelihood` as a function in JAX."""

    @jax.custom_vjp
    def value(natural: Any, statistics: Any) -> Any:
        return forward(natural, statistics)[0]

    def forward(natural: Any, statistics: Any) -> tuple[Any, Any]:
        natural = _kept(natural)
        logs = _products(natural, statistics)
        largest = reduce(jnp.maximum, logs)
        shift = _kept(jnp.where(jnp.isinf(largest), 0.0, largest))
        terms = [_kept(jnp.exp(log - shift)) for log in logs]
        total = _kept(reduce(jnp.add, terms))
        responsibilities = [_kept(term / total) for term in terms]
        return shift.sum() + _sum_of_logs(total), (natural, statistics, responsibilities)

    def pullback(kept: Any, gradient: Any) -> tuple[Any, Any]:
        natural, statistics, responsibilities = kept
        of_natural = jnp.stack([statistics @ r for r in responsibilities])
        return gradient * of_natural, gradient * natural.T @ jnp.stack(responsibilities)

    value.defvjp(forward, pullback)
    return value


def _products(natural: Any, statistics: Any) -> list[Any]:
    """Return η_k · t, shape (n,), for each k."""
    if natural.size > NARROW:
        return [_kept(log) for log in natural @ statistics]
    return [_kept(sum(number * t for number, t in zip(row, statistics, strict=True))) for row in natural]


def _kept(array: Any) -> Any:
    """Return an array that XLA computes once, where it would fuse and compute it again for each use."""
    return jax.lax.optimization_barrier(array)


def _sum_of_logs(total: Any) -> Any:
    """Return Σ log s of a vector."""
    n = len(total) // GROUP
    products = reduce(jnp.multiply, [total[i * n : (i + 1) * n] for i in range(GROUP)])
    return jnp.log(products).sum() + jnp.log(total[GROUP * n :]).sum()
