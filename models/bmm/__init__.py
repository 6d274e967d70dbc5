"""Bernoulli mixture model and its binomial sibling (BMM).

Story
-----
Each sample x_i, a row of 0/1 answers or of success counts, has a hidden label z_i; given the label its features are
independent::

    z_i ~ Categorical(π)                                  π (K,)     weights
    x_id | z_i = k ~ Binomial(m_id, p_kd)                 p (K, D)   probs;   m: n_trials, 1 for Bernoulli

The tutorial's coins are the simplest case: pick coin k with probability π_k, flip it m times. Also known as latent
class analysis.

Densities (all logarithms in nats, 0 log 0 = 0)
-----------------------------------------------
::

    component_log_prob   log p(x_i | z_i = k) = Σ_d { log C(m_id, x_id) + x_id log p_kd + (m_id - x_id) log(1 - p_kd) }
    log_likelihood       Σ_i log Σ_k π_k p(x_i | z_i = k)

Not every such mixture is identifiable: with one flip per coin (D = 1, m = 1) only Σ_k π_k p_k is. A rank test in
:mod:`em.identifiability.rank_test` finds such mixtures.

Prior
-----
::

    π ~ Dirichlet(a),    p_kd ~ Beta(b_d, c_d)

E-step
------
::

    r_ik = p(z_i = k | x_i) = π_k p(x_i | z_i = k) / Σ_j π_j p(x_i | z_i = j)

M-step
------
With N_k = Σ_i r_ik, maximum likelihood::

    π_k = N_k / n,    p_kd = Σ_i r_ik x_id / Σ_i r_ik m_id

and MAP, the mode of the density of (π, p) under the prior::

    π_k = (N_k + a_k - 1) / (n + Σa - K)
    p_kd = (Σ_i r_ik x_id + b_d - 1) / (Σ_i r_ik m_id + b_d + c_d - 2)

Where the code is: :mod:`models.bmm.story` (the story and the densities in PyMC), :mod:`models.bmm.prior`,
:mod:`models.simulation`, and :mod:`em.bmm` (E-step and M-step).

References
----------
.. [1] Bishop (2006), Pattern Recognition and Machine Learning, Springer, section 9.3.3.
.. [2] McLachlan & Peel (2000), Finite Mixture Models, Wiley.
.. [3] Allman, Matias & Rhodes (2009), Identifiability of parameters in latent structure models with many observed
   variables, Annals of Statistics 37, 3099-3132.
"""

from models.bmm.parameters import BMMParameters
from models.bmm.prior import BMMPrior
from models.lazy import builders_of
from models.simulation import draw_parameters, simulate

__all__ = ["BMMParameters", "BMMPrior", "build_marginal_model", "build_model", "draw_parameters", "simulate"]
__getattr__ = builders_of(__name__)
