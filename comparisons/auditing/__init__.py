"""Audit a mixture that any library fitted: whether it is a maximum of the likelihood, and its numbers are right.

`comparisons.audit` reads the parameters of the fit (:mod:`comparisons.auditing.libraries`), gives them to this
project's estimator (:mod:`comparisons.auditing.audited`), and answers these questions in this order:

===============  ========================================================================================
mixture          Do the weights sum to one? Are the covariances covariances, or precisions by mistake?
log-likelihood   What is it, in 60 digits where possible? How far is the reported one from it?
stationary       Does EM move from the fit? In nats, in standard errors; gradient times standard error.
best optimum     How many nats is it below the best optimum of our restarts, and which parameters differ?
components       Which are collapsed, nearly collapsed, empty, or identical to another one?
regularisation   How far did a prior, or a constant added to variances, move the parameters?
scores           Are log densities, probabilities and labels on X right?
criteria         Are BIC, AIC and the number of free parameters right?
identified       Do other parameters give the same distribution?
===============  ========================================================================================

Each answer is *right*, *warning*, *wrong* or *not applicable*.
"""
