"""Fits of other libraries with known faults, and stand-ins for classes of libraries that need not be installed."""

import warnings
from functools import cache

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from comparisons.data import load

X = load("faithful").X
WHOLE = (10 * X).round().astype(int)
PRECISE = {"tol": 1e-12, "reg_covar": 0.0, "max_iter": 5000, "random_state": 0}


def blobs(n=200, K=3, D=2, seed=0, spread=4.0):
    rng = np.random.RandomState(seed)
    means, z = spread * rng.normal(size=(K, D)), rng.randint(K, size=n)
    return means[z] + rng.normal(size=(n, D))


def quietly_fitted(estimator, X):
    """Fit, and expect that scikit-learn warns of what is wrong on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X)


@cache
def right(K=2, kind="full"):
    return GaussianMixture(K, covariance_type=kind, n_init=5, **PRECISE).fit(X)


def arrays(fit, **changed):
    return {"weights": fit.weights_, "means": fit.means_, "covariances": fit.covariances_, **changed}


def edited(**changed):
    """Return the right fit with attributes that somebody changed by hand."""
    fit = GaussianMixture(2, **PRECISE).fit(X)
    for name, value in changed.items():
        setattr(fit, name, value)
    return fit


def at_a_saddle():
    """Two components that start alike stay alike."""
    start = {"weights_init": [0.5, 0.5], "means_init": np.tile(X.mean(axis=0), (2, 1))}
    start |= {"precisions_init": np.tile(np.linalg.inv(np.cov(X.T)), (2, 1, 1))}
    return GaussianMixture(2, **PRECISE, **start).fit(X)


def at_a_local_optimum():
    """Two components share a cloud, and one has two clouds, because they start so."""
    Y = np.concatenate([blobs(60, 1, 2, seed) + center for seed, center in enumerate([0, 12, 24])])
    start = Y[[0, 30, 90]]  # two in the first cloud, one in the second
    return GaussianMixture(3, means_init=start, covariance_type="spherical", **PRECISE).fit(Y), Y


class _StandIn:
    """Has the attributes and methods that an adapter reads, and nothing else."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


def stand_in(library, name, **attributes):
    """Return an object of a class that calls itself one of a library's."""
    return type(name, (_StandIn,), {"__module__": library})(**attributes)


def bayesian(**settings):
    return quietly_fitted(BayesianGaussianMixture(n_components=2, random_state=0, **settings), X)
