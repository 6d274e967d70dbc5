"""Simulation-based calibration: whether a sampler draws from the posterior of the model that made the data.

Draw a truth θ* from the prior and data X from θ*. Then θ* is itself a draw from p(θ | X), so that among L independent
draws θ_1, ..., θ_L of a correct sampler the rank of f(θ*, X) is uniform on 0, ..., L, whatever the function f. Over
many simulations the ranks are tested for uniformity; whatever fails shows an error in the model's density, in the
sampler, or in the truth's simulation. :func:`comparisons.calibration.simulations.quantities` lists the functions f.

Two samplers are held to this test: "NUTS" on the marginal PyMC model, as in a comparison of these data, compiled once
for all simulations; and, where the prior is conjugate, the Gibbs sampler of :mod:`em.gibbs`. Beside each stand the
coverages of its 95 % intervals and of EM's, by maximum likelihood and by Laplace's approximation at MAP: over data from
the prior a posterior's must be 95 %, EM's is what large samples make of it.

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
    """Raise a ValueError unless there are enough simulations, and a process and a seed."""
    if count_at_least_one("n_simulations", n_simulations) < MIN_SIMULATIONS:
        raise ValueError(f"n_simulations must be at least {MIN_SIMULATIONS} to tell anything, got {n_simulations}")
    count_at_least_one("workers", workers)
    count_at_least("random_state", random_state, 0)
