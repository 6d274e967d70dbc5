"""What tells whether the chains of a mixture mixed: label-free quantities, R-hat and ESS, and second modes.

A second mode of a quantity is one where a density estimate of its draws (Gaussian kernel, Silverman's bandwidth) has a
second peak that

    holds at least 0.5 % of the draws and 20 of them, and
    has a valley beside it at most half as high as itself.

References
----------
Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, 667-718: rank-normalised R-hat, bulk ESS.
Silverman (1986), Density Estimation for Statistics and Data Analysis, section 3.4.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import arviz as az
import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from scipy.special import entr

from comparisons.component_draws import SAMPLE
from models.validation import Array

MAX_RHAT, MIN_ESS = 1.01, 400
MIN_SHARE, MIN_DRAWS, MAX_VALLEY = 0.005, 20, 0.5
BINS_PER_BANDWIDTH, MOST_BINS = 4, 2**14


def of_weights(weights: Any) -> dict[str, Any]:
    """Return the entropy of weights (chain, draw, K) and the weights sorted."""
    weights = np.asarray(weights)
    return {
        "entropy_of_weights": (SAMPLE, entr(weights).sum(axis=-1)),
        "sorted_weights": ((*SAMPLE, "rank"), np.sort(weights, axis=-1)),
    }


def label_free(posterior: xr.Dataset, log_likelihood: Array) -> xr.Dataset:
    """Return quantities that no relabelling changes: log-likelihood, entropy of the weights, sorted weights."""
    return xr.Dataset({"log_likelihood": (SAMPLE, log_likelihood), **of_weights(posterior["weights"])})


def extremes(quantities: xr.Dataset) -> tuple[float, float]:
    """Return the largest R-hat and the smallest bulk ESS of all entries; constant ones do not count."""
    varying = {}
    for name, array in quantities.data_vars.items():
        values = array.to_numpy().reshape(*array.shape[:2], -1)
        kept = values[:, :, np.ptp(values, axis=(0, 1)) > 0]
        if kept.shape[2]:
            varying[name] = (("chain", "draw", f"{name}_entry"), kept)
    if not varying:
        return 1.0, float("inf")
    dataset = xr.Dataset(varying)
    rhat, ess = az.rhat(dataset), az.ess(dataset, method="bulk")
    worst_rhat = max(float(values.max()) for values in rhat.data_vars.values())
    return worst_rhat, min(float(values.min()) for values in ess.data_vars.values())


@dataclass(frozen=True)
class Mode:
    """A second mode: its share of the draws, where it is and where the first one is."""

    share: float
    at: float
    main: float


def second_mode(values: Array) -> Mode | None:
    """Return the largest second mode of draws (S,), or None.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.mixing import second_mode
    >>> rng = np.random.default_rng(0)
    >>> second_mode(rng.normal(size=1000)) is None
    True
    >>> round(second_mode(np.append(rng.normal(size=950), rng.normal(8, 1, size=50))).share, 3)
    0.05
    """
    inner = np.quantile(values, [0.25, 0.75, MIN_SHARE / 4, 1 - MIN_SHARE / 4])
    spread = min(values.std(), (inner[1] - inner[0]) / 1.349) or values.std()
    if spread <= 1e-12 * np.abs(values).max():
        return None
    width = 0.9 * spread * len(values) ** -0.2 / BINS_PER_BANDWIDTH
    n_bins = int(np.clip(np.ceil((inner[3] - inner[2]) / width), 8, MOST_BINS))
    counts, edges = np.histogram(values, bins=n_bins, range=(inner[2], inner[3]))
    density = np.pad(gaussian_filter1d(counts.astype(float), BINS_PER_BANDWIDTH, mode="constant"), 1)
    peaks, found = find_peaks(density, prominence=0)
    peaks = peaks[found["prominences"] >= (1 - MAX_VALLEY) * density[peaks]]
    valleys = [int(a + density[a:b].argmin()) for a, b in pairwise(peaks)]
    bounds = np.clip(np.array([0, *valleys, n_bins + 1]) - 1, 0, n_bins)  # density is padded by one bin
    masses = np.array([counts[a:b].sum() for a, b in pairwise(bounds)])
    first = int(np.argmax(density[peaks]))
    others = [i for i in np.argsort(-masses) if i != first and masses[i] >= max(MIN_SHARE * len(values), MIN_DRAWS)]
    if not others:
        return None
    at = (edges[peaks - 1] + edges[peaks]) / 2
    return Mode(float(masses[others[0]] / len(values)), float(at[others[0]]), float(at[first]))
