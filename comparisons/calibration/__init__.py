"""Simulation-based calibration: test whether a sampler draws from the posterior of the model that made the data.

Draw a truth θ* from the prior, and data X from θ*. Then θ* is a draw from p(θ | X). So among L independent draws θ_1,
..., θ_L of a correct sampler, the rank of f(θ*, X) is uniform on 0, ..., L, for every function f. The ranks of many
simulations are tested for uniformity. If a test fails, the model's density, the sampler, or the simulation of the truth
is wrong. :func:`comparisons.calibration.simulations.quantities` lists the functions f.

Two samplers are tested: "NUTS" on the marginal PyMC model, compiled once for all simulations, and, if the prior is
conjugate, the Gibbs sampler of :mod:`em.gibbs`. The coverage of 95 % intervals is reported too: of the posterior, of
maximum likelihood, and of Laplace's approximation at the MAP. Over data from the prior, the posterior's must be 95 %;
those of EM approach 95 % only for large samples.

From the command line: ``python -m comparisons.calibration``.

References
----------
Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference algorithms with simulation-based
calibration, arXiv:1804.06788.
Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman & Vehtari (2023), Simulation-based calibration checking for
Bayesian computation: the choice of test quantities shapes sensitivity, Bayesian Analysis 20, 461-488.
Säilynoja, Bürkner & Vehtari (2022), Graphical test for discrete uniformity and its applications in goodness-of-fit
evaluation and multiple sample comparison, Statistics and Computing 32, 32: the simultaneous bands.
"""

from typing import TYPE_CHECKING

from models.lazy import on_demand
from models.validation import count_at_least, count_at_least_one

if TYPE_CHECKING:
    from comparisons.calibration.steps import calibrate

__all__ = ["calibrate", "check_sizes"]
__getattr__ = on_demand(__name__, {"calibrate": "steps"})
MIN_SIMULATIONS = 20


def check_sizes(n_simulations: int, workers: int, random_state: int) -> None:
    """Raise a ValueError if there are too few simulations, or no process or seed."""
    if count_at_least_one("n_simulations", n_simulations) < MIN_SIMULATIONS:
        raise ValueError(f"n_simulations must be at least {MIN_SIMULATIONS} for a test, got {n_simulations}")
    count_at_least_one("workers", workers)
    count_at_least("random_state", random_state, 0)
