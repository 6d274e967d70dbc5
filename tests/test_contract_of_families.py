"""What holds for every family of the table and for the formulas that each states as its steps."""

from dataclasses import replace

import numpy as np
import pytest
from families import FAILINGS, FAMILIES, each_family
from scipy.integrate import quad
from scipy.sparse import csr_matrix

from em import PoissonMixtureEM, load, save
from em.bmm import BINOMIAL
from em.cmm import CategoricalSteps
from em.exponential import ExponentialMixtureEM
from em.families import conjugate_mixture, estimators, family_names
from em.gibbs import gibbs
from em.pmm import POISSON
from models.bmm import BMMParameters
from models.cmm import CMMParameters
from models.pmm import PMMParameters, PMMPrior
from models.supports import Covariance

WEIGHTS = [0.4, 0.6]
STATED = {
    "bmm": (BINOMIAL, BMMParameters(WEIGHTS, [[0.2, 0.7], [0.6, 0.3]]), np.array([3.0, 1.0])),
    "pmm": (POISSON, PMMParameters(WEIGHTS, [[0.7, 2.0], [1.5, 0.4]]), np.array([0.5, 2.0])),
    "cmm": (
        CategoricalSteps((3, 2)),
        CMMParameters(WEIGHTS, [[0.2, 0.3, 0.5, 0.6, 0.4], [0.7, 0.1, 0.2, 0.1, 0.9]], (3, 2)),
        np.ones(2),
    ),
}


def stated_by_others():
    """Yield the same of families that are not written out here: those that a new file `tests/family_*.py` adds."""
    for row in FAMILIES:
        family = row.steps.__name__.removeprefix("em.")
        if family not in STATED and issubclass(row.estimator, ExponentialMixtureEM):
            theta = row.parameters(np.random.RandomState(0), 2, 2)
            fit = row.estimator(2, **row.options)
            yield row.name, (fit._steps, theta, np.broadcast_to(fit._size_for((1, 2)), (1, 2))[0].astype(float))


STATED |= dict(stated_by_others())
COUNTABLE = {name: row for name, row in STATED.items() if row[0].values(row[1].arrays(), row[2]) is not None}
CONJUGATE = {name: row for name, row in STATED.items() if row[0].prior_type.conjugate}
each_steps = pytest.mark.parametrize(("steps", "theta", "size"), STATED.values(), ids=STATED)
each_conjugate = pytest.mark.parametrize(("steps", "theta", "size"), CONJUGATE.values(), ids=CONJUGATE)


def hyper_of(steps, theta):
    """Return usual parameters of a proper conjugate distribution for every component."""
    rng = np.random.RandomState(0)
    shape = theta.arrays()[steps.quantities[1].name].shape
    return tuple(1.5 + 3 * rng.uniform(size=shape) for _ in steps.prior_type.hyperparameters)


def test_every_folder_of_a_family_has_a_row_here():
    assert {row.steps.__name__.removeprefix("em.") for row in FAMILIES} == set(family_names())
    assert {row.estimator.__name__ for row in FAMILIES} == set(estimators())


# Every row of the table -----------------------------------------------------------------------------------------------


@each_family
def test_information_is_the_numerical_hessian(family):
    X, _, _ = family.problem(3, 2, 3, 200)
    fit = family.fit(X, 2, n_init=2, random_state=0, tol=1e-12, quiet=FAILINGS)
    information = fit._information_of(fit._samples_of(X, None))
    entries, to_all, theta = information.entries, information.entries.by_free, fit.parameters_
    matrices = {quantity.name: isinstance(quantity.support, Covariance) for quantity in theta.quantities}

    def objective(moves):
        arrays = {name: array.copy() for name, array in theta.arrays().items()}
        for entry, move in zip(entries.entries, to_all @ moves, strict=True):
            arrays[entry.array][entry.place] += move
            if matrices[entry.array] and entry.place[-2] < entry.place[-1]:
                arrays[entry.array][(*entry.place[:-2], *entry.place[:-3:-1])] += move
        at = replace(theta, **arrays)
        log_likelihood = family.steps.e_step(X, at, **family.options)[1]
        return log_likelihood + (0.0 if fit.prior is None else fit.prior.log_prob(at))

    h = 1e-4 * np.sqrt(1 / np.maximum(np.diag(information.matrix) / len(X), 1e-2))
    f, rng = len(h), np.random.RandomState(1)
    for _ in range(6):  # second differences along random directions
        v = h * rng.normal(size=f)
        curved = -(objective(v) - 2 * objective(np.zeros(f)) + objective(-v))
        assert curved == pytest.approx(v @ information.matrix @ v, rel=2e-3, abs=1e-8)


