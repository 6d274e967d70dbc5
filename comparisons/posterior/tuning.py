"""Choose NUTS's warm-up and the depth of its trees by how near the posterior is to a normal distribution.

A normal posterior with mode û and covariance R R' falls by |v|²/2 from û to û + R v. The relative gap of a posterior is

    gap(v) = | log p(û) - log p(û + R v) - |v|²/2 | / (|v|²/2).

If the gap of nine in ten v ~ N(0, 1.5² I) is small at the start of every chain, the scale R is right from the first
draw, and few draws of warm-up are enough. The median gap would hide one skewed direction among many, such as that of
the weight of a component too many. On a standard normal

    v(t) = v cos t + p sin t,    p the momentum,

so the correlation of |v(t)|² with |v|² is cos² t. It is 0 after a quarter turn, t = π/2, where v(t) = p is independent
of v, and 1 after a half turn, up to which NUTS's rule lets a trajectory grow. With 10 parameters and an acceptance of
0.8 steps are near π/4, and a draw from a tree of depth 2, of three steps, is two steps away as a rule: a quarter turn.
Steps are shorter with more parameters (π/6 with 100) and with a higher acceptance. Trees then have depth 3.

Elsewhere NUTS needs more warm-up to learn scales, and long trajectories to follow ridges.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from comparisons.posterior.densities import Scale, UnconstrainedDensity
from models.validation import Array

TARGET_ACCEPT = 0.8
SHARE, MOST_GAP = 0.9, 0.3  # of 37 posteriors, 32 mix well by trees of depth 2, of up to 0.3; 5, from 0.33 on, do not
MOST_PARAMETERS = 60  # of trees of depth 2: the largest R-hat on N(0, I) is 1.005 with 60 and 1.010 with 100
WIDTH, TRIALS = 1.5, 128  # standard deviation of v, a little more than the posterior's, and number of draws of v


class Tuning(NamedTuple):
    """Warm-up draws of each chain, and the largest depth of NUTS's trees: of at most 2^depth - 1 steps."""

    tune: int
    max_depth: int


NEAR_NORMAL, SHORT_STEPS, ANY_SHAPE = Tuning(150, max_depth=2), Tuning(150, max_depth=3), Tuning(1000, max_depth=10)


def tuning_of(
    density: UnconstrainedDensity,
    scales: Iterable[Scale],
    seed: int,
    target_accept: float = TARGET_ACCEPT,
    tune: int | None = None,
    max_depth: int | None = None,
) -> Tuning:
    """Return the tuning for a posterior, given û (p,) and R (p, p) of the start of each chain.

    Only what is None of ``tune`` and ``max_depth`` is chosen.
    """
    if tune is not None and max_depth is not None:
        return Tuning(tune, max_depth)
    rng = np.random.default_rng(seed)
    if not all(most_gap(density, *scale, rng) <= MOST_GAP for scale in scales):
        suited = ANY_SHAPE
    else:
        suited = NEAR_NORMAL if density.size <= MOST_PARAMETERS and target_accept <= TARGET_ACCEPT else SHORT_STEPS
    return Tuning(tune or suited.tune, max_depth or suited.max_depth)


def most_gap(density: UnconstrainedDensity, origin: Array, root: Array, rng: np.random.Generator) -> float:
    """Return the gap that nine in ten draws of v have at most; NaN or infinite if the density is not finite."""
    at_mode, _ = density.value_and_gradient(origin)
    v = WIDTH * rng.normal(size=(TRIALS, density.size))
    elsewhere = np.array([density.value_and_gradient(origin + root @ row)[0] for row in v])
    with np.errstate(invalid="ignore"):  # the density may be 0 everywhere
        relative_fall = (at_mode - elsewhere) / ((v**2).sum(axis=1) / 2)
        return float(np.quantile(np.abs(relative_fall - 1), SHARE))
