"""Hold the parts of a saved estimator to each other: its settings, its parameters and what else `fit` left.

A checksum tells that a file is as it was written, and nothing about who wrote it. So every number of components and
features, every shape, type and sum that appears twice is held to the parameters, and what cannot be a fit is refused.
First each part is held to its kind, a row of a table; then each rule in turn to the parts before it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from em.bound import check_responsibilities
from em.chunked import is_chunked
from em.estimator import MixtureEM
from em.identifiability import Identifiability
from em.samples import Samples
from em.saving.stream_parts import Rule, described, rules_of_first_rows, rules_of_stream
from em.streams.state import Stream
from models.parameters import Parameters
from models.validation import count_at_least

MOST_ROUNDING = 1e-6  # of a sum in nats: far above rounding, far below a difference that matters
MOST_ROUNDING_OF_PRIOR = 1e-3  # of a density at covariances that may be nearly singular
OUTPUTS: tuple[dict[str, str | None], ...] = (
    {},
    *({"transform": one} for one in (None, "default", "pandas", "polars")),
)
# A part is of a type; finite, where that is float; a whole number of at least so much, where it is a number.
OF_ALL = {"n_features_in_": 1, "n_iter_": 0, "history_": np.ndarray, "converged_": bool, "status_": str}
OF_MEAN_FIELD = OF_ALL | {"lower_bound_": float, "parameters_": Parameters}
OF_ALL |= {"objective_": float}
OF_BOTH = {"n_free_parameters_": 0, "identifiability_": Identifiability}
OF_MIXTURES = {"log_likelihood_": float, "n_collapsed_": 0, "starts_": list, "collapsed_": bool}
OF_STREAMS = {"n_features_in_": 1, "status_": str, "stream_": Stream}
OF_KMEANS = {"cluster_centers_": np.ndarray, "labels_": np.ndarray, "inertia_": float}
OF_IDENTIFIABILITY = {"identified": bool, "rank": 0, "n_free_parameters": 0, "sentence": str, "free_direction": dict}

OF_STARTS = ["objective", "times_found", "nats_below_best"]


def check_parts(estimator: BaseEstimator) -> None:
    """Raise a ValueError that names what disagrees, unless settings and fitted attributes can be those of one fit.

    Parameters
    ----------
    estimator : MixtureEM, VariationalMixture or KMeans
        With its attributes, of whatever type and value.
    """
    with np.errstate(all="ignore"):  # numbers that no fit gives may overflow
        for holds, name, what, got in _rules(estimator, vars(estimator)):
            if not holds:
                raise ValueError(f"{name} must {what}, got {got}")


def _rules(estimator: Any, given: dict[str, Any]) -> Iterator[Rule]:
    for name in given.keys() - {"_sklearn_output_config"}:
        yield not name.startswith("_"), name, "be no attribute of an estimator", "one"
    output = given.get("_sklearn_output_config", {})
    yield output in OUTPUTS, "_sklearn_output_config", "name an output of transform", output
    if isinstance(estimator, MixtureEM) and "stream_" in given and "parameters_" not in given:
        yield from _kinds(given, OF_STREAMS)
        yield from _rules_of_features(estimator, given, max(estimator.n_components, 2), given["n_features_in_"])
        yield from rules_of_first_rows(estimator, given)
    elif isinstance(estimator, MixtureEM):
        own = {"parameters_": estimator._parameters_type} | OF_BOTH
        yield from _kinds(given, own | (OF_STREAMS if "stream_" in given else OF_ALL | OF_MIXTURES))
        yield from _rules_of_mixtures(estimator, estimator.parameters_, given)
    elif "posterior_" in given:
        yield from _kinds(given, OF_MEAN_FIELD)
        yield from _rules_of_mean_field(estimator, given["posterior_"], given)
    else:
        labels = given.get("labels_", ())
        lazy = labels is None or is_chunked(labels)  # those of chunks, which no file has
        yield from _kinds(given, OF_ALL | OF_KMEANS | ({"labels_": type(labels)} if lazy else {}))
        yield from _rules_of_kmeans(estimator, estimator.cluster_centers_, given)


def _kinds(given: dict[str, Any], kinds: dict[str, Any]) -> Iterator[Rule]:
    for name, kind in kinds.items():
        yield name in given, name, "be there", "nothing"
        value = given[name]
        if isinstance(kind, int):
            count_at_least(name, value, kind)
        elif kind is float:
            yield isinstance(value, float) and np.isfinite(value), name, "be a finite number", value
        else:
            yield isinstance(value, kind), name, f"be of type {kind.__name__}", type(value).__name__


def _rules_of_features(estimator: Any, given: dict[str, Any], n: int, D: int) -> Iterator[Rule]:
    """Yield the rules of what any fit knows of its n samples, and ask for the settings' own checks."""
    estimator._check_settings(Samples(np.empty((n, D)), None, np.ones(n, dtype=bool), n))
    yield from _rules_of_names(given, D)


