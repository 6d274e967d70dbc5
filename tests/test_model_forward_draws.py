"""Forward draws of the PyMC models have the distribution of `simulate`; predictive draws and LOO work."""

from functools import partial

import arviz as az
import numpy as np
import pymc as pm
import pytest
from random_mixtures import all_labellings, declared_density, random_gmm
from scipy import stats
from threadpoolctl import threadpool_limits

from em import bmm as em_bmm
from em import cmm as em_cmm
from models import bmm, cmm, gmm, pmm
from models.gmm.structures import COVARIANCE_TYPES

# Largest of about 20 standardised differences of one test: P(|normal| > 4.5) is 7e-6 each.
STANDARD_ERRORS = 4.5
THREE = gmm.GMMParameters(
    [0.2, 0.3, 0.5],
    [[0.0, 4.0], [1.0, -2.0], [-5.0, 1.0]],
    [[[1.0, 0.9], [0.9, 2.0]], [[0.5, -0.3], [-0.3, 0.4]], [[2.0, 0.0], [0.0, 0.1]]],
)
CLASSES = bmm.BMMParameters([0.25, 0.75], [[0.9, 0.2, 0.7], [0.3, 0.6, 0.0]])


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def draw_given(model, parameters, n_draws):
    """Draw x of a PyMC model with its parameters fixed: shape (n_draws, n, D)."""
    with pm.do(model, parameters.arrays(), prune_vars=True) as fixed:
        return pm.draw(fixed["x"], draws=n_draws, random_seed=1, mode="FAST_COMPILE")


def assert_same_mean(one, other):
    """Compare column means of two samples of independent rows."""
    error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
    assert (np.abs(one.mean(axis=0) - other.mean(axis=0)) <= STANDARD_ERRORS * error).all()


def gaussian_features(X):
    """Return first and second moments, and the share of a box in each component: shape (n, 8)."""
    first, second = X[:, 0], X[:, 1]
    boxes = [(np.abs(X - mean) < 1).all(axis=1) for mean in THREE.means]
    return np.column_stack([first, second, first**2, second**2, first * second, *boxes])


