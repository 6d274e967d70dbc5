"""PyMC's optimiser and EM find the same answer, and PyMC's gradient vanishes at EM's maximum likelihood."""

import warnings

import numpy as np
import pymc as pm
import pytest
from pymc.blocking import DictToArrayBijection
from pymc.initial_point import make_initial_point_fns_per_chain

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM
from models import bmm, gmm

STANDARD_ERRORS = 1e-5  # of the acceptance list: agreement, and gradient times one standard error in nats
ABSOLUTE = 1e-6  # of the acceptance list, on data of unit scale


def gaussian_case(D, kind="full", scales=None):
    rng = np.random.default_rng(D)
    root = 0.3 * rng.normal(size=(2, D, D))
    truth = gmm.GMMParameters(
        [0.4, 0.6], np.outer([1.0, -1.0], np.ones(D)), root @ np.swapaxes(root, 1, 2) + 0.2 * np.eye(D)
    )
    X = gmm.simulate(truth, 400, random_state=D)[0]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    settings = {"tol": 1e-12, "n_init": 3, "random_state": 0}
    settings["covariance_type"] = kind
    if scales is None:
        prior = gmm.GMMPrior.weakly_informative(X, 2, kind)
    else:
        prior = gmm.GMMIndependentPrior.weakly_informative(X, 2, kind, scales)
    return gmm.build_marginal_model, X, prior, GaussianMixtureEM, settings, {"covariance_type": kind}


def count_case(n_trials):
    rng = np.random.default_rng(n_trials)
    truth = bmm.BMMParameters([0.4, 0.6], rng.permuted(np.array([[0.2] * 5, [0.7] * 5]), axis=0))
    X = bmm.simulate(truth, 500, n_trials, random_state=0)[0]
    settings = {"tol": 1e-12, "n_init": 3, "random_state": 0}
    if n_trials == 1:
        return bmm.build_marginal_model, X, bmm.BMMPrior(), BernoulliMixtureEM, settings, {}
    settings["n_trials"] = n_trials
    return bmm.build_marginal_model, X, bmm.BMMPrior(), BinomialMixtureEM, settings, {"n_trials": n_trials}


CASES = {
    "gmm D=1": lambda: gaussian_case(1),
    "gmm D=5": lambda: gaussian_case(5),
    "tied": lambda: gaussian_case(2, "tied"),
    "diag": lambda: gaussian_case(2, "diag"),
    "spherical": lambda: gaussian_case(2, "spherical"),
    "bernoulli": lambda: count_case(1),
    "binomial": lambda: count_case(12),
}
INDEPENDENT_PRIORS = {
    "diag, half-normal": lambda: gaussian_case(2, "diag", "half-normal"),
    "spherical, inverse-gamma": lambda: gaussian_case(2, "spherical", "inverse-gamma"),
}


def moved_away(parameters):
    """Return a start well away from the answer in every variable, and on the same side of the label swap."""
    away = {name: np.array(array) for name, array in parameters.arrays().items()}
    away["weights"] = 0.5 * away["weights"] + 0.5 * np.array([0.75, 0.25])
    if "means" in away:
        away["means"] = away["means"] + 0.3
        away["covariances"] = 1.5 * away["covariances"]
    else:
        away["probs"] = 0.7 * away["probs"] + 0.15
    return away


def find_map(model, start, **compiled):
    """Run find_MAP to the floor of rounding, compiled on JAX or, which is quick to compile, by PyTensor's interpreter.

    L-BFGS-B says ABNORMAL when its line search can no longer see a gain above the rounding of the objective: that is as
    far as it can go, and the distance that the test measures is the judge.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The optimizer did not converge: ABNORMAL", UserWarning)
        return pm.find_MAP(
            model=model,
            initvals=start,
            jitter=False,
            return_inferencedata=True,
            progressbar=False,
            gtol=1e-10,
            ftol=1e-15,
            maxcor=30,
            **(compiled or {"compile_kwargs": {"mode": "FAST_COMPILE"}}),
        )


class Unconstrained:
    """A model's log density without Jacobian around declared values, as seen from the unconstrained vector."""

    def __init__(self, model, declared_values):
        [initial_point] = make_initial_point_fns_per_chain(
            model=model, overrides=declared_values, jitter_rvs=set(), chains=1
        )
        point = initial_point(0)
        self.raveled = DictToArrayBijection.map({value.name: point[value.name] for value in model.value_vars})
        self.at = self.raveled.data
        self.gradient_of_point = model.compile_dlogp(jacobian=False, mode="FAST_COMPILE")

    def gradient(self, vector):
        return np.asarray(self.gradient_of_point(DictToArrayBijection.rmap(self.raveled._replace(data=vector))))

    def covariance(self):
        """Return the inverse observed information: minus the inverse Hessian."""
        hessian = central_differences(self.gradient, self.at)
        return np.linalg.inv(-(hessian + hessian.T) / 2)


