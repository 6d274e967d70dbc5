"""Louis' identity against numerical second differences, PyMC's Hessian, closed forms, and each free direction named."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
import reference_data
from pymc.model.transform.conditioning import remove_value_transforms
from pymc.sampling.jax import get_jaxified_graph
from random_mixtures import random_bmm_prior, random_gmm, random_gmm_prior, random_independent_prior
from scipy.special import logsumexp
from scipy.stats import binom

import em.bmm
import em.gmm
from em import BernoulliMixtureEM, GaussianMixtureEM, NotIdentifiableWarning, PoissonMixtureEM
from em.bmm import BINOMIAL
from em.gmm.information import information_of
from em.samples import Samples
from em.status import left_to_the_status
from em.uncertainty.entries import entries_of
from em.uncertainty.independent import complete_data, log_prior_slopes
from em.uncertainty.louis import labelled_sums, louis
from models import bmm, gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior
from models.gmm.independent_prior import SCALES
from models.gmm.structures import COVARIANCE_TYPES
from models.pmm import PMMPrior

TO_PYMC = 1e-8  # of the acceptance list, scaled by the diagonal
TO_DIFFERENCES = 2e-4  # steps of 3e-4: a rounding of 1e-14 of 1e2 nats makes 1e-5 of the largest entries
WEIGHT_OF_ROWS = np.array([1.0, 2.0, 3.0])


def bmm_information(X, parameters, prior=None, n_trials=1, sample_weight=None):
    rows = BINOMIAL.rows(X, n_trials)
    w = np.ones(len(rows)) if sample_weight is None else sample_weight
    entries = entries_of(parameters, w.sum())
    slopes = None if prior is None else log_prior_slopes(BINOMIAL, parameters, prior, entries)
    return louis(entries, labelled_sums(entries, complete_data(BINOMIAL, rows, parameters, w)), slopes)


def gmm_information(X, parameters, prior=None, sample_weight=None, frozen=()):
    X = np.asarray(X, dtype=float)
    return information_of(Samples(X, sample_weight, np.arange(len(X)), len(X)), parameters, prior, frozen)


def interior_bmm(K, D, rng):
    return BMMParameters(rng.dirichlet(np.full(K, 5.0)), rng.uniform(0.2, 0.8, size=(K, D)))


def scaled_gap(actual, expected):
    scale = 1 / np.sqrt(np.abs(np.diag(expected)))
    return np.abs((actual - expected) * np.outer(scale, scale)).max()


def arrays_at(information, parameters, free_values):
    """Return the declared quantities at other values of the free entries; works on JAX's arrays too."""
    names, K = information.entries.names, information.entries.n_components
    to_all, base = np.zeros((len(names), len(information.free))), information.entries.values.copy()
    to_all[information.free, np.arange(len(information.free))] = 1
    (last,) = set(range(K)) - set(information.free)
    to_all[last, information.free < K] = -1
    base[information.free], base[last] = 0, 1
    values, arrays = base + to_all @ free_values, {}
    for name, array in parameters.arrays().items():
        symmetric = name == "covariances" and parameters.covariance_type in ("full", "tied")
        keys = [(*i[:-2], *sorted(i[-2:])) if symmetric else i for i in np.ndindex(array.shape)]
        places = [names.index(f"{name}[{', '.join(map(str, key))}]") for key in keys]
        arrays[name] = values[np.array(places)].reshape(array.shape)
    return arrays


def minus_hessian(function, at, step):
    """Return second central differences; their error is about step² times fourth derivatives, 1e-16 f / step².

    A function that returns terms is their sum: each term loses no more digits than its own size.
    """
    p, steps = len(at), np.diag(step)
    hessian = np.empty((p, p))
    for i in range(p):
        for j in range(i, p):
            corners = [function(at + a * steps[i] + b * steps[j]) * a * b for a in (1, -1) for b in (1, -1)]
            hessian[i, j] = hessian[j, i] = -np.sum(sum(corners)) / (4 * step[i] * step[j])
    return hessian