@each_family
def test_counts_that_never_vary_are_fitted_on_the_boundary_or_not(family):
    """Every cell is the least count: `values` must list at least that one where a parameter is on its boundary."""
    cells = family.parameters(np.random.RandomState(0), 2, 2).cells
    if cells.whole:
        fit = family.fit(np.full((12, 2), cells.legal), 2, n_init=1, random_state=0, quiet=FAILINGS)
        assert np.isfinite(fit.log_likelihood_)
        assert fit.identifiability_.rank <= fit.identifiability_.n_free_parameters


@each_family
def test_a_saved_fit_predicts_the_same_to_the_last_bit(family, tmp_path):
    X, start, _ = family.problem(5, 2, 2, 60)
    fit = family.fit(X, 2, init=start, max_iter=5, quiet=FAILINGS)
    save(fit, tmp_path / "fit.json")
    again = load(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.predict_proba(X), fit.predict_proba(X))
    assert repr(again) == repr(fit)


@each_family
def test_the_order_of_the_rows_changes_no_bit(family):
    X, _, rng = family.problem(5, 2, 2, 60)
    settings = {"n_init": 2, "random_state": 0, "max_iter": 5, "quiet": FAILINGS}
    fit, shuffled = family.fit(X, 2, **settings), family.fit(X[rng.permutation(60)], 2, **settings)
    for name, array in fit.parameters_.arrays().items():
        np.testing.assert_array_equal(getattr(shuffled, f"{name}_"), array)


# Every family that is stated as steps ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "theta", "size"), COUNTABLE.values(), ids=COUNTABLE)
def test_probabilities_of_all_cells_sum_to_one(steps, theta, size):
    cells = np.stack(np.meshgrid(*steps.values(theta.arrays(), size)), axis=-1).reshape(-1, 2)
    density = np.exp(steps.component_log_prob(cells, theta, np.broadcast_to(size, cells.shape)))
    np.testing.assert_allclose(density.sum(axis=0), 1, rtol=1e-10)
    mean, statistics = steps.expected(theta.arrays(), size)
    np.testing.assert_allclose(density.T @ cells, mean, rtol=1e-9)
    rows = steps.rows(cells, np.broadcast_to(size, cells.shape))
    for part, expected in zip(rows.statistics, statistics, strict=True):
        np.testing.assert_allclose(density.T @ part, expected, rtol=1e-9)


@each_steps
def test_formulas_have_a_part_for_each_hyperparameter_in_the_shape_that_is_stated(steps, theta, size):
    X = np.where([[True, True], [True, False], [False, False]], steps.cells.legal, np.nan)
    rows, (_, expected) = steps.rows(X, np.broadcast_to(size, X.shape)), steps.expected(theta.arrays(), size)
    natural = steps.natural(theta.arrays())
    lengths = {"statistics": len(rows.statistics), "expected": len(expected), "natural": len(natural)}
    assert lengths == dict.fromkeys(lengths, len(steps.hyper_offsets)), "hyper_offsets has another length"
    for j, (T, eta, mean) in enumerate(zip(rows.statistics, natural, expected, strict=True)):
        assert T.shape == (3, eta.shape[-1]), f"statistics[{j}] must be (n, p) for natural[{j}] of shape (K, p)"
        assert mean.shape == eta.shape, f"expected's T[{j}] must have the shape of natural[{j}]"
        assert not T[2].any(), f"statistics[{j}] must be 0 in a missing cell"
    assert rows.log_base[2] == 0, "log_base_of_cells must be 0 in a missing cell"


@each_steps
def test_slopes_are_derivatives_of_the_natural_parameters(steps, theta, size):
    names, h = [quantity.name for quantity in steps.quantities[1:]], 1e-4

    def natural(moves):
        return steps.natural({name: theta.arrays()[name] + moves.get(name, 0) for name in names})

    for j, (first, second) in enumerate(steps.derivatives(theta.arrays())):
        for a, one in enumerate(names):
            below, at, above = (natural({one: move})[j] for move in (-h, 0, h))
            np.testing.assert_allclose((above - below) / (2 * h), first[a], rtol=1e-5, atol=1e-9)
            np.testing.assert_allclose((above - 2 * at + below) / h**2, second[a, a], rtol=1e-4, atol=1e-6)
            for b, other in list(enumerate(names))[:a]:
                mixed = sum(s * t * natural({one: s * h, other: t * h})[j] for s in (-1, 1) for t in (-1, 1))
                np.testing.assert_allclose(mixed / (4 * h**2), second[a, b], rtol=1e-4, atol=1e-6)
                np.testing.assert_array_equal(second[a, b], second[b, a])


