"""Log Σ_k exp x_k in JAX, whose gradient is kept from the forward pass.

    ∂ log Σ_k exp x_k / ∂x_j = exp x_j / Σ_k exp x_k

which are the responsibilities. JAX's automatic gradient of PyTensor's form computes the exponentials a second time and
follows the largest x_k, by which all are shifted and which cancels: a gradient of the marginal model then takes half
as long again. PyTensor's own JAX mode expands `LogSumExp` before it would ask for this.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp


def log_sum_exp(op: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """Return log Σ exp over the axes of PyTensor's `LogSumExp`, as a function of x."""

    def along(combine: Callable[[Any, Any], Any], x: Any) -> Any:
        for axis in op.axis:  # term by term: XLA's own reductions over a few components take longer
            x = jnp.expand_dims(reduce(combine, jnp.unstack(x, axis=axis)), axis)
        return x

    def with_softmax(x: Any) -> tuple[Any, Any]:
        largest = along(jnp.maximum, x)
        shift = jnp.where(jnp.isinf(largest), 0.0, largest)
        terms = jnp.exp(x - shift)
        total = along(jnp.add, terms)
        return jnp.squeeze(jnp.log(total) + shift, axis=op.axis), terms / total

    @jax.custom_vjp
    def value(x: Any) -> Any:
        return with_softmax(x)[0]

    def pullback(softmax: Any, gradient: Any) -> tuple[Any]:
        return (softmax * jnp.expand_dims(gradient, op.axis),)

    value.defvjp(with_softmax, pullback)
    return value
