"""One simulation of a calibration: a truth from the prior, data from the truth, EM's estimates, and quantities to rank.

:func:`quantities` lists the ranked quantities. Each is a function of parameters and data, the same for the truth and
the draws. Parameters are aligned to EM's MAP first, with distances in units that are fixed beforehand. So the alignment
depends on the data only. An alignment to the truth would depend on the truth, which would then not be exchangeable with
the draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import logsumexp, softmax

from comparisons.alignment.mixing import of_weights
from comparisons.alignment.relabelling import pivot
from comparisons.comparison.estimates import single
from comparisons.families import family_classes, family_of_prior
from comparisons.family import Family, Point
from em.status import left_to_the_status
from em.uncertainty import Uncertainty
from em.uncertainty.entries import entries_of
from models.shown import shown
from models.validation import Array

LEVEL = 0.95
N_INIT = 2
N_PRIOR_DRAWS = 400


@dataclass(frozen=True)
class Setting:
    """A model, a prior that is fixed before data are simulated, and the shape of the data.

    Parameters
    ----------
    prior : prior of a family
        The prior; it determines the family, and the structure of covariances.
    n_components, n_samples, n_features : int
        Numbers of components K, of samples n and of features D.
    options : mapping
        The family's options that the prior does not have, such as ``{"n_trials": 12}``.
    share_missing : float, default 0
        Share of missing cells. The same cells are missing in all simulations; each row keeps at least one.
    """

    prior: Any
    n_components: int = 2
    n_samples: int = 80
    n_features: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)
    share_missing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.share_missing < 1:
            raise ValueError(f"share_missing must be at least 0 and less than 1, got {shown(self.share_missing)}")

    @cached_property
    def family(self) -> Family:
        """The family of the comparison."""
        return family_of_prior(self.prior, **self.options)

    @property
    def has_gibbs(self) -> bool:
        """Whether the Gibbs sampler applies: the prior is conjugate, and stays so with missing cells."""
        return self.family.is_conjugate(self.prior, missing=self.share_missing > 0)

    @cached_property
    def hidden(self) -> np.ndarray:
        """Mask of the missing cells, shape (n, D)."""
        rng = np.random.default_rng(0)
        order = rng.permuted(np.tile(np.arange(self.n_features), (self.n_samples, 1)), axis=1)
        return (rng.uniform(size=order.shape) < self.share_missing) & (order > 0)

    def draw(self, rng: np.random.RandomState) -> Any:
        """Draw parameters from the prior."""
        return self.family.draw_parameters(self.prior, self.n_components, self.n_features, rng)

    def simulate(self, parameters: Any, rng: np.random.RandomState) -> Array:
        """Draw data (n, D), NaN where a cell is missing."""
        X = self.family.simulate(parameters.arrays(), self.n_samples, rng)
        return np.where(self.hidden, np.nan, X)

    @cached_property
    def scale(self) -> Array:
        """Units (E,) of the entries of a component: the interquartile range of draws from the prior."""
        rng = np.random.RandomState(0)
        entries = np.concatenate([self.entries_of_components(single(self.draw(rng))) for _ in range(N_PRIOR_DRAWS)])
        low, high = np.quantile(entries, [0.25, 0.75], axis=(0, 1))
        return np.where(high > low, high - low, 1.0)  # the weight of a single component does not vary

    def entries_of_components(self, points: Point) -> Array:
        """Return the E entries of each component, shape (S, K, E), without quantities that components share."""
        arrays = [points[quantity.name] for quantity in self.family.quantities if not quantity.shared]
        return np.concatenate([array.reshape(len(array), self.n_components, -1) for array in arrays], axis=2)

    def orders(self, reference: Any, points: Point) -> np.ndarray:
        """Return the orders (S, K) that match the components of points (S, ...) with those of the reference."""
        centre = self.entries_of_components(single(reference))[0]
        return pivot(self.entries_of_components(points), centre, self.scale).orders


SETTINGS = {
    f"{family.name}-{name}": Setting(**arguments)
    for family in family_classes()
    for name, arguments in family.calibrations.items()
}
BROKEN = tuple(f"{family.name}-{next(iter(family.calibrations))}" for family in family_classes() if family.calibrations)
"""The first setting of each family; it is also run without its Jacobian, and must fail then."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """A truth, its data, and EM's estimates.

    Attributes
    ----------
    truth : parameters
        The parameters that the data were drawn from, with components in the order of EM's MAP.
    X : ndarray, shape (n, D)
        Data.
    reference : parameters
        EM's MAP: under the prior if it is conjugate, else under a weakly informative prior for the data.
    covered : dict
        By kind ("MLE", "Laplace") and name of the parameter, whether the 95 % interval covers the truth. A kind without
        a maximum is left out.
    """

    truth: Any
    X: Array
    reference: Any
    covered: dict[str, dict[str, bool]] = field(default_factory=dict)


def simulate(setting: Setting, rng: np.random.RandomState) -> Simulation:
    """Draw a truth and data, and fit the data by EM."""
    truth = setting.draw(rng)
    X = setting.simulate(truth, rng)
    of_em = {"n_components": setting.n_components, "max_iter": 10_000, "random_state": int(rng.randint(2**31))}
    conjugate = setting.prior.conjugate
    prior = setting.prior if conjugate else setting.family.default_prior(X, setting.n_components)
    with left_to_the_status():
        mode = setting.family.estimator(prior=prior, n_init=N_INIT, **of_em).fit(X)
        mle = setting.family.estimator(init=mode.parameters_, **of_em).fit(X)
        fits = ({"Laplace": mode} if conjugate else {}) | ({} if mle.collapsed_ else {"MLE": mle})
        intervals = {kind: fit.uncertainty(X, level=LEVEL) for kind, fit in fits.items()}
    truth = truth.permute(setting.orders(mode.parameters_, single(truth))[0])
    covered = {kind: covers(table, truth) for kind, table in intervals.items()}
    return Simulation(truth, X, mode.parameters_, covered)


def covers(intervals: Uncertainty, truth: Any) -> dict[str, bool]:
    """Return whether intervals cover the truth, by the parameter's name; empty intervals are left out."""
    rows = zip(intervals.names, intervals.low, entries_of(truth, 1.0).values, intervals.high, strict=True)
    return {name: bool(low <= value <= high) for name, low, value, high in rows if low < high}