@each_conjugate
def test_conjugate_moments_are_derivatives_of_the_normaliser_and_those_of_draws(steps, theta, size):
    hyper, h = hyper_of(steps, theta), 1e-5
    for j, expected in enumerate(steps.mean_natural(hyper)):
        for place in np.ndindex(expected.shape):
            move = np.zeros(expected.shape)
            move[place] = h
            ends = [
                steps.log_normaliser(tuple(part + sign * move * (i == j) for i, part in enumerate(hyper)))[place[0]]
                for sign in (-1, 1)
            ]
            assert (ends[1] - ends[0]) / (2 * h) == pytest.approx(expected[place], abs=1e-7)
    n = 40_000
    draws = steps.draw(tuple(np.broadcast_to(part, (n, *part.shape)) for part in hyper), np.random.RandomState(0))
    means, variances = steps.moments(hyper)
    for name, mean in means.items():
        variance = variances[name]
        np.testing.assert_allclose(draws[name].mean(axis=0), mean, atol=5 * np.sqrt(variance.max() / n))
        np.testing.assert_allclose(draws[name].var(axis=0), variance, rtol=0.06)


@each_conjugate
def test_the_mode_of_the_conjugate_density_is_its_highest_point(steps, theta, size):
    hyper, rng = hyper_of(steps, theta), np.random.RandomState(0)
    chi = tuple(part - offset for part, offset in zip(hyper, steps.hyper_offsets, strict=True))
    (name, mode), support = next(iter(steps.mode(chi, chi).items())), steps.quantities[1].support

    def log_density(value):
        return sum((part * eta).sum() for part, eta in zip(chi, steps.natural({name: value}), strict=True))

    for _ in range(20):
        near = support.normalised(mode * np.exp(1e-3 * rng.normal(size=mode.shape)))
        assert log_density(near) < log_density(mode)


# Poisson and categorical ----------------------------------------------------------------------------------------------


def test_evidence_of_one_poisson_component_is_the_integral():
    X, prior, exposure = np.array([[3.0], [5.0], [1.0]]), PMMPrior(1.5, 2.0, 0.5), np.array([[1.0], [2.0], [0.5]])
    mixture = conjugate_mixture(X, prior, exposure=exposure)
    before, after = mixture.posterior(np.zeros((3, 1))), mixture.posterior(np.ones((3, 1)))
    steps = mixture.steps
    exact = (steps.log_normaliser(after.hyper) - steps.log_normaliser(before.hyper))[0] + mixture.rows.log_base.sum()

    def joint(rate):
        theta = PMMParameters([1.0], [[rate]])
        return np.exp(steps.component_log_prob(X, theta, exposure).sum() + prior.log_prob(theta))

    assert exact == pytest.approx(np.log(quad(joint, 0, 30, epsabs=0, epsrel=1e-11)[0]), rel=1e-9)


@pytest.mark.parametrize("name", ["poisson-exposure-MAP", "categorical-MAP"])
def test_gibbs_has_the_conjugate_posterior_of_a_single_component(name):
    family = next(row for row in FAMILIES if row.name == name)
    X, _, _ = family.problem(0, 1, 2, 50)
    prior = family.prior(1, 2)
    draws = gibbs(X, 1, prior, draws=4000, chains=1, tune=10, random_state=0, **family.options)
    posterior = conjugate_mixture(X, prior, **family.options).posterior(np.ones((50, 1)))
    located = posterior.steps.quantities[1].name
    found = np.asarray(draws[located]).reshape(-1, *posterior.mean()[located].shape)
    sd = posterior.standard_deviation()[located]
    np.testing.assert_allclose(found.mean(axis=0), posterior.mean()[located], atol=5 * sd.max() / np.sqrt(4000))


def test_sparse_counts_give_the_fit_of_dense_ones():
    X = np.random.RandomState(0).poisson([0.3, 2.0, 0.1, 1.0], size=(80, 4))
    X[40:] *= 3
    settings = {"exposure": [1.0, 2.0, 0.5, 1.0], "random_state": 0}
    dense, sparse = (PoissonMixtureEM(2, **settings).fit(data) for data in (X, csr_matrix(X)))
    assert sparse.log_likelihood_ == pytest.approx(dense.log_likelihood_, rel=1e-11)
    np.testing.assert_allclose(sparse.predict_proba(csr_matrix(X)), dense.predict_proba(X), atol=1e-5)


def test_rates_in_other_units_of_exposure_are_the_same_fit():
    X = np.random.RandomState(0).poisson(np.repeat([[2.0], [9.0]], 40, axis=0))
    years, seconds = (PoissonMixtureEM(2, exposure=e, random_state=0).fit(X) for e in (1.0, 3.2e7))
    assert seconds.log_likelihood_ == pytest.approx(years.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(seconds.rates_ * 3.2e7, years.rates_, rtol=1e-5)
    assert "boundary" not in seconds.status_
