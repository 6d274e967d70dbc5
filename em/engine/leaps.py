"""Leaps that accelerate EM: SQUAREM from three plain steps, or a multisecant step. They know no family.

**SQUAREM.** From three points of plain EM, θ₀ → θ₁ → θ₂, with steps r = θ₁ - θ₀ and their change v = (θ₂ - θ₁) - r,

    θ(α) = θ₀ + 2 α r + α² v,        α = ‖r‖ / ‖v‖             (scheme SqS3)

α = 1 gives θ₂ itself, which is plain EM. If steps shrink by a factor ρ, the limit is 1 / (1 - ρ) steps away, and a leap
with α = 1 / (1 - ρ) covers that distance at once. The engine takes a leap only if the objective there is no lower than
at θ₁, as it is after plain steps. It makes two plain steps between leaps. A refused leap costs one E-step.

**Multisecant.** EM maps x to F(x) with residual r(x) = F(x) - x. Near a maximum r is linear, with a matrix that is
symmetric in the inner product ⟨·, ·⟩ of the complete data's information: its eigenvalues 1 - ρ, between 0 and 1, are
the shares of information that the observed data hold (Dempster, Laird & Rubin 1977), and ⟨u, r⟩ n is the slope of the
objective along u. From the last points let s_j = x_{j+1} - x_j. At the maximum over their span, r is orthogonal to the
span. With an orthonormal basis B of the span,

    A y = B' r(x),    A = -B' (∂r/∂s) B,    x + B y + r(x + B y)

The last expression uses the same secants for r: it is one step of EM from that maximum, and the point proposed. This is
Anderson acceleration of type I (Fang & Saad 2009) in the metric in which EM is symmetric. On a quadratic it is
therefore the method of conjugate gradients with EM as its preconditioner (Jamshidian & Jennrich 1993). A shows when to
trust it: an eigenvalue below 0 means that the objective curves upwards, one well above 1 that the residual is not
linear. In these cases SQUAREM's leap is taken, which is better on plateaus. After a refused leap the secants are
dropped.

Leaps combine declared parameters. What plain EM keeps fixed, such as a prob of 0 or a frozen array, a leap keeps fixed.
A multisecant leap moves no number more than half of the way from F(x) to an edge of the parameter space, such as a prob
of 0 or a weight of 1; other numbers are not affected. In latent-class models with probs at an edge, 19 of 20 leaps
would cross one; without this rule such fits need twice as many E-steps. Nine tenths of the way saves some more, but
traps more runs at a false edge.

Tried on 94 problems and found no better: leaps of log-ratios, log-Cholesky factors and logits; the paper's other
formulas for α; a bound on α that grows; Anderson acceleration of type II, which is slower than plain EM on some
problems; six or eight secants.

**Rounding.** Sums added in another order, as over other chunks, should lead to the same leaps. Near the limit α and y
lose digits, so they are rounded to 64ths. Secants that nearly depend on each other magnify rounding, so they count as
one direction. A leap may lose the last digits of the objective (:mod:`em.engine.loop`), which would otherwise decide.
Of 360 fits of 20,000 rows three differ from the fit in memory by more than 1e-10, without Newton's step at the end of
short fits. If the last digits decided, and secants to 1e-10 counted, five of 64 would. The rule costs no E-steps;
sixteenths instead of 64ths would cost one in a hundred.

Measured on 69 problems with clusters 0.5 to 2 standard deviations apart (four structures, K = 2 to 4, with and without
prior), in E-steps to within 1e-8 (relative) of the optimum: compared with multisecant leaps, plain EM needs 10 times as
many (geometric mean; at least 2.9) and SQUAREM 1.4 times as many. Without the metric, multisecant leaps are hardly
better than SQUAREM. Without SQUAREM's leaps between them, they need twice as many.

References
----------
Varadhan & Roland (2008), Scandinavian Journal of Statistics 35, 335-353.
Fang & Saad (2009), Numerical Linear Algebra with Applications 16, 197-221.
Jamshidian & Jennrich (1993), Journal of the American Statistical Association 88, 221-228.
"""

from typing import Any

import numpy as np

from em.engine.problem import Problem
from models.validation import Array