def quantities(setting: Setting, simulation: Simulation, points: Point) -> dict[str, Array]:
    """Return the ranked quantities of points (S, ...), each (S,): label-free quantities, then aligned parameters.

    Label-free quantities are log p(X | θ); the entropy of the weights; the sorted weights without the smallest, which
    the others determine; and the co-clustering Σ_k r_1k r_2k of the first two samples.
    """
    log_joint = setting.family.log_joint(simulation.X)(points)(slice(0, setting.n_samples))
    together = softmax(log_joint[:, :, :2], axis=1).prod(axis=2).sum(axis=1)
    weights = of_weights(points["weights"])
    ranked = {"log-likelihood": logsumexp(log_joint, axis=1).sum(axis=1), "co-clustering": together}
    ranked["entropy of weights"] = weights["entropy_of_weights"]
    for rank in range(1, setting.n_components):
        ranked[f"sorted weights[{rank}]"] = weights["sorted_weights"][:, rank]
    order = setting.orders(simulation.reference, points)
    for quantity in setting.family.quantities:
        values = points[quantity.name]
        if not quantity.shared:
            values = np.take_along_axis(values, order.reshape(*order.shape, *(1,) * (values.ndim - 2)), axis=1)
        entries = np.moveaxis(values, 0, -1)
        ranked |= {quantity.entry(at): entries[at] for at in quantity.support.distinct_entries(values.shape[1:])}
    del ranked[f"weights[{setting.n_components - 1}]"]  # the others determine it
    return ranked


def rank_of_first(values: Array, rng: np.random.RandomState) -> float:
    """Return the rank of the first of L + 1 values among the others, in (0, 1); uniform if all are exchangeable.

    It is (rank + u) / (L + 1), with u uniform, so that the ranks 0, ..., L share the interval evenly. If other values
    equal the first, its rank is drawn among the tied ranks.
    """
    below, ties = (values[1:] < values[0]).sum(), (values[1:] == values[0]).sum()
    return float((below + rng.uniform() * (ties + 1)) / len(values))
