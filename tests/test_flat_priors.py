"""`prior=None` is maximum likelihood: a log prior of exactly 0, and nothing that may be sampled."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from random_mixtures import declared_density, random_bmm, random_gmm, random_pmm

from em import bmm as em_bmm
from em import gmm as em_gmm
from models import bmm, gmm, pmm
from models.distributions.flat import ImproperPriorError

RNG = np.random.default_rng(0)
X_GMM = np.concatenate([RNG.normal(size=(20, 2)), 5 + RNG.normal(size=(20, 2))])
X_BMM = RNG.integers(0, 5, size=(30, 3))
MARGINAL = {
    "gmm": gmm.build_marginal_model(X_GMM, 2, None),
    "bmm": bmm.build_marginal_model(X_BMM, 2, None, n_trials=4),
    "pmm": pmm.build_marginal_model(X_BMM, 2, None, exposure=1.5),
}
EXPLICIT = {
    "gmm": gmm.build_model(X_GMM, 2, None),
    "bmm": bmm.build_model(X_BMM, 2, None, n_trials=4),
    "pmm": pmm.build_model(X_BMM, 2, None, exposure=1.5),
}
BOTH = [*MARGINAL.values(), *EXPLICIT.values()]
BOTH_IDS = [f"{name} {kind}" for kind in ("marginal", "explicit") for name in MARGINAL]
FORWARD = {"mode": "FAST_COMPILE"}


def random_parameters(family, rng):
    return random_gmm(2, 2, rng) if family == "gmm" else random_bmm(2, 3, rng)


def test_poisson_log_prior_is_exactly_zero():
    model, rng = MARGINAL["pmm"], np.random.default_rng(1)
    assert declared_density(model, ["weights", "rates"])(random_pmm(2, 3, rng).arrays()) == 0.0


@pytest.mark.parametrize("family", ["gmm", "bmm"])
def test_log_prior_is_exactly_zero_and_the_density_is_em_log_likelihood(family):
    model = MARGINAL[family]
    density = declared_density(model, model.named_vars)
    prior = declared_density(model, [rv.name for rv in model.free_RVs])
    rng = np.random.default_rng(1)
    for _ in range(3):
        theta = random_parameters(family, rng)
        em = em_gmm.e_step(X_GMM, theta)[1] if family == "gmm" else em_bmm.e_step(X_BMM, theta, 4)[1]
        assert prior(theta.arrays()) == 0.0
        assert density(theta.arrays()) == pytest.approx(em, rel=1e-13)


@pytest.mark.parametrize("model", BOTH, ids=BOTH_IDS)
@pytest.mark.parametrize("sampler", ["nutpie", "pymc"])
def test_nuts_is_refused_with_the_reason(model, sampler):
    if sampler == "nutpie" and "z" in model.named_vars:
        sampler = "pymc"  # nutpie takes no discrete variables from anyone
    with pytest.raises(ImproperPriorError, match=r"prior=None.*nothing to sample.*Pass a prior object"):
        pm.sample(draws=5, tune=5, chains=1, model=model, nuts_sampler=sampler, backend="jax", progressbar=False)


@pytest.mark.parametrize("model", MARGINAL.values(), ids=MARGINAL)
def test_samplers_without_gradients_are_refused_too(model):
    with pytensor.config.change_flags(mode="FAST_COMPILE"), pytest.raises(ImproperPriorError, match="prior=None"):
        pm.sample(draws=5, tune=5, chains=1, model=model, step=pm.Metropolis(model=model), progressbar=False)


@pytest.mark.parametrize("model", MARGINAL.values(), ids=MARGINAL)
def test_variational_fits_are_refused(model):
    with pytest.raises(ImproperPriorError, match="prior=None"):
        pm.fit(5, model=model, progressbar=False, backend="jax")


@pytest.mark.parametrize("model", BOTH, ids=BOTH_IDS)
def test_prior_predictive_draws_are_refused(model):
    with pytest.raises(ImproperPriorError, match="prior=None"):
        pm.sample_prior_predictive(5, model=model, compile_kwargs=FORWARD)
    with pytest.raises(ImproperPriorError, match="prior=None"):
        pm.draw(model["weights"], mode="FAST_COMPILE")


@pytest.mark.parametrize("model", MARGINAL.values(), ids=MARGINAL)
def test_a_density_with_jacobian_is_refused(model):
    with pytest.raises(ImproperPriorError, match="jacobian=False"):
        model.compile_logp(mode="FAST_COMPILE")(model.initial_point())
    with pytest.raises(ImproperPriorError, match="jacobian=False"):
        model.compile_dlogp(mode="FAST_COMPILE")


def test_find_map_from_given_values_climbs_to_the_maximum_likelihood():
    """Well-separated clusters of 20: at the answer the closed form holds within each."""
    start = {
        "weights": np.array([0.4, 0.6]),
        "means": np.array([[0.5, -0.5], [4.0, 6.0]]),
        "covariances": np.stack([2 * np.eye(2), np.eye(2)]),
    }
    maximum = pm.find_MAP(
        model=MARGINAL["gmm"],
        initvals=start,
        jitter=False,
        return_inferencedata=True,
        backend="jax",
        progressbar=False,
        gtol=1e-6,
    )["posterior"].isel(chain=0, draw=0)
    responsibilities, _ = em_gmm.e_step(
        X_GMM, gmm.GMMParameters(maximum["weights"], maximum["means"], maximum["covariances"])
    )
    fixed_point = em_gmm.m_step(X_GMM, responsibilities)
    for name, array in fixed_point.arrays().items():
        np.testing.assert_allclose(maximum[name], array, atol=1e-4)  # default ftol stops about 1e-5 away
    assert maximum["weights"].values == pytest.approx([0.5, 0.5], abs=1e-3)


@pytest.mark.parametrize("model", BOTH, ids=BOTH_IDS)
def test_default_start_is_a_legal_point(model):
    """Equal components: legal for an optimiser to be told about, though a saddle to start from."""
    start = model.initial_point()
    assert all(np.isfinite(value).all() for value in start.values())
    log_density = model.compile_fn(model.logp(jacobian=False), mode="FAST_COMPILE")
    assert np.isfinite(log_density(start))
