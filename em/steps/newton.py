"""Families whose M-step has no closed form. Newton's method finds the mode, and the prior need not be conjugate.

The log prior is a sum of terms η_j too; a term that only the prior has gets T_j = 0. For each component and feature the
M-step is

    maximise Σ_j χ_kj · η_j(θ_kd) over the q numbers θ_kd,    χ_kj = χ_j + S_kj

Newton's method works on the real line of each support, θ = exp u, 1 / (1 + exp -u) or u. A step that would lower the
objective is halved.
"""

from abc import abstractmethod
from typing import Any, NoReturn

import numpy as np

from em.steps import Steps
from em.steps.rows import Parts, Theta
from models.parameters import Parameters
from models.scales import SCALES, Scale
from models.validation import Array

MOST_STEPS, MOST_HALVINGS = 100, 30
LARGEST_STEP, SMALLEST_STEP = 2.0, 1e-13  # on the real line
ROUNDING = 1e-13  # of the objective, relative


class NewtonSteps[P: Parameters](Steps[P]):
    """Newton's M-step. A family adds its formulas, a ``hyper_offsets`` of 0 for each term, `start` and `chi_of`.

    Its prior has ``conjugate = False``: Gibbs sampling, mean field, exact enumeration and Chib's evidence refuse it.
    """

    @abstractmethod
    def start(self, chi: Parts) -> dict[str, Array]:
        """Return the start of Newton's method, inside the support, each (..., K, p)."""

    @abstractmethod
    def chi_of(self, prior: Any) -> Parts:
        """Return χ_j of a prior, each a number or (p,); 0 for a term that the prior does not have."""

    def chi(self, prior: Any) -> Parts:
        """Return χ_j of a prior; 0 for ``None``, the flat prior."""
        return super().chi(None) if prior is None else self.chi_of(prior)

    def mode(self, chi: Parts, of_prior: Parts) -> dict[str, Array]:
        """Return the maximum of Σ_j χ_j · η_j."""
        return self.mode_given(chi, of_prior, {})

    @np.errstate(all="ignore")  # in components that are empty or fall onto a point
    def mode_given(self, chi: Parts, of_prior: Parts, frozen: Theta) -> dict[str, Array]:
        """Return the maximum of Σ_j χ_j · η_j over the arrays that are not frozen; NaN where all χ_j are 0."""
        theta = self.start(chi)
        theta = {name: np.array(np.broadcast_to(frozen.get(name, start), start.shape)) for name, start in theta.items()}
        free = [name for name in theta if name not in frozen]
        value = self._value(chi, theta)
        for _ in range(MOST_STEPS if free else 0):
            theta, value, step = self._stepped(chi, theta, value, free)
            if np.abs(step).max(initial=0.0) < SMALLEST_STEP:
                break
        nothing = np.all([np.broadcast_to(part == 0, value.shape) for part in chi], axis=0)
        return {name: np.where(nothing & (name in free), np.nan, array) for name, array in theta.items()}

    def _stepped(
        self, chi: Parts, theta: Theta, value: Array, free: list[str]
    ) -> tuple[dict[str, Array], Array, Array]:
        """Take Newton's step, halved where it lowers the objective; return the arrays, the objective and the step."""
        step = self._step(chi, theta, free)
        for _ in range(MOST_HALVINGS):
            own = {name: self._added(name, theta[name], of_one) for name, of_one in zip(free, step, strict=True)}
            stepped = {**theta, **own}
            after = self._value(chi, stepped)
            worse = np.isfinite(value) & ~(after >= value - ROUNDING * np.abs(value))
            if not worse.any():
                break
            step = np.where(worse, step / 2, step)
        return stepped, after, step

    def _value(self, chi: Parts, theta: Theta) -> Array:
        return np.asarray(sum(part * eta for part, eta in zip(chi, self.natural(theta), strict=True)))

    def _step(self, chi: Parts, theta: Theta, free: list[str]) -> Array:
        """Return Newton's step (q, ..., K, p) on the real line, uphill: with the absolute values of the curvatures."""
        gradient, hessian = self._slopes(chi, theta)
        which = [a for a, name in enumerate(theta) if name in free]
        scales = [(self._scale(name), theta[name]) for name in free]
        first = np.array([scale.slope(x) for scale, x in scales])
        second = first * [scale.bend(x) for scale, x in scales]
        g = gradient[which] * first
        H = hessian[np.ix_(which, which)] * first * first[:, None]
        H[range(len(free)), range(len(free))] += gradient[which] * second
        matrix, slope = np.moveaxis(-H, (0, 1), (-2, -1)), np.moveaxis(g, 0, -1)[..., None]
        usable = (np.isfinite(matrix).all(axis=(-2, -1)) & np.isfinite(slope).all(axis=(-2, -1)))[..., None, None]
        values, vectors = np.linalg.eigh(np.where(usable, matrix, np.eye(len(free))))
        sizes = np.maximum(np.abs(values), np.finfo(np.float64).tiny)[..., None]
        step = vectors @ (vectors.mT @ np.where(usable, slope, 0.0) / sizes)
        return np.clip(np.moveaxis(step[..., 0], -1, 0), -LARGEST_STEP, LARGEST_STEP)

    def _slopes(self, chi: Parts, theta: Theta) -> tuple[Array, Array]:
        """Return gradient (q, ..., K, p) and Hessian (q, q, ..., K, p) of Σ_j χ_j · η_j."""
        terms = list(zip(chi, self.derivatives(theta), strict=True))
        gradient, hessian = sum(part * one for part, (one, _) in terms), sum(part * two for part, (_, two) in terms)
        return np.asarray(gradient), np.asarray(hessian)

    def _scale(self, name: str) -> Scale:
        return next(SCALES[quantity.support.scale] for quantity in self.quantities if quantity.name == name)

    def _added(self, name: str, array: Array, step: Array) -> Array:
        """Return an array after a step on the real line."""
        scale = self._scale(name)
        return np.asarray(scale.back(scale.line(array) + step))

    def moments(self, hyper: Parts) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the mode and the inverse curvature there: Laplace's approximation of mean and variance."""
        theta = self.mode(hyper, hyper)
        curvature = np.moveaxis(-self._slopes(hyper, theta)[1], (0, 1), (-2, -1))
        variances = np.diagonal(np.linalg.inv(curvature), axis1=-2, axis2=-1)
        return theta, {name: variances[..., a] for a, name in enumerate(theta)}

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        """Raise an error: no prior of these families is conjugate."""
        raise NotImplementedError(f"a {self.prior_type.__name__} is not conjugate")

    draw = log_normaliser = mean_natural = _refuse
