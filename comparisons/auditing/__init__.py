"""Audit a fitted mixture of anybody's: whether it is what it is said to be, and its numbers are right.

`comparisons.audit` reads the parameters out of the fit (:mod:`comparisons.auditing.libraries`), puts them in the hands
of this project's own estimator (:mod:`comparisons.auditing.standing`), and asks in this order

===============  ==================================================================================
mixture          do the weights sum to one, are the covariances covariances, or precisions by mistake
log-likelihood   what it is, in 60 digits where that is possible, and how far from what was reported
stationary       gradient times standard error; nats and standard errors that EM still moves from there
best optimum     how many nats below the best optimum of our restarts, and what differs there
components       collapsed, nearly collapsed, empty, or two that are the same
regularisation   what a constant added to variances, or a prior, moved
scores           log densities, probabilities and labels on X
criteria         BIC, AIC and the number of free parameters
identified       whether other parameters give the same distribution
===============  ==================================================================================

and each line is *right*, *warning*, *wrong* or *not applicable*.
"""
