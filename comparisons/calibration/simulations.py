"""One simulation of a calibration: a truth from the prior, data from the truth, EM's answers and what is ranked.

:func:`quantities` lists what is ranked. Each is a function of parameters and data, the same one for the truth and for
the draws: label-free quantities as they are, and parameters after an alignment that knows the data only. It puts the
components where EM's MAP has them, the distances measured in units fixed beforehand. Had the truth a say in it, as when
draws are aligned to the truth, it would no longer be a draw like the others.
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
    """A model, a prior that is fixed before any data are simulated, and the shape of the data.

    Parameters
    ----------
    prior : prior of a family
        The prior; it says which family, and of which structure.
    n_components, n_samples, n_features : int
        Numbers of components K, of samples n and of features D.
    options : mapping
        The family's options that the prior does not have, such as ``{"n_trials": 12}``.
    share_missing : float, default 0
        Share of the cells that are never observed: the same cells in all simulations, at least one left in each row.
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
        """Which cells (n, D) are missing."""
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
        """Units (E,) of the entries of a component: the distance of the quartiles of draws from the prior."""
        rng = np.random.RandomState(0)
        entries = np.concatenate([self.entries_of_components(single(self.draw(rng))) for _ in range(N_PRIOR_DRAWS)])
        low, high = np.quantile(entries, [0.25, 0.75], axis=(0, 1))
        return np.where(high > low, high - low, 1.0)  # the weight of a single component does not vary

    def entries_of_components(self, points: Point) -> Array:
        """Return all entries of each component side by side, shape (S, K, E); what they share is none of them."""
        arrays = [points[quantity.name] for quantity in self.family.quantities if not quantity.shared]
        return np.concatenate([array.reshape(len(array), self.n_components, -1) for array in arrays], axis=2)

    def orders(self, reference: Any, points: Point) -> np.ndarray:
        """Return the orders (S, K) that put the components of points (S, ...) where the reference has them."""
        centre = self.entries_of_components(single(reference))[0]
        return pivot(self.entries_of_components(points), centre, self.scale).orders


SETTINGS = {
    f"{family.name}-{name}": Setting(**arguments)
    for family in family_classes()
    for name, arguments in family.calibrations.items()
}
BROKEN = tuple(f"{family.name}-{next(iter(family.calibrations))}" for family in family_classes() if family.calibrations)
"""Settings that are shown to fail without their Jacobian, the first of each family."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """A truth, its data, and what EM makes of the data alone.

    Attributes
    ----------
    truth : parameters
        What the data were drawn from, components as EM's MAP has them.
    X : ndarray, shape (n, D)
        Data.
    reference : parameters
        EM's MAP, under the prior if it is conjugate, else under the data's weakly informative one.
    covered : dict
        By kind ("MLE", "Laplace"), whether the 95 % interval of a parameter holds the truth, by the parameter's name;
        none if there is no such maximum.
    """

    truth: Any
    X: Array
    reference: Any
    covered: dict[str, dict[str, bool]] = field(default_factory=dict)


def simulate(setting: Setting, rng: np.random.RandomState) -> Simulation:
    """Draw a truth and data, and fit these by EM."""
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
    """Return whether intervals hold the truth, by the parameter's name; those that are none are left out."""
    rows = zip(intervals.names, intervals.low, entries_of(truth, 1.0).values, intervals.high, strict=True)
    return {name: bool(low <= value <= high) for name, low, value, high in rows if low < high}


def quantities(setting: Setting, simulation: Simulation, points: Point) -> dict[str, Array]:
    """Return what is ranked, each (S,): label-free quantities of points (S, ...), then their aligned parameters.

    Label-free are log p(X | θ), the entropy of the weights, the weights in ascending order but the smallest, which the
    others determine, and the co-clustering Σ_k r_1k r_2k of the first two samples.
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
    """Return the rank of the first of L + 1 values among the others, in (0, 1); uniform if it is one like them.

    It is (rank + u) / (L + 1), with u uniform, so that the ranks 0, ..., L share the interval evenly; where others
    equal the first to the last bit, its rank is drawn among theirs.
    """
    below, ties = (values[1:] < values[0]).sum(), (values[1:] == values[0]).sum()
    return float((below + rng.uniform() * (ties + 1)) / len(values))
