"""Each room loads what it needs and nothing heavier: one fresh interpreter goes from the lightest import to JAX."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import models.bmm
import models.gmm
import models.pmm
from comparisons.families import family_names
from models.lazy import BUILDERS

ROOT = Path(__file__).parents[1]
HEAVY = ["pymc", "pytensor", "jax", "nutpie", "arviz", "numba", "matplotlib"]
STEPS = {
    "scikit-learn": "import sklearn.cluster, sklearn.mixture",
    "families": """
import models.gmm, models.bmm, models.pmm
from models.gmm import GMMParameters, GMMPrior, simulate
simulate(GMMParameters([1.0], [[0.0]], [[[1.0]]]), 3)
GMMPrior.weakly_informative([[0.0], [1.0]], 1).log_prob(GMMParameters([1.0], [[0.0]], [[[1.0]]]))
models.bmm.simulate(models.bmm.BMMParameters([1.0], [[0.5]]), 3)
models.pmm.simulate(models.pmm.PMMParameters([1.0], [[0.5]]), 3)
""",
    "estimators": """
from em import BernoulliMixtureEM, GaussianMixtureEM
GaussianMixtureEM(1).fit([[0.0], [1.0], [3.0]]).sample(3)
BernoulliMixtureEM(1).fit([[0, 1], [1, 1], [1, 0]]).sample(3)
""",
    "alignment": """
import xarray as xr
from comparisons import align, log_joint
d = xr.Dataset({"weights": (("chain", "draw", "component"), [[[0.5, 0.5]]])})
align(d, reference={"weights": [0.5, 0.5]})
log_joint([[0.0]], "gmm")
""",
    "calibration by Gibbs": """
import numpy as np
from comparisons.calibration import simulators  # what a worker process imports
from models.bmm import BMMPrior
simulators._Simulator(simulators.Setting(BMMPrior(4.0, 1.0, 1.0), n_samples=9, n_features=1), False, True).run(0)
""",
    "PyMC": """
import pymc
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.db import RewriteDatabase
def every(db):
    pairs = [(name, one) for name, some in db.__db__.items() for one in some]
    inner = [every(one) for _, one in pairs if isinstance(one, RewriteDatabase)]
    return {(name, str(one)) for name, one in pairs if not isinstance(one, RewriteDatabase)}.union(*inner)
before = every(optdb)
assert len(before) > 100
""",
    "a model": "models.gmm.build_model",
    "all models and densities": """
import comparisons.posterior.densities
models.gmm.build_marginal_model, models.bmm.build_marginal_model
assert every(optdb) == before
""",
    "a density": """
from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler
from models.bmm import BMMPrior, build_marginal_model
with without_c_compiler:
    density = UnconstrainedDensity(build_marginal_model([[0.0], [1.0]], 1, BMMPrior(1.0, 2.0, 2.0)), jacobian=True)
value, gradient = density.value_and_gradient(np.ones(1))
p = 1 / (1 + np.exp(-1))
np.testing.assert_allclose([value, *gradient], [np.log(6) + 3 * np.log(p * (1 - p)), 3 * (1 - 2 * p)], rtol=1e-12)
import jax
assert len(jax.devices()) == 1
""",
}
RUN = """
import json, sys, traceback
names, loaded = {"__name__": "session"}, {}
for step, code in json.loads(sys.argv[1]).items():
    try:
        exec(code, names)
    except Exception:
        loaded[step] = traceback.format_exc()
        break
    loaded[step] = list(sys.modules)
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded():
    """Return the names of all modules after each step; a step that failed has its traceback, and none comes after."""
    own = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}  # by tests and pymc
    command = [sys.executable, "-c", RUN, json.dumps(STEPS)]
    environment = own | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    after = json.loads(run.stdout)
    *_, last = after.values()
    assert isinstance(last, list), last
    return {step: set(modules) for step, modules in after.items()}


def heavy(modules):
    return [name for name in HEAVY if name in modules]


def test_importing_the_families_loads_nothing_heavy(loaded):
    assert heavy(loaded["families"]) == []


def test_importing_and_using_em_loads_no_package_that_scikit_learn_does_without(loaded):
    packages = {step: {name.partition(".")[0] for name in loaded[step]} for step in ("scikit-learn", "estimators")}
    more = packages["estimators"] - packages["scikit-learn"] - sys.stdlib_module_names
    assert more == {"em", "models"}


@pytest.mark.parametrize("step", ["alignment", "calibration by Gibbs"])
def test_aligning_and_calibrating_gibbs_load_neither_pymc_nor_jax_nor_arviz(loaded, step):
    assert heavy(loaded[step]) == []


def test_asking_for_a_model_loads_its_story_but_not_jax(loaded):
    assert "models.gmm.story" in loaded["a model"] - loaded["PyMC"]
    assert "jax" not in loaded["all models and densities"]


@pytest.mark.parametrize("family", [models.gmm, models.bmm, models.pmm])
def test_public_names_exist_and_others_do_not(family):
    for name in family.__all__:
        assert callable(getattr(family, name))
    with pytest.raises(AttributeError, match=f"module '{family.__name__}' has no attribute 'build_posterior'"):
        _ = family.build_posterior
    with pytest.raises(ImportError, match="build_posterior"):
        exec(f"from {family.__name__} import build_posterior")


def test_a_density_compiled_by_jax_loads_neither_nutpie_nor_arviz_and_makes_one_device(loaded):
    """Its value under XLA's own level of optimisation is log 6 + 3 log p(1 - p), its slope 3 (1 - 2 p), at logit p."""
    assert heavy(loaded["a density"]) == ["pymc", "pytensor", "jax"]


def test_importing_the_models_changes_nothing_of_pytensors(loaded):
    """The step itself compares: rewrites before and after."""
    assert {"models.bmm.story", "comparisons.posterior.densities"} <= loaded["all models and densities"]


@pytest.mark.parametrize(
    "package", ["em", *(f"comparisons{of}" for of in ("", ".calibration", ".components", ".coursework"))]
)
def test_names_that_are_imported_on_first_use_are_listed_for_completion(package):
    module = import_module(package)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("family", family_names())
def test_builders_of_pymc_models_are_listed_for_completion(family):
    assert set(BUILDERS) <= set(dir(import_module(f"models.{family}")))
