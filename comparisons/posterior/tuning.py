"""Choose NUTS's warm-up and acceptance probability by how near the posterior is to a normal distribution.

A normal posterior with mode û and covariance R R' falls by |v|²/2 from û to û + R v. The relative gap of a posterior is

    gap(v) = | log p(û) - log p(û + R v) - |v|²/2 | / (|v|²/2).

If the median gap of some v ~ N(0, 1.5² I) is small at the start of every chain, the scale R is right from the first
draw. Then the settings `NEAR_NORMAL` suffice: few draws of warm-up, and the acceptance that gives the most effective
draws per gradient [1]_. Otherwise NUTS needs more warm-up to learn scales, and smaller steps to follow ridges.

References
----------
.. [1] Beskos, Pillai, Roberts, Sanz-Serna and Stuart (2013), Optimal tuning of the hybrid Monte Carlo algorithm,
   Bernoulli 19, 1501-1534.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from comparisons.posterior.densities import UnconstrainedDensity
from models.validation import Array

MEDIAN_GAP = 0.15  # largest of a near-normal posterior; of 22 posteriors tried, 12 have up to 0.11, 10 from 0.18 on
WIDTH, TRIALS = 1.5, 128  # standard deviation of v, a little more than the posterior's, and number of draws of v


class Tuning(NamedTuple):
    """Warm-up draws of each chain, and the mean acceptance probability that NUTS adapts its steps to."""

    tune: int
    target_accept: float


NEAR_NORMAL, ANY_SHAPE = Tuning(tune=300, target_accept=0.65), Tuning(tune=1000, target_accept=0.8)


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
