"""Poisson mixture model (PMM).

Story
-----
Each sample x_i, a row of counts of events, has a hidden label z_i; given the label its features are independent::

    z_i ~ Categorical(π)                        π (K,)     weights
    x_id | z_i = k ~ Poisson(e_id λ_kd)         λ (K, D)   rates;   e: exposure, 1 unless given

The exposure is what a count is counted over: years, kilometres, persons at risk. Rates are events per unit of it.

Densities (all logarithms in nats, 0 log 0 = 0)
-----------------------------------------------
::

    component_log_prob   log p(x_i | z_i = k) = Σ_d { x_id log λ_kd - e_id λ_kd + x_id log e_id - log x_id! }
    log_likelihood       Σ_i log Σ_k π_k p(x_i | z_i = k)

A missing cell adds nothing to either. Mixtures of Poisson distributions are identifiable up to the order of their
components, with one feature already [3]_.

Prior
-----
::

    π ~ Dirichlet(a),    λ_kd ~ Gamma(b_d, rate c_d)

E-step
------
::

    r_ik = p(z_i = k | x_i) = π_k p(x_i | z_i = k) / Σ_j π_j p(x_i | z_i = j)

M-step
------
With N_k = Σ_i r_ik, maximum likelihood::

    π_k = N_k / n,    λ_kd = Σ_i r_ik x_id / Σ_i r_ik e_id

and MAP, the mode of the density of (π, λ) under the prior::

    π_k = (N_k + a_k - 1) / (n + Σa - K)
    λ_kd = (Σ_i r_ik x_id + b_d - 1) / (Σ_i r_ik e_id + c_d)

Where the code is: :mod:`models.pmm.story` (the story and the densities in PyMC), :mod:`models.pmm.prior`,
:mod:`models.simulation`, and :mod:`em.pmm` (E-step and M-step).

References
----------
.. [1] McLachlan & Peel (2000), Finite Mixture Models, Wiley, chapter 5.
.. [2] Zucchini & MacDonald (2009), Hidden Markov Models for Time Series, Chapman & Hall, chapter 1.
.. [3] Teicher (1961), Identifiability of mixtures, Annals of Mathematical Statistics 32, 244-248.
"""

from models.lazy import builders_of
from models.pmm.parameters import PMMParameters
from models.pmm.prior import PMMPrior
from models.simulation import draw_parameters, simulate

__all__ = ["PMMParameters", "PMMPrior", "build_marginal_model", "build_model", "draw_parameters", "simulate"]
__getattr__ = builders_of(__name__)
