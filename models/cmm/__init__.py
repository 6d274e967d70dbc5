"""Categorical mixture model (CMM), which is latent class analysis.

Story
-----
Each sample x_i, a row of answers to D items, has a hidden label z_i, its class; given the class, answers are
independent::

    z_i ~ Categorical(π)                                      π (K,)       weights
    x_id | z_i = k ~ Categorical(p_kd1, ..., p_kdL)           p (K, C)     probs;   L_d levels, C = Σ_d L_d

The levels of an item have no order. With two levels everywhere this is the Bernoulli mixture (:mod:`models.bmm`).

Densities (all logarithms in nats, 0 log 0 = 0)
-----------------------------------------------
::

    component_log_prob   log p(x_i | z_i = k) = Σ_d Σ_l [x_id = l] log p_kdl
    log_likelihood       Σ_i log Σ_k π_k p(x_i | z_i = k)

A missing answer adds nothing to either. Not every such mixture is identifiable; a rank test
(:mod:`em.identifiability.rank_test`) finds those that are not.

Prior
-----
::

    π ~ Dirichlet(a),    p_kd ~ Dirichlet(b_d)

E-step
------
::

    r_ik = p(z_i = k | x_i) = π_k p(x_i | z_i = k) / Σ_j π_j p(x_i | z_i = j)

M-step
------
With N_k = Σ_i r_ik, and N_kd the same over samples that answered item d, maximum likelihood::

    π_k = N_k / n,    p_kdl = Σ_i r_ik [x_id = l] / N_kd

and MAP, the mode of the density of (π, p) under the prior::

    π_k = (N_k + a_k - 1) / (n + Σa - K)
    p_kdl = (Σ_i r_ik [x_id = l] + b_dl - 1) / (N_kd + Σ_l b_dl - L_d)

Where the code is: :mod:`models.cmm.levels` (labels and codes), :mod:`models.cmm.story` (the story and the densities in
PyMC), :mod:`models.cmm.prior`, :mod:`models.simulation`, and :mod:`em.cmm` (E-step and M-step, and what is reported
of latent classes).

References
----------
.. [1] Goodman (1974), Exploratory latent structure analysis, Biometrika 61, 215-231.
.. [2] Linzer & Lewis (2011), poLCA: an R package for polytomous variable latent class analysis, Journal of Statistical
   Software 42(10).
.. [3] Allman, Matias & Rhodes (2009), Identifiability of parameters in latent structure models with many observed
   variables, Annals of Statistics 37, 3099-3132.
"""

from models.cmm.parameters import CMMParameters
from models.cmm.prior import CMMPrior, draw_parameters
from models.lazy import builders_of
from models.simulation import simulate_without_sizes as simulate

__all__ = ["CMMParameters", "CMMPrior", "build_marginal_model", "build_model", "draw_parameters", "simulate"]
__getattr__ = builders_of(__name__)