def gaussian_log_likelihood(X, weights, means, matrices, w):
    """Return weight times log density of each row: the normal of the observed cells, from the textbook's formula."""
    log_prob = np.zeros(len(X))
    for seen in np.unique(~np.isnan(X), axis=0):
        rows = (~np.isnan(X) == seen).all(axis=1)
        terms = []
        for weight, mean, matrix in zip(weights, means, matrices, strict=True):
            gap, part = (X[rows] - mean)[:, seen], matrix[np.ix_(seen, seen)]
            square = (gap * np.linalg.solve(part, gap.T).T).sum(axis=1)
            terms.append(np.log(weight) - 0.5 * (square + np.linalg.slogdet(2 * np.pi * part)[1]))
        log_prob[rows] = logsumexp(terms, axis=0)
    return w * log_prob


def no_prior(K, D, rng, kind):
    """Maximum likelihood."""


PRIORS = [no_prior, random_gmm_prior, *(partial(random_independent_prior, scales=scales) for scales in SCALES)]


@pytest.mark.parametrize("prior_of", PRIORS, ids=["ML", "conjugate", *SCALES])
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_gaussian_information_is_the_curvature_with_weights_and_missing_cells(kind, prior_of):
    single = isinstance(prior_of, partial) and kind in ("full", "tied")  # EM refuses these priors for larger matrices
    D, rng = (1, np.random.RandomState(2)) if single else (2, np.random.RandomState(1))
    parameters = random_gmm(2, D, rng, kind)
    prior = prior_of(2, D, rng, kind)
    X = gmm.simulate(parameters, 9, 0)[0]
    X[:2, 0], X[2:4, -1], X[4] = np.nan, np.nan, np.nan
    w = np.tile(WEIGHT_OF_ROWS, 3)
    information = gmm_information(X, parameters, prior, w)

    def objective(values):
        moved = GMMParameters(**arrays_at(information, parameters, values), covariance_type=kind)
        log_prior = 0.0 if prior is None else prior.log_prob(moved)
        parts = moved.weights, moved.means, moved.covariance_matrices
        return np.append(gaussian_log_likelihood(X, *parts, w), log_prior)

    at = information.entries.values[information.free]
    assert (
        scaled_gap(information.matrix, minus_hessian(objective, at, 3e-4 * np.maximum(np.abs(at), 0.1)))
        < TO_DIFFERENCES
    )


@pytest.mark.parametrize("with_prior", [False, True])
@pytest.mark.parametrize("n_trials", [1, 7])
def test_count_information_is_the_curvature_with_weights_and_missing_cells(n_trials, with_prior):
    rng = np.random.RandomState(2)
    parameters = interior_bmm(3, 2, rng)
    prior = random_bmm_prior(3, 2, rng) if with_prior else None
    X = bmm.simulate(parameters, 9, n_trials, 0)[0].astype(float)
    X[:2, 0], X[2:4, 1], X[4] = np.nan, np.nan, np.nan
    w = np.tile(WEIGHT_OF_ROWS, 3)
    information = bmm_information(X, parameters, prior, n_trials, w)

    def objective(values):
        moved = BMMParameters(**arrays_at(information, parameters, values))
        cells = np.where(np.isnan(X)[:, None], 0.0, binom.logpmf(np.nan_to_num(X)[:, None], n_trials, moved.probs))
        log_likelihood = w @ logsumexp(np.log(moved.weights) + cells.sum(axis=2), axis=1)
        return log_likelihood + (0.0 if prior is None else prior.log_prob(moved))

    at = information.entries.values[information.free]
    assert scaled_gap(information.matrix, minus_hessian(objective, at, 3e-4 * at)) < TO_DIFFERENCES


def pymc_case(name):
    rng = np.random.RandomState(3)
    if name == "binomial":
        prior, parameters = random_bmm_prior(2, 3, rng), interior_bmm(2, 3, rng)
        X = bmm.simulate(parameters, 200, 7, 0)[0]
        return bmm.build_marginal_model(X, 2, prior, 7), bmm_information(X, parameters, prior, 7), parameters
    parameters, prior = random_gmm(2, 2, rng, name), random_gmm_prior(2, 2, rng, name)
    X = gmm.simulate(parameters, 200, 0)[0]
    return gmm.build_marginal_model(X, 2, prior, name), gmm_information(X, parameters, prior), parameters


