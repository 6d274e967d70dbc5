"""Settings that every test shares."""

import atexit
import gc
import importlib
import os
import shutil
import sys
import tempfile

# Interpret, do not compile C: on a machine with nothing cached that takes a minute for a handful of evaluations.
# Keep no stack trace for each node of a graph: that is a tenth of what rewriting it takes.
os.environ["PYTENSOR_FLAGS"] = ",".join(
    ["cxx=", "traceback__limit=0", "traceback__compile_limit=0", *filter(None, [os.environ.get("PYTENSOR_FLAGS")])]
)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # arrays are small: a second thread costs more than it brings

# Compile XLA's graphs as they are: optimised code is no faster on a few hundred rows, and costs half as much again.
# `test_lazy_imports` evaluates a density as users have it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# One folder for the session. Its workers, and each process that a test starts, share what was compiled.
if "PYTEST_XDIST_WORKER" not in os.environ:
    folder = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.join(folder, "jax"))
    os.environ |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = os.path.join(folder, "bytecode")
        sys.dont_write_bytecode = False

import pytest

os.environ["MPLBACKEND"] = "Agg"

# Files that take longest. They begin first, so that no worker is left with one of them at the end.
LONGEST = [
    "test_verdicts.py",
    "test_comparison_of_faithful.py",
    "test_calibration.py",
    "test_fuzz.py",
    "test_readme_runs.py",
    "test_docstring_examples.py",
    "test_names_are_no_markup.py",
    "test_find_map_agrees_with_em.py",
    "test_a_family_is_added_by_files.py",
    "test_benchmarks_command.py",
    "test_evidence.py",
    "test_coursework_checks.py",
    "test_coursework_edits.py",
    "test_samplers_agree.py",
    "test_information.py",
    "test_not_identified_with_missing_cells.py",
    "test_em_acceleration.py",
    "test_components.py",
    "test_variational.py",
    "test_keystone_enumeration.py",
    "test_coursework_command.py",
    "test_comparison_with_missing_cells.py",
    "test_independent_prior.py",
    "test_em_starts.py",
    "test_fast_likelihoods.py",
    "test_interrupted_sampling.py",
    "test_model_forward_draws.py",
    "test_advi.py",
    "test_names.py",
    "test_units_of_the_data.py",
    "test_lazy_imports.py",
    "test_standard_cases_command.py",
]


# Without bytecode files both workers would write the same ones at the same time. Each begins with another half.
FIRST = {"gw0": ("scipy.stats", "sklearn.mixture", "pytensor"), "gw1": ("jax", "numba", "pandas", "matplotlib.pyplot")}


def pytest_collection(session):
    """Import without looking for garbage: imports make a million objects and hardly any garbage."""
    if session.config.pluginmanager.has_plugin("dsession"):  # this process only hands tests out
        return
    gc.disable()
    settings = importlib.import_module("hypothesis").settings
    settings.register_profile("suite", max_examples=3, deadline=None, derandomize=True)
    settings.load_profile("suite")
    importlib.import_module("arviz_base")  # asks for the stack, each frame of which takes longer the more is loaded
    for package in FIRST.get(os.environ.get("PYTEST_XDIST_WORKER"), ()):
        importlib.import_module(package)


def pytest_collection_modifyitems(items):
    """Put the longest files first and keep the order within each; pytest-xdist hands files out in this order."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))


def pytest_collection_finish():
    """Keep garbage collection off what imports made: walking a million objects is a fifth of compiling a model."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture
def dask_in_one_thread():
    """Let Dask compute in the thread that asks."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def chunks_that_matter(dask_in_one_thread, monkeypatch):
    """Take chunks as chunks although all would fit: a sketch has at most 30 rows."""
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", 30)


@pytest.fixture
def three_blas_threads():
    """BLAS, and so what may share a sum, at three threads, whichever thread of whichever test before limited it."""
    from threadpoolctl import ThreadpoolController

    from em.process import blas

    libraries = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
    before = [library.num_threads for library in libraries]
    for library in libraries:
        blas._put_back(library, 3)
    assert {library.num_threads for library in libraries} == {3}
    yield
    for library, number in zip(libraries, before, strict=True):
        blas._put_back(library, number)
