"""Choose NUTS's warm-up and the depth of its trees by how near the posterior is to a normal distribution.

A normal posterior with mode û and covariance R R' falls by |v|²/2 from û to û + R v. The relative gap of a posterior is

    gap(v) = | log p(û) - log p(û + R v) - |v|²/2 | / (|v|²/2).

If the median gap of some v ~ N(0, 1.5² I) is small at the start of every chain, the scale R is right from the first
draw, and the settings `NEAR_NORMAL` suffice. Few draws of warm-up are enough. On a standard normal

    v(t) = v cos t + p sin t,    p the momentum,

so the correlation of |v(t)|² with |v|² is cos² t. It is 0 after a quarter turn, t = π/2, where v(t) = p is independent
of v, and 1 after the half turn that NUTS's rule lets a trajectory approach. At an acceptance of 0.8 steps are near π/4,
and a tree of depth 2, of three steps, ends one to three steps from v: a quarter turn on average.

Elsewhere NUTS needs more warm-up to learn scales, and long trajectories to follow ridges.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from comparisons.posterior.densities import UnconstrainedDensity
from models.validation import Array

MEDIAN_GAP = 0.15  # largest of a near-normal posterior; of 22 posteriors tried, 12 have up to 0.11, 10 from 0.18 on
WIDTH, TRIALS = 1.5, 128  # standard deviation of v, a little more than the posterior's, and number of draws of v


class Tuning(NamedTuple):
    """Warm-up draws of each chain, and the largest depth of NUTS's trees: of at most 2^depth - 1 steps."""

    tune: int
    max_depth: int


NEAR_NORMAL, ANY_SHAPE = Tuning(tune=150, max_depth=2), Tuning(tune=1000, max_depth=10)


def tuning_of(density: UnconstrainedDensity, scales: Iterable[tuple[Array, Array]], seed: int) -> Tuning:
    """Return the tuning for a posterior, given û (p,) and R (p, p) of the start of each chain."""
    rng = np.random.default_rng(seed)
    near = all(median_gap(density, *scale, rng) <= MEDIAN_GAP for scale in scales)
    return NEAR_NORMAL if near else ANY_SHAPE


def median_gap(density: UnconstrainedDensity, origin: Array, root: Array, rng: np.random.Generator) -> float:
    """Return the median of gap(v) over draws of v; NaN or infinite if the density is not finite."""
    at_mode, _ = density.value_and_gradient(origin)
    v = WIDTH * rng.normal(size=(TRIALS, density.size))
    elsewhere = np.array([density.value_and_gradient(origin + root @ row)[0] for row in v])
    with np.errstate(invalid="ignore"):  # the density may be 0 everywhere
        relative_fall = (at_mode - elsewhere) / ((v**2).sum(axis=1) / 2)
    return float(np.median(np.abs(relative_fall - 1)))
