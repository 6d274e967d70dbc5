"""Mixture models: each as parameters, a prior, a simulator and a PyMC model.

One package per family: :mod:`models.gmm` (Gaussian), :mod:`models.bmm` (Bernoulli and binomial), :mod:`models.pmm`
(Poisson), :mod:`models.cmm` (categorical). Importing a family does not import PyMC; using its ``build_model`` or
``build_marginal_model`` does.
"""
