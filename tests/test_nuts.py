"""NUTS on the whitened posterior draws from PyMC's density, near normal or far from it."""

import arviz as az
import numpy as np
import xarray as xr
from scipy import stats
from scipy.special import gamma

from comparisons.posterior import sample
from comparisons.posterior.densities import without_c_compiler
from comparisons.posterior.nuts import Chain
from models.bmm import BMMPrior, build_marginal_model

PRIOR = BMMPrior(1.0, 2.0, 2.0)
OBSERVED = np.array([300, 300, 12, 12, 3, 3])  # the fewer answers to a question, the farther from normal
ONES = np.array([130, 40, 5, 9, 3, 1])


def test_moments_are_the_exact_ones():
    """Of one class the posterior of probs is Beta(2 + ones, 2 + zeros): p, p² and p³ within 4 standard errors."""
    row = np.arange(OBSERVED.max())[:, None]
    X = np.where(row < OBSERVED, row < ONES, np.nan)
    start = {"weights": np.ones(1), "probs": (ONES / OBSERVED)[None].clip(0.1, 0.9)}
    with without_c_compiler:
        model = build_marginal_model(X, 1, PRIOR)
    tree = sample(model, start, draws=1000, tune=500, chains=4, seed=1)
    exact = stats.beta(2 + ONES, 2 + OBSERVED - ONES)
    assert not tree["sample_stats"]["diverging"].any()
    for power in (1, 2, 3):
        drawn = (tree["posterior"]["probs"] ** power).to_dataset(name="p")
        gap = (drawn["p"].mean(("chain", "draw")) - exact.moment(power)) / az.mcse(drawn, method="mean")["p"]
        assert np.abs(gap).max() < 4


class Quartic:
    """The density exp(-v⁴/4) in each of three coordinates."""

    size = 3

    def value_and_gradient(self, v):
        return -(v**4).sum() / 4, -(v**3)


def test_the_scale_and_the_origin_of_a_chain_leave_the_target_as_it_is():
    root = np.array([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, -0.3, 0.4]])
    settings = {"draws": 2000, "tune": 500, "max_depth": 10, "target_accept": 0.8}
    chains = [Chain(Quartic(), (np.array([0.3, 0.0, -0.2]), root), seed, **settings) for seed in range(4)]
    for chain in chains:
        chain.wait()
    draws = xr.DataArray(np.stack([chain.drawn()[0] for chain in chains]), dims=("chain", "draw", "axis"))
    for power in (2, 4, 6):
        drawn = (draws**power).to_dataset(name="v")
        exact = 2 ** (power / 2) * gamma((power + 1) / 4) / gamma(1 / 4)
        gap = (drawn["v"].mean(("chain", "draw")) - exact) / az.mcse(drawn, method="mean")["v"]
        assert np.abs(gap).max() < 4
