"""Standard units: a Gaussian mixture is fitted to samples that are centred and scaled.

EM for x and for u = (x - c) / s takes the same steps. With c the means and s the standard deviations of the columns, u
is near 0 and of size 1, so a fit keeps its digits wherever the data are and however large their numbers. The fit in the
units of x is

    μ = c + s μ_u,    Σ = diag(s) Σ_u diag(s),    log p(x) = log p(u) - Σ_d log s_d    (d among the observed features)

and the prior density of means and covariances is divided by the product of the units of all their entries. Spherical
covariances have one scale for all features, the root of the mean variance.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from em.engine import Run
from em.engine.problem import Problem, one_run
from em.gmm.collapse import smallest_eigenvalues_of_correlations
from em.samples import Samples
from models.gmm import GMMParameters
from models.gmm.prior import GaussianPrior, typical_deviation
from models.gmm.structures import MATRICES, covariance_support, covariances_shape
from models.validation import Array

MOST_CELLS_COPIED = 2_000_000
SHRINKAGE = 1e-8  # of correlations that are singular up to rounding
SINGULAR = 1e-14  # smallest eigenvalue of a component's correlation matrix; below it the inverse is rounding error


@dataclass(frozen=True)
class Units:
    """Location c and scale s of each feature, shape (D,), for covariances of one structure."""

    location: Array
    scale: Array
    covariance_type: str

    @cached_property
    def covariances(self) -> Array | float:
        """Units of the declared covariances, shaped to broadcast with them."""
        of_variances: dict[str, Array | float] = {"diag": self.scale**2, "spherical": float(self.scale[0] ** 2)}
        return of_variances.get(self.covariance_type, np.outer(self.scale, self.scale))

    def rows(self, X: Any) -> Any:
        """Return samples in these units."""
        return (X - self.location) / self.scale

    def samples(self, samples: Samples) -> Samples:
        """Return samples in these units: a copy, or a view if they are complete and either many or read only once."""
        viewed = samples.complete and (samples.X.size > MOST_CELLS_COPIED or not samples.lasting)
        X: Any = StandardRows(samples.X, self) if viewed else self.rows(samples.X)
        return replace(samples, X=X, make_start_rows=lambda: self.samples(samples.start_rows))

    def arrays(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return the given arrays, some of weights, means and covariances, in these units."""
        standard = dict(arrays)
        if "means" in standard:
            standard["means"] = self.rows(standard["means"])
        if "covariances" in standard:
            standard["covariances"] = standard["covariances"] / self.covariances
        return standard

    def parameters(self, parameters: GMMParameters) -> GMMParameters:
        """Return parameters in these units."""
        return replace(parameters, **self.arrays(parameters.arrays()))  # type: ignore[arg-type]

    def back(self, parameters: GMMParameters) -> GMMParameters:
        """Return parameters in the units of x; raise a ValueError if a covariance is singular up to rounding."""
        covariances = parameters.covariances
        if self.covariance_type in MATRICES and smallest_eigenvalues_of_correlations(covariances).min() < SINGULAR:
            raise ValueError("covariances must not be singular up to rounding")
        means = self.location + self.scale * parameters.means
        return replace(parameters, means=means, covariances=covariances * self.covariances)

    def statistics(self, statistics: Mapping[str, Array], others: Self) -> dict[str, Array]:
        """Return moments (:mod:`em.gmm.statistics`) in other units."""
        ratio, shift = self.scale / others.scale, (self.location - others.location) / others.scale
        return {
            "centers": shift + ratio * statistics["centers"],
            "counts": statistics["counts"],
            "first": ratio * statistics["first"],
            "second": self.covariances / others.covariances * statistics["second"],
        }

    def of_entries(self, parameters: GMMParameters) -> dict[str, Array]:
        """Return the unit of each entry of the declared arrays, by name."""
        arrays = parameters.arrays()
        units: dict[str, Array | float] = {"weights": 1.0, "means": self.scale, "covariances": self.covariances}
        return {name: np.broadcast_to(units[name], array.shape) for name, array in arrays.items()}

    def log_data(self, samples: Samples) -> float:
        """Return log p(x) - log p(u), summed over samples: minus the sum of log s_d over the observed cells."""
        return -float(samples.n_observed @ np.log(self.scale))

    def log_prior(self, n_components: int) -> float:
        """Return the log prior in the units of x minus the log prior in these units: minus the sum of all log units."""
        kind, K = self.covariance_type, n_components
        units = np.broadcast_to(self.covariances, covariances_shape(kind, K, len(self.scale)))
        of_covariances = [units[place] for place in covariance_support(kind).distinct_entries(units.shape)]
        return -float(K * np.log(self.scale).sum() + np.log(of_covariances).sum())

    def run(self, run: Run[GMMParameters], log_data: float, log_prior: float) -> Run[GMMParameters]:
        """Return the run in the units of x; raise a ValueError as `back` does."""
        return replace(
            run,
            parameters=self.back(run.parameters),
            log_likelihood=run.log_likelihood + log_data,
            objective=run.objective + log_data + log_prior,
            history=run.history + log_data + log_prior,
        )


