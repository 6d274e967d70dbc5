"""Compare Laplace's approximation with NUTS for more and more rows: ``python -m benchmarks.laplace``.

Rows are drawn from a mixture, MAP-EM is fitted, `fit.laplace` approximates the posterior, and NUTS draws from it. The
table has the largest distance of a mean, in posterior standard deviations, and the largest relative distance of a
standard deviation, with the Monte Carlo error of the draws (two standard errors of the worst parameter). At 100,000
rows, beyond that error, means must agree to 0.1 standard deviations and standard deviations to 2 %.
"""

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import arviz as az
import numpy as np
import typer
from rich.table import Table

from benchmarks.tables import new_console
from comparisons.posterior import sample
from em import BernoulliMixtureEM, GaussianMixtureEM
from models import bmm, gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior

CLOUDS = GMMParameters(
    np.array([0.4, 0.6]),
    np.array([[0.0, 0.0], [3.0, 2.0]]),
    np.array([[[1.0, 0.5], [0.5, 1.0]], [[0.7, -0.3], [-0.3, 1.5]]]),
)
CLASSES = BMMParameters(np.array([0.4, 0.6]), np.array([[0.2, 0.3, 0.15, 0.25, 0.4], [0.8, 0.7, 0.85, 0.6, 0.75]]))
MEANS, DEVIATIONS, JUDGED = 0.1, 0.02, 100_000


class Distance(NamedTuple):
    """Largest distances of means and of standard deviations, and the Monte Carlo error of each."""

    mean: float
    mean_error: float
    sd: float
    sd_error: float


def main(
    sizes: Annotated[str, typer.Option(help="Numbers of rows, a,b.")] = "100,1000,10000,100000",
    draws: Annotated[int, typer.Option(help="Draws of each of 4 chains.")] = 4000,
) -> None:
    """Print distances from NUTS against numbers of rows; exit code 1 if those at 100,000 rows are too large."""
    console, passed = new_console(), True
    numbers = [int(size) for size in sizes.split(",")]
    for title, prepared in {"Gaussian, full, K = 2, D = 2": clouds, "Bernoulli, K = 2, D = 5": classes}.items():
        table = Table(title=f"{title}: Laplace against NUTS, 4 chains of {draws} draws; after ± the draws' own error")
        for heading in ("rows", "means, in sd", "sds, relative", "seconds of Laplace", "of NUTS"):
            table.add_column(heading, justify="right")
        for n in numbers:
            distance, seconds = measured(prepared(n), draws)
            mean, sd = (f"{distance[i]:.4f} ± {distance[i + 1]:.4f}" for i in (0, 2))
            table.add_row(f"{n:,}", mean, sd, *(f"{one:.2f}" for one in seconds))
            passed &= n < JUDGED or close(distance)
        console.print(table)
    sys.exit(0 if passed else 1)


def close(distance: Distance) -> bool:
    """Whether means and standard deviations agree, within the Monte Carlo error."""
    return distance.mean - distance.mean_error <= MEANS and distance.sd - distance.sd_error <= DEVIATIONS


def clouds(n: int) -> tuple[Any, np.ndarray, Callable[[], Any]]:
    """Return MAP-EM of two Gaussian clouds, the rows, and a function that builds the PyMC model."""
    X, _ = gmm.simulate(CLOUDS, n, random_state=0)
    prior = GMMPrior.weakly_informative(X, 2)
    fit = GaussianMixtureEM(2, init=CLOUDS, prior=prior).fit(X)
    return fit, X, lambda: gmm.build_marginal_model(X, 2, prior)


def classes(n: int) -> tuple[Any, np.ndarray, Callable[[], Any]]:
    """Return MAP-EM, rows and model of two latent classes of binary features."""
    X, _ = bmm.simulate(CLASSES, n, random_state=0)
    fit = BernoulliMixtureEM(2, init=CLASSES, prior=BMMPrior()).fit(X)
    return fit, X, lambda: bmm.build_marginal_model(X, 2, BMMPrior())


def measured(prepared: tuple[Any, np.ndarray, Callable[[], Any]], draws: int) -> tuple[Distance, tuple[float, float]]:
    """Return the distances of Laplace's approximation from NUTS draws, and the seconds of both."""
    fit, X, build = prepared
    begin = time.perf_counter()
    approximation = fit.laplace(X)
    between = time.perf_counter()
    tree = sample(build(), fit.parameters_.arrays(), draws=draws, tune=1000, chains=4, seed=0)
    seconds = between - begin, time.perf_counter() - between
    posterior, entries = tree["posterior"].to_dataset(), approximation.entries

    def of_each(values: Any) -> np.ndarray:
        return np.array([values[entry.array].to_numpy()[entry.place] for entry in entries.entries])

    mean, sd = of_each(posterior.mean(("chain", "draw"))), of_each(posterior.std(("chain", "draw")))
    errors = of_each(az.mcse(posterior, method="mean")) / sd, of_each(az.mcse(posterior, method="sd")) / sd
    by_laplace = entries.of(approximation.mean), entries.of(approximation.standard_deviation)
    of_mean, of_sd = np.abs(by_laplace[0] - mean) / sd, np.abs(by_laplace[1] / sd - 1)
    worst = int(of_mean.argmax()), int(of_sd.argmax())
    numbers = of_mean[worst[0]], 2 * errors[0][worst[0]], of_sd[worst[1]], 2 * errors[1][worst[1]]
    return Distance(*(float(number) for number in numbers)), seconds


if __name__ == "__main__":
    typer.run(main)
