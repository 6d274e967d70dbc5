"""M-steps as ratios of sums weighted by responsibilities, with mistakes in numerator, divisor and the last step.

::

    θ_kd = (Σ_i r_ik T_d(x_i) + pseudo) / (Σ_i r_ik s_id + pseudo),    s the size of a cell, 1 for most families
    π_k = (N_k + a_k - 1) / (n + Σa - K)

`SHARE` is the slot of r_ik. A value of the divisor's slot is a function of the shares s (n, K), the sizes (n, p) and
the problem. A value of the last slot is a function of the estimate a (K, p) and the problem.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import INDEX, SUMS, Catalogue, wrong_indices
from comparisons.coursework.formulas.objectives import hard
from comparisons.coursework.formulas.problem import Problem, per_component
from comparisons.coursework.formulas.slots import Formula, Slot, Wrong
from models.validation import Array

OfProblem = Callable[[Problem], Array]


def mixed(new: Array, old: Array, k: int) -> Array:
    """Return new values with the old one in place k."""
    mixed = np.array(new)
    mixed[k] = old[k]
    return mixed


def _concentration(p: Problem) -> Array:
    """Return a_k, or 1 for maximum likelihood."""
    return np.broadcast_to(np.asarray(1.0 if p.prior is None else p.prior.concentration), p.K)


CATALOGUE = Catalogue(__file__, {"concentration": _concentration}, (hard, mixed, per_component))
SHARE = wrong_indices(CATALOGUE.slot("share", lambda p: p.r), 1, "component", INDEX | SUMS, "responsibilities")
SHARE = wrong_indices(SHARE, 0, "sample", INDEX, "responsibilities")


def _sum_of(name: str, s: Array, size: Array, p: Problem) -> Array:
    return np.asarray(SHARE.value(p, name).T @ size)


def _wrong_sums() -> dict[str, Wrong]:
    """Return sums of wrong responsibilities, as divisors."""
    hint = "By what is the weighted sum divided?"
    return {
        f"sum of {name}": Wrong(partial(_sum_of, name), hint, f"The divisor is the sum of {name}; N_k belongs there.")
        for name in SHARE.wrong
        if not name.endswith(("squared", "out", "rounded", "features"))
    }


DIVISOR = CATALOGUE.slot("divisor", lambda s, size, p: p.r.T @ size, ("s", "size"), follows=("the shares' own sum",))
DIVISOR = DIVISOR.extended(_wrong_sums())


def quotient(
    quantity: str,
    text: str,
    slots: tuple[Slot, ...],
    sums: Callable[[Problem, Mapping[str, Any]], tuple[Array, Any]],
    divisor: OfProblem,
    after: Slot,
    pseudo: tuple[Slot, ...],
) -> Formula:
    """Return a quotient of two sums with pseudo-counts above and below.

    Parameters
    ----------
    quantity, text : str
        Name, and the right formula.
    slots : tuple of Slot
        Its places.
    sums : callable
        From a problem and the values of the slots to the two sums.
    divisor : callable
        From a problem to the right sum below.
    after : Slot
        What is done to the quotient in the end.
    pseudo : tuple of Slot
        What a prior adds to numerator and divisor, or nothing.
    """

    def combine(p: Problem, v: Mapping[str, Any]) -> Array:
        above, below = sums(p, v)
        if pseudo:
            above, below = above + v[pseudo[0].name], below + v[pseudo[1].name]
        return np.asarray(v[after.name](above / below, p))

    def right_divisor(p: Problem) -> Any:
        return divisor(p) + (pseudo[1].right(p) if pseudo else 0.0)

    return Formula(quantity, text, slots, combine, divisor=right_divisor, pseudo=pseudo)


def ratio(
    quantity: str,
    text: str,
    numerator: Slot,
    size: OfProblem,
    after: Slot,
    pseudo: tuple[Slot, ...] = (),
) -> Formula:
    """Return Σ_i r_ik T(x_i) / Σ_i r_ik s_i, with pseudo-counts above and below.

    Parameters
    ----------
    quantity, text : str
        Name, and the right formula.
    numerator : Slot
        T(x), shape (n, p).
    size : callable
        From a problem to the sizes s (n, p).
    after : Slot
        What is done to the ratio in the end.
    pseudo : tuple of Slot
        What a prior adds to numerator and divisor, or nothing.
    """

    def sums(p: Problem, v: Mapping[str, Any]) -> tuple[Array, Any]:
        return v["share"].T @ v[numerator.name], v["divisor"](v["share"], size(p), p)

    slots = SHARE, DIVISOR, after, numerator
    return quotient(quantity, text, slots, sums, lambda p: p.r.T @ size(p), after, pseudo)


def _shares_of_cells(p: Problem) -> Array:
    """Return samples over the sizes of their cells, shape (n, D)."""
    return p.X / next((p.size(name) for name in ("n_trials", "exposure") if name in p.given), 1.0)


def after_of(quantity: str, extra: Mapping[str, Wrong]) -> Slot:
    """Return the last slot of an estimate (K, p); ``extra`` are the mistakes that a family adds."""
    generic = CATALOGUE.rows("after", ("a",), old=lambda p: p.theta[quantity], x=_shares_of_cells)
    return Slot("after", lambda a, p: a, {**generic, **extra}, apply=False)


HINT = "What does the prior add to the counts, above and below the fraction bar?"
AFTER_WEIGHTS = CATALOGUE.slot("after the weights", lambda a, p: a, ("a",))
DIVISOR_OF_WEIGHTS = CATALOGUE.slot(
    "divisor of the weights", lambda s, p: float(p.n), ("s",), follows=("divided by the shares' own sum",)
)
PSEUDO_WEIGHTS = CATALOGUE.term("a_k - 1", HINT, lambda p: _concentration(p) - 1)
PSEUDO_TOTAL = CATALOGUE.term("Σa - K", HINT, lambda p: float((_concentration(p) - 1).sum()))


def weights_formula(prior: bool = False) -> Formula:
    """Return π_k = (N_k + a_k - 1) / (n + Σa - K), or without the prior's counts."""
    pseudo = (PSEUDO_WEIGHTS, PSEUDO_TOTAL) if prior else ()

    def sums(p: Problem, v: Mapping[str, Any]) -> tuple[Array, Any]:
        return v["share"].sum(axis=0), v[DIVISOR_OF_WEIGHTS.name](v["share"], p)

    text = "π_k = (N_k + a_k - 1) / (n + Σa - K)" if prior else "π_k = N_k / n,  N_k = Σ_i r_ik"
    slots = DIVISOR_OF_WEIGHTS, AFTER_WEIGHTS, SHARE
    return quotient("weights", text, slots, sums, lambda p: np.asarray(p.n), AFTER_WEIGHTS, pseudo)