def _rules_of_names(given: dict[str, Any], D: int) -> Iterator[Rule]:
    yield given["n_features_in_"] == D, "n_features_in_", f"be {D} as the parameters say", given["n_features_in_"]
    if "feature_names_in_" in given:
        yield from _kinds(given, {"feature_names_in_": np.ndarray})
        names = given["feature_names_in_"]
        strings = names.dtype == object and names.shape == (D,) and all(type(name) is str for name in names)
        yield strings, "feature_names_in_", f"be {D} strings", described(names)


def _rules_of_run(given: dict[str, Any]) -> Iterator[Rule]:
    """Yield the rules of every fit by the engine."""
    objective, n_iter, history = given["objective_"], given["n_iter_"], given["history_"]
    shaped = history.dtype == np.float64 and history.shape == (n_iter + 1,)
    yield shaped, "history_", f"be float64 of shape (n_iter_ + 1,) = ({n_iter + 1},)", described(history)
    reached = any(_near(value, objective, abs(objective)) for value in (history[-1], history.max()))
    numbers = not np.isnan(history).any() and (history < np.inf).all()
    yield numbers and reached, "history_", f"be numbers that end at objective_ = {objective:g}", history[-1]


def _rules_of_mixtures(estimator: Any, theta: Any, given: dict[str, Any]) -> Iterator[Rule]:
    K, D = theta.n_components, theta.n_features
    yield estimator.n_components == K, "n_components", f"be {K} as the parameters say", estimator.n_components
    n_labels = 0 if isinstance(estimator.init, str | type(theta)) else np.size(estimator.init)
    yield from _rules_of_features(estimator, given, max(n_labels, K), D)
    estimator._check_fitted()
    for name, array in theta.arrays().items():
        yield from _kinds(given, {f"{name}_": np.ndarray})
        own = given[f"{name}_"]
        same = own.dtype == array.dtype and np.array_equal(own, array)
        yield same, f"{name}_", f"equal parameters_.{name}", described(own)
    frozen = estimator._frozen(D)
    for name, value in frozen.items():
        array = theta.arrays()[name]
        close = np.allclose(array, value, rtol=MOST_ROUNDING, atol=MOST_ROUNDING * np.abs(value).max())
        yield close, f"parameters_.{name}", "be what frozen says", array
    n_free = sum(n for name, n in theta.n_free.items() if name not in frozen)
    given_free = given["n_free_parameters_"]
    yield given_free == n_free, "n_free_parameters_", f"be {n_free} as the parameters say", given_free
    of_model = vars(given["identifiability_"])
    yield from _kinds(of_model, OF_IDENTIFIABILITY)
    identified, rank, most, _, direction = (of_model[name] for name in OF_IDENTIFIABILITY)
    whole = rank == most if identified else rank < most
    yield whole, "identifiability_.rank", f"be {most} where all is identified, and less elsewhere", rank
    numbers = all(type(part) is float and np.isfinite(part) for part in direction.values())
    yield numbers, "identifiability_.free_direction", "hold finite numbers", direction
    yield from rules_of_stream(estimator, given) if "stream_" in given else _rules_of_whole_fit(estimator, given)


def _rules_of_whole_fit(estimator: Any, given: dict[str, Any]) -> Iterator[Rule]:
    yield from _rules_of_run(given)
    theta = estimator.parameters_
    log_prior, log_likelihood, objective = estimator._log_prior(theta), given["log_likelihood_"], given["objective_"]
    largest = max(abs(log_likelihood), abs(log_prior), abs(objective))
    share = MOST_ROUNDING if estimator.prior is None else MOST_ROUNDING_OF_PRIOR
    sums = f"be log_likelihood_ plus the log prior, {log_likelihood + log_prior:g}"
    yield _near(objective, log_likelihood + log_prior, largest, share), "objective_", sums, objective
    yield from _kinds(given, {"n_e_steps_": given["n_iter_"] + 1})
    collapsed, n_collapsed = given["collapsed_"], given["n_collapsed_"]
    yield not (collapsed and given["converged_"]), "converged_", "be False where collapsed_ is True", True
    yield n_collapsed > 0 or not collapsed, "n_collapsed_", "be positive where collapsed_ is True", n_collapsed
    yield from _rules_of_starts(given["starts_"], objective, given["collapsed_"])


