"""Flat, unnormalised priors: what ``prior=None`` means in a PyMC model.

The log prior is exactly 0 on the simplex, on the real line, on covariance matrices and on probabilities alike, so the
model's log density *is* the log-likelihood and its stationary points are those of maximum likelihood. Such a model has
no proper posterior (a Gaussian mixture's likelihood is even unbounded), so everything that samples is refused: samplers
need the Jacobian of the transform, and the transforms here give the reason instead.
"""

from typing import Any, NoReturn

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import LogOddsTransform, LogTransform, SimplexTransform
from pymc.logprob.transforms import Transform
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from models.inverse_wishart import CovarianceTransform

REFUSAL = (
    "this model was built with prior=None: its priors are flat and improper, so there is nothing to sample. "
    "It serves maximum likelihood and stationarity checks (logp with jacobian=False, find_MAP from given values). "
    "Pass a prior object, for example GMMPrior.weakly_informative(X, n_components) or BMMPrior(), to sample."
)


class ImproperPriorError(ValueError):
    """Raised when a model with flat priors is asked for draws."""


def _refuse_draws(*args: Any, **kwargs: Any) -> NoReturn:
    raise ImproperPriorError(REFUSAL)


class RefuseJacobian(Op):
    """Stands where a sampler wants the log-Jacobian: raises when it is differentiated, compiled or computed."""

    __props__ = ()

    def make_node(self, log_jacobian: Any) -> Apply:
        """Stand in the graph for ``log_jacobian``."""
        return Apply(self, [log_jacobian], [log_jacobian.type()])

    def perform(self, *args: Any) -> NoReturn:
        """Refuse to be computed."""
        raise ImproperPriorError(REFUSAL)

    def pullback(self, *args: Any) -> NoReturn:
        """Refuse to be differentiated."""
        raise ImproperPriorError(REFUSAL)


class FlatSimplex(SimplexTransform):
    """Simplex transform whose Jacobian is refused."""

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log-Jacobian behind a refusal."""
        return RefuseJacobian()(super().log_jac_det(value, *inputs))


class FlatCovariance(CovarianceTransform):
    """Cholesky transform of a covariance matrix whose Jacobian is refused."""

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log-Jacobian behind a refusal."""
        return RefuseJacobian()(super().log_jac_det(value, *inputs))


class FlatVariance(LogTransform):
    """Log transform whose Jacobian is refused."""

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log-Jacobian behind a refusal."""
        return RefuseJacobian()(super().log_jac_det(value, *inputs))


class FlatProbability(LogOddsTransform):
    """Log-odds transform whose Jacobian is refused."""

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log-Jacobian behind a refusal."""
        return RefuseJacobian()(super().log_jac_det(value, *inputs))


def flat(name: str, start: np.ndarray, transform: Transform | None, dims: tuple[str, ...]) -> Any:
    """Add a variable with a flat prior to the current PyMC model.

    Parameters
    ----------
    name : str
        Variable name.
    start : ndarray
        A legal value of the variable's full shape, where optimisers start unless told otherwise.
    transform : Transform or None
        Map from the unconstrained vector; ``None`` on the real line.
    dims : tuple of str
        PyMC dims, one for each axis of ``start``.
    """
    return pm.CustomDist(
        name,
        random=_refuse_draws,
        logp=pt.zeros_like,
        support_point=lambda rv, size: pt.as_tensor_variable(np.asarray(start, dtype="float64")),
        shape=start.shape,
        dims=dims,
        **({} if transform is None else {"transform": transform}),
    )
