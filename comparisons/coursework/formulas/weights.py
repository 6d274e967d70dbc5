"""The M-step's weights, and what goes wrong in them; HINT and the prior's counts are those of MAP.

::

    π_k = (N_k + a_k - 1) / (n + Σa - K)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.coursework.formulas.estimates import SHARE, TEXTS, mixed
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import hard
from comparisons.coursework.formulas.slots import Formula, Slot, term
from models.validation import Array

OF_WEIGHTS = Slot(
    "divisor of the weights",
    lambda s, p: float(p.n),
    {
        "not divided by n": lambda s, p: 1.0,
        "divided by n - 1": lambda s, p: p.n - 1,
        "divided by K": lambda s, p: p.K,
        "divided by D": lambda s, p: p.D,
        "divided by n K": lambda s, p: p.n * p.K,
        "divided by n D": lambda s, p: p.n * p.D,
        "divided by n squared": lambda s, p: p.n**2,
        "divided by the shares' own sum": lambda s, p: s.sum(),
        "divided by the length of N": lambda s, p: np.linalg.norm(p.r.sum(axis=0)),
        "divided by the largest N": lambda s, p: p.r.sum(axis=0).max(),
        "divided by n + K": lambda s, p: p.n + p.K,
        "divided by n - K": lambda s, p: p.n - p.K,
        "divided by n + 1": lambda s, p: p.n + 1,
        "divided by the number of hard assignments": lambda s, p: hard(p.r).sum(axis=0),
        "divided by the data's sum": lambda s, p: p.X.sum(),
    },
    TEXTS,
    apply=False,
    follows=("divided by the shares' own sum",),
)
AFTER_WEIGHTS = Slot(
    "after the weights",
    lambda a, p: a,
    {
        "all weights equal": lambda a, p: np.full(p.K, 1 / p.K),
        "old weights returned": lambda a, p: p.theta["weights"],
        "weights in reverse order": lambda a, p: a[::-1],
        "weights sorted": lambda a, p: np.sort(a),
        "weights sorted downwards": lambda a, p: np.sort(a)[::-1],
        "weights shifted by one": lambda a, p: np.roll(a, 1),
        "weights shifted back by one": lambda a, p: np.roll(a, -1),
        "log weights returned": lambda a, p: np.log(a),
        "softmax of the weights": lambda a, p: np.exp(a) / np.exp(a).sum(),
        "root of the weights": lambda a, p: np.sqrt(a),
        "weights squared": lambda a, p: a**2,
        "weights squared and normalised": lambda a, p: a**2 / (a**2).sum(),
        "roots of the weights, normalised": lambda a, p: np.sqrt(a) / np.sqrt(a).sum(),
        "1 - weights": lambda a, p: 1 - a,
        "one over the weights": lambda a, p: 1 / a,
        "product with the old weights": lambda a, p: a * p.theta["weights"],
        "product with the old weights, normalised": lambda a, p: (
            a * p.theta["weights"] / (a * p.theta["weights"]).sum()
        ),
        "last weight keeps the old value": lambda a, p: mixed(a, p.theta["weights"], -1),
        "first weight keeps the old value": lambda a, p: mixed(a, p.theta["weights"], 0),
        "last weight left at 0": lambda a, p: mixed(a, 0 * a, -1),
        "first weight left at 0": lambda a, p: mixed(a, 0 * a, 0),
        "mean with the old weights": lambda a, p: (a + p.theta["weights"]) / 2,
        "only the last weight by the sum to one": lambda a, p: np.append(np.zeros(p.K - 1), 1.0),
        "weights rounded": lambda a, p: np.round(a, 2),
        "geometric mean of responsibilities": lambda a, p: np.exp(np.log(p.r).mean(axis=0)),
        "largest responsibilities": lambda a, p: p.r.max(axis=0),
        "median of responsibilities": lambda a, p: np.median(p.r, axis=0),
        "cumulative weights": lambda a, p: np.cumsum(a),
        "first sample's responsibilities": lambda a, p: p.r[0],
        "last sample's responsibilities": lambda a, p: p.r[-1],
        "responsibilities summed over components": lambda a, p: p.r.sum(axis=1),
        "responsibilities summed over components, over n": lambda a, p: p.r.sum(axis=1) / p.n,
        "responsibilities averaged over components": lambda a, p: p.r.mean(axis=1),
    },
    TEXTS,
    apply=False,
)


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
        estimate = (share.sum(axis=0) + above) / (v["divisor of the weights"](share, p) + below)
        return np.asarray(v["after the weights"](estimate, p))

    def divisor(p: Problem) -> Any:
        return p.n + pseudo_weights(p).sum()

    text = "π_k = (N_k + a_k - 1) / (n + Σa - K)" if prior else "π_k = N_k / n,  N_k = Σ_i r_ik"
    return Formula("weights", text, (SHARE, OF_WEIGHTS, AFTER_WEIGHTS), combine, divisor=divisor, pseudo=pseudo)
