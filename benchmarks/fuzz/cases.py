"""One case of the fuzzer: data, weights and settings, in any units and any order of the rows, and as Python text.

A case has its data and settings in plain units. Its ``unit`` (a, b) transforms X to a (X + b), and prior, frozen values
and starting parameters accordingly. X lies on a grid and a is mostly a power of two, so that the change is exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.gmm.structures import COVARIANCE_TYPES, covariances_shape, quantities
from models.validation import Array

ESTIMATORS: dict[str, Any] = {
    **dict.fromkeys(COVARIANCE_TYPES, GaussianMixtureEM),
    "bernoulli": BernoulliMixtureEM,
    "binomial": BinomialMixtureEM,
    "kmeans": KMeans,
}
IMPORTS = """import numpy as np
from scipy.sparse import csr_array

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
"""


@dataclass(frozen=True)
class Case:
    """The data and the settings of one fit.

    Attributes
    ----------
    seed, number : int
        The seed and the number from which the case is drawn.
    family : str
        A key of `ESTIMATORS`: a structure of covariances, "bernoulli", "binomial" or "kmeans".
    plain : ndarray or csr_array, shape (n, D)
        X in plain units.
    sample_weight : ndarray, shape (n,), or None
        Weights.
    settings : mapping
        Arguments of the estimator, in plain units.
    traits : tuple of str
        Properties of the case in words.
    unit : tuple of float
        (a, b) of X = a (plain + b).
    illegal : tuple of str
        Names of illegal arguments, one of which the error must mention; empty if the input is legal.
    spoiled : mapping
        Illegal values of "X", "sample_weight" or a setting.
    may_refuse : bool
        Whether an error is allowed because of the data, such as for a constant column.
    """

    seed: int
    number: int
    family: str
    plain: Any
    sample_weight: Array | None
    settings: Mapping[str, Any]
    traits: tuple[str, ...] = ()
    unit: tuple[float, float] = (1.0, 0.0)
    illegal: tuple[str, ...] = ()
    spoiled: Mapping[str, Any] = field(default_factory=dict)
    may_refuse: bool = False

    @property
    def X(self) -> Any:  # noqa: N802 - data, not a verb
        """X in the units of the case."""
        return self.spoiled.get("X", self.plain if self.unit == (1.0, 0.0) else moved(self.plain, self.unit))

    @property
    def weight(self) -> Any:
        """The argument ``sample_weight``."""
        return self.spoiled.get("sample_weight", self.sample_weight)

    @property
    def weights(self) -> Array:
        """Weights of the rows, 1 each if none are given; 0 for rows whose cells are all missing."""
        n = self.plain.shape[0]
        weights = np.ones(n) if self.sample_weight is None else self.sample_weight
        return weights if issparse(self.plain) else np.where(np.isnan(self.plain).all(axis=1), 0.0, weights)

    @property
    def gaussian(self) -> bool:
        """Whether the family is a Gaussian mixture."""
        return self.family in COVARIANCE_TYPES

    @property
    def start(self) -> str:
        """The kind of ``init``: its name, "labels" or "parameters"."""
        init = self.settings["init"]
        labels = isinstance(init, np.ndarray) and init.ndim == 1
        return init if isinstance(init, str) else "labels" if labels else "parameters"

    def estimator(self, **changes: Any) -> Any:
        """Return the estimator, unfitted, with some settings changed."""
        settings = {name: moved(value, self.unit) for name, value in self.settings.items()}
        if self.family == "kmeans":  # its tol is an inertia
            settings["tol"] = self.unit[0] * settings["tol"] * self.unit[0]
        settings |= {name: value for name, value in self.spoiled.items() if name in settings}
        return ESTIMATORS[self.family](**settings | changes)

    def rows(self, index: np.ndarray, share: float = 1.0) -> Self:
        """Return the case with these rows and ``share`` times their weights."""
        settings, weights = dict(self.settings), self.sample_weight
        if self.start == "labels":
            settings["init"] = settings["init"][index]
        if np.ndim(settings.get("n_trials", 1)) == 2:
            settings["n_trials"] = settings["n_trials"][index]
        if share != 1.0 and weights is None:
            weights = np.ones(self.plain.shape[0])
        weights = None if weights is None else share * weights[index]
        return replace(self, plain=self.plain[index], sample_weight=weights, settings=settings)

    def log_shift(self, unit: tuple[float, float]) -> tuple[Array, float]:
        """Return the changes of log p(x_i) (n,) and of the log prior with a change of units.

        The log density of a number in units a changes by -log a, that of a variance or covariance by -2 log a.
        """
        log_a = np.log(unit[0]) - np.log(self.unit[0])
        K, D = self.settings["n_components"], self.plain.shape[1]
        cells, prior = -log_a * (~np.isnan(self.plain)).sum(axis=1), self.settings["prior"]
        numbers = (
            0
            if prior is None
            else K * D + 2 * quantities(self.family)[2].support.n_free(covariances_shape(self.family, K, D))
        )
        return cells, -log_a * numbers

    def snippet(self) -> str:
        """Return a Python program that fits the case."""
        lines = [f"# seed {self.seed}, case {self.number}: {', '.join((self.family, *self.traits))}", IMPORTS]
        lines += [f"X = {code(self.X)}", f"sample_weight = {code(self.weight)}"]
        estimator = self.estimator()
        settings = "".join(f"    {name}={code(value)},\n" for name, value in estimator.get_params(deep=False).items())
        lines += [f"fit = {type(estimator).__name__}(\n{settings})", "fit.fit(X, sample_weight=sample_weight)"]
        return "\n".join([*lines, "print(fit.status_)", ""])


def moved(value: Any, unit: tuple[float, float]) -> Any:
    """Return data, parameters or a prior in units (a, b) instead of plain units; values without units are unchanged.

    Data are arrays with more than one axis, and frozen parameters, which are in a dict.
    """
    a, b = unit
    if unit == (1.0, 0.0):
        return value
    match value:
        case np.ndarray() if value.ndim == 2 and value.dtype == np.float64:
            return a * (value + b)
        case dict():
            moves = {"means": lambda means: a * (means + b), "covariances": lambda array: a * array * a}
            return {name: moves.get(name, lambda array: array)(array) for name, array in value.items()}
        case GMMParameters():
            return replace(value, **moved(value.arrays(), unit))
        case GMMPrior():
            return replace(value, mean=a * (value.mean + b), scale=a * value.scale * a)
        case GMMIndependentPrior():
            scale = a * value.scale if value.variance_shape is None else a * value.scale * a
            return replace(value, mean=a * (value.mean + b), mean_sd=a * value.mean_sd, scale=scale)
    return value


def code(value: Any) -> str:
    """Return a value as Python code that restores the same bits."""
    if issparse(value):
        return f"csr_array({code(value.toarray())})"
    if isinstance(value, np.ndarray):
        text = repr(value.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
        return f"np.array({text})"
    if isinstance(value, GMMParameters | BMMParameters | GMMPrior | GMMIndependentPrior | BMMPrior):
        return f"{type(value).__name__}({', '.join(f'{n}={code(v)}' for n, v in parts(value).items())})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {code(part)}" for name, part in value.items()) + "}"
    if isinstance(value, float | np.floating) and not np.isfinite(value):
        return f"np.{float(value)}".replace("np.-", "-np.")
    return repr(value.item() if isinstance(value, np.generic) else value)


def parts(value: Any) -> dict[str, Any]:
    """Return the arguments of the constructor of a frozen value."""
    assert is_dataclass(value)
    return {part.name: getattr(value, part.name) for part in fields(value) if part.init}