@pytest.mark.parametrize("name", ["full", "spherical", "binomial"])
def test_information_is_minus_the_hessian_of_the_pymc_model(name):
    """Of one matrix, one number and one probability for each component; the differences above hold all structures."""
    model, information, parameters = pymc_case(name)
    declared = remove_value_transforms(model)
    log_density = get_jaxified_graph(declared.value_vars, [declared.logp(jacobian=False)])

    def objective(values):
        arrays = arrays_at(information, parameters, values)
        return log_density(*(arrays[variable.name] for variable in declared.value_vars))[0]

    at = information.entries.values[information.free]
    curvature = jax.jit(lambda along: jax.jvp(jax.grad(objective), (at,), (along,))[1])
    hessian = np.array([curvature(unit) for unit in np.eye(len(at))])
    assert scaled_gap(information.matrix, -hessian) < TO_PYMC


def test_one_gaussian_has_the_textbook_errors():
    """Of μ_d: sqrt(Σ_dd / n); of Σ_ab: sqrt((Σ_aa Σ_bb + Σ_ab²) / n) at the maximum."""
    X = np.random.RandomState(0).normal(size=(40, 3)) @ np.array([[1, 0, 0], [0.5, 1, 0], [0, 2, 9.0]])
    covariance = np.cov(X, rowvar=False, bias=True)
    information = gmm_information(X, GMMParameters([1.0], X.mean(axis=0)[None], covariance[None]))
    variances = np.diag(covariance)
    spread = (np.outer(variances, variances) + covariance**2)[np.triu_indices(3)]
    expected = np.sqrt(np.concatenate([variances, spread]) / 40)
    np.testing.assert_allclose(information.standard_errors[1:], expected, rtol=1e-12)
    assert information.notes[0] == "always 1"


def test_well_separated_components_have_the_errors_of_known_labels():
    X = np.concatenate([np.linspace(-1, 1, 30), np.linspace(1e4 - 1, 1e4 + 1, 70)])[:, None]
    halves = X[:30], X[30:]
    parameters = GMMParameters([0.3, 0.7], [h.mean(axis=0) for h in halves], [h.var() for h in halves], "spherical")
    errors = gmm_information(X, parameters).standard_errors
    expected = [*[np.sqrt(0.21 / 100)] * 2, *[h.std() / np.sqrt(len(h)) for h in halves]]
    expected += [h.var() * np.sqrt(2 / len(h)) for h in halves]
    np.testing.assert_allclose(errors, expected, rtol=1e-9)


def test_weights_count_rows():
    rng = np.random.RandomState(4)
    parameters = random_gmm(2, 2, rng)
    X, w = gmm.simulate(parameters, 30, 0)[0], np.tile(WEIGHT_OF_ROWS, 10)
    repeated = gmm_information(np.repeat(X, w.astype(int), axis=0), parameters).matrix
    assert scaled_gap(gmm_information(X, parameters, sample_weight=w).matrix, repeated) < 1e-12  # rounding of 60 rows
    zero = np.r_[w, 0.0]
    with_absent_row = gmm_information(np.vstack([X, [[50.0, 50.0]]]), parameters, sample_weight=zero).matrix
    assert scaled_gap(with_absent_row, repeated) < 1e-12