@pytest.mark.parametrize("build", [gmm.build_model, gmm.build_marginal_model])
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["complete", "with missing cells"])
def test_gaussian_draws_have_the_distribution_of_simulate(build, share):
    """Whole rows, also where cells of the data were missing."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    X[rng.uniform(size=X.shape) < share] = np.nan
    drawn = draw_given(build(X, 3, gmm.GMMPrior.weakly_informative(X, 3)), THREE, 100).reshape(-1, 2)
    simulated = gmm.simulate(THREE, 100_000, random_state=2)[0]
    assert drawn.shape == (20_000, 2)
    assert_same_mean(gaussian_features(drawn), gaussian_features(simulated))


@pytest.mark.parametrize("build", [bmm.build_model, bmm.build_marginal_model])
def test_bernoulli_draws_have_the_cell_frequencies_of_the_mixture(build):
    """All 2^3 cells against their probabilities: one label per row, not one per cell."""
    cells = all_labellings(2, 3)
    expected = np.exp([em_bmm.e_step([cell], CLASSES)[1] for cell in cells])
    drawn = draw_given(build(np.zeros((100, 3)), 2, bmm.BMMPrior()), CLASSES, 100).reshape(-1, 3)
    simulated = bmm.simulate(CLASSES, 10_000, random_state=3)[0]
    for X in (drawn, simulated):
        frequency = np.array([(cell == X).all(axis=1).mean() for cell in cells])
        error = np.sqrt(expected * (1 - expected) / len(X))
        assert (np.abs(frequency - expected) <= STANDARD_ERRORS * error).all()


@pytest.mark.parametrize("build", [bmm.build_model, bmm.build_marginal_model])
@pytest.mark.parametrize("trials", [8, [1, 5, 20], "per cell"])
def test_binomial_draws_have_the_distribution_of_simulate_for_every_shape_of_n_trials(build, trials):
    n = 50
    trials = 1 + np.arange(n * 3).reshape(n, 3) % 9 if isinstance(trials, str) else trials
    drawn = draw_given(build(np.zeros((n, 3)), 2, bmm.BMMPrior(), n_trials=trials), CLASSES, 200)
    simulated = np.stack([bmm.simulate(CLASSES, n, trials, random_state=seed)[0] for seed in range(200)])
    assert drawn.shape == simulated.shape == (200, n, 3)
    assert (drawn <= trials).all()
    assert (drawn[..., 2] >= 0).all()
    # each draw of n rows is one independent observation of these averages over its rows
    share, share_sim = drawn / trials, simulated / trials
    for of in (
        lambda s: s.mean(axis=1),
        lambda s: (s**2).mean(axis=1),
        lambda s: (s * np.roll(s, 1, axis=2)).mean(axis=1),
    ):
        assert_same_mean(of(share), of(share_sim))


@pytest.mark.parametrize("build", [pmm.build_model, pmm.build_marginal_model])
@pytest.mark.parametrize("exposure", [0.7, [1.0, 5.0, 20.0]], ids=["number", "per feature"])
def test_poisson_draws_have_the_distribution_of_simulate(build, exposure):
    parameters = pmm.PMMParameters([0.25, 0.75], [[0.9, 4.0, 0.0], [3.0, 0.6, 0.2]])
    drawn = draw_given(build(np.zeros((100, 3)), 2, pmm.PMMPrior(), exposure), parameters, 100).reshape(-1, 3)
    simulated = pmm.simulate(parameters, 10_000, exposure, random_state=3)[0]
    for of in (lambda X: X, lambda X: X**2, lambda X: X * np.roll(X, 1, axis=1), lambda X: X == 0):
        assert_same_mean(1.0 * of(drawn), 1.0 * of(simulated))


@pytest.mark.parametrize("build", [cmm.build_model, cmm.build_marginal_model])
def test_categorical_draws_have_the_cell_frequencies_of_the_mixture(build):
    """All 3 x 2 cells against their probabilities: one label per row, not one per cell."""
    parameters = cmm.CMMParameters([0.25, 0.75], [[0.9, 0.1, 0.0, 0.3, 0.7], [0.2, 0.2, 0.6, 0.9, 0.1]], (3, 2))
    cells = np.array([[a, b] for a in range(3) for b in range(2)])
    expected = np.exp([em_cmm.e_step([cell], parameters)[1] for cell in cells])
    drawn = draw_given(build(np.zeros((100, 2)), 2, cmm.CMMPrior(), (3, 2)), parameters, 100).reshape(-1, 2)
    frequency = np.array([(cell == drawn).all(axis=1).mean() for cell in cells])
    assert (np.abs(frequency - expected) <= STANDARD_ERRORS * np.sqrt(expected * (1 - expected) / len(drawn))).all()


@pytest.mark.parametrize("family", ["gmm", "bmm"])
def test_latent_labels_of_the_explicit_model_follow_the_weights(family):
    parameters, X = (THREE, np.zeros((50, 2))) if family == "gmm" else (CLASSES, np.zeros((50, 3)))
    prior = gmm.GMMPrior(2.0, [0.0, 0.0], 1.0, 4.0, np.eye(2)) if family == "gmm" else bmm.BMMPrior()
    model = (gmm if family == "gmm" else bmm).build_model(X, parameters.n_components, prior)
    fixed = pm.do(model, parameters.arrays(), prune_vars=True)
    z = pm.draw(fixed["z"], draws=100, random_seed=4, mode="FAST_COMPILE").ravel()
    counts = np.bincount(z, minlength=parameters.n_components)
    assert stats.chisquare(counts, 5000 * parameters.weights).pvalue > 1e-5


def gmm_models():
    X = gmm.simulate(THREE, 40, random_state=0)[0]
    prior = gmm.GMMPrior.weakly_informative(X, 3)
    return THREE, X, gmm.build_model(X, 3, prior), gmm.build_marginal_model(X, 3, prior)


def holed_gmm_models(structure):
    theta = random_gmm(3, 2, np.random.default_rng(0), structure)
    X = gmm.simulate(theta, 40, random_state=0)[0]
    X[::3, 0], X[1::4, 1] = np.nan, np.nan
    prior = gmm.GMMPrior.weakly_informative(X, 3, structure)
    return theta, X, gmm.build_model(X, 3, prior, structure), gmm.build_marginal_model(X, 3, prior, structure)


def bmm_models():
    parameters = bmm.BMMParameters([0.25, 0.75], [[0.9, 0.2, 0.7], [0.3, 0.6, 0.1]])
    X = bmm.simulate(parameters, 40, 6, random_state=0)[0]
    prior = bmm.BMMPrior()
    models = bmm.build_model(X, 2, prior, n_trials=6), bmm.build_marginal_model(X, 2, prior, n_trials=6)
    return parameters, X, *models


def posterior_around(parameters, n_draws=100):
    """Return a fake posterior of two chains, tightly around ``parameters``."""
    rng = np.random.default_rng(0)
    draws = {}
    for name, array in parameters.arrays().items():
        noise = 1 + 0.01 * rng.uniform(-1, 1, size=(2, n_draws, *(1,) * array.ndim))
        draws[name] = np.broadcast_to(array, (2, n_draws, *array.shape)) * (1.0 if name == "weights" else noise)
    return az.from_dict({"posterior": draws})


@pytest.mark.parametrize(
    "models", [gmm_models, bmm_models, *(partial(holed_gmm_models, structure) for structure in COVARIANCE_TYPES)]
)
def test_prior_predictive_draws_have_the_shape_of_the_data(models):
    _, X, *both = models()
    for model in both:
        drawn = pm.sample_prior_predictive(7, model=model, random_seed=0, compile_kwargs={"mode": "FAST_COMPILE"})
        assert drawn["prior_predictive"]["x"].shape == (1, 7, *X.shape)
        assert np.isfinite(drawn["prior_predictive"]["x"]).all()
        assert drawn["prior"]["weights"].sum("component").values == pytest.approx(1.0)


@pytest.mark.parametrize("models", [gmm_models, bmm_models])
def test_posterior_predictive_draws_have_the_mean_of_the_mixture(models):
    parameters, X, _, marginal = models()
    drawn = pm.sample_posterior_predictive(
        posterior_around(parameters),
        model=marginal,
        random_seed=0,
        progressbar=False,
        compile_kwargs={"mode": "FAST_COMPILE"},
    )["posterior_predictive"]["x"]
    assert drawn.shape == (2, 100, *X.shape)
    rows = drawn.values.reshape(-1, X.shape[1])
    mean = parameters.weights @ (parameters.means if "means" in parameters.arrays() else 6 * parameters.probs)
    # the fake posterior wobbles by 1 percent of each parameter, common to all rows of a draw: 0.002 of the mean here
    assert (np.abs(rows.mean(axis=0) - mean) < STANDARD_ERRORS * rows.std(axis=0) / np.sqrt(len(rows)) + 0.01).all()


@pytest.mark.parametrize("models", [gmm_models, bmm_models])
def test_log_likelihood_has_one_value_per_sample_and_loo_reads_it(models):
    parameters, X, _, marginal = models()
    posterior = posterior_around(parameters)
    with_likelihood = pm.compute_log_likelihood(posterior, model=marginal, backend="jax", progressbar=False)
    pointwise = with_likelihood["log_likelihood"]["x"]
    assert pointwise.shape == (2, 100, len(X))
    density = declared_density(marginal, ["x"])
    for chain, draw in [(0, 0), (1, 99)]:
        point = {name: array[chain, draw].values for name, array in posterior["posterior"].data_vars.items()}
        assert float(pointwise[chain, draw].sum()) == pytest.approx(float(density(point)), rel=1e-12)
    loo = az.loo(with_likelihood)
    assert loo.n_data_points == len(X)
    # a posterior this tight predicts like the parameters it surrounds; p_loo is what leaving one out costs
    assert loo.elpd == pytest.approx(float(density(parameters.arrays())), abs=1.0)