def _rules_of_starts(rows: list[Any], objective: float, collapsed: bool) -> Iterator[Rule]:
    wanted = "be rows of objective, times_found and nats_below_best, the first at objective_, the best first"
    yield bool(rows) or collapsed, "starts_", wanted, "none"
    least = 0.0
    for number, row in enumerate(rows):
        legal = isinstance(row, dict) and [type(cell) for cell in row.values()] == [float, int, float]
        legal = legal and list(row) == OF_STARTS and row["times_found"] >= 1 and row["nats_below_best"] >= least
        legal = legal and (number > 0 or row["nats_below_best"] == 0)
        least = row["nats_below_best"] if legal else np.inf
        at = objective - row["nats_below_best"] if legal else np.nan
        yield legal and _near(row["objective"], at, abs(objective)), f"starts_[{number}]", wanted, row


def _rules_of_kmeans(estimator: Any, centers: np.ndarray, given: dict[str, Any]) -> Iterator[Rule]:
    shaped = centers.dtype == np.float64 and centers.ndim == 2 and centers.size > 0 and np.isfinite(centers).all()
    yield shaped, "cluster_centers_", "be finite float64 of shape (n_clusters, D)", described(centers)
    (K, D), labels, inertia = centers.shape, given["labels_"], given["inertia_"]
    labels = labels if isinstance(labels, np.ndarray) else np.arange(K)
    yield estimator.n_clusters == K, "cluster_centers_", f"have n_clusters = {estimator.n_clusters} rows", K
    yield from _rules_of_features(estimator, given, len(labels), D)
    yield from _rules_of_run(given)
    whole = labels.ndim == 1 and labels.dtype.kind in "iu" and ((labels >= 0) & (labels < K)).all()
    yield whole, "labels_", f"be whole numbers from 0 to {K - 1}, one for each sample", described(labels)
    opposite = inertia >= 0 and _near(inertia, -given["objective_"], inertia)
    yield opposite, "inertia_", "be minus objective_", inertia


def _rules_of_mean_field(estimator: Any, q: Any, given: dict[str, Any]) -> Iterator[Rule]:
    """Yield the rules of q(θ), of the family of its prior, and of the parameters that are its means."""
    from em.variational import check_settings  # which imports what fits by EM do without

    mixture, K = q._mixture, estimator.n_components
    check_settings(estimator.n_init, estimator.tol, estimator.max_iter)
    mixture.check_fits(K)
    D = mixture.X.shape[-1]
    yield from _rules_of_names(given, D)
    yield from _rules_of_run(given | {"objective_": given["lower_bound_"]})
    before = mixture.posterior(np.zeros((len(mixture.X), K))).arrays()
    for name, array in q.distribution.arrays().items():
        same = array.dtype == np.float64 and array.shape == before[name].shape and np.isfinite(array).all()
        yield same, f"posterior_.{name}", f"be finite float64 of shape {before[name].shape}", described(array)
    counts = (q.distribution.concentration >= before["concentration"]).all()
    yield counts, "posterior_.concentration", "be at least the prior's", q.distribution.concentration
    theta, means = estimator.parameters_, mixture.parameters(q.mean)
    yield type(theta) is type(means), "parameters_", f"be {type(means).__name__}", type(theta).__name__
    for name, array in means.arrays().items():
        for where, own in ((f"parameters_.{name}", theta.arrays()[name]), (f"{name}_", given.get(f"{name}_", ()))):
            yield np.array_equal(array, own), where, "be the mean under posterior_", own
    if q.responsibilities is not None and not is_chunked(q.responsibilities):  # those of chunks, which no file has
        r = check_responsibilities(q.responsibilities, len(q.responsibilities))
        yield r.shape[1] == K, "posterior_.responsibilities", f"have {K} columns", described(r)


def _near(value: float, other: float, size: float, share: float = MOST_ROUNDING) -> bool:
    return bool(abs(value - other) <= share * (1 + size) < np.inf)