def test_units_of_the_features_only_rescale_the_errors():
    rng = np.random.RandomState(5)
    parameters = random_gmm(2, 2, rng)
    X, prior = gmm.simulate(parameters, 300, 0)[0], random_gmm_prior(2, 2, rng)
    fit = GaussianMixtureEM(2, prior=prior, init=parameters, tol=1e-12).fit(X).parameters_
    units = np.array([1e-6, 1e6])
    squared = np.outer(units, units)
    moved = GMMParameters(fit.weights, fit.means * units, fit.covariances * squared)
    its_prior = GMMPrior(prior.concentration, prior.mean * units, prior.mean_precision, prior.degrees_of_freedom,
                         prior.scale * squared)  # fmt: skip
    errors = gmm_information(X, fit, prior).standard_errors
    factors = np.concatenate([[1, 1], np.tile(units, 2), np.tile(squared[np.triu_indices(2)], 2)])
    rescaled = gmm_information(X * units, moved, its_prior).standard_errors
    np.testing.assert_allclose(rescaled, errors * factors, rtol=1e-8)  # condition number of the scaled information


def test_the_coins_have_no_errors_and_their_ridge_is_named():
    X = np.array([[1]] * 54 + [[0]] * 46)
    with pytest.warns(NotIdentifiableWarning):
        fit = BernoulliMixtureEM(2, random_state=0).fit(X)
    information = bmm_information(X, fit.parameters_)
    assert "rank 1 of 3 free parameters: different parameters give the same distribution" in information.sentence
    assert "free direction, largest parts:" in information.sentence
    assert np.isnan(information.standard_errors).all()
    assert set(information.notes) == {"not identified"}
    along = np.array([information.free_direction.get(name, 0.0) for name in information.entries.names])
    (a, b), (p, q) = fit.weights_, fit.probs_[:, 0]
    slope_of_response = np.array([p - q, 0, a, b])  # of π p + (1 - π) q, all that one flip tells
    assert abs(slope_of_response @ along) < 1e-6


def test_a_ridge_that_bends_is_found_where_em_stopped_upon_it():
    X = bmm.simulate(interior_bmm(2, 2, np.random.RandomState(0)), 500, 1, 0)[0]
    with pytest.warns(NotIdentifiableWarning):
        fit = BernoulliMixtureEM(2, tol=1e-4, n_init=1, random_state=0).fit(X)
    assert "rank 3 of 5" in bmm_information(X, fit.parameters_).sentence


def test_a_prior_on_the_weights_identifies_the_weights_alone():
    X, prior = np.array([[1]] * 54 + [[0]] * 46), BMMPrior(3.0, 1.0, 1.0)
    information = bmm_information(X, BMMParameters([0.5, 0.5], [[0.54], [0.54]]), prior)
    assert information.notes == ("", "", "not identified", "not identified")
    # with equal probs the data say nothing of π: the curvature of 2 log π + 2 log(1 - π) at 1/2 is 16
    np.testing.assert_allclose(information.standard_errors[:2], 1 / 4, rtol=1e-9)


def test_a_saddle_is_no_maximum():
    X = gmm.simulate(random_gmm(2, 2, np.random.RandomState(0)), 200, 0)[0]
    mean, covariance = X.mean(axis=0), np.cov(X, rowvar=False, bias=True)
    information = gmm_information(X, GMMParameters([0.5, 0.5], [mean, mean], [covariance, covariance]))
    assert "the estimate is no maximum" in information.sentence
    assert np.isnan(information.standard_errors).all()


def test_probs_on_the_boundary_are_held_and_the_others_right():
    rng = np.random.RandomState(6)
    X = bmm.simulate(interior_bmm(2, 3, rng), 200, 1, 0)[0]
    X = np.hstack([X, np.zeros((200, 1))])
    fit = BernoulliMixtureEM(2, n_init=2, random_state=0).fit(X)
    information = bmm_information(X, fit.parameters_)
    assert [
        note for name, note in zip(information.entries.names, information.notes, strict=True) if ", 3]" in name
    ] == ["on the boundary"] * 2
    without = bmm_information(X[:, :3], BMMParameters(fit.weights_, fit.probs_[:, :3]))
    np.testing.assert_allclose(information.matrix, without.matrix, rtol=1e-12)


