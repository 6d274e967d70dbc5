"""The M-step's covariances, and what goes wrong: centre, shares, form, divisor, structure, and what is done at the end.

::

    S_k = Σ_i r_ik (x_i - x̄_k)(x_i - x̄_k)'
    full S_k / N_k,    tied Σ_k S_k / n,    diag S_k,dd / N_k,    spherical tr S_k / (D N_k)

What a prior adds to numerator and divisor is in :mod:`comparisons.gmm.coursework.priors`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue
from comparisons.coursework.formulas.estimates import DIVISOR, SHARE
from comparisons.coursework.formulas.objectives import hard
from comparisons.coursework.formulas.problem import Problem, per_component
from comparisons.coursework.formulas.slots import Formula, Slot
from comparisons.gmm.coursework.density import diagonals, kept_diagonal, matrices
from comparisons.gmm.coursework.priors import averages, modes
from models.validation import Array


def outer_products(m: Array) -> Array:
    """Return m_k m_k', shape (K, D, D)."""
    return np.asarray(np.einsum("kd,ke->kde", m, m))


def scatter(s: Array, d: Array) -> Array:
    """Return Σ_i s_ik d_ik d_ik', shape (K, D, D)."""
    return np.asarray(np.einsum("nk,nkd,nke->kde", s, d, d))


def second_moments(s: Array, X: Array) -> Array:
    """Return Σ_i s_ik x_i x_i', shape (K, D, D)."""
    return scatter(s, np.repeat(X[:, None], s.shape[1], axis=1))


def per(S: Array, N: Array) -> Array:
    """Return S_k / N_k."""
    return S / np.reshape(N, (-1, 1, 1))


def traces(S: Array) -> Array:
    """Return tr S_k, shape (K,)."""
    return np.asarray(np.trace(S, axis1=-2, axis2=-1))


def _averages(p: Problem) -> Callable[[Array], Array]:
    return lambda shares: averages(shares, p)


def _about(p: Problem) -> Callable[[Array], Array]:
    """Return what repeats one centre for all components."""
    return lambda center: np.broadcast_to(center, (p.K, p.D))


def _ridge(p: Problem) -> Callable[[Array, float], Array]:
    """Return what adds a number to the diagonal of matrices, or to variances."""

    def added(a: Array, size: float) -> Array:
        matrices = a.shape[-2:] == (p.D, p.D) and (a.ndim != 2 or a.shape == (p.D, p.D))
        return a + size * np.eye(p.D) if matrices else a + size

    return added


def _has_matrices(p: Problem) -> bool:
    return p.given.get("covariance_type", "full") in ("full", "tied")


def _moments(p: Problem) -> Array:
    """Return Σ_i r_ik x_i x_i' / N_k, shape (K, D, D)."""
    return per(second_moments(p.r, p.X), p.r.sum(axis=0))


def _new(p: Problem) -> Array:
    """Return the new covariances as matrices, shape (K, D, D)."""
    return _moments(p) - outer_products(averages(p.r, p))


CATALOGUE = Catalogue(
    __file__,
    {
        "averages": _averages,
        "about": _about,
        "modes": modes,
        "ridge": _ridge,
        "has_matrices": _has_matrices,
        "moments": _moments,
        "new": _new,
        "old": matrices,
    },
    [hard, outer_products, scatter, second_moments, per, per_component, traces, diagonals, kept_diagonal],
)
CENTER = CATALOGUE.slot(
    "centre", lambda s, p: averages(p.r, p), ["s"], follows=("your own means", "about the shares' own means")
)
FORM = CATALOGUE.slot(
    "form", lambda s, d, p: scatter(s, d), ["s", "d"], follows=("second moments minus the square of the mean",)
)
AFTER = CATALOGUE.slot("after", lambda a, p: a, ["a"])
ADDITIONS = CATALOGUE.formulas("added to the covariances")
STRUCTURES: dict[str, Callable[..., Any]] = {
    "full": lambda S, N, p: per(S, N),
    "tied": lambda S, N, p: S.sum(axis=0) / np.sum(np.broadcast_to(N, (p.K, 1))),
    "diag": lambda S, N, p: diagonals(per(S, N)),
    "spherical": lambda S, N, p: traces(per(S, N)) / p.D,
}


def covariances_formula(structure: str, text: str, prior: tuple[Slot, ...] = ()) -> Formula:
    """Return the formula of the covariances of a structure; ``prior`` are the slots of MAP."""
    pooled = Slot("structure", STRUCTURES[structure], CATALOGUE.rows(structure, ["S", "N"]), apply=False)
    centre = CENTER.extended(CATALOGUE.rows("centre under a prior", ["s"])) if prior else CENTER
    inner = (pooled, DIVISOR) if structure in ("tied", "spherical") else (DIVISOR, pooled)

    def combine(p: Problem, v: Mapping[str, Any]) -> Array:
        share = v["share"]
        key = "scatter", id(share), id(v["centre"]), id(v["form"])
        if key not in p.memo:  # of values that the memo holds too
            p.memo[key] = v["form"](share, p.X[:, None, :] - v["centre"](share, p), p)
        S, N = p.memo[key], np.asarray(v["divisor"](share, np.ones((p.n, 1)), p), dtype=float)
        if prior:
            scale, shrinkage, degrees = (v[slot.name] for slot in prior)
            S, N = S + scale + shrinkage, N + degrees
        return np.asarray(v["after"](v["structure"](S, N, p), p))

    def divisor(p: Problem) -> Any:
        N = p.r.sum(axis=0)[:, None] + (prior[2].right(p) if prior else 0.0)
        return {"full": N[:, :, None], "tied": N.sum(), "diag": N, "spherical": p.D * N[:, 0]}[structure]

    slots = (centre, *inner, AFTER, SHARE, FORM)
    return Formula("covariances", text, slots, combine, divisor=divisor, pseudo=prior)
