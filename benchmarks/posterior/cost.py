"""What a gradient of the marginal model costs against n, beside a pass of EM: the figure of `benchmarks.posterior`."""

import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.cases import Case, make_data, make_start
from benchmarks.measure import measure
from models import gmm

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)


def draw_costs(sizes: tuple[int, ...], out: Path) -> Path:
    """Draw seconds per gradient of our marginal model and per pass of EM against n; return the path of the figure."""
    gradients, passes = zip(*((seconds_per_gradient(n), seconds_per_pass(n)) for n in sizes), strict=True)
    out.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.loglog(sizes, gradients, "o-", label="gradient of the log posterior (PyMC, JAX)")
    axes.loglog(sizes, passes, "s--", label="pass of EM (NumPy, Numba)")
    axes.set(xlabel="n", ylabel="seconds", title="Gaussian mixture, K = 3, D = 2")
    axes.legend()
    figure.savefig(out / "cost.png", dpi=130)
    plt.close(figure)
    rows = [f"{n},{gradient:.3g},{em:.3g}" for n, gradient, em in zip(sizes, gradients, passes, strict=True)]
    (out / "cost.csv").write_text("\n".join(["n,seconds_per_gradient,seconds_per_em_pass", *rows]) + "\n")
    return out / "cost.png"


def seconds_per_gradient(n: int) -> float:
    """Return the median seconds of value and gradient of the marginal model, as NUTS takes them."""
    from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler

    case = Case("full", n, 2, 3)
    X = make_data(case)
    with without_c_compiler:
        model = gmm.build_marginal_model(X, case.K, gmm.GMMPrior.weakly_informative(X, case.K))
        density = UnconstrainedDensity(model, jacobian=True)
    at, seconds = density.unconstrain(make_start(case, X).arrays()), []
    for _ in range(max(3, min(100, 1_000_000 // n))):
        began = time.perf_counter()
        density.value_and_gradient(at)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def seconds_per_pass(n: int) -> float:
    """Return the seconds of an E-step and M-step of EM."""
    return measure("ours", Case("full", n, 2, 3), 5)["seconds"]
