"""Plate diagrams tell the story: one plate for samples, one for components, arrows from parent to child."""

from functools import cache, partial

import numpy as np
import pymc as pm
import pytest

from models import bmm, gmm, pmm

COVARIANCE_DIMS = {
    "full": ("component", "feature", "feature_bis"),
    "tied": ("feature", "feature_bis"),
    "diag": ("component", "feature"),
    "spherical": ("component",),
}
X = np.random.default_rng(0).normal(size=(10, 2))
GMM_PRIOR = gmm.GMMPrior.weakly_informative(X, 3)
BUILD = {
    f"gmm {kind} {story}": partial(build, X, 3, gmm.GMMPrior.weakly_informative(X, 3, kind), kind)
    for kind in ("tied", "diag", "spherical")
    for story, build in [("explicit", gmm.build_model), ("marginal", gmm.build_marginal_model)]
} | {
    "gmm explicit": partial(gmm.build_model, X, 3, GMM_PRIOR),
    "gmm marginal": partial(gmm.build_marginal_model, X, 3, GMM_PRIOR),
    "bernoulli explicit": partial(bmm.build_model, X > 0, 3, bmm.BMMPrior()),
    "bernoulli marginal": partial(bmm.build_marginal_model, X > 0, 3, bmm.BMMPrior()),
    "binomial explicit": partial(bmm.build_model, X > 0, 3, bmm.BMMPrior(), n_trials=4),
    "binomial marginal": partial(bmm.build_marginal_model, X > 0, 3, bmm.BMMPrior(), n_trials=4),
    "poisson explicit": partial(pmm.build_model, X > 0, 3, pmm.PMMPrior()),
    "poisson marginal": partial(pmm.build_marginal_model, X > 0, 3, pmm.PMMPrior(), exposure=4.5),
}


@cache
def built(name):
    return BUILD[name]()


@pytest.mark.parametrize("name", BUILD)
def test_diagram_has_the_plates_and_the_arrows(name):
    source = pm.model_to_graphviz(built(name)).source
    family = {"gmm": ["means", "covariances"], "poisson": ["rates"]}.get(name.split()[0], ["probs"])
    assert "component (3)" in source
    assert "obs (10) x feature (2)" in source
    assert "component (3) x feature (2)" in source
    explicit = "explicit" in name
    assert ("weights -> z" in source) == explicit
    assert ("z -> x" in source) == explicit
    assert ("weights -> x" in source) == (not explicit)
    for parent in family:
        assert f"{parent} -> x" in source
    assert ("covariances -> means" in source) == name.startswith("gmm")


@pytest.mark.parametrize("name", BUILD)
def test_every_variable_has_its_named_dims(name):
    dims = built(name).named_vars_to_dims
    structure = next((kind for kind in COVARIANCE_DIMS if kind in name), "full")
    expected = {
        "weights": ("component",),
        "means": ("component", "feature"),
        "covariances": COVARIANCE_DIMS[structure],
        "probs": ("component", "feature"),
        "rates": ("component", "feature"),
        "z": ("obs",),
        "x": ("obs", "feature"),
    }
    assert dims == {variable: expected[variable] for variable in built(name).named_vars}
