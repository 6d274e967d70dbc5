"""Measure whether the chains of a mixture mixed: label-free quantities, R-hat and ESS, and second modes.

A quantity has a second mode if a kernel density estimate of its draws has a second peak that

- has a valley beside it that is at most a quarter as high,
- holds at least 0.5 % of the draws,
- rests on at least 20 draws.

The kernel is Gaussian, with one, two or four times Silverman's bandwidth h. An estimate f of the density of S draws
rests on m = 2 sqrt(π) h S f draws, and its relative error is 1 / sqrt(m); so a fall from m = 20 to m = 5 is not by
chance.

References
----------
Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, 667-718: rank-normalised R-hat, bulk ESS.
Silverman (1986), Density Estimation for Statistics and Data Analysis, section 3.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from scipy.special import entr

from comparisons.alignment.component_draws import SAMPLE
from models.validation import Array

MAX_RHAT, MIN_ESS = 1.01, 400
MIN_SHARE, MIN_DRAWS, MAX_VALLEY = 0.005, 20, 0.25
BANDWIDTHS, BINS_PER_BANDWIDTH, MOST_BINS = (1, 2, 4), 4, 2**14


def of_weights(weights: Array) -> dict[str, Array]:
    """Return the entropy of weights (..., K) and the weights sorted."""
    return {"entropy_of_weights": entr(weights).sum(axis=-1), "sorted_weights": np.sort(weights, axis=-1)}


def label_free(posterior: Mapping[Any, Any], log_likelihood: Array) -> xr.Dataset:
    """Return the label-free quantities of draws: log-likelihood, entropy of the weights, sorted weights."""
    arrays = {"log_likelihood": log_likelihood} | of_weights(np.asarray(posterior["weights"]))
    return xr.Dataset({name: ((*SAMPLE, "rank")[: array.ndim], array) for name, array in arrays.items()})


def convergence(values: Array) -> tuple[Array, Array]:
    """Return R-hat and bulk ESS of each entry of draws (chain, draw, ...); R-hat of a constant entry is NaN."""
    import arviz as az  # slow to import

    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(az.rhat(values, **axes)), np.asarray(az.ess(values, method="bulk", **axes))


def extremes(quantities: Mapping[Any, Any]) -> tuple[float, float]:
    """Return the largest R-hat and the smallest bulk ESS of all entries of draws (chain, draw, ...) that vary."""
    arrays = [np.asarray(draws) for draws in quantities.values()]
    entries = np.concatenate([values.reshape(*values.shape[:2], -1) for values in arrays], axis=2)
    varying = entries[:, :, np.ptp(entries, axis=(0, 1)) > 0]
    if not varying.size:
        return 1.0, np.inf
    rhat, ess = convergence(varying)
    return float(np.nanmax(rhat)), float(np.nanmin(ess))


@dataclass(frozen=True)
class Mode:
    """A second mode: its share of the draws, its location, and the location of the main mode."""

    share: float
    at: float
    main: float

    def __str__(self) -> str:
        return f"{self.share:.2%} near {self.at:.4g}, not {self.main:.4g}"


def second_mode(values: Array) -> Mode | None:
    """Return the largest second mode of draws (S,) over the three bandwidths, or None.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.alignment.mixing import second_mode
    >>> rng = np.random.default_rng(0)
    >>> second_mode(rng.normal(size=1000)) is None
    True
    >>> round(second_mode(np.append(rng.normal(size=950), rng.normal(8, 1, size=50))).share, 3)
    0.05
    """
    low, q1, q3, high = np.quantile(values, [MIN_SHARE / 4, 0.25, 0.75, 1 - MIN_SHARE / 4])
    spread = min(values.std(), (q3 - q1) / 1.349) or values.std()
    if spread <= 1e-12 * np.abs(values).max():
        return None
    silverman = 0.9 * spread * len(values) ** -0.2
    modes = [_second_peak(values, low, high, factor * silverman) for factor in BANDWIDTHS]
    return max((mode for mode in modes if mode), key=lambda mode: mode.share, default=None)


def _second_peak(values: Array, low: float, high: float, bandwidth: float) -> Mode | None:
    """Return the second mode of a kernel density estimate between low and high, or None."""
    if high - low <= bandwidth:  # nearly all draws are equal
        return None
    n_bins = int(np.clip(np.ceil((high - low) * BINS_PER_BANDWIDTH / bandwidth), 8, MOST_BINS))
    counts, edges = np.histogram(values, n_bins, (low, high))
    sigma = bandwidth * n_bins / (high - low)  # in bins
    smooth = gaussian_filter1d(counts.astype(np.float64), sigma, mode="constant") * 2 * np.sqrt(np.pi) * sigma
    heights = np.pad(smooth, 1)  # the number m of draws that the estimate rests on; padded, as a peak may be at an end
    peaks, shape = find_peaks(heights, height=MIN_DRAWS, prominence=0)
    peaks = peaks[shape["prominences"] >= (1 - MAX_VALLEY) * heights[peaks]]
    valleys = [edges[a + heights[a:b].argmin() - 1] for a, b in pairwise(peaks)]
    shares = np.histogram(values, [-np.inf, *valleys, np.inf])[0] / len(values)
    order = np.argsort(-shares)
    if len(order) < 2 or shares[order[1]] < MIN_SHARE:
        return None
    main, second = (float(edges[peaks[i] - 1 : peaks[i] + 1].mean()) for i in order[:2])
    return Mode(float(shares[order[1]]), second, main)