def test_an_empty_component_leaves_the_others_right():
    rng = np.random.RandomState(7)
    pair = interior_bmm(2, 5, rng)
    X = bmm.simulate(pair, 500, 1, 0)[0]
    pair = BernoulliMixtureEM(2, init=pair).fit(X).parameters_
    triple = BMMParameters([*pair.weights, 0.0], np.vstack([pair.probs, np.full((1, 5), 0.5)]))
    information, expected = bmm_information(X, triple), bmm_information(X, pair)
    np.testing.assert_allclose(information.standard_errors[:2], expected.standard_errors[:2], rtol=1e-9)
    np.testing.assert_allclose(information.standard_errors[3:13], expected.standard_errors[2:], rtol=1e-9)
    assert set(information.notes[13:]) == {"its component is empty"}
    assert np.isnan(information.standard_errors[[2, *range(13, 18)]]).all()


def test_what_is_frozen_is_known():
    rng = np.random.RandomState(8)
    parameters = random_gmm(2, 1, rng)
    X = gmm.simulate(parameters, 100, 0)[0]
    whole, part = gmm_information(X, parameters), gmm_information(X, parameters, frozen=("weights", "covariances"))
    np.testing.assert_allclose(part.matrix, whole.matrix[1:3, 1:3], rtol=1e-12)
    assert part.notes == ("frozen", "frozen", "", "", "frozen", "frozen")


def test_other_data_than_the_fits_are_noticed():
    rng = np.random.RandomState(9)
    parameters = GMMParameters([0.5, 0.5], [[0.0], [9.0]], [[[1.0]], [[1.0]]])
    X = gmm.simulate(parameters, 200, rng)[0]
    fit = GaussianMixtureEM(2, init=parameters).fit(X)
    assert "gradient" not in gmm_information(X, fit.parameters_).sentence
    assert "the gradient does not vanish" in gmm_information(X + 0.5, fit.parameters_).sentence


@pytest.mark.parametrize("name", ["gaussian", "bernoulli"])
def test_the_least_share_of_information_is_one_minus_the_rate_of_plain_em(name):
    """Near the limit errors shrink by the largest share of information that is missing (Dempster et al. 1977)."""
    settings = {"tol": 1e-12, "max_iter": 100_000, "random_state": 0}
    if name == "gaussian":
        rng = np.random.RandomState(0)
        X = rng.normal(size=(400, 2)) + 2.5 * rng.randint(2, size=(400, 1))
        fit, steps, array = GaussianMixtureEM(2, **settings).fit(X), em.gmm, "means"
    else:
        X = reference_data.lsat7()
        fit, steps, array = BernoulliMixtureEM(2, **settings).fit(X), em.bmm, "probs"
    theta = replace(fit.parameters_, **{array: getattr(fit.parameters_, array) + 1e-4})
    errors = []
    for _ in range(50):
        theta = steps.m_step(X, steps.e_step(X, theta)[0])
        errors.append(np.linalg.norm(getattr(theta, array) - getattr(fit.parameters_, array)))
    assert errors[-1] > 1e-9
    share = fit.uncertainty(X).share_observed
    np.testing.assert_allclose(1 - share, errors[-1] / errors[-2], rtol=1e-3)


def test_of_one_component_all_information_is_observed_and_of_what_is_not_identified_none():
    X = reference_data.faithful()
    assert GaussianMixtureEM(1).fit(X).uncertainty(X).share_observed == pytest.approx(1.0, abs=1e-9)
    flips = [[1.0]] * 36 + [[0.0]] * 64
    with pytest.warns(NotIdentifiableWarning):
        coins = BernoulliMixtureEM(2, random_state=0).fit(flips)
    assert coins.uncertainty(flips).share_observed == pytest.approx(0.0, abs=1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers overflow on the way
def test_information_beyond_floats_is_said_and_no_error():
    X = np.random.RandomState(0).poisson([[3.0, 5.0]], (50, 2))
    with left_to_the_status():
        fit = PoissonMixtureEM(2, prior=PMMPrior(rate=1e300), random_state=0).fit(X)
    information = fit.uncertainty(X)
    assert "fits no float" in information.status
    assert "beyond floats" in information.notes
    assert np.isnan(information.standard_errors).all()
