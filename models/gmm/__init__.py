"""Gaussian mixture model (GMM).

Story
-----
Each sample x_i in R^D has a hidden label z_i, and is drawn from the normal distribution of its label's component::

    z_i ~ Categorical(π)                              π (K,)       weights
    x_i | z_i = k ~ Normal(μ_k, Σ_k)                  μ (K, D)     means,  Σ (K, D, D) covariances

Densities (all logarithms in nats)
----------------------------------
::

    component_log_prob   log p(x_i | z_i = k) = -D/2 log 2π - 1/2 log|Σ_k| - 1/2 (x_i - μ_k)' Σ_k⁻¹ (x_i - μ_k)
    log_likelihood       Σ_i log Σ_k π_k p(x_i | z_i = k)

The likelihood is unbounded, because a component may collapse onto one sample. So maximum likelihood means the best
interior maximum: restarts that collapsed are counted and never ranked.

Prior
-----
::

    π ~ Dirichlet(a),    Σ_k ~ InverseWishart(ν0, Ψ0),    μ_k | Σ_k ~ Normal(m0, Σ_k / κ0)

Another prior, whose means do not depend on the covariances, is in :mod:`models.gmm.independent_prior`, and its M-step
in :mod:`em.gmm.conditional_modes`.

E-step
------
::

    r_ik = p(z_i = k | x_i) = π_k p(x_i | z_i = k) / Σ_j π_j p(x_i | z_i = j)

M-step
------
With N_k = Σ_i r_ik, x̄_k = Σ_i r_ik x_i / N_k and S_k = Σ_i r_ik (x_i - x̄_k)(x_i - x̄_k)', maximum likelihood::

    π_k = N_k / n,    μ_k = x̄_k,    Σ_k = S_k / N_k

and MAP, the joint mode of the density of (π, μ, Σ) under the prior::

    π_k = (N_k + a_k - 1) / (n + Σa - K)
    μ_k = (κ0 m0 + N_k x̄_k) / (κ0 + N_k)
    Σ_k = (Ψ0 + S_k + κ0 N_k / (κ0 + N_k) (x̄_k - m0)(x̄_k - m0)') / (ν0 + N_k + D + 2)

Structures of the covariances
-----------------------------
"full" is the above. With A_k = S_k + κ0 N_k / (κ0 + N_k) (x̄_k - m0)(x̄_k - m0)' the others are::

    tied       Σ ~ InverseWishart(ν0, Ψ0)
               ML  Σ_k S_k / n          MAP  (Ψ0 + Σ_k A_k) / (ν0 + n + D + 1 + K)
    diag       σ²_kd ~ InverseGamma(ν0 / 2, ψ0_d / 2)
               ML  S_k,dd / N_k         MAP  (ψ0_d + A_k,dd) / (ν0 + N_k + 3)
    spherical  σ²_k ~ InverseGamma(ν0 / 2, ψ0 / 2)
               ML  tr S_k / (D N_k)     MAP  (ψ0 + tr A_k) / (ν0 + D N_k + D + 2)

Missing cells
-------------
If only the features o of a sample were observed (missing at random), its likelihood is that of this part,
Normal(x_o | μ_k,o, Σ_k,oo), in both PyMC models as in EM. EM's expected moments of the missing cells are in
:mod:`em.gmm.missing`.

Where the code is: :mod:`models.gmm.story` (the story and the densities in PyMC), :mod:`models.gmm.prior`,
:mod:`models.gmm.simulation`, and :mod:`em.gmm` (E-step and M-step).

References
----------
.. [1] Dempster, Laird & Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm, JRSS B 39, 1-38.
.. [2] McLachlan & Peel (2000), Finite Mixture Models, Wiley, chapter 3.
.. [3] Fraley & Raftery (2007), Bayesian regularization for normal mixture estimation and model-based clustering,
   Journal of Classification 24, 155-181.
.. [4] Bishop (2006), Pattern Recognition and Machine Learning, Springer, chapter 9.
"""

from models.gmm.independent_prior import GMMIndependentPrior
from models.gmm.parameters import GMMParameters
from models.gmm.prior import GMMPrior
from models.gmm.simulation import draw_parameters
from models.lazy import builders_of
from models.simulation import simulate_without_sizes as simulate

__all__ = ["GMMIndependentPrior", "GMMParameters", "GMMPrior"]
__all__ += ["build_marginal_model", "build_model", "draw_parameters", "simulate"]
__getattr__ = builders_of(__name__)
