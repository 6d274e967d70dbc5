"""Run a calibration: simulate many data sets, draw by each sampler, and test the ranks of the truths."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from comparisons.calibration import check_sizes
from comparisons.calibration.result import Calibration, summary
from comparisons.calibration.simulations import Setting
from comparisons.calibration.simulators import gibbs_ranks, simulations
from em.process.progress import track
from models.shown import shown


def calibrate(
    setting: Setting,
    *,
    samplers: Sequence[str] = ("NUTS",),
    n_simulations: int = 500,
    jacobian: bool = True,
    random_state: int = 0,
    workers: int = 1,
    progress: bool = True,
) -> dict[str, Calibration]:
    """Test samplers by simulation: many data sets, each with its own truth.

    Parameters
    ----------
    setting : Setting
        Model, prior and shape of the data.
    samplers : sequence of {"NUTS", "Gibbs"}
        Samplers to test, on the same simulations. Gibbs needs a conjugate prior, and no missing Gaussian cell.
    n_simulations : int, default 500
        Number of simulations.
    jacobian : bool, default True
        False leaves the Jacobian of the unconstrained scale out of NUTS's density: a deliberate error, to show that the
        test detects it.
    random_state : int, default 0
        Seed. The truths, data and draws of NUTS do not depend on the number of simulations or workers. Gibbs draws for
        all simulations at once, so its draws depend on their number.
    workers : int, default 1
        Number of processes.
    progress : bool, default True
        Whether to show a progress bar on a terminal or in a notebook.

    Returns
    -------
    dict of Calibration
        By sampler.

    Raises
    ------
    ValueError
        If a sampler is unknown or does not apply to the setting, or there are fewer than 20 simulations.

    Examples
    --------
    >>> from comparisons.calibration import calibrate
    >>> from comparisons.calibration.simulations import Setting
    >>> from models.bmm import BMMPrior
    >>> setting = Setting(BMMPrior(4.0, 1.0, 1.0), n_samples=30, n_features=4)
    >>> calibration = calibrate(setting, samplers=["Gibbs"], n_simulations=20)["Gibbs"]
    >>> calibration.n_simulations, calibration.passed()
    (20, True)
    """
    if not samplers or not set(samplers) <= {"NUTS", "Gibbs"}:
        raise ValueError(f"samplers must be NUTS, Gibbs or both, got {shown(samplers)}")
    check_sizes(n_simulations, workers, random_state)
    if "Gibbs" in samplers and not setting.has_gibbs:
        raise ValueError("samplers must not hold Gibbs here: the prior is not conjugate, or Gaussian cells are missing")
    if setting.prior.conjugate:
        setting.prior.check_mode()
    seeds = np.random.SeedSequence(random_state).generate_state(n_simulations).tolist()
    start = perf_counter()
    results = simulations(setting, seeds, "NUTS" in samplers, jacobian, workers)
    waited = zip(track(seeds, "Simulations", progress), results, strict=True)
    simulated, by_nuts = zip(*(result for _, result in waited), strict=True)
    ranked: dict[str, tuple[Any, float]] = {"NUTS": (by_nuts, perf_counter() - start)}
    if "Gibbs" in samplers:
        start = perf_counter()
        ranked["Gibbs"] = gibbs_ranks(setting, simulated, random_state), perf_counter() - start
    return {sampler: summary(sampler, simulated, *ranked[sampler]) for sampler in samplers}
