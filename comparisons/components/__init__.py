"""Compare numbers of components K by EM's criteria, by cross-validation of the posterior, and by the evidence.

===========  =========================================================================================
BIC, ICL     of maximum likelihood (:func:`em.select`); smaller is better
elpd         leave-one-out cross-validation by Pareto-smoothed importance sampling (`arviz.loo`), of the
             likelihood with labels summed out, one value per row; larger is better
evidence     log p(X) by Chib's identity from Gibbs draws (:mod:`comparisons.evidence`) if the prior is
             conjugate, else by sequential Monte Carlo (:mod:`comparisons.evidence.smc`); larger is better
===========  =========================================================================================

The criteria answer different questions. BIC approximates -2 log p(X) under a prior worth one row. elpd is about the
density of a new row; it hardly falls when K grows, because superfluous components do little harm to it.

From the command line: ``python -m comparisons.components --data faithful --max-components 4``.
"""

from typing import TYPE_CHECKING, Literal

from models.lazy import on_demand

if TYPE_CHECKING:
    from comparisons.components.criteria import compare_components, pointwise_log_likelihood

Sampler = Literal["nuts", "gibbs"]
__all__ = ["Sampler", "compare_components", "pointwise_log_likelihood"]
__getattr__ = on_demand(__name__, dict.fromkeys(["compare_components", "pointwise_log_likelihood"], "criteria"))