ACCELERATIONS = ("multisecant", "squarem", None)
SHORTEN = 0.8  # factor after a refused leap; only a little, because the next leap starts elsewhere
MOST_HALVINGS = 30
MOST_SECANTS = 4
MOST_OF_WAY = 0.5  # from F(x) to an edge of the parameter space
FEWEST_SECANTS = 2
HIGHEST = 1.5  # eigenvalue of A that is trusted: it is 1 if residuals are linear, which they never quite are
DIGITS = 2.0**6  # α and y are rounded to multiples of 1 / 64, so that sums in another order lead to the same leap
INDEPENDENT = 1e-5  # squared length, relative to the longest, above which a direction counts as one of its own


class Leaps:
    """Collect points of EM for R runs at once, and propose a leap after every three points.

    Parameters
    ----------
    problem : Problem
        Its scales are the units of SQUAREM's norms, and its metric measures the secants.
    n_runs : int
        Number of runs R.
    acceleration : {"multisecant", "squarem"}
        Whether to try secants first.

    Attributes
    ----------
    n_refused : ndarray of int, shape (R,)
        How many leaps were refused.
    by_secants : ndarray of bool, shape (R,)
        Whether the last leap was the multisecant one.
    """

    def __init__(self, problem: Problem[Any], n_runs: int, acceleration: str) -> None:
        self.problem, self.unit = problem, problem.unit
        self.multisecant = acceleration == "multisecant" and problem.whitened is not None
        self.points: list[Array] = []  # plain steps since the last leap, (R, P) each
        self.pair: tuple[Array, Array] | None = None  # the last x and F(x)
        self.at: Array | None = None  # where the next step starts
        self.secants = np.zeros((n_runs, 2, MOST_SECANTS, len(self.unit)))  # of x and of F(x), the last at the end
        self.n_secants = np.zeros(n_runs, dtype=int)
        self.shortened, self.n_refused = np.ones(n_runs), np.zeros(n_runs, dtype=int)
        self.by_secants = np.zeros(n_runs, dtype=bool)

    def after(self, x: Array) -> tuple[Array, np.ndarray]:
        """Return the proposed points (R, P) after plain steps to ``x`` (R, P), and which runs (R,) have a proposal."""
        if self.multisecant and self.at is not None:
            self._keep(self.at, x)
        self.at = x
        self.points.append(x)
        if len(self.points) < 3:
            return x, np.zeros(len(x), dtype=bool)
        leaps, proposed, self.by_secants = x.copy(), np.ones(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
        if self.multisecant and (self.n_secants >= FEWEST_SECANTS).any():
            over, self.by_secants = self._over_secants(x)
            leaps[self.by_secants] = over[self.by_secants]
        if not self.by_secants.all():
            others = np.flatnonzero(~self.by_secants)
            leaps[others], proposed[others] = self._squarem(others)
        self.points = []
        return leaps, proposed

    def accepted(self, which: np.ndarray, leaps: Array) -> None:
        """Go on from the leaps (R, P) that some runs (R,) took; secants are kept."""
        self.shortened[which] = 1.0
        self.at = leaps if self.at is None else np.where(which[:, None], leaps, self.at)

    def refused(self, which: np.ndarray) -> None:
        """Drop the secants of refused multisecant leaps; shorten SQUAREM's next leap after a refused one."""
        self.n_secants[which & self.by_secants] = -2  # too few, so that the next leap is SQUAREM's
        self.shortened[which & ~self.by_secants] *= SHORTEN
        self.n_refused[which] += 1

    def begin_again(self, which: np.ndarray, x: Array) -> None:
        """Drop points and secants of the runs (R,) that were moved to ``x`` (R, P) by no step of EM."""
        if which.any() and self.at is not None:
            self.n_secants[which] = -1  # the next secant spans the move
            self.points = [np.where(which[:, None], x, point) for point in self.points]
            self.at = np.where(which[:, None], x, self.at)

    def take(self, which: np.ndarray) -> None:
        """Go on with some of the runs."""
        for name in ("at", "secants", "n_secants", "shortened", "n_refused", "by_secants"):
            setattr(self, name, None if (value := getattr(self, name)) is None else value[which])
        self.points = [point[which] for point in self.points]
        self.pair = None if self.pair is None else (self.pair[0][which], self.pair[1][which])

    def _keep(self, x: Array, image: Array) -> None:
        """Store the secants from the last x and F(x) to these."""
        if self.pair is not None:
            self.secants[:, :, :-1] = self.secants[:, :, 1:]
            self.secants[:, 0, -1], self.secants[:, 1, -1] = x - self.pair[0], image - self.pair[1]
            self.n_secants = np.minimum(self.n_secants + 1, MOST_SECANTS)
        self.pair = x, image

    def _squarem(self, which: np.ndarray) -> tuple[Array, np.ndarray]:
        """Return θ(α) of some runs, with α reduced until it is a legal mixture, and which runs have one with α > 1."""
        first, second, third = (point[which] for point in self.points)
        r = second - first
        v = (third - second) - r
        change, leaps = np.linalg.norm(v / self.unit, axis=1), third.copy()
        ratio = np.linalg.norm(r / self.unit, axis=1) / np.where(change > 0, change, np.inf)
        alpha = _rounded(np.where(change > 0, 1 + self.shortened[which] * (ratio - 1), 1.0))
        open_, placed = np.flatnonzero(alpha > 1), np.zeros(len(which), dtype=bool)
        for _ in range(MOST_HALVINGS):
            if not len(open_):
                break
            a = alpha[open_, None]
            moved, inside = self._inside(first[open_] + 2 * a * r[open_] + a**2 * v[open_])
            leaps[open_[inside]], placed[open_[inside]] = moved[inside], True
            open_ = open_[~inside]
            alpha[open_] = 1 + (alpha[open_] - 1) / 2
            open_ = open_[alpha[open_] > 1]
        return leaps, placed

    def _over_secants(self, image: Array) -> tuple[Array, np.ndarray]:
        """Return one step of EM from the maximum over the span of the secants, and in which runs it is trusted.

        Secants that a run does not have yet are 0 and span nothing.
        """
        split, whitened, m = self.problem.split, self.problem.whitened, MOST_SECANTS
        assert whitened is not None
        assert self.pair is not None
        x, has = self.pair[0], np.arange(m) >= m - self.n_secants[:, None]
        secants = self.secants * has[:, None, :, None]
        steps = np.concatenate([secants[:, 0], secants[:, 0] - secants[:, 1], (image - x)[:, None]], axis=1)
        rows = whitened(split(image), split(steps))
        products = rows[:, :m] @ rows.mT  # of the secants with themselves, with their -∂r/∂s, and with r
        believed = (self.n_secants >= FEWEST_SECANTS) & np.isfinite(products).all(axis=(1, 2))
        products = np.where(believed[:, None, None], products, 0.0)
        lengths = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
        believed &= ((lengths > 0) == has).all(axis=1)
        scale = (1 / np.where(lengths > 0, lengths, 1.0))[..., None]
        d, u = np.linalg.eigh(products[:, :, :m] * scale * scale.mT)
        kept = d > INDEPENDENT * d[:, -1:]
        coordinates = scale * u * (kept / np.sqrt(np.where(kept, d, 1.0)))[:, None, :]  # B = coordinates' s
        A = coordinates.mT @ products[:, :, m : 2 * m] @ coordinates
        A = (A + A.mT) / 2 + np.eye(m) * ~kept[:, None, :]
        eigenvalues, axes = np.linalg.eigh(A)
        believed &= (eigenvalues[:, 0] > 0) & (eigenvalues[:, -1] <= HIGHEST)
        curvatures = np.where(believed[:, None], eigenvalues, 1.0)[..., None]
        solved = (axes.mT @ (coordinates.mT @ products[:, :, 2 * m :])) / curvatures
        y = _rounded(coordinates @ (axes @ solved))  # in secants, (R, m, 1)
        least, most = image - MOST_OF_WAY * (image - self.problem.ends[:, None])
        moved, inside = self._inside(np.clip(image + (y.mT @ secants[:, 1])[:, 0], least, most))
        return moved, believed & inside

    def _inside(self, x: Array) -> tuple[Array, np.ndarray]:
        arrays, inside = self.problem.inside(self.problem.split(x))
        return self.problem.join(arrays), inside


def _rounded(coefficients: Array) -> Array:
    return np.round(coefficients * DIGITS) / DIGITS
