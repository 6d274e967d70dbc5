"""The M-step's weights, and what goes wrong in them; HINT and the prior's counts are those of MAP.

::

    π_k = (N_k + a_k - 1) / (n + Σa - K)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import term
from comparisons.coursework.formulas.estimates import CATALOGUE, SHARE
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula
from models.validation import Array

DIVISOR = CATALOGUE.slot(
    "divisor of the weights", lambda s, p: float(p.n), ("s",), follows=("divided by the shares' own sum",)
)
AFTER = CATALOGUE.slot("after the weights", lambda a, p: a, ("a",))


def pseudo_weights(p: Problem) -> Array:
    """Return a_k - 1, or 0 for maximum likelihood."""
    return np.zeros(p.K) if p.prior is None else np.broadcast_to(np.asarray(p.prior.concentration) - 1.0, p.K)


HINT = "What does the prior add to the counts, above and below the fraction bar?"
PSEUDO_WEIGHTS = term("a_k - 1", HINT, pseudo_weights, {"a_k": lambda p: pseudo_weights(p) + 1})
PSEUDO_TOTAL = term(
    "Σa - K",
    HINT,
    lambda p: pseudo_weights(p).sum(),
    {
        "Σa": lambda p: pseudo_weights(p).sum() + p.K,
        "Σa - 1": lambda p: pseudo_weights(p).sum() + p.K - 1,
        "a - 1 of one component": lambda p: pseudo_weights(p)[0],
        "a of one component": lambda p: pseudo_weights(p)[0] + 1,
        "K": lambda p: p.K,
    },
)


def weights_formula(prior: bool = False) -> Formula:
    """Return π_k = (N_k + a_k - 1) / (n + Σa - K), or without the prior's counts."""
    pseudo = (PSEUDO_WEIGHTS, PSEUDO_TOTAL) if prior else ()

    def combine(p: Problem, v: Mapping[str, Any]) -> Array:
        share, above, below = v["share"], 0.0, 0.0
        if prior:
            above, below = v[PSEUDO_WEIGHTS.name], v[PSEUDO_TOTAL.name]
        estimate = (share.sum(axis=0) + above) / (v[DIVISOR.name](share, p) + below)
        return np.asarray(v[AFTER.name](estimate, p))

    def divisor(p: Problem) -> Any:
        return p.n + pseudo_weights(p).sum()

    text = "π_k = (N_k + a_k - 1) / (n + Σa - K)" if prior else "π_k = N_k / n,  N_k = Σ_i r_ik"
    return Formula("weights", text, (SHARE, DIVISOR, AFTER), combine, divisor=divisor, pseudo=pseudo)
