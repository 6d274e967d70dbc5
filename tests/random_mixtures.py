"""Random mixtures, and PyMC models as plain functions of their declared variables: what the model tests share."""

from itertools import product

import numpy as np
import pytensor
import pytensor.tensor as pt
from pymc.model.transform.conditioning import remove_value_transforms
from pytensor.compile.mode import Mode
from pytensor.graph.replace import vectorize_graph

from models.bmm import BMMParameters, BMMPrior
from models.cmm import CMMParameters, CMMPrior
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.pmm import PMMParameters, PMMPrior


def random_gmm(K, D, rng, kind="full"):
    """Weights from a Dirichlet, means a few standard deviations apart, covariances with any correlation."""
    root = rng.normal(size=(K, D, D))
    matrices = root @ np.swapaxes(root, 1, 2) + 0.1 * np.eye(D)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    covariances = {"full": matrices, "tied": matrices[0], "diag": variances, "spherical": variances[:, 0]}[kind]
    return GMMParameters(rng.dirichlet(np.ones(K)), 2 * rng.normal(size=(K, D)), covariances, kind)


def random_gmm_prior(K, D, rng, kind="full"):
    """Every hyperparameter away from its default, degrees of freedom not whole, component weights not alike."""
    root = rng.normal(size=(D, D))
    matrix = root @ root.T + 0.1 * np.eye(D)
    return GMMPrior(
        concentration=1 + rng.gamma(2.0, size=K),
        mean=rng.normal(size=D),
        mean_precision=rng.gamma(2.0),
        degrees_of_freedom=D - 1 + 0.1 + rng.gamma(2.0),
        scale={"diag": np.diag(matrix), "spherical": matrix[0, 0]}.get(kind, matrix),
        covariance_type=kind,
    )


def random_independent_prior(K, D, rng, kind="full", scales="half-normal"):
    """Every hyperparameter away from its default, features and component weights not alike."""
    return GMMIndependentPrior(
        concentration=1 + rng.gamma(2.0, size=K),
        mean=rng.normal(size=D),
        mean_sd=0.5 + rng.gamma(2.0, size=D),
        scale=0.5 + rng.gamma(2.0, size=() if kind == "spherical" else D),
        variance_shape=None if scales == "half-normal" else 0.5 + rng.gamma(2.0),
        correlation_shape=0.5 + rng.gamma(2.0),
        covariance_type=kind,
    )


def random_bmm(K, D, rng):
    """Weights from a Dirichlet, probs uniform."""
    return BMMParameters(rng.dirichlet(np.ones(K)), rng.uniform(size=(K, D)))


def random_bmm_prior(K, D, rng):
    """Every hyperparameter away from its default, features and component weights not alike."""
    return BMMPrior(1 + rng.gamma(2.0, size=K), 1 + rng.gamma(2.0, size=D), 1 + rng.gamma(2.0, size=D))


def random_pmm(K, D, rng):
    """Weights from a Dirichlet, rates of a few events."""
    return PMMParameters(rng.dirichlet(np.ones(K)), rng.gamma(2.0, 2.0, size=(K, D)))


def random_pmm_prior(K, D, rng):
    """Every hyperparameter away from its default, features and component weights not alike."""
    return PMMPrior(1 + rng.gamma(2.0, size=K), 1 + rng.gamma(2.0, size=D), rng.gamma(2.0, size=D))


def random_cmm(K, levels, rng):
    """Weights and the probs of each item from a Dirichlet."""
    probs = np.hstack([rng.dirichlet(np.ones(L), size=K) for L in levels])
    return CMMParameters(rng.dirichlet(np.ones(K)), probs, levels)


def random_cmm_prior(K, levels, rng):
    """Every hyperparameter away from its default, levels and component weights not alike."""
    return CMMPrior(1 + rng.gamma(2.0, size=K), 1 + rng.gamma(2.0, size=sum(levels)))


NUMPY = Mode(linker="py", optimizer=None)  # as the graph is written: nothing is rewritten


def declared_density(model, variables):
    """Compile the log density of ``variables`` as a function of all declared values: no transform, no Jacobian."""
    declared = remove_value_transforms(model)
    log_density = declared.logp(vars=[declared[name] for name in variables], jacobian=False)
    return declared.compile_fn(log_density, inputs=declared.value_vars, on_unused_input="ignore", mode=NUMPY)


def joint_density_of_labels(model):
    """Compile log p(x, z, θ) of a model with latent z as a function of θ and many label vectors (m, n): shape (m,)."""
    declared = remove_value_transforms(model)
    z, theta = declared.rvs_to_values[declared["z"]], [v for v in declared.value_vars if v.name != "z"]
    many = pt.matrix("many", dtype=z.dtype)
    log_density = vectorize_graph(declared.logp(jacobian=False), {z: many})
    compiled = pytensor.function([*theta, many], log_density, mode=NUMPY)
    return lambda parameters, labels: compiled(*[parameters.arrays()[v.name] for v in theta], labels)


def all_labellings(K, n):
    """Every one of the K^n label vectors, shape (K^n, n)."""
    return np.array(list(product(range(K), repeat=n)))
