"""SQUAREM: leaps ahead along EM's own path. It knows no family: a leap is a combination of three mixtures.

From three points of plain EM, θ₀ → θ₁ → θ₂, with steps r = θ₁ - θ₀ and their change v = (θ₂ - θ₁) - r,

    θ(α) = θ₀ + 2 α r + α² v,        α = ‖r‖ / ‖v‖             (scheme SqS3)

α = 1 is θ₂ itself, so plain EM. Where steps shrink by a factor ρ, α = 1 / (1 - ρ), and the distance to the limit that
was 1 / (1 - ρ) steps is covered in one. The engine takes a leap only if the objective is no lower there than at θ₁, as
plain EM's would be, and makes two plain steps from it before the next; a refused leap costs one E-step.

The combination is one of declared parameters (weights, means, covariances, probs). What plain EM holds still, a prob of
0 or a frozen array, the leap holds still. Tried on 94 problems and no better: leaps of log-ratios, log-Cholesky factors
and logits; norms in units of the information; the paper's other formulas for α; a bound on α that grows. Anderson
acceleration (m = 2 to 10) was faster on some problems, slower than plain EM on others, and slower on the whole. Several
secants do help near the limit, in the right metric: :mod:`em.engine.multisecant`.

Measured on 69 problems with clusters 0.5 to 2 standard deviations apart: plain EM needs 7.4 times as many E-steps
(geometric mean; at the least 2.7) to within 1e-8 (relative) of the optimum.

References
----------
Varadhan & Roland (2008), Scandinavian Journal of Statistics 35, 335-353.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from models.validation import Array

ACCELERATIONS = ("multisecant", "squarem", None)
SHORTEN = 0.8  # after a refusal; the next leap starts elsewhere, so it is shortened only a little
MOST_HALVINGS = 30


class Squarem:
    """Collect points of plain EM and propose a leap from every three.

    Parameters
    ----------
    scales : mapping
        Typical size of each parameter array, by name: the units of the norms.

    Examples
    --------
    Steps towards 0.4 that halve: the leap lands there.

    >>> from em.engine.acceleration import Squarem
    >>> from models.bmm import BMMParameters
    >>> squarem = Squarem({"weights": 1.0, "probs": 1.0})
    >>> points = [BMMParameters([1.0], [[0.4 + gap]]) for gap in (0.4, 0.2, 0.1)]
    >>> [None if leap is None else leap.probs.round(12).tolist() for leap in map(squarem.after, points)]
    [None, None, [[0.4]]]
    """

    def __init__(self, scales: Mapping[str, Array | float]) -> None:
        self.scales = scales
        self.points: list[Any] = []
        self.shortened = 1.0
        self.n_refused = 0

    def after(self, parameters: Any) -> Any | None:
        """Return where to leap to after the plain step that led to ``parameters``, or None to go on plainly."""
        self.points.append(parameters)
        if len(self.points) < 3:
            return None
        first, second, third = (point.arrays() for point in self.points)
        r = {name: second[name] - first[name] for name in first}
        v = {name: (third[name] - second[name]) - r[name] for name in first}
        change = self._norm(v)
        alpha = 1 + self.shortened * (self._norm(r) / change - 1) if change > 0 else 1.0
        self.points = [parameters]
        for _ in range(MOST_HALVINGS):
            if alpha <= 1:
                return None
            try:
                return _combination(self.points[0], first, r, v, alpha)
            except ValueError:  # outside the parameter space
                alpha = 1 + (alpha - 1) / 2
        return None

    def accepted(self) -> None:
        """Start afresh from a leap that was taken."""
        self.points, self.shortened = [], 1.0

    def refused(self) -> None:
        """Shorten the next leap: this one would have lost."""
        self.shortened *= SHORTEN
        self.n_refused += 1

    def _norm(self, arrays: Mapping[str, Array]) -> float:
        return float(np.sqrt(sum(np.sum((array / self.scales[name]) ** 2) for name, array in arrays.items())))


def _combination(
    like: Any, first: Mapping[str, Array], r: Mapping[str, Array], v: Mapping[str, Array], alpha: float
) -> Any:
    """Return θ(α), or raise a ValueError if it is no mixture."""
    moved = {name: array + 2 * alpha * r[name] + alpha**2 * v[name] for name, array in first.items()}
    moves = {name: np.abs(r[name]) + np.abs(v[name]) for name in first}  # r may be 0 where v is not
    return replace(like, **normalised(like, moved, moves))  # α² times a rounding may have come in


def normalised(like: Any, moved: dict[str, Array], moves: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays, with those that moved and must sum to one doing so to the last digit."""
    supports = {quantity.name: quantity.support for quantity in like.quantities}
    return {name: supports[name].normalised(array) if moves[name].any() else array for name, array in moved.items()}
