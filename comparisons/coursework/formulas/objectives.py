"""Log-likelihood and Q of log densities and log weights, with the mistakes in putting them together.

Each value of a slot is a function of log densities lp (n, K), log weights lw (K,) and the problem.
"""

import numpy as np

from comparisons.coursework.formulas.catalogue import INDEX, SUMS, Catalogue, wrong_indices
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import hard, log_sum, softmax
from comparisons.coursework.formulas.slots import Slot
from models.validation import Array

ELL = "ℓ(θ) = Σ_i log Σ_k π_k p(x_i|k)"
Q = "Q(θ, r) = Σ_ik r_ik (log π_k + log p(x_i|k))"
CATALOGUE = Catalogue(__file__, functions=(hard, log_sum, softmax))
AGGREGATE = CATALOGUE.slot("sum", lambda lp, lw, p: log_sum(lp + lw).sum(), ("lp", "lw"))
AVERAGE = CATALOGUE.slot("average", lambda lp, lw, p: float((p.r * (lp + lw)).sum()), ("lp", "lw"))
DENSITIES = wrong_indices(Slot("log densities", lambda lp, p: lp, apply=False), 0, "sample", INDEX | SUMS)
DENSITIES = wrong_indices(DENSITIES, 1, "component", INDEX | SUMS)
TOTALS = CATALOGUE.formulas("sums", ["lp", "lw"])


def sums_of(lp: Array, p: Problem) -> dict[str, float]:
    """Return sums that students add up to log-likelihoods and Q, by name."""
    lw = np.log(p.theta["weights"])
    return {name: float(formula(lp, lw, p)) for name, formula in TOTALS.items()}
