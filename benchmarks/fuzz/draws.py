"""Draw a case of the fuzzer from a seed and its number alone."""

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.fuzz.cases import ESTIMATORS, Case
from benchmarks.fuzz.data import Draws, as_sparse, draw_counts, draw_numbers, draw_weights, scarce, with_holes
from benchmarks.fuzz.settings import draw_settings
from models.gmm.structures import COVARIANCE_TYPES

FARTHEST = 1e10  # offsets, in standard deviations
FEWEST_ROWS, MOST_ROWS, MOST_FEATURES, MOST_COMPONENTS = 2, 200, 5, 5
LARGEST_SCALE = 1e140  # beyond it, or below its inverse, squares of outliers may overflow or underflow


def draw(seed: int, number: int) -> Case:
    """Return case ``number`` of a seed; it depends on nothing else."""
    rng = np.random.default_rng([seed, number])
    family = str(
        rng.choice([*COVARIANCE_TYPES, "bernoulli", "binomial", "kmeans"], p=[0.17, 0.12, 0.15, 0.13, 0.15, 0.15, 0.13])
    )
    K, D = int(rng.integers(1, MOST_COMPONENTS + 1)), int(rng.integers(1, MOST_FEATURES + 1))
    n = max(K, int(np.exp(rng.uniform(np.log(FEWEST_ROWS), np.log(MOST_ROWS + 1)))), 2)
    counts = family in ("bernoulli", "binomial")
    settings: dict[str, Any] = {"n_components": K}
    if counts:
        X, z, truth, traits, settings["n_trials"] = draw_counts(rng, family, n, K, D)
    else:
        X, z, truth, traits = draw_numbers(rng, family, n, K, D)
    case = Case(seed, number, family, X, draw_weights(rng, n, traits), settings, tuple(traits))
    case = with_holes(case, rng) if family != "kmeans" and rng.random() < 0.2 else case
    case = replace(case, settings=settings | draw_settings(case, rng, z, truth))
    case = as_sparse(case, rng) if counts else in_some_unit(case, rng)
    case = replace(case, may_refuse=may_refuse(case))
    return spoil(case, rng) if rng.random() < 0.08 and not case.may_refuse else named_for(case)


def in_some_unit(case: Case, rng: Draws) -> Case:
    """Return the case, sometimes far from zero or on another scale."""
    a, b = 1.0, 0.0
    if rng.random() < 0.3:
        b = np.round(10 ** rng.uniform(0, np.log10(FARTHEST)))
    if rng.random() < 0.3:
        wide = rng.random() < 0.2
        a = 2.0 ** np.round(np.log2(10) * (rng.uniform(-170, 170) if wide else rng.uniform(-6, 6)))
    if not is_ordinary(a, b):  # what holds squares of the scale may leave the range of floats
        start = case.settings["init"] if case.start != "parameters" else "k-means++"
        case = replace(case, settings={**case.settings, "prior": None, "frozen": None, "init": start, "tol": 0.0})
    unit = float(a), float(b)
    return (
        case
        if unit == (1.0, 0.0)
        else replace(case, unit=unit, traits=(*case.traits, f"scale {a:.3g}, offset {b:.3g}"))
    )


def may_refuse(case: Case) -> bool:
    """Whether an error is allowed: because of the data, the scale, the start or frozen probs."""
    ordinary, frozen = is_ordinary(*case.unit), case.settings["frozen"] or {}
    return scarce(case) or not ordinary or case.start == "labels" or "probs" in frozen


def is_ordinary(a: float, b: float) -> bool:
    """Whether data a (X + b) and their squares are well inside the range of floats."""
    return a > 1 / LARGEST_SCALE and a * max(b, 1.0) < LARGEST_SCALE


def spoil(case: Case, rng: Draws) -> Case:
    """Return the case with one illegal argument, which the error must name."""
    X, (n, D) = case.plain, case.plain.shape
    dense = X if isinstance(X, np.ndarray) else X.toarray()
    kinds: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
        "infinite cell": (("X",), {"X": np.where(np.arange(n * D).reshape(n, D) == 0, np.inf, dense)}),
        "text": (("X",), {"X": dense.astype(str)}),
        "one axis": (("X",), {"X": dense[:, 0]}),
        "one row": (("X", "sample_weight", "n_trials", "init"), {"X": dense[:1]}),
        "complex numbers": (("X",), {"X": dense * 1j}),
        "too few weights": (("sample_weight",), {"sample_weight": np.ones(n + 1)}),
        "a negative weight": (("sample_weight",), {"sample_weight": np.where(np.arange(n) == 0, -1.0, 1.0)}),
        "no weight": (("sample_weight",), {"sample_weight": np.zeros(n)}),
        "weight NaN": (("sample_weight",), {"sample_weight": np.full(n, np.nan)}),
        "more components than rows": (("n_components", "prior", "frozen", "init"), {"n_components": n + 1}),
        "no components": (("n_components",), {"n_components": 0}),
        "half a component": (("n_components",), {"n_components": 1.5}),
        "n_init 0": (("n_init",), {"n_init": 0}),
        "max_iter 0": (("max_iter",), {"max_iter": 0}),
        "tol negative": (("tol",), {"tol": -1.0}),
        "init unknown": (("init",), {"init": "best"}),
    }
    if case.start not in ("labels", "parameters"):
        kinds["random_state text"] = ("random_state",), {"random_state": "seven"}
    if case.family != "kmeans":
        kinds["prior text"] = ("prior",), {"prior": "flat"}
        kinds["frozen unknown"] = ("frozen",), {"frozen": {"sizes": [1.0]}}
        kinds["acceleration unknown"] = ("acceleration",), {"acceleration": "more"}
        kinds["too few labels"] = ("init",), {"init": np.zeros(n + 1, dtype=np.int64)}
    if case.gaussian:
        kinds["covariance_type unknown"] = ("covariance_type",), {"covariance_type": "round"}
    if case.family == "bernoulli":
        kinds["a count of 2"] = ("X",), {"X": np.where(np.arange(n * D).reshape(n, D) == 0, 2.0, dense)}
    if case.family == "binomial":
        kinds["trials of another shape"] = ("n_trials",), {"n_trials": np.ones(D + 1, dtype=np.int64)}
        kinds["trials 0"] = ("n_trials",), {"n_trials": 0}
    kind = sorted(kinds)[rng.integers(len(kinds))]
    names, spoiled = kinds[kind]
    spoiled = {renamed(name, case.family): value for name, value in spoiled.items()}
    case = named_for(replace(case, traits=(*case.traits, f"illegal: {kind}")))
    return replace(case, illegal=tuple(renamed(name, case.family) for name in names), spoiled=spoiled)


def renamed(name: str, family: str) -> str:
    """Return the name of a setting in the estimator of a family."""
    return "n_clusters" if family == "kmeans" and name == "n_components" else name


def named_for(case: Case) -> Case:
    """Return the case with the settings that its estimator has, under the estimator's names."""
    known = ESTIMATORS[case.family]().get_params(deep=False)
    settings = {renamed(name, case.family): value for name, value in case.settings.items()}
    return replace(case, settings={name: value for name, value in settings.items() if name in known})
