"""Hold the parts of a saved estimator to each other: its settings, its parameters and what else `fit` left.

A checksum tells that a file is as it was written, and nothing about who wrote it. So every number of components and
features, every shape, type and sum that appears twice is held to the parameters, and what cannot be a fit is refused.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from em.engine.leaps import ACCELERATIONS
from em.estimator import MixtureEM
from em.identifiability import Identifiability
from em.kmeans import KMeans
from em.starts import STARTS
from models.validation import count_at_least, count_at_least_one, number_above

MOST_ROUNDING = 1e-6  # of a sum in nats: far above rounding, far below a difference that matters
MOST_ROUNDING_OF_PRIOR = 1e-3  # of a density at covariances that may be nearly singular
OUTPUTS: tuple[dict[str, str | None], ...] = (
    {"transform": None},
    {"transform": "default"},
    {"transform": "pandas"},
    {"transform": "polars"},
    {},
)


def check_parts(estimator: BaseEstimator) -> None:
    """Raise a ValueError that names what disagrees, unless settings and fitted attributes can be those of one fit.

    Parameters
    ----------
    estimator : MixtureEM or KMeans
        With its attributes, of whatever type and value.
    """
    given = vars(estimator)
    for name in given.keys() - {"_sklearn_output_config"}:
        _require(not name.startswith("_"), name, "be no attribute of an estimator", "one")
    output = given.get("_sklearn_output_config", {})
    _require(output in OUTPUTS, "_sklearn_output_config", "name an output of transform", output)
    with np.errstate(all="ignore"):  # numbers that no fit gives may overflow
        if isinstance(estimator, MixtureEM):
            _check_mixture(estimator, given)
        elif type(estimator) is KMeans:
            _check_kmeans(estimator, given)


# Mixtures -----------------------------------------------------------------------------------------------------------


def _check_mixture(estimator: Any, given: dict[str, Any]) -> None:
    theta = _of_type(given, "parameters_", estimator._parameters_type)
    K, D = theta.n_components, theta.n_features
    _check_same("n_components", count_at_least_one("n_components", estimator.n_components), K)
    _check_run(given, D)
    _check_starts(estimator, type(theta), K, D)
    estimator._check_fitted()
    for name, array in theta.arrays().items():
        _check_equal(f"{name}_", given, f"parameters_.{name}", array)
    _check_frozen(estimator, theta, given)
    _check_sums(estimator, theta, given)
    _count(given, "n_e_steps_", given["n_iter_"] + 1)
    n_collapsed, collapsed = _count(given, "n_collapsed_", 0), _of_type(given, "collapsed_", bool)
    _require(not (collapsed and given["converged_"]), "converged_", "be False where collapsed_ is True", True)
    _require(n_collapsed > 0 or not collapsed, "n_collapsed_", "be positive where collapsed_ is True", n_collapsed)
    _check_identifiability(_of_type(given, "identifiability_", Identifiability))


def _check_frozen(estimator: Any, theta: Any, given: dict[str, Any]) -> None:
    frozen = estimator._frozen(theta.n_features)
    for name, array in frozen.items():
        size = np.abs(array).max()
        close = np.allclose(theta.arrays()[name], array, rtol=MOST_ROUNDING, atol=MOST_ROUNDING * size)
        _require(close, f"parameters_.{name}", "be what frozen says", theta.arrays()[name])
    n_free = sum(n for name, n in theta.n_free.items() if name not in frozen)
    _check_same("n_free_parameters_", _count(given, "n_free_parameters_", 0), n_free)


def _check_sums(estimator: Any, theta: Any, given: dict[str, Any]) -> None:
    log_prior = estimator._log_prior(theta)
    log_likelihood, objective = _number(given, "log_likelihood_"), _number(given, "objective_")
    sums = f"be log_likelihood_ plus the log prior, {log_likelihood + log_prior:g}"
    largest = max(abs(log_likelihood), abs(log_prior), abs(objective))
    share = MOST_ROUNDING if estimator.prior is None else MOST_ROUNDING_OF_PRIOR
    _require(_near(objective, log_likelihood + log_prior, largest, share), "objective_", sums, objective)


def _check_starts(estimator: Any, parameters_type: type, K: int, D: int) -> None:
    init = estimator.init
    if estimator.n_starts is not None:
        count_at_least("n_starts", estimator.n_starts, estimator.n_init)
    _require(estimator.acceleration in ACCELERATIONS, "acceleration", "be a known one", estimator.acceleration)
    if isinstance(init, str):
        _require(init in STARTS, "init", f"be one of {', '.join(STARTS)}", init)
    elif isinstance(init, parameters_type):
        found = (init.n_components, init.n_features)  # type: ignore[attr-defined]
        _require(found == (K, D), "init", f"have (components, features) = {(K, D)}", found)
    else:
        _check_labels("init", np.asarray(init), K)


def _check_identifiability(found: Identifiability) -> None:
    values = vars(found)
    _of_type(values, "identified", bool)
    n_free = _count(values, "n_free_parameters", 0)
    ranks = _count(values, "rank", 0) == n_free if found.identified else found.rank < n_free
    _require(ranks, "identifiability_.rank", f"be {n_free} where all is identified, and less elsewhere", found.rank)
    _of_type(values, "sentence", str)
    direction = _of_type(values, "free_direction", dict)
    numbers = all(type(part) is float and np.isfinite(part) for part in direction.values())
    _require(numbers, "identifiability_.free_direction", "hold finite numbers", direction)


# K-means ------------------------------------------------------------------------------------------------------------


def _check_kmeans(estimator: Any, given: dict[str, Any]) -> None:
    centers, K = _of_type(given, "cluster_centers_", np.ndarray), count_at_least_one("n_clusters", estimator.n_clusters)
    shaped = centers.dtype == np.float64 and centers.ndim == 2 and centers.size > 0 and np.isfinite(centers).all()
    _require(shaped, "cluster_centers_", "be finite float64 of shape (n_clusters, D)", _described(centers))
    _require(len(centers) == K, "cluster_centers_", f"have n_clusters = {K} rows", len(centers))
    _check_run(given, centers.shape[1])
    labels = _of_type(given, "labels_", np.ndarray)
    _check_labels("labels_", labels, K)
    _require(len(labels) >= K, "labels_", f"be at least n_clusters = {K}", len(labels))
    inertia = _number(given, "inertia_")
    _require(inertia >= 0 and _near(inertia, -given["objective_"], inertia), "inertia_", "be minus objective_", inertia)
    if not isinstance(estimator.init, str):
        shape = np.shape(np.asarray(estimator.init, dtype=np.float64))
        _require(shape == centers.shape, "init", f"have shape {centers.shape}", shape)


# Both ---------------------------------------------------------------------------------------------------------------


def _check_run(given: dict[str, Any], D: int) -> None:
    """Check what every fit by the engine has, for D features, and the settings of a run."""
    count_at_least_one("n_init", given["n_init"])
    count_at_least_one("max_iter", given["max_iter"])
    number_above("tol", given["tol"], 0, inclusive=True)
    if given["random_state"] is not None:
        seed = count_at_least("random_state", given["random_state"], 0)
        _require(seed < 2**32, "random_state", "be below 2**32", seed)
    _check_same("n_features_in_", _count(given, "n_features_in_", 1), D)
    if "feature_names_in_" in given:
        names = _of_type(given, "feature_names_in_", np.ndarray)
        strings = names.dtype == object and names.shape == (D,) and all(type(name) is str for name in names)
        _require(strings, "feature_names_in_", f"be {D} strings", _described(names))
    objective, n_iter = _number(given, "objective_"), _count(given, "n_iter_", 0)
    history = _of_type(given, "history_", np.ndarray)
    shaped = history.dtype == np.float64 and history.shape == (n_iter + 1,)
    _require(shaped, "history_", f"be float64 of shape (n_iter_ + 1,) = ({n_iter + 1},)", _described(history))
    numbers = not np.isnan(history).any() and (history < np.inf).all()
    reached = [value for value in (history[-1], history.max()) if _near(value, objective, abs(objective))]
    _require(numbers and reached, "history_", f"be numbers that end at objective_ = {objective:g}", history[-1])
    _of_type(given, "converged_", bool)
    _of_type(given, "status_", str)


def _check_labels(name: str, labels: np.ndarray, K: int) -> None:
    fit = labels.ndim == 1 and labels.dtype.kind in "iu" and len(labels) > 0
    fit = fit and bool(((labels >= 0) & (labels < K)).all())
    _require(fit, name, f"be whole numbers from 0 to {K - 1}, one for each sample", _described(labels))


def _check_equal(name: str, given: dict[str, Any], other: str, wanted: np.ndarray) -> None:
    found = _of_type(given, name, np.ndarray)
    same = found.dtype == wanted.dtype and np.array_equal(found, wanted)
    _require(same, name, f"equal {other}", _described(found))


def _check_same(name: str, found: Any, wanted: Any) -> None:
    _require(found == wanted, name, f"be {wanted!r} as the parameters say", repr(found))


def _near(value: float, other: float, size: float, share: float = MOST_ROUNDING) -> bool:
    return bool(abs(value - other) <= share * (1 + size) < np.inf)


def _count(given: dict[str, Any], name: str, least: int) -> int:
    return count_at_least(name, _present(given, name), least)


def _number(given: dict[str, Any], name: str) -> float:
    value = _present(given, name)
    _require(isinstance(value, float) and np.isfinite(value), name, "be a finite number", value)
    return float(value)


def _of_type(given: dict[str, Any], name: str, wanted: type) -> Any:
    value = _present(given, name)
    _require(isinstance(value, wanted), name, f"be of type {wanted.__name__}", type(value).__name__)
    return value


def _present(given: dict[str, Any], name: str) -> Any:
    _require(name in given, name, "be there", "nothing")
    return given[name]


def _described(array: np.ndarray) -> str:
    return f"shape {array.shape} of dtype {array.dtype}"


def _require(holds: Any, name: str, what: str, got: Any) -> None:
    if not holds:
        raise ValueError(f"{name} must {what}, got {got}")
