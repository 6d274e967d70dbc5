"""One simulation of a calibration: a truth from the prior, data from the truth, EM's answers and where the truth lies.

Everything that is looked at is a function of parameters and data, and the same function for the truth and for the
draws: label-free quantities as they are, and parameters after an alignment that knows the data only. It puts the
components where EM's MAP has them, the distances measured in units fixed beforehand. Had the truth a say in it, as
when draws are aligned to the truth, it would no longer be a draw like the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import logsumexp, softmax

from comparisons.alignment.mixing import of_weights
from comparisons.alignment.relabelling import assign, pivot_costs
from comparisons.comparison.estimates import single
from comparisons.family import Family, Point, family_of_prior
from em.status import left_to_the_status
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
    def conjugate(self) -> bool:
        """Whether the prior is conjugate: EM's MAP is then under the prior itself."""
        return bool(self.prior.conjugate)

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
        return np.concatenate(
            [points[name].reshape(*points[name].shape[:1], self.n_components, -1) for name in self.of_components],
            axis=2,
        )

    @property
    def of_components(self) -> list[str]:
        """Names of the arrays that have the components as their first axis."""
        return [quantity.name for quantity in self.family.quantities if not quantity.shared]


@dataclass(frozen=True, eq=False)
class World:
    """A truth, its data, and what EM makes of the data alone.

    Attributes
    ----------
    truth : parameters
        What the data were drawn from, components as EM's MAP has them.
    X : ndarray, shape (n, D)
        Data.
    reference : parameters
        EM's MAP, under the prior if it is conjugate, else under the data's weakly informative one.
    intervals : dict
        By kind ("MLE", "Laplace"), lower and upper ends of 95 % intervals by the parameter's name; none if there is no
        such maximum.
    """

    truth: Any
    X: Array
    reference: Any
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)


def simulate_world(setting: Setting, rng: np.random.RandomState) -> World:
    """Draw a truth and data, and fit these by EM."""
    truth = setting.draw(rng)
    X = setting.simulate(truth, rng)
    seed = int(rng.randint(2**31))
    prior = setting.prior if setting.conjugate else setting.family.default_prior(X, setting.n_components)
    of_em = {"n_components": setting.n_components, "max_iter": 10_000, "random_state": seed}
    intervals = {}
    with left_to_the_status():
        mode = setting.family.estimator(prior=prior, n_init=N_INIT, **of_em).fit(X)
        fits = {"Laplace": mode} if setting.conjugate else {}
        mle = setting.family.estimator(init=mode.parameters_, **of_em).fit(X)
        if not mle.collapsed_:
            fits["MLE"] = mle
        for kind, fit in fits.items():
            found = fit.uncertainty(X, level=LEVEL)
            intervals[kind] = dict(zip(found.names, zip(found.low, found.high, strict=True), strict=True))
    reference = mode.parameters_
    order = orders(setting, reference, single(truth))[0]
    return World(truth.permute(order), X, reference, intervals)


def orders(setting: Setting, reference: Any, points: Point) -> np.ndarray:
    """Return the orders (S, K) that put the components of points (S, ...) where the reference has them."""
    pivot = setting.entries_of_components(single(reference))[0]
    return assign(pivot_costs(setting.entries_of_components(points), pivot, setting.scale))


def quantities(setting: Setting, world: World, points: Point) -> dict[str, Array]:
    """Return what is ranked, each (S,): label-free quantities of points (S, ...), then their aligned parameters.

    Label-free are log p(X | θ), the entropy of the weights, the weights in ascending order but the smallest, which the
    others determine, and the co-clustering Σ_k r_1k r_2k of the first two samples.
    """
    log_joint = setting.family.log_joint(world.X)(points)(slice(0, setting.n_samples))
    together = softmax(log_joint[:, :, :2], axis=1).prod(axis=2).sum(axis=1)
    weights = {name: values for name, (_, values) in of_weights(points["weights"]).items()}
    found = {"log-likelihood": logsumexp(log_joint, axis=1).sum(axis=1), "co-clustering": together}
    found["entropy of weights"] = weights["entropy_of_weights"]
    for rank in range(1, setting.n_components):
        found[f"sorted weights[{rank}]"] = weights["sorted_weights"][:, rank]
    order = orders(setting, world.reference, points)
    for name, values in points.items():
        if name in setting.of_components:
            values = np.take_along_axis(values, order.reshape(*order.shape, *(1,) * (values.ndim - 2)), axis=1)
        for index in setting.family.entries(name, values[0]):
            if (name, index) != ("weights", (setting.n_components - 1,)):  # the others determine it
                at: tuple[Any, ...] = (slice(None), *index)
                found[f"{name}[{', '.join(map(str, index))}]"] = values[at]
    return found


def with_truth(world: World, draws: Point) -> Point:
    """Return the truth and, after it, draws (L, ...), shape (L + 1, ...)."""
    return {name: np.concatenate([world.truth.arrays()[name][None], values]) for name, values in draws.items()}


def place_of_first(values: Array, rng: np.random.RandomState) -> float:
    """Return the place in (0, 1) of the first of L + 1 values among the others; uniform if it is one like them.

    It is (rank + u) / (L + 1), with u uniform, so that the ranks 0, ..., L share the interval evenly; where others
    equal the first to the last bit, its rank is drawn among theirs.
    """
    below, ties = (values[1:] < values[0]).sum(), (values[1:] == values[0]).sum()
    return float((below + rng.uniform() * (ties + 1)) / len(values))


def intervals_hit(world: World) -> dict[str, dict[str, bool]]:
    """Return whether EM's intervals hold the truth, by kind and name."""
    arrays = world.truth.arrays()
    return {
        kind: {name: low <= _entry(arrays, name) <= high for name, (low, high) in intervals.items() if low < high}
        for kind, intervals in world.intervals.items()
    }


def _entry(arrays: Mapping[str, Array], name: str) -> float:
    """Return the entry of a name such as ``means[0, 1]``."""
    array, _, place = name.rstrip("]").partition("[")
    return float(arrays[array][tuple(map(int, place.split(",")))])
