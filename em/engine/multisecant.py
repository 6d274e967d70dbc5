"""Multisecant leaps: where EM's steps look like those towards a maximum, solve for it in the span of the last few.

EM maps a point x to F(x) with residual r(x) = F(x) - x. Near a maximum r is linear, with a matrix that is symmetric in
the inner product ⟨·, ·⟩ of the complete data's information: its eigenvalues 1 - ρ, between 0 and 1, are the shares of
information that the observed data hold (Dempster, Laird & Rubin 1977), and ⟨u, r⟩ n is the slope of the objective along
u. From the last points let s_j = x_{j+1} - x_j. The maximum over their span is where r is orthogonal to it: with an
orthonormal basis B of the span,

    A y = B' r(x),    A = -B' (∂r/∂s) B,    x + B y + r(x + B y)

the last by the same secants: one step of EM from that maximum, and the point proposed. This is Anderson acceleration of
type I (Fang & Saad 2009) in the metric in which EM is symmetric, and so, on a quadratic, the method of conjugate
gradients with EM as its preconditioner (Jamshidian & Jennrich 1993).

A tells when to believe it: an eigenvalue below 0 means that the objective curves upwards, one well above 1 that the
residual is not linear. Then the leap is SQUAREM's, which is the better one on plateaus; a refusal forgets the secants
that misled. The engine judges both leaps by the objective.

Measured on 69 problems with clusters 0.5 to 2 standard deviations apart (four structures, K = 2 to 4, with and without
prior), E-steps to within 1e-8 (relative) of the optimum: plain EM needs 10 times as many as these leaps (geometric
mean; at the least 2.9), SQUAREM 1.4 times as many. Without the metric (steps in units of the parameters' scales) they
are hardly better than SQUAREM; without SQUAREM's leaps, twice as slow, as are Zhou, Alexander & Lange's (2011) with 3
secants and Anderson's of type II with 5, which win near the limit and lose on the way there.

References
----------
Fang & Saad (2009), Numerical Linear Algebra with Applications 16, 197-221.
Jamshidian & Jennrich (1993), Journal of the American Statistical Association 88, 221-228.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from em.engine.acceleration import Squarem, normalised
from models.validation import Array

MOST_SECANTS = 4
FEWEST_SECANTS = 2
HIGHEST = 1.5  # eigenvalue of A that is believed: 1 where residuals are linear, and they are never quite
INDEPENDENT = 1e-5  # singular value, relative to the first, of a direction that secants tell apart from the others

type Arrays = Mapping[str, Array]


class Multisecant(Squarem):
    """Collect points of EM and propose, from every three, a multisecant leap or else SQUAREM's.

    Parameters
    ----------
    scales : mapping
        Typical size of each parameter array, by name.
    whitened : callable
        (parameters, steps) -> (m, p): m steps, in arrays (m, ...) by name, as rows whose inner products are those of
        the complete data's information of one sample at the parameters.

    Examples
    --------
    Residuals that are linear in two directions: two secants find the limit, 0.4 and 0.6.

    >>> from functools import partial
    >>> from em.bmm import BINOMIAL
    >>> from em.engine.multisecant import Multisecant
    >>> from em.uncertainty.independent import whitened
    >>> from models.bmm import BMMParameters
    >>> metric = partial(whitened, steps=BINOMIAL, size=1.0)
    >>> multisecant = Multisecant({"weights": 1.0, "probs": 1.0}, metric)
    >>> points = [BMMParameters([1.0], [[0.4 + 0.3 * 0.5**t, 0.6 - 0.3 * 0.8**t]]) for t in range(5)]
    >>> *_, leap = [multisecant.after(point) for point in points]
    >>> leap.probs.round(9).tolist()
    [[0.4, 0.6]]
    """

    def __init__(self, scales: Mapping[str, Array | float], whitened: Callable[[Any, Arrays], Array]) -> None:
        super().__init__(scales)
        self.whitened = whitened
        self.at: Arrays | None = None
        self.visited: list[tuple[Arrays, Arrays]] = []  # x and F(x)
        self.leap: Any = None
        self.by_secants = False

    def after(self, parameters: Any) -> Any | None:
        """Return where to leap to after the plain step that led to ``parameters``, or None to go on plainly."""
        if self.at is not None:
            self.visited = [*self.visited, (self.at, parameters.arrays())][-MOST_SECANTS - 1 :]
        self.at = parameters.arrays()
        third, self.leap = len(self.points) == 2, super().after(parameters)
        over_secants = self._over_secants(parameters) if third else None
        self.by_secants = over_secants is not None
        if self.by_secants:
            self.leap = over_secants
        return self.leap

    def accepted(self) -> None:
        """Start afresh from a leap that was taken; its secants are kept."""
        super().accepted()
        self.at = self.leap.arrays()

    def refused(self) -> None:
        """Forget the secants that misled, or shorten SQUAREM's next leap."""
        if not self.by_secants:
            return super().refused()
        self.n_refused += 1
        self.visited = []  # so few that the next leap is SQUAREM's
        return None

    def _over_secants(self, parameters: Any) -> Any | None:
        """Return one step of EM from the maximum over the span of the secants, or None where they are not believed."""
        if len(self.visited) <= FEWEST_SECANTS:
            return None
        names = parameters.arrays()
        x, image = ({name: np.array([pair[i][name] for pair in self.visited]) for name in names} for i in (0, 1))
        steps = {name: np.diff(x[name], axis=0) for name in x}
        images = {name: np.diff(image[name], axis=0) for name in x}
        residual = {name: image[name][-1:] - x[name][-1:] for name in x}
        s, fs, r = (self.whitened(parameters, rows) for rows in (steps, images, residual))
        lengths = np.linalg.norm(s, axis=1)
        if not (lengths > 0).all():
            return None
        u, d, basis = np.linalg.svd(s / lengths[:, None], full_matrices=False)
        kept = d > INDEPENDENT * d[0]
        basis, coordinates = basis[kept], (u[:, kept] / d[kept]) / lengths[:, None]  # basis = coordinates' s
        A = basis @ (s - fs).T @ coordinates
        eigenvalues, axes = np.linalg.eigh((A + A.T) / 2)
        if not 0 < eigenvalues[0] <= eigenvalues[-1] <= HIGHEST:
            return None
        y = coordinates @ (axes @ ((axes.T @ (basis @ r[0])) / eigenvalues))  # in secants
        moved = {name: array[-1] + np.tensordot(y, images[name], 1) for name, array in image.items()}
        try:
            return replace(parameters, **normalised(parameters, moved, images))  # a large y magnifies a rounding
        except ValueError:  # outside the parameter space
            return None