def as_collapsed(run: Run[GMMParameters], problem: Problem[GMMParameters]) -> Run[GMMParameters]:
    """Return a run whose covariances are singular up to rounding as one that collapsed.

    Its correlations are shrunk by 1e-8, so that the covariances are positive definite.
    """
    covariances = run.parameters.covariances
    diagonals = covariances * np.eye(covariances.shape[-1])
    parameters = replace(run.parameters, covariances=diagonals + (1 - SHRINKAGE) * (covariances - diagonals))
    theta = one_run(parameters.arrays())
    log_likelihood = float(problem.expect(theta, np.zeros(1, dtype=int))[0][0])
    objective = log_likelihood + float(problem.log_prior(theta)[0])
    status = run.status if run.collapsed else "collapsed: a covariance is singular up to rounding"
    return replace(
        run,
        parameters=parameters,
        log_likelihood=log_likelihood,
        objective=objective,
        history=np.append(run.history[:-1], objective),
        converged=False,
        collapsed=True,
        status=status,
    )


def units_of(samples: Samples, covariance_type: str, prior: GaussianPrior | None = None) -> Units:
    """Return the standard units of samples: the means and the standard deviations of the columns.

    A constant column gets the deviation that the prior expects, or without a prior that of a typical other column.
    """
    deviation = samples.deviation
    typical = typical_deviation(deviation) if prior is None else prior.typical_deviations
    deviation = np.where(deviation > 0, deviation, typical)
    if covariance_type == "spherical":
        largest = deviation.max()
        deviation = np.full_like(deviation, largest * np.sqrt(np.mean((deviation / largest) ** 2)))
    return Units(samples.mean, deviation, covariance_type)


def standardised(estimator: Any, units: Units) -> Any:
    """Return a Gaussian mixture's estimator in other units, with its prior, frozen values and start converted."""
    other = copy(estimator)
    other._units = units
    try:
        other.frozen = units.arrays(estimator._frozen(len(units.scale)))
        if estimator.prior is not None:
            other.prior = estimator.prior.standardised(units.location, units.scale)
        if isinstance(estimator.init, GMMParameters):
            other.init = units.parameters(estimator.init)
        for means in estimator._known_from_init(len(units.scale)).values():
            other.init = units.rows(means)
    except ValueError as error:
        raise ValueError(
            f"prior, frozen and init must be on the scale of X, whose standard deviations are about {units.scale}: "
            f"in these units {error}"
        ) from None
    return other


@dataclass(frozen=True)
class StandardRows:
    """A matrix in other units, converted slice by slice, so that a large matrix is not copied.

    Attributes
    ----------
    raw : ndarray, shape (n, D)
        The matrix in its own units.
    units : Units
        The units of the slices.
    """

    raw: Any
    units: Units

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (n, D)."""
        return tuple(self.raw.shape)

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, key: Any) -> Array:
        part = self.raw[key]
        if isinstance(key, tuple):
            return np.asarray((part - self.units.location[key[1]]) / self.units.scale[key[1]])
        return np.asarray(self.units.rows(part))

    def put_columns(self, rows: slice, columns: Array) -> None:
        """Write a slice of the rows as columns (D, n)."""
        np.subtract(self.raw[rows].T, self.units.location[:, None], out=columns)
        columns /= self.units.scale[:, None]
