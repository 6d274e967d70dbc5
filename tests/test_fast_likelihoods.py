"""The fast densities are the plain ones: natural parameters against whitening, distinct rows against all rows."""

import mpmath
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import get_mode
from pytensor.graph.fg import FunctionGraph
from pytensor.tensor.variable import TensorConstant
from random_mixtures import declared_density, random_bmm_prior, random_gmm
from scipy.special import logsumexp, softmax

from comparisons import compare
from comparisons.posterior import sample
from comparisons.posterior.densities import _value_and_gradient
from models import bmm, gmm
from models.bmm import BMMPrior
from models.distributions.mixture_likelihood import NARROW, MixtureLogLikelihood, MixtureLogProb, log_likelihood
from models.gmm import GMMPrior
from models.gmm.densities import log_mixture, log_mixture_by_rows
from models.story import distinct_rows


@pytest.mark.parametrize(
    ("structure", "offset"), [("full", 0.0), ("full", 1e6), ("tied", 0.0), ("diag", 1e6), ("spherical", 0.0)]
)
def test_natural_parameters_give_the_density_and_gradient_of_the_whitened_form(structure, offset):
    rng = np.random.default_rng(0)
    theta, X = random_gmm(3, 2, rng, structure), offset + 3 * rng.normal(size=(40, 2))
    values = [theta.weights, theta.means + offset, theta.covariances]
    inputs = [pt.tensor(shape=value.shape, dtype="float64") for value in values]
    x, origin = pt.constant(X), X.mean(axis=0)
    fast = log_mixture(x, *inputs, origin=origin, scale=X.std(axis=0), covariance_type=structure)
    seen = np.ones(X.shape, dtype=bool)
    plain = log_mixture_by_rows(x, *inputs, seen=seen, origin=origin, covariance_type=structure)
    outputs = [fast, *pt.grad(fast.sum(), inputs), plain, *pt.grad(plain.sum(), inputs)]
    found = pytensor.function(inputs, outputs, mode="FAST_COMPILE")(*values)
    for ours, expected in zip(found[:4], found[4:], strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_a_component_without_weight_takes_no_part(structure):
    rng = np.random.default_rng(0)
    theta, X = random_gmm(3, 2, rng, structure), rng.normal(size=(40, 2))
    values = [np.array([0.4, 0.0, 0.6]), theta.means, theta.covariances]
    two = [value if value.shape[0] != 3 else value[[0, 2]] for value in values]
    densities = []
    for point in (values, two):
        inputs = [pt.tensor(shape=value.shape, dtype="float64") for value in point]
        units = {"origin": X.mean(axis=0), "scale": X.std(axis=0)}
        density = log_mixture(pt.constant(X), *inputs, **units, covariance_type=structure)
        densities.append(pytensor.function(inputs, density, mode="FAST_COMPILE")(*point))
    np.testing.assert_allclose(*densities, rtol=1e-13)


@pytest.mark.parametrize(("scale", "natural", "whitened"), [(1.0, 1e-15, 1e-15), (1e-2, 1e-11, 1e-13)])
def test_digits_of_both_forms_against_fifty_digits(scale, natural, whitened):
    """At a hundredth, natural parameters lose (spread / cluster)² eps = 2e-12, whitening 2e-14."""
    rng = np.random.default_rng(0)
    theta = random_gmm(3, 2, rng)
    theta = gmm.GMMParameters(theta.weights, theta.means, theta.covariances * scale**2)
    X, _ = gmm.simulate(theta, 30, random_state=0)
    exact = fifty_digits(X, theta)
    for form, tolerance in [(False, natural), (True, whitened)]:
        density = declared_density(gmm.build_marginal_model(X, 3, None, whitened=form), ["x"])
        error = abs(density(theta.arrays()) - sum(exact)) / sum(map(abs, exact))
        assert error <= tolerance


# Every pair of a number of components and statistics, a number of rows, and rows that are counted or not.
SHAPES = [
    (K, T, n, (i + j) % 2 == 0)
    for i, (K, T) in enumerate([(1, 2), (3, 6), (4, NARROW)])
    for j, n in enumerate([1, 15, 100])
]


@pytest.mark.parametrize(("K", "T", "n", "counted"), SHAPES)
def test_log_likelihood_in_natural_parameters_has_the_statistics_of_an_m_step_for_gradient(K, T, n, counted):
    rng = np.random.default_rng(0)
    natural, statistics, base = 30 * rng.normal(size=(K, T)), rng.normal(size=(T, n)), rng.normal(size=n)
    which = rng.permutation(np.r_[np.arange(n), rng.integers(n, size=50)]) if counted else np.arange(n)
    statistics[0] = 1.0
    if K > 1:
        natural[0, 0] = -1e300  # a component whose weight is 0
    x = pt.matrix("x")
    log_prob = MixtureLogProb()(x, *map(pt.constant, (statistics, base, *([which] if counted else []))))
    compiled = _value_and_gradient([x], log_likelihood(log_prob), [(K, T)]).compile()
    *gradient, value = np.asarray(compiled(natural.ravel()))
    log_joint = (natural @ statistics)[:, which]
    rows = base[which] + logsumexp(log_joint, axis=0)
    assert value == pytest.approx(rows.sum(), rel=1e-13)
    expected = softmax(log_joint, axis=0) @ statistics.T[which]
    np.testing.assert_allclose(gradient, expected.ravel(), rtol=1e-11, atol=1e-12 * len(which))
    plain = pytensor.function([x], [log_prob, log_likelihood(log_prob)], mode="FAST_COMPILE")(natural)
    np.testing.assert_allclose(plain[0], rows, rtol=1e-12)
    assert value == pytest.approx(plain[1], rel=1e-13)


def test_a_sample_that_no_component_can_have_makes_the_likelihood_zero():
    x, statistics = pt.matrix("x"), np.array([[1.0, 1.0], [0.0, 1.0]])
    total = log_likelihood(MixtureLogProb()(x, pt.constant(statistics), np.zeros(1)))
    natural = np.array([[0.0, -1e300], [-1.0, -1e300]])
    assert pytensor.function([x], total, mode="FAST_COMPILE")(natural) == -np.inf
    assert np.asarray(_value_and_gradient([x], total, [(2, 2)]).compile()(natural.ravel()))[-1] == -np.inf


def test_log_densities_of_other_models_are_added_up():
    x = pt.vector("x")
    assert pytensor.function([x], log_likelihood(-(x**2)), mode="FAST_COMPILE")(np.arange(3.0)) == -5


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_nuts_sees_the_gaussian_mixture_in_natural_parameters(structure):
    X = np.random.default_rng(0).normal(size=(40, 2))
    prior = GMMPrior.weakly_informative(X, 3, covariance_type=structure)
    model = gmm.build_marginal_model(X, 3, prior, covariance_type=structure)
    (log_prob,) = model.logp(vars=model.observed_RVs, sum=False)
    (node,) = likelihoods([log_likelihood(log_prob)], model.value_vars)
    assert [variable.type.shape[1] for variable in node.inputs[:2]] == [node.inputs[1].type.shape[0], 40]
    assert isinstance(node.inputs[1], TensorConstant)


def likelihoods(outputs, inputs):
    graph = FunctionGraph(inputs, outputs, clone=True)
    get_mode("JAX").excluding("inline_ofg").optimizer.rewrite(graph)
    return [node for node in graph.apply_nodes if isinstance(node.op, MixtureLogLikelihood)]


def fifty_digits(X, theta):
    """Return log p(x_i | θ), D = 2, by mpmath, from the numbers as stored."""
    with mpmath.workdps(50):
        terms = []
        for x in X:
            density = mpmath.mpf(0)
            for weight, mean, covariance in zip(theta.weights, theta.means, theta.covariances, strict=True):
                matrix = mpmath.matrix(covariance.tolist())
                gap = mpmath.matrix([mpmath.mpf(a) - mpmath.mpf(b) for a, b in zip(x, mean, strict=True)])
                square = (gap.T * matrix**-1 * gap)[0]
                density += weight * mpmath.exp(-square / 2) / (2 * mpmath.pi * mpmath.sqrt(mpmath.det(matrix)))
            terms.append(mpmath.log(density))
        return terms


@pytest.mark.parametrize("trials", [1, [2, 30, 1, 3], np.arange(1, 401).reshape(100, 4)])
def test_distinct_rows_are_the_rows_and_keep_their_trials(trials):
    trials = np.broadcast_to(np.asarray(trials, dtype=float), (100, 4))
    X = np.random.default_rng(0).binomial(trials.astype(int), 0.5).astype(float)
    x, m, which = distinct_rows(X, trials)
    np.testing.assert_array_equal(x[which], X)
    np.testing.assert_array_equal(m[which], trials)
    assert len(x) == len({(*row, *of) for row, of in zip(X.tolist(), trials.tolist(), strict=True)})


def test_rows_too_wide_for_one_number_are_told_apart():
    X = np.random.default_rng(0).integers(0, 2, size=(50, 80)).astype(float)
    X = np.concatenate([X, X[::-1]])
    x, _, which = distinct_rows(X, np.ones_like(X))
    np.testing.assert_array_equal(x[which], X)
    assert len(x) == 50


def test_the_sum_over_rows_of_counts_never_touches_the_rows():
    """What NUTS sees has arrays as long as there are patterns; the pointwise values are as long as there are rows."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, size=(200, 3))
    model = bmm.build_marginal_model(X, 2, random_bmm_prior(2, 3, rng))
    (pointwise,) = model.logp(vars=[model["x"]], sum=False)
    total = log_likelihood(pointwise)
    graph = FunctionGraph(model.value_vars, [total], clone=True)
    get_mode("JAX").excluding("inline_ofg").optimizer.rewrite(graph)
    lengths = {length for node in graph.apply_nodes for v in node.inputs for length in v.type.shape}
    assert 200 not in lengths
    assert 8 in lengths
    values = {k: np.zeros(v.shape) for k, v in model.initial_point().items()}
    rows, added = model.compile_fn([pointwise, total], mode="FAST_COMPILE")(values)
    assert rows.shape == (200,)
    assert added == pytest.approx(rows.sum(), rel=1e-13)


def test_as_many_starts_as_chains_are_asked_for():
    with pytest.raises(ValueError, match="starts must be one point or 3, one for each chain, got 2"):
        sample(None, [{}, {}], draws=100, tune=100, chains=3, seed=0)


def test_a_start_on_the_edge_is_refused_by_name():
    model = bmm.build_marginal_model(np.array([[0, 1], [1, 1]]), 1, BMMPrior())
    with pytest.raises(ValueError, match="starts must lie inside the parameter space, got probs on its edge"):
        sample(model, {"weights": np.ones(1), "probs": np.array([[0.5, 1.0]])}, draws=10, tune=10, chains=1, seed=0)


def test_starts_are_restarts_or_a_single_one():
    with pytest.raises(ValueError, match="starts must be 'restarts' or 'single', got 'many'"):
        compare([[0.0], [1.0]], "gmm", 1, starts="many")
