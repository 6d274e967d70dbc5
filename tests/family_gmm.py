"""The Gaussian rows of the table that contract tests run over."""

import numpy as np
from contract import Family, no_prior
from scipy.optimize import brentq
from scipy.stats import multivariate_normal

from em import GaussianMixtureEM, gmm
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior, simulate
from models.gmm.structures import COVARIANCE_TYPES

MATRICES = ("full", "tied")


def gaussian_prior(kind):
    def prior(K, D):
        scale = {"diag": np.linspace(0.7, 1.3, D), "spherical": 0.9}.get(kind, 0.8 * np.eye(D) + 0.2)
        return GMMPrior(1.7, np.linspace(-1, 1, D), 0.3, D + 2.5, scale, kind)

    return prior


def gaussian_parameters(kind):
    def parameters(rng, K, D):
        roots = 0.4 * rng.normal(size=(K, D, D)) + np.eye(D)
        matrices = roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(D)  # condition number under 100 or so
        variances = np.diagonal(matrices, axis1=1, axis2=2)
        covariances = {"full": matrices, "tied": matrices[0], "diag": variances, "spherical": variances[:, 0]}[kind]
        return GMMParameters(rng.dirichlet(np.full(K, 5.0)), 2 * rng.normal(size=(K, D)), covariances, kind)

    return parameters


def gaussian_known(kind):
    """Return the closed form: means by component, and scatter matrices reduced to what the structure keeps."""

    def known(groups, prior):
        D = groups[0].shape[1]
        counts = np.array([len(X) for X in groups], dtype=float)
        averages = np.array([X.mean(axis=0) for X in groups])
        scatters = np.array([sum(np.outer(x - m, x - m) for x in X) for X, m in zip(groups, averages, strict=True)])
        if prior is None:
            means, scale, extra = averages, np.zeros(()), {"full": 0, "tied": 0, "diag": 0, "spherical": 0}[kind]
        else:
            kappa, gap = prior.mean_precision, averages - prior.mean
            means = (kappa * prior.mean + counts[:, None] * averages) / (kappa + counts)[:, None]
            pull = kappa * counts / (kappa + counts)
            scatters = scatters + pull[:, None, None] * gap[:, :, None] * gap[:, None, :]
            K, scale = len(groups), prior.scale
            extra = prior.degrees_of_freedom + {"full": D + 2, "tied": D + 1 + K, "diag": 3, "spherical": D + 2}[kind]
        if kind == "full":
            covariances = (scale + scatters) / (counts + extra)[:, None, None]
        elif kind == "tied":
            covariances = (scale + scatters.sum(axis=0)) / (counts.sum() + extra)
        elif kind == "diag":
            covariances = (scale + np.diagonal(scatters, axis1=1, axis2=2)) / (counts + extra)[:, None]
        else:
            covariances = (scale + np.trace(scatters, axis1=1, axis2=2)) / (D * counts + extra)
        return {"means": means, "covariances": covariances}

    return known


def independent_prior(kind, variance_shape):
    def prior(K, D):
        scale = 0.9 if kind == "spherical" else np.linspace(0.7, 1.3, D)
        return GMMIndependentPrior(
            1.7, np.linspace(-1, 1, D), np.linspace(1.5, 2.5, D), scale, variance_shape, 2.0, kind
        )

    return prior


def independent_known(groups, prior):
    """Return the joint mode: the root of the derivative in each variance v, with the means at their mode given v."""
    K, D = len(groups), groups[0].shape[1]
    owners = [range(D)] if prior.covariance_type == "spherical" else [[d] for d in range(D)]  # features of each v
    means, variances = np.empty((K, D)), np.empty((K, len(owners)))

    def means_given(v, X, of):
        precision = len(X) / v + 1 / prior.mean_sd[of] ** 2
        return (X[:, of].sum(axis=0) / v + prior.mean[of] / prior.mean_sd[of] ** 2) / precision

    def slope(v, X, of, scale):
        """The derivative of log likelihood plus log prior in v, times 2 v²."""
        squares = ((X[:, of] - means_given(v, X, of)) ** 2).sum() - X[:, of].size * v
        if prior.variance_shape is None:
            return squares - v - v**2 / scale**2
        return squares - 2 * (prior.variance_shape + 1) * v + 2 * scale

    for k, X in enumerate(groups):
        for j, features in enumerate(owners):
            of = np.array(features)
            arguments = X, of, np.broadcast_to(prior.scale, len(owners))[j]
            variances[k, j] = brentq(slope, 1e-6, 1e4, args=arguments, xtol=1e-15, rtol=1e-15)
            means[k, of] = means_given(variances[k, j], X, of)
    return {"means": means, "covariances": variances[:, 0] if prior.covariance_type == "spherical" else variances}


def gaussian_log_prob(x, parameters, k):
    D, kind = len(x), parameters.covariance_type
    own = parameters.covariances if kind == "tied" else parameters.covariances[k]
    matrix = own if kind in MATRICES else np.diag(np.full(D, own) if kind == "spherical" else own)
    return multivariate_normal(parameters.means[k], matrix).logpdf(x)


def gaussian_to_vector(parameters):
    if parameters.covariance_type not in MATRICES:
        return np.concatenate([parameters.means.ravel(), np.log(parameters.covariances).ravel()])
    rows, columns = np.tril_indices(parameters.n_features)
    roots = np.linalg.cholesky(parameters.covariances)[..., rows, columns]
    roots[..., rows == columns] = np.log(roots[..., rows == columns])
    return np.concatenate([parameters.means.ravel(), roots.ravel()])


def gaussian_from_vector(kind):
    def from_vector(weights, vector, K, D):
        means, rest = vector[: K * D].reshape(K, D), vector[K * D :]
        if kind not in MATRICES:
            return GMMParameters(weights, means, np.exp(rest.reshape((K, D) if kind == "diag" else K)), kind)
        rows, columns = np.tril_indices(D)
        entries = rest.reshape(-1, len(rows)).copy()
        entries[:, rows == columns] = np.exp(entries[:, rows == columns])
        roots = np.zeros((len(entries), D, D))
        roots[:, rows, columns] = entries
        matrices = roots @ roots.transpose(0, 2, 1)
        return GMMParameters(weights, means, matrices if kind == "full" else matrices[0], kind)

    return from_vector


def gaussian(kind):
    return {
        "steps": gmm,
        "estimator": GaussianMixtureEM,
        "parameters": gaussian_parameters(kind),
        "simulate": lambda parameters, n, rng: simulate(parameters, n, rng)[0],
        "known": gaussian_known(kind),
        "log_prob": gaussian_log_prob,
        "to_vector": gaussian_to_vector,
        "from_vector": gaussian_from_vector(kind),
        "n_free": {"full": 11, "tied": 8, "diag": 9, "spherical": 7}[kind],
        "expected": lambda parameters: parameters.means,
        "structure": {"covariance_type": kind},
    }


ROWS = [
    *(Family(name=f"{kind}-ML", prior=no_prior, **gaussian(kind)) for kind in COVARIANCE_TYPES),
    *(Family(name=f"{kind}-MAP", prior=gaussian_prior(kind), **gaussian(kind)) for kind in COVARIANCE_TYPES),
    *(
        Family(name=name, prior=independent_prior(kind, shape), **gaussian(kind) | {"known": independent_known})
        for name, kind, shape in [("diag-half-normal", "diag", None), ("spherical-inverse-gamma", "spherical", 1.5)]
    ),
]
