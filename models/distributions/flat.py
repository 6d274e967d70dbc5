"""Flat, unnormalised priors: what ``prior=None`` means in a PyMC model.

The log prior is exactly 0 on the simplex, on the real line, on covariance matrices and on probabilities alike, so the
model's log density *is* the log-likelihood and its stationary points are those of maximum likelihood. Such a model has
no proper posterior (a Gaussian mixture's likelihood is even unbounded), so samplers are refused. Samplers need the
Jacobian of the transform; the transforms here raise an error instead, which gives the reason.
"""

from functools import cache
from typing import Any, NoReturn

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import LogOddsTransform, LogTransform
from pymc.logprob.transforms import Transform
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from models.distributions.inverse_wishart import CovarianceTransform
from models.distributions.simplexes import SimplexesTransform
from models.parameters import Quantity
from models.supports import Covariance, Probability, Simplex, Support, Variance
from models.validation import Array

REFUSAL = (
    "this model was built with prior=None: its priors are flat and improper, so there is nothing to sample. "
    "It serves maximum likelihood and stationarity checks (logp with jacobian=False, find_MAP from given values). "
    "Pass a prior object of the family to sample, such as models.bmm.BMMPrior()."
)


class ImproperPriorError(ValueError):
    """Raised when a model with flat priors is asked for draws."""


def _refuse_draws(*args: Any, **kwargs: Any) -> NoReturn:
    raise ImproperPriorError(REFUSAL)


class RefuseJacobian(Op):
    """Replaces the log-Jacobian that a sampler needs: raises when it is differentiated, compiled or computed."""

    __props__ = ()

    def make_node(self, log_jacobian: Any) -> Apply:
        """Replace ``log_jacobian`` in the graph."""
        return Apply(self, [log_jacobian], [log_jacobian.type()])

    def perform(self, *args: Any) -> NoReturn:
        """Refuse to be computed."""
        raise ImproperPriorError(REFUSAL)

    def pullback(self, *args: Any) -> NoReturn:
        """Refuse to be differentiated."""
        raise ImproperPriorError(REFUSAL)


@cache
def refusing(transform: type[Transform]) -> Any:
    """Return a subclass of the transform whose Jacobian raises an error."""

    def log_jac_det(self: Any, value: Any, *inputs: Any) -> Any:
        return RefuseJacobian()(transform.log_jac_det(self, value, *inputs))

    return type(f"Flat{transform.__name__}", (transform,), {"log_jac_det": log_jac_det})


def flat(quantity: Quantity, shape: tuple[int, ...], start: Array | None = None) -> Any:
    """Add a variable with a flat prior to the current PyMC model.

    Parameters
    ----------
    quantity : Quantity
        Name, dims and support of the variable.
    shape : tuple of int
        Its shape.
    start : ndarray or None
        A legal value, which is broadcast to the shape, where optimisers start by default; ``None`` is the support's
        middle.
    """
    transform, middle = _transform_and_middle(quantity.support, shape)
    value = np.broadcast_to(np.asarray(middle if start is None else start, dtype=np.float64), shape)
    stated: dict[str, Any] = {"random": _refuse_draws, "logp": pt.zeros_like, "shape": shape, "dims": quantity.dims}
    stated |= {} if transform is None else {"transform": transform}
    return pm.CustomDist(quantity.name, support_point=lambda rv, size: pt.as_tensor_variable(value), **stated)


def _transform_and_middle(support: Support, shape: tuple[int, ...]) -> tuple[Transform | None, Array]:
    """Return the map to the real line, or None for real numbers, and the middle of a support."""
    match support:
        case Simplex():
            sizes = support.sizes or (shape[-1],)
            return refusing(SimplexesTransform)(sizes, shape[:-1]), support.normalised(np.ones(shape))
        case Covariance():
            return refusing(CovarianceTransform)(shape[-1]), np.broadcast_to(np.eye(shape[-1]), shape)
        case Variance():
            return refusing(LogTransform)(), np.ones(shape)
        case Probability():
            return refusing(LogOddsTransform)(), np.full(shape, 0.5)
        case _:
            return None, np.zeros(shape)