def central_differences(function, at, step=1e-5):
    """Return the Jacobian; its error, about step² and 1e-16 / step, matters not for standard errors."""
    return np.stack([(function(at + e) - function(at - e)) / (2 * step) for e in step * np.eye(len(at))], axis=1)


def standard_errors(fit, X):
    """Return the standard error of every declared quantity, by name; a covariance matrix is symmetric."""
    table = fit.uncertainty(X)
    errors = {name: np.empty_like(array) for name, array in fit.parameters_.arrays().items()}
    for name, array in errors.items():
        for at in np.ndindex(array.shape):
            upper = (*at[:-2], *sorted(at[-2:])) if array.shape[-2:] == (X.shape[1],) * 2 else at
            array[at] = table[f"{name}[{', '.join(map(str, upper))}]"]["standard_error"]
    return errors


@pytest.mark.parametrize("case", ["gmm D=5", "tied", *INDEPENDENT_PRIORS, "binomial"])
def test_find_map_and_map_em_find_the_same_parameters(case):
    build, X, prior, estimator, settings, options = (CASES | INDEPENDENT_PRIORS)[case]()
    em = estimator(2, prior=prior, **settings).fit(X)
    model, start = build(X, 2, prior, **options), moved_away(em.parameters_)
    pymc_map, errors = find_map(model, start)["posterior"], standard_errors(em, X)
    for name, expected in em.parameters_.arrays().items():
        assert (np.abs(start[name] - expected) > errors[name]).any(), "the start is not even one standard error away"
        gap = np.abs(pymc_map[name].values[0, 0] - expected)
        assert (gap <= STANDARD_ERRORS * errors[name]).all()
        assert (gap <= ABSOLUTE).all()


@pytest.mark.parametrize("case", ["gmm D=1", "bernoulli"])
def test_hessian_of_find_map_is_the_curvature_at_em_answer(case):
    """Second derivatives of the whole model compile on JAX, and are right."""
    build, X, prior, estimator, settings, options = CASES[case]()
    em = estimator(2, prior=prior, **settings).fit(X)
    model = build(X, 2, prior, **options)
    pymc_map = find_map(model, em.parameters_.arrays(), compute_hessian=True, backend="jax")
    covariance = Unconstrained(model, em.parameters_.arrays()).covariance()
    scale = np.sqrt(np.diag(covariance))
    # differences of the gradient: error about step² = 1e-10 times third derivatives of order n
    assert (np.abs(pymc_map["fit"]["covariance_matrix"].values - covariance) < 1e-5 * np.outer(scale, scale)).all()


@pytest.mark.parametrize("case", ["gmm D=1", "gmm D=5", "tied", "diag", "spherical", "bernoulli"])
def test_gradient_of_the_flat_model_vanishes_at_the_mle(case):
    build, X, _, estimator, settings, options = CASES[case]()
    em = estimator(2, **settings).fit(X)
    around = Unconstrained(build(X, 2, None, **options), em.parameters_.arrays())
    standard_error = np.sqrt(np.diag(around.covariance()))
    assert (np.abs(around.gradient(around.at)) * standard_error <= STANDARD_ERRORS).all()
    one_error_away = around.gradient(around.at + standard_error)
    assert (np.abs(one_error_away) * standard_error).max() > 0.1, "the gradient does not react"
