"""One posterior, in a process of its own: ``python -m benchmarks.posterior.contestants order.json`` writes draws.

The time is that from import to posterior, so nothing heavy is imported before the clock starts. A contestant is a
function of the order (data, prior, start, draws), the same for all, that returns the posterior draws by name.
"""

import time

CLOCK = time.perf_counter()

import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

Order = dict[str, Any]
Draws = dict[str, Any]


def ours(order: Order) -> Draws:
    """Sample our marginal model by `comparisons.posterior.sample`."""
    from comparisons.posterior import sample
    from comparisons.posterior.densities import without_c_compiler
    from models import bmm, gmm

    family = bmm if order["prior"] == "beta" else gmm
    with without_c_compiler:
        model = family.build_marginal_model(order["X"], order["K"], prior_of(order))
        lengths = {key: order[key] for key in ("draws", "chains", "seed")}
        return _arrays(sample(model, order["start"], **lengths))


def with_pymc_defaults(order: Order) -> Draws:
    """Sample the model of PyMC's documentation by `pm.sample` with its defaults."""
    return _by_pymc(order)


def with_jax(order: Order) -> Draws:
    """Sample the model of PyMC's documentation by nutpie with JAX."""
    return _by_pymc(order, nuts_sampler="nutpie", backend="jax")


CONTESTANTS: dict[str, Callable[[Order], Draws]] = {
    "ours": ours,
    "PyMC, defaults": with_pymc_defaults,
    "PyMC, nutpie + JAX": with_jax,
}


def _by_pymc(order: Order, **options: Any) -> Draws:
    import pymc as pm

    from benchmarks.posterior.rivals import with_factors

    start = with_factors(order["start"]) if order["prior"] == "LKJ" else order["start"]
    settings = {key: order[key] for key in ("draws", "tune", "chains")} | {"random_seed": order["seed"]} | options
    with rival_model(order):
        return _arrays(pm.sample(initvals=start, progressbar=False, compute_convergence_checks=False, **settings))


def rival_model(order: Order) -> Any:
    """Return the rivals' model of an order's data under its prior."""
    from benchmarks.posterior.rivals import mixture_as_documented, mixture_of_normals, vector_of_bernoullis

    models: dict[str, Callable[..., Any]] = {
        "LKJ": mixture_as_documented,
        "conjugate": mixture_of_normals,
        "beta": vector_of_bernoullis,
    }
    return models[order["prior"]](order["X"], order["K"], prior_of(order))


def prior_of(order: Order) -> Any:
    """Return the prior of an order: numbers that ours and the rivals share."""
    from models.bmm import BMMPrior
    from models.gmm import GMMIndependentPrior, GMMPrior

    match order["prior"]:
        case "LKJ":
            return GMMIndependentPrior.weakly_informative(order["X"], order["K"])
        case "conjugate":
            return GMMPrior.weakly_informative(order["X"], order["K"])
        case _:
            return BMMPrior()


def _arrays(tree: Any) -> Draws:
    return {str(name): array.to_numpy() for name, array in tree["posterior"].data_vars.items()}


def run(order: Order, folder: Path) -> float:
    """Sample, write the draws to the folder, and return the seconds since this module began to be imported."""
    import numpy as np

    with np.load(folder / "data.npz") as given:
        arrays: dict[str, Any] = {name: given[name] for name in given.files}
    order = order | {"X": arrays.pop("X"), "start": arrays}
    draws = CONTESTANTS[order["who"]](order)
    seconds = time.perf_counter() - CLOCK
    from benchmarks.posterior.rivals import with_covariances

    if "chol_0" in draws:
        draws = with_covariances(draws)
    kept: dict[str, Any] = {name: draws[name] for name in arrays}
    np.savez(folder / "draws.npz", **kept)
    return seconds


if __name__ == "__main__":
    print(json.dumps({"seconds": run(json.loads(sys.argv[1]), Path(sys.argv[2]))}))
