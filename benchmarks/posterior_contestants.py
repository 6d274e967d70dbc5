"""One posterior, in a process of its own: ``python -m benchmarks.posterior_contestants order.json`` writes draws.

Nothing heavy is imported before the clock starts: what is measured is import to posterior. A contestant is a function
of the order (data, prior, start, draws) that returns the posterior draws by name; all see the same of each.
"""

import time

CLOCK = time.perf_counter()

import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

Order = dict[str, Any]
PROGRESS = {"progressbar": False, "compute_convergence_checks": False}
JAX = {"nuts_sampler": "nutpie", "backend": "jax"}


def ours(order: Order) -> Any:
    """Sample our marginal model by `comparisons.posterior.sample`."""
    from comparisons.densities import without_c_compiler
    from comparisons.posterior import sample

    with without_c_compiler():
        model = _family(order).build_marginal_model(order["X"], order["K"], _prior(order))
        lengths = {key: order[key] for key in ("draws", "tune", "chains", "seed")}
        return sample(model, order["start"], **lengths)["posterior"].to_dataset()


def with_pymc_defaults(order: Order) -> Any:
    """Sample the model that PyMC's documentation leads to by `pm.sample`, as it comes."""
    return _by_pymc(order, {})


def with_jax(order: Order) -> Any:
    """Sample the same by nutpie with JAX."""
    return _by_pymc(order, JAX)


CONTESTANTS: dict[str, Callable[[Order], Any]] = {
    "ours": ours,
    "PyMC, defaults": with_pymc_defaults,
    "PyMC, nutpie + JAX": with_jax,
}


def _by_pymc(order: Order, options: dict[str, Any]) -> Any:
    import pymc as pm

    model = mixture_of_normals(order) if order["family"] == "gmm" else vector_of_bernoullis(order)
    settings = {key: order[key] for key in ("draws", "tune", "chains")} | PROGRESS | options
    with model:
        return pm.sample(initvals=order["start"], random_seed=order["seed"], **settings)["posterior"].to_dataset()


def mixture_of_normals(order: Order) -> Any:
    """Return `pm.Mixture` over a list of `MvNormal`, under our conjugate prior."""
    import numpy as np
    import pymc as pm
    import pytensor.tensor as pt

    from models.inverse_wishart import InverseWishart

    K, prior = order["K"], _prior(order)
    D = order["X"].shape[1]
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", a=np.full(K, prior.concentration))
        covariances = InverseWishart("covariances", nu=prior.degrees_of_freedom, scale=prior.scale, shape=(K, D, D))
        root = pt.linalg.cholesky(covariances) / np.sqrt(prior.mean_precision)
        means = pm.MvNormal("means", mu=prior.mean, chol=root, shape=(K, D))
        components = [pm.MvNormal.dist(mu=means[k], cov=covariances[k]) for k in range(K)]
        pm.Mixture("x", w=weights, comp_dists=components, observed=order["X"])
    return model


def vector_of_bernoullis(order: Order) -> Any:
    """Return a vector `CustomDist` of 0/1 rows: `pm.Mixture` over Bernoullis would give each cell its own label."""
    import numpy as np
    import pymc as pm
    import pytensor.tensor as pt

    def logp(x: Any, weights: Any, probs: Any) -> Any:
        cells = x[:, None] * pt.log(probs) + (1 - x[:, None]) * pt.log1p(-probs)
        return pt.logsumexp(pt.log(weights) + cells.sum(axis=-1), axis=-1)

    K, prior = order["K"], _prior(order)
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", a=np.full(K, prior.concentration))
        probs = pm.Beta("probs", alpha=prior.successes, beta=prior.failures, shape=(K, order["X"].shape[1]))
        pm.CustomDist("x", weights, probs, logp=logp, signature="(k),(k,d)->(d)", observed=order["X"])
    return model


def _family(order: Order) -> Any:
    from models import bmm, gmm

    return {"gmm": gmm, "bmm": bmm}[order["family"]]


def _prior(order: Order) -> Any:
    from models.bmm import BMMPrior
    from models.gmm import GMMPrior

    return GMMPrior.weakly_informative(order["X"], order["K"]) if order["family"] == "gmm" else BMMPrior()


def run(order: Order, folder: Path) -> float:
    """Sample, write the draws to the folder, and return the seconds since this module began to be imported."""
    import numpy as np

    with np.load(folder / "data.npz") as given:
        arrays = {name: given[name] for name in given.files}
    order = order | {"X": arrays.pop("X"), "start": arrays}
    posterior = CONTESTANTS[order["who"]](order)
    seconds = time.perf_counter() - CLOCK
    np.savez(folder / "draws.npz", **{name: posterior[name].to_numpy() for name in arrays})
    return seconds


if __name__ == "__main__":
    print(json.dumps({"seconds": run(json.loads(sys.argv[1]), Path(sys.argv[2]))}))
