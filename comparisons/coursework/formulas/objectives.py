"""Log-likelihood and Q: how log densities and log weights are put together, and what goes wrong there.

Each value is a function of log densities lp (n, K), log weights lw (K,) and the problem.
"""

import numpy as np
from scipy.special import entr

from comparisons.coursework.formulas.catalogue import Catalogue
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import hard, log_sum, softmax
from models.validation import Array

ELL = "ℓ(θ) = Σ_i log Σ_k π_k p(x_i|k)"
Q = "Q(θ, r) = Σ_ik r_ik (log π_k + log p(x_i|k))"
CATALOGUE = Catalogue(__file__, functions=(hard, log_sum, softmax))
AGGREGATE = CATALOGUE.slot("sum", lambda lp, lw, p: log_sum(lp + lw).sum(), ("lp", "lw"))
AVERAGE = CATALOGUE.slot("average", lambda lp, lw, p: float((p.r * (lp + lw)).sum()), ("lp", "lw"))


def sums_of(lp: Array, p: Problem) -> dict[str, float]:
    """Return sums of which students put log-likelihoods and Q together, by name."""
    w = p.theta["weights"]
    lw = np.log(w)
    return {
        "Σ_ik r_ik log p(x_i|k)": (p.r * lp).sum(),
        "Σ_ik r_ik log π_k": (p.r * lw).sum(),
        "the entropy of r": entr(p.r).sum(),
        "the log-likelihood": log_sum(lp + lw).sum(),
        "the entropy of the function's own responsibilities": entr(softmax(lp + lw)).sum(),
        "n Σ_k π_k log π_k": p.n * (w * lw).sum(),
        "Σ_k log π_k": lw.sum(),
        "n Σ_k log π_k": p.n * lw.sum(),
        "Σ_ik log p(x_i|k)": lp.sum(),
        "Σ_ik π_k log p(x_i|k)": (w * lp).sum(),
        "n log K": p.n * np.log(p.K),
        "n D": p.n * p.D,
        "Σ_k N_k log N_k/n": (p.r.sum(axis=0) * np.log(p.r.mean(axis=0))).sum(),
    }
