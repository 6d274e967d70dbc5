"""The categorical mixture's formulas for coursework; probs are (K, D, L), as students write them.

::

    log p(x_i|k) = Σ_d log p_kd,x_id,    p_kdl = Σ_i r_ik [x_id = l] / N_k
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue, wrong_inputs
from comparisons.coursework.formulas.estimates import HINT, SHARE, after_of, quotient
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula, Slot
from models.validation import Array

LEVELS = 4


def one_hot(p: Problem) -> Array:
    """Return [x_id = l], shape (n, D, L)."""
    return np.eye(_levels(p))[p.X.astype(int)]


def chosen(p: Problem, probs: Array, shift: int = 0) -> Array:
    """Return p_kd,x_id, shape (n, K, D)."""
    codes = (p.X.astype(int) + shift) % probs.shape[2]
    return np.asarray(np.swapaxes(probs[:, np.arange(p.D), codes], 0, 1))


def counts(share: Array, T: Array) -> Array:
    """Return Σ_i s_ik [x_id = l], shape (K, D, L)."""
    return np.asarray(np.einsum("nk,ndl->kdl", share, T))


def _levels(p: Problem) -> int:
    return int(p.theta["probs"].shape[2])


def _chooser(p: Problem) -> Callable[..., Array]:
    return partial(chosen, p)


def _sizes(p: Problem) -> Array:
    return p.r.sum(axis=0)[:, None, None]


def _b(p: Problem) -> Array:
    """Return b of each item and level, shape (D, L); 1 for maximum likelihood."""
    shape = p.theta["probs"].shape[1:]
    b = np.ones(1) if p.prior is None else np.asarray(p.prior.pseudo_counts, dtype=float)
    return np.broadcast_to(b if b.size == 1 else np.reshape(b, shape), shape)


def total(values: Array) -> Array:
    """Return the sum over the levels, shape (..., 1)."""
    return np.asarray(values.sum(axis=-1, keepdims=True))


WORDS: dict[str, Callable[[Problem], Any]] = {"T": one_hot, "L": _levels, "chosen": _chooser, "N": _sizes, "b": _b}
CATALOGUE = Catalogue(__file__, WORDS, [counts, total])
ANSWER = CATALOGUE.slot("log p_x", lambda p: np.log(chosen(p, p.theta["probs"])))
INTERMEDIATES, SUMS = CATALOGUE.formulas("intermediates"), CATALOGUE.formulas("sums")
SWAPS = wrong_inputs(CATALOGUE.slot("inputs", lambda p: p), probs=("component", "item"), X=("sample", "item"))
DIVISOR = CATALOGUE.slot("divisor of the probs", lambda s, p: _sizes(p), ["s"], follows=("the shares' own sum",))
GENERAL = after_of("probs", {})
AFTER = Slot("after", GENERAL.right, CATALOGUE.rows("after", ["a"], GENERAL.wrong), apply=False)
ABOVE = CATALOGUE.term("b_l - 1", HINT, lambda p: _b(p) - 1)
BELOW = CATALOGUE.term("Σb - L", HINT, lambda p: total(_b(p) - 1))


def probs_formula(prior: bool = False) -> Formula:
    """Return p_kdl = (Σ_i r_ik [x_id = l] + b_l - 1) / (N_k + Σb - L)."""

    def sums(p: Problem, v: Mapping[str, Any]) -> tuple[Array, Any]:
        return counts(v["share"], one_hot(p)), v[DIVISOR.name](v["share"], p)

    text = "p_kdl = (Σ_i r_ik [x_id = l] + b_l - 1) / (N_k + Σb - L)" if prior else "p_kdl = Σ_i r_ik [x_id = l] / N_k"
    pseudo = (ABOVE, BELOW) if prior else ()
    return quotient("probs", text, (SHARE, DIVISOR, AFTER), sums, _sizes, AFTER, pseudo)


def as_cells(a: Array, p: Problem) -> Array:
    """Return probs (K, D, L) as (K, cells)."""
    return np.asarray(a).reshape(p.K, -1)


def of_cells(a: Array, p: Problem) -> Array:
    """Return probs (K, cells) as (K, D, L)."""
    if np.ndim(a) != 2:
        raise ValueError("no table of cells")
    return np.asarray(a).reshape(p.theta["probs"].shape)
