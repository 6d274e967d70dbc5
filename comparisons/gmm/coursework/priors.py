"""What a conjugate prior adds to the M-step of means and covariances, and what goes wrong there.

::

    μ_k = (κ0 m0 + N_k x̄_k) / (κ0 + N_k),    A_k = S_k + κ0 N_k / (κ0 + N_k) (x̄_k - m0)(x̄_k - m0)'
    full (Ψ0 + A_k) / (ν0 + N_k + D + 2),    tied (Ψ0 + Σ_k A_k) / (ν0 + n + D + 1 + K)
    diag (ψ0_d + A_k,dd) / (ν0 + N_k + 3),    spherical (ψ0 + tr A_k) / (ν0 + 2 + D + D N_k)

Mistakes are made of parts: a wrong factor with a wrong gap, or a wrong constant beside ν0 and N_k.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue, term
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot
from models.validation import Array

TEXTS_OF_MAP = {
    structure: ("μ_k = (κ0 m0 + Σ_i r_ik x_i) / (κ0 + N_k)", f"{text}, A_k = S_k + κ0 N_k/(κ0+N_k) (x̄_k-m0)(x̄_k-m0)'")
    for structure, text in {
        "full": "Σ_k = (Ψ0 + A_k) / (ν0 + N_k + D + 2)",
        "tied": "Σ = (Ψ0 + Σ_k A_k) / (ν0 + n + D + 1 + K)",
        "diag": "σ²_kd = (ψ0_d + A_k,dd) / (ν0 + N_k + 3)",
        "spherical": "σ²_k = (ψ0 + tr A_k) / (ν0 + 2 + D + D N_k)",
    }.items()
}
OF_DEGREES = (
    "Collect the powers of |Σ_k| in likelihood, prior of Σ_k and prior of μ_k given Σ_k. What do they add up to?"
)


CONSTANTS: dict[str, tuple[str, Callable[[Problem], float]]] = {
    "full": ("D + 2", lambda p: p.D + 2),
    "tied": ("D + 1 + K", lambda p: p.D + 1 + p.K),
    "diag": ("3", lambda p: 3),
    "spherical": ("2 + D", lambda p: 2 + p.D),
}


def _of(p: Problem, name: str) -> Any:
    """Return a number of the prior, 0 for maximum likelihood."""
    return 0.0 if p.prior is None else np.asarray(getattr(p.prior, name))


def _kappa(p: Problem) -> Any:
    return _of(p, "mean_precision")


def _nu(p: Problem) -> Any:
    return _of(p, "degrees_of_freedom")


def _m0(p: Problem) -> Array:
    return _of(p, "mean") + np.zeros(p.D)


def averages(shares: Array, p: Problem) -> Array:
    """Return Σ_i s_ik x_i / Σ_i s_ik, shape (K, D)."""
    return np.asarray(shares.T @ p.X / shares.sum(axis=0)[:, None])


def _averages(p: Problem) -> Array:
    return averages(p.r, p)


def modes(p: Problem) -> Array:
    """Return (κ0 m0 + N_k x̄_k) / (κ0 + N_k), shape (K, D); x̄_k for maximum likelihood."""
    N = p.r.sum(axis=0)[:, None]
    return np.asarray((_kappa(p) * _m0(p) + N * _averages(p)) / (_kappa(p) + N))


def _sizes(p: Problem) -> Array:
    return p.r.sum(axis=0)


def _psi(p: Problem) -> Any:
    return _of(p, "scale")


WORDS = {"k": _kappa, "m0": _m0, "nu": _nu, "psi": _psi, "N": _sizes, "averages": _averages, "modes": modes}
CATALOGUE = Catalogue(__file__, WORDS)
SHRUNK = CATALOGUE.term(
    "κ0 m0 in the means",
    "Towards what does the prior shrink a mean, and with the weight of how many samples?",
    lambda p: _kappa(p) * _m0(p),
)
COUNTED = CATALOGUE.term(
    "κ0 in the divisor of the means",
    "As how many samples does the prior's mean count, above and below the fraction bar?",
    lambda p: np.full(p.D, float(_kappa(p))),
)
FACTORS, GAPS = CATALOGUE.formulas("factors"), CATALOGUE.formulas("gaps")
OTHER_CONSTANTS, OTHER_SCALES = CATALOGUE.formulas("constants"), CATALOGUE.formulas("scales")


def _shrinkage(factor: str, gap: str) -> Callable[[Problem], Array]:
    """Return a factor times the outer product of a gap, shape (K, D, D); 0 for maximum likelihood."""

    def value(p: Problem) -> Array:
        g = GAPS[gap](p)
        return np.asarray(0.0 if p.prior is None else np.einsum("k,kd,ke->kde", FACTORS[factor](p), g, g))

    return value


PAIRS = [(factor, gap) for gap in GAPS for factor in FACTORS]
OF_MEANS = "κ0 N_k/(κ0+N_k) (x̄_k-m0)(x̄_k-m0)'"
SHRINKAGE = term(
    OF_MEANS,
    "The means have a prior too, which ties them to m0 in units of Σ_k. What does it add to the scatter?",
    _shrinkage(*PAIRS[0]),
    {f"{factor} {gap}": _shrinkage(factor, gap) for factor, gap in PAIRS[1:]},
)


def _share(structure: str, p: Problem) -> int:
    """Return over how many a structure's sums go, in each of which a part of the prior is."""
    return {"tied": p.K, "spherical": p.D}.get(structure, 1)


def _scale(structure: str, changed: Callable[[Problem], Any] | None = None) -> Callable[[Problem], Array]:
    """Return what Ψ0, or a change of it, adds to the scatter (K, D, D), so that the structure's sums have it once."""

    def value(p: Problem) -> Array:
        if p.prior is None:
            return np.zeros((p.D, p.D))
        scale = np.asarray(p.prior.scale if changed is None else changed(p), dtype=float)
        return np.asarray((scale if scale.ndim == 2 else scale * np.eye(p.D)) / _share(structure, p))

    return value


def slots_of(structure: str) -> tuple[Slot, Slot, Slot]:
    """Return the slots of Ψ0, of the term of the means' prior, and of the constants in the divisor."""
    matrices, (text, own) = structure in ("full", "tied"), CONSTANTS[structure]

    def degrees(constant: Callable[[Problem], Any], nu: float = 1.0) -> Callable[[Problem], Any]:
        """Return what a constant and ν0 add to N_k, so that the structure's sums have them once."""
        return lambda p: (
            np.full((p.K, 1), nu * _nu(p) + constant(p) if p.prior is not None else 0.0) / _share(structure, p)
        )

    others = OTHER_CONSTANTS if matrices else dict(sorted(OTHER_CONSTANTS.items(), key=lambda item: "D" in item[0]))
    wrong = {f"ν0 + {name}": degrees(constant) for name, constant in others.items() if name != text}
    wrong["ν0"] = degrees(lambda p: 0.0)
    wrong |= {
        f"{text} without ν0": degrees(own, 0.0),
        f"ν0 / 2 + {text}": degrees(own, 0.5),
        f"κ0 + ν0 + {text}": degrees(lambda p: own(p) + _kappa(p)),
    }
    own_name = f"ν0 + {text}"
    named = {name.replace("+ -", "- "): value for name, value in wrong.items()}
    scales = {name: _scale(structure, changed) for name, changed in OTHER_SCALES.items()}
    return (
        term("Ψ0", "What does the prior of the covariances add to the scatter?", _scale(structure), scales),
        SHRINKAGE,
        term(own_name, OF_DEGREES, degrees(own), named),
    )
