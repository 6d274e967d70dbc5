"""The M-step's weights with their mistakes; HINT and the prior's counts are those of MAP.

::

    π_k = (N_k + a_k - 1) / (n + Σa - K)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue
from comparisons.coursework.formulas.estimates import CATALOGUE, SHARE, quotient
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula
from models.validation import Array

DIVISOR = CATALOGUE.slot(
    "divisor of the weights", lambda s, p: float(p.n), ("s",), follows=("divided by the shares' own sum",)
)
AFTER = CATALOGUE.slot("after the weights", lambda a, p: a, ("a",))


def _concentration(p: Problem) -> Array:
    """Return a_k, or 1 for maximum likelihood."""
    return np.broadcast_to(np.asarray(1.0 if p.prior is None else p.prior.concentration), p.K)


HINT = "What does the prior add to the counts, above and below the fraction bar?"
OF_PRIOR = Catalogue(__file__, {"a": _concentration})
PSEUDO_WEIGHTS = OF_PRIOR.term("a_k - 1", HINT, lambda p: _concentration(p) - 1)
PSEUDO_TOTAL = OF_PRIOR.term("Σa - K", HINT, lambda p: float((_concentration(p) - 1).sum()))


def weights_formula(prior: bool = False) -> Formula:
    """Return π_k = (N_k + a_k - 1) / (n + Σa - K), or without the prior's counts."""
    pseudo = (PSEUDO_WEIGHTS, PSEUDO_TOTAL) if prior else ()

    def sums(p: Problem, v: Mapping[str, Any]) -> tuple[Array, Any]:
        return v["share"].sum(axis=0), v[DIVISOR.name](v["share"], p)

    text = "π_k = (N_k + a_k - 1) / (n + Σa - K)" if prior else "π_k = N_k / n,  N_k = Σ_i r_ik"
    return quotient("weights", text, (DIVISOR, AFTER, SHARE), sums, lambda p: np.asarray(p.n), AFTER, pseudo)
