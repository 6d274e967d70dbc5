"""A Gaussian mixture in units of its data's own deviations: the same model, in which an optimiser's steps are about 1.

With Z = (X - c) / s column by column, means move as the data do, covariances become Σ_ij / (s_i s_j), and the prior
moves along: log p(θ | X) changes by a constant, so modes correspond. L-BFGS stops far from the mode where one
coordinate is a million times as long as another.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from models.validation import Array

ORDINARY = 100.0  # deviations from 1 / 100 to 100, and values within 100 deviations of 0, stay as they are
Point = dict[str, Array]


class Units:
    """Location c and scale s of each column: those of the data, or 0 and 1 where these are ordinary.

    Parameters
    ----------
    X : ndarray, shape (n, D)
        Samples; NaN where a cell is missing.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure; "spherical" has one scale for all columns.
    """

    def __init__(self, X: Array, covariance_type: str) -> None:
        mean, sd = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
        sd = np.full_like(sd, sd.mean()) if covariance_type == "spherical" else sd
        sd = np.where(sd > 0, sd, 1.0)
        far = sd.max() > ORDINARY or sd.min() < 1 / ORDINARY or (np.abs(mean) > ORDINARY * sd).any()
        self.location = mean if far else np.zeros_like(mean)
        self.scale = s = 2.0 ** np.round(np.log2(sd)) if far else np.ones_like(sd)  # powers of 2 round nothing
        squares = {"diag": s**2, "spherical": np.asarray(s[0] ** 2)}
        self.squares: Array = squares.get(covariance_type, np.outer(s, s))  # of one component's covariances

    def samples(self, X: Array) -> Array:
        """Return samples in these units."""
        return (X - self.location) / self.scale

    def prior(self, prior: Any) -> Any:
        """Return the prior in these units."""
        mean = (prior.mean - self.location) / self.scale
        if prior.conjugate:
            return replace(prior, mean=mean, scale=prior.scale / self.squares)
        units = self.scale if prior.scale.ndim else self.scale[0]
        power = 1 if prior.variance_shape is None else 2  # of standard deviations, or of variances
        return replace(prior, mean=mean, mean_sd=prior.mean_sd / self.scale, scale=prior.scale / units**power)

    def into(self, point: Point) -> Point:
        """Return declared quantities in these units."""
        return {**point, "means": self.samples(point["means"]), "covariances": point["covariances"] / self.squares}

    def back(self, point: Point) -> Point:
        """Return declared quantities in the units of X."""
        means, covariances = point["means"] * self.scale + self.location, point["covariances"] * self.squares
        return {**point, "means": means, "covariances": covariances}
