"""Parameters, priors and simulation come without PyMC and JAX; asking for a model loads them."""

import json
import os
import subprocess
import sys

import pytest

import models.bmm
import models.gmm
import models.pmm

HEAVY = ["pymc", "pytensor", "jax", "nutpie", "arviz", "numba", "matplotlib"]


def loaded_after(code):
    """Run code in a fresh interpreter and return which heavy packages it loaded."""
    report = f"{code}\nimport json, sys\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    own = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}  # by tests and pymc
    run = subprocess.run([sys.executable, "-c", report], env=own, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_importing_the_families_loads_nothing_heavy():
    code = """
import models.gmm, models.bmm, models.pmm
from models.gmm import GMMParameters, GMMPrior, simulate
simulate(GMMParameters([1.0], [[0.0]], [[[1.0]]]), 3)
GMMPrior.weakly_informative([[0.0], [1.0]], 1).log_prob(GMMParameters([1.0], [[0.0]], [[[1.0]]]))
models.bmm.simulate(models.bmm.BMMParameters([1.0], [[0.5]]), 3)
models.pmm.simulate(models.pmm.PMMParameters([1.0], [[0.5]]), 3)
"""
    assert loaded_after(code) == []


def test_asking_for_a_model_loads_pymc_but_not_jax():
    loaded = loaded_after("import models.gmm\nmodels.gmm.build_model")
    assert "pymc" in loaded
    assert "jax" not in loaded


@pytest.mark.parametrize("family", [models.gmm, models.bmm, models.pmm])
def test_public_names_exist_and_others_do_not(family):
    for name in family.__all__:
        assert callable(getattr(family, name))
    with pytest.raises(AttributeError, match=f"module '{family.__name__}' has no attribute 'build_posterior'"):
        _ = family.build_posterior
    with pytest.raises(ImportError, match="build_posterior"):
        exec(f"from {family.__name__} import build_posterior")


def test_a_density_compiled_by_jax_loads_neither_nutpie_nor_arviz_and_makes_one_device():
    """Its value under XLA's own level of optimisation is log 6 + 3 log p(1 - p), its slope 3 (1 - 2 p), at logit p."""
    code = """
import numpy as np
from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler
from models.bmm import BMMPrior, build_marginal_model
with without_c_compiler():
    density = UnconstrainedDensity(build_marginal_model([[0.0], [1.0]], 1, BMMPrior(1.0, 2.0, 2.0)), jacobian=True)
value, gradient = density.value_and_gradient(np.ones(1))
p = 1 / (1 + np.exp(-1))
np.testing.assert_allclose([value, *gradient], [np.log(6) + 3 * np.log(p * (1 - p)), 3 * (1 - 2 * p)], rtol=1e-12)
import jax
assert len(jax.devices()) == 1
"""
    assert loaded_after(code) == ["pymc", "pytensor", "jax"]


def test_importing_the_models_changes_nothing_of_pytensors():
    code = """
import pymc, pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.db import RewriteDatabase
def every(db):
    pairs = [(name, one) for name, some in db.__db__.items() for one in some]
    inner = [every(one) for _, one in pairs if isinstance(one, RewriteDatabase)]
    return {(name, str(one)) for name, one in pairs if not isinstance(one, RewriteDatabase)}.union(*inner)
before = every(optdb)
import models.gmm, models.bmm, comparisons.posterior.densities
models.gmm.build_marginal_model, models.bmm.build_marginal_model
assert every(optdb) == before and len(before) > 100
"""
    assert "jax" not in loaded_after(code)
