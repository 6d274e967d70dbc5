"""Families whose M-step has no closed form: the mode is found by Newton's method. Their prior need not be conjugate.

A log prior is a sum of terms too. With a term η_j that only the prior has, T_j = 0, both the M-step and the prior are

    maximise Σ_j χ_j · η_j(θ_kd),    χ_kj = χ_j + S_kj

for each component and feature on its own, over the q numbers θ_kd. Newton's method takes it on the scale u of each
support, where θ = exp u, 1 / (1 + exp -u) or u; a step on which the objective would fall is halved.
"""

from abc import abstractmethod
from typing import Any, NoReturn

import numpy as np

from em.steps import Steps
from em.steps.rows import Parts, Theta
from models.parameters import Parameters
from models.scales import SCALES, Scale
from models.validation import Array

MOST_STEPS, MOST_HALVINGS, FARTHEST = 100, 30, 2.0
SMALL = 1e-13  # a step, on the scale of its support


class NewtonSteps[P: Parameters](Steps[P]):
    """A family states its formulas, ``hyper_offsets`` of 0 for each of them, and `start` and `chi_of`.

    Gibbs sampling, mean field, exact enumeration and Chib's evidence are refused: its prior has ``conjugate = False``.
    """

    @abstractmethod
    def start(self, chi: Parts) -> dict[str, Array]:
        """Return where Newton's method starts, inside the support, each (..., K, p)."""

    @abstractmethod
    def chi_of(self, prior: Any) -> Parts:
        """Return χ_j of a prior, each a number or (p,); 0 of a term that only samples have."""

    def chi(self, prior: Any) -> Parts:
        """Return χ_j of a prior; 0 of ``None``, which is flat."""
        return super().chi(None) if prior is None else self.chi_of(prior)

    def mode(self, chi: Parts, of_prior: Parts) -> dict[str, Array]:
        """Return the maximum of Σ_j χ_j · η_j."""
        return self.mode_given(chi, of_prior, {})

    @np.errstate(all="ignore")  # of components without samples, and of those that fall onto a point
    def mode_given(self, chi: Parts, of_prior: Parts, frozen: Theta) -> dict[str, Array]:
        """Return the maximum of Σ_j χ_j · η_j over the arrays that are not known."""
        theta = self.start(chi)
        theta = {name: np.array(np.broadcast_to(frozen.get(name, start), start.shape)) for name, start in theta.items()}
        free = [name for name in theta if name not in frozen]
        value = self._value(chi, theta)
        for _ in range(MOST_STEPS if free else 0):
            step = self._step(chi, theta, free)
            for _ in range(MOST_HALVINGS):
                moved = theta | {name: self._moved(name, theta[name], step[a]) for a, name in enumerate(free)}
                after = self._value(chi, moved)
                worse = np.isfinite(value) & ~(after >= value - SMALL * np.abs(value))
                if not worse.any():
                    break
                step = np.where(worse, step / 2, step)
            theta, value = moved, after
            if np.abs(step).max(initial=0.0) < SMALL:
                break
        nothing = np.all([np.broadcast_to(part == 0, value.shape) for part in chi], axis=0)
        return {name: np.where(nothing & (name in free), np.nan, array) for name, array in theta.items()}

    def _value(self, chi: Parts, theta: Theta) -> Array:
        return np.asarray(sum(part * eta for part, eta in zip(chi, self.natural(theta), strict=True)))

    def _step(self, chi: Parts, theta: Theta, free: list[str]) -> Array:
        """Return Newton's step (q, ..., K, p) on the scales of the free arrays; uphill, concave or not."""
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
        return np.clip(np.moveaxis(step[..., 0], -1, 0), -FARTHEST, FARTHEST)

    def _slopes(self, chi: Parts, theta: Theta) -> tuple[Array, Array]:
        """Return gradient (q, ..., K, p) and Hessian (q, q, ..., K, p) of Σ_j χ_j · η_j."""
        terms = list(zip(chi, self.derivatives(theta), strict=True))
        gradient, hessian = sum(part * one for part, (one, _) in terms), sum(part * two for part, (_, two) in terms)
        return np.asarray(gradient), np.asarray(hessian)

    def _scale(self, name: str) -> Scale:
        return next(SCALES[quantity.support.scale] for quantity in self.quantities if quantity.name == name)

    def _moved(self, name: str, array: Array, step: Array) -> Array:
        scale = self._scale(name)
        return np.asarray(scale.back(scale.line(array) + step))

    def moments(self, hyper: Parts) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return mode and inverse curvature there, which are about mean and variance (Laplace)."""
        theta = self.mode(hyper, hyper)
        curvature = np.moveaxis(-self._slopes(hyper, theta)[1], (0, 1), (-2, -1))
        variances = np.diagonal(np.linalg.inv(curvature), axis1=-2, axis2=-1)
        return theta, {name: variances[..., a] for a, name in enumerate(theta)}

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        """Raise an error: no prior of these families is conjugate."""
        raise NotImplementedError(f"a {self.prior_type.__name__} is not conjugate")

    draw = log_normaliser = mean_natural = _refuse
