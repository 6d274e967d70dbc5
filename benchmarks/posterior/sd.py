"""Are Laplace's standard errors the posterior's standard deviations? ``python -m benchmarks.posterior.sd [draws]``.

At n = 5000 the posterior is nearly normal, and the standard errors at MAP must lie within 5 % of the standard
deviations of NUTS draws. S independent draws know a standard deviation to 1 / sqrt(2 S): the script prints how many
there were.
"""

import sys
from typing import Any

import arviz as az
import numpy as np

from comparisons.posterior import sample
from em import BernoulliMixtureEM, GaussianMixtureEM
from models import bmm, gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior

N, TOLERANCE = 5000, 0.05
CLOUDS = GMMParameters(
    np.array([0.4, 0.6]),
    np.array([[0.0, 0.0], [3.0, 2.0]]),
    np.array([[[1.0, 0.5], [0.5, 1.0]], [[0.7, -0.3], [-0.3, 1.5]]]),
)
CLASSES = BMMParameters(np.array([0.4, 0.6]), np.array([[0.2, 0.3, 0.15, 0.25, 0.4], [0.8, 0.7, 0.85, 0.6, 0.75]]))


def compare(name: str, fit: Any, X: np.ndarray, model: Any, draws: int) -> bool:
    """Print a row for each parameter and return whether all agree."""
    uncertainty = fit.uncertainty(X)
    tree = sample(model, fit.parameters_.arrays(), draws=draws, tune=500, chains=2, seed=0)
    posterior = tree["posterior"].to_dataset()
    ess = min(float(az.ess(posterior, method="sd")[v].min()) for v in posterior.data_vars)
    print(f"{name}, n = {N}: smallest effective sample size of a standard deviation {ess:.0f}")
    passed = True
    for row in uncertainty.table:
        array, place = row["parameter"].rstrip("]").split("[")
        sd = float(posterior[array].to_numpy()[(..., *map(int, place.split(", ")))].std())
        ratio = row["standard_error"] / sd
        passed &= abs(ratio - 1) <= TOLERANCE
        print(f"  {row['parameter']:22} standard error {row['standard_error']:.5f}  posterior sd {sd:.5f}  {ratio:.3f}")
    print(f"  {'all' if passed else 'NOT all'} within {TOLERANCE:.0%}")
    return passed


def main(draws: int = 4000) -> bool:
    """Compare a Gaussian and a Bernoulli mixture; return whether both agree."""
    X, _ = gmm.simulate(CLOUDS, N, random_state=0)
    prior = GMMPrior.weakly_informative(X, 2)
    fit = GaussianMixtureEM(2, init=CLOUDS, prior=prior).fit(X)
    passed = compare("Gaussian mixture", fit, X, gmm.build_marginal_model(X, 2, prior), draws)
    X, _ = bmm.simulate(CLASSES, N, random_state=0)
    fit = BernoulliMixtureEM(2, init=CLASSES, prior=BMMPrior()).fit(X)
    return compare("Bernoulli mixture", fit, X, bmm.build_marginal_model(X, 2, BMMPrior()), draws) and passed


if __name__ == "__main__":
    sys.exit(0 if main(*map(int, sys.argv[1:])) else 1)
