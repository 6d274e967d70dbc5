"""Parameters, priors and simulation come without PyMC and JAX; asking for a model loads them."""

import json
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
    run = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
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


def test_drawing_a_posterior_loads_no_arviz_and_nutpie_still_finds_it():
    code = """
import numpy as np
from comparisons.posterior.densities import without_c_compiler
from comparisons.posterior import sample
from models.bmm import BMMPrior, build_marginal_model
with without_c_compiler():
    model = build_marginal_model([[0.0], [1.0]], 1, BMMPrior(1.0, 2.0, 2.0))
    start = {"weights": np.ones(1), "probs": np.full((1, 1), 0.5)}
    sample(model, start, draws=5, tune=5, chains=1, seed=0)
"""
    assert loaded_after(code) == ["pymc", "pytensor", "jax", "nutpie", "numba"]
    asked = f"{code}\nassert sys.modules['nutpie.sample'].arviz.from_dict\nimport arviz\nassert arviz.rhat"
    assert "arviz" in loaded_after("import sys\n" + asked)
