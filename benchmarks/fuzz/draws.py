"""How a case of the fuzzer is drawn, from a seed and its number alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from benchmarks.fuzz.cases import ESTIMATORS, Case
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.gmm.structures import COVARIANCE_TYPES
from models.validation import Array

GRID = 2.0**-14  # of plain data, whose spread is about 1: at offsets up to 2^34 they keep every bit of 53
FARTHEST = 1e10  # offsets, in spreads
FEWEST_ROWS, MOST_ROWS, MOST_FEATURES, MOST_COMPONENTS = 2, 200, 5, 5
LARGEST_SQUARE = 1e150  # scales beyond it, or below its inverse, have variances that no float holds well

type Draws = np.random.Generator


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


# Data -----------------------------------------------------------------------------------------------------------------


def draw_numbers(rng: Draws, family: str, n: int, K: int, D: int) -> tuple[Array, np.ndarray, Any, list[str]]:
    """Return X on the grid, labels, parameters near those it is drawn from, and what is odd about it."""
    apart = float(rng.choice([0.0, 1.0, 3.0, 10.0]))
    kind = "spherical" if family == "kmeans" else family
    roots = 0.5 * rng.normal(size=(K, D, D)) + np.eye(D) * rng.uniform(0.2, 1)
    matrices = roots @ roots.transpose(0, 2, 1) + 0.05 * np.eye(D)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    covariances = {"full": matrices, "tied": matrices[0], "diag": variances, "spherical": variances.mean(axis=1)}[kind]
    means = on_grid(apart * rng.normal(size=(K, D)))
    truth = GMMParameters(rng.dirichlet(np.full(K, 3.0)), means, covariances, kind)
    z = rng.choice(K, size=n, p=truth.weights)
    X = truth.means[z] + np.einsum(
        "nde,ne->nd", np.linalg.cholesky(truth.covariance_matrices)[z], rng.normal(size=(n, D))
    )
    traits = [f"clusters {apart:g} apart"]
    for trait, change in ODDITIES.items():
        if rng.random() < 0.06:
            X, traits = change(rng, X), [*traits, trait]
    return on_grid(X), z, truth, traits


def on_grid(values: Array) -> Array:
    """Return values rounded to the grid on which offsets are exact."""
    return np.round(values / GRID) * GRID


DISCRETE = (
    "rounded",
    "whole numbers 0 to 2",
    "duplicated rows",
    "two distinct rows",
    "collinear columns",
    "a binary column",
)


def one_column(change: Callable[[Draws, Array], Array]) -> Callable[[Draws, Array], Array]:
    """Return a change of X that replaces its last column."""
    return lambda rng, X: np.column_stack([X[:, :-1], change(rng, X)])


ODDITIES: dict[str, Callable[[Draws, Array], Array]] = {
    "rounded": lambda rng, X: np.round(X * 4) / 4,
    "whole numbers 0 to 2": lambda rng, X: np.clip(np.round(X), 0, 2),
    "duplicated rows": lambda rng, X: X[rng.integers(max(2, len(X) // 4), size=len(X))],
    "two distinct rows": lambda rng, X: X[rng.integers(2, size=len(X))],
    "collinear columns": one_column(lambda rng, X: 2 * X[:, 0] + (1 if X.shape[1] > 1 else 0)),
    "nearly collinear columns": one_column(lambda rng, X: X[:, 0] + 2.0**-10 * rng.normal(size=len(X))),
    "a constant column": one_column(lambda rng, X: np.full(len(X), 3.0)),
    "a binary column": one_column(lambda rng, X: rng.integers(2, size=len(X)).astype(float)),
    "an outlier": lambda rng, X: np.vstack([X[:-1], X[-1:] + 2.0**10]),
    "unlike columns": lambda rng, X: X * 4.0 ** rng.integers(-3, 4, size=X.shape[1]),
}


def draw_counts(rng: Draws, family: str, n: int, K: int, D: int) -> tuple[Array, np.ndarray, Any, list[str], Any]:
    """Return X, labels, parameters near those it is drawn from, what is odd about it, and ``n_trials``."""
    sharpness = float(rng.choice([0.3, 1.0, 5.0]))
    truth = BMMParameters(rng.dirichlet(np.full(K, 3.0)), rng.beta(sharpness, sharpness, size=(K, D)))
    trials, of = np.ones((n, D), dtype=np.int64), "one trial"
    n_trials: Any = 1
    if family == "binomial":
        of = str(rng.choice(["common", "per column", "per row", "very many"], p=[0.4, 0.25, 0.25, 0.1]))
        most = {"very many": 10 ** int(rng.integers(3, 13))}.get(of, int(rng.choice([3, 12, 100])))
        n_trials = {
            "per column": rng.integers(1, most + 1, size=D),
            "per row": rng.integers(1, most + 1, size=(n, D)),
        }.get(of, most)
        trials, of = np.broadcast_to(n_trials, (n, D)), f"{of} trials"
    z = rng.choice(K, size=n, p=truth.weights)
    X, traits = rng.binomial(trials, truth.probs[z]).astype(np.float64), [of, f"beta({sharpness:g}) probs"]
    if rng.random() < 0.08:
        X, traits = np.where(truth.probs[z] > 0.5, trials, 0).astype(np.float64), [*traits, "every prob at 0 or 1"]
    if rng.random() < 0.08:
        X, traits = np.column_stack([X[:, :-1], np.zeros(n)]), [*traits, "a column of zeros"]
    return X, z, truth, traits, n_trials


def draw_weights(rng: Draws, n: int, traits: list[str]) -> Array | None:
    """Return weights of a kind, which is added to the traits."""
    kinds: dict[str, Callable[[], Array]] = {
        "whole": lambda: rng.integers(0, 5, size=n).astype(np.float64),
        "fractional": lambda: rng.uniform(0.1, 3, size=n),
        "fractional with zeros": lambda: rng.uniform(0.1, 3, size=n) * (rng.random(n) < 0.7),
        "huge": lambda: rng.uniform(1, 2, size=n) * 1e9,
        "small": lambda: rng.uniform(1, 2, size=n) * 1e-6,
    }
    kind = str(rng.choice(["no", *kinds], p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05]))
    if kind == "no":
        return None
    traits.append(f"{kind} weights")
    weights = kinds[kind]()
    return weights if weights.any() else np.ones(n)


def with_holes(case: Case, rng: Draws) -> Case:
    """Return the case with missing cells; now and then two columns are never observed together, or rows are empty."""
    X, traits = case.plain.copy(), "missing cells"
    X[rng.random(X.shape) < rng.uniform(0, 0.4)] = np.nan
    if X.shape[1] > 1 and rng.random() < 0.4:
        first = rng.random(len(X)) < 0.5
        X[first, 0], X[~first, 1] = np.nan, np.nan
        traits += ", two columns never observed together"
    if rng.random() < 0.2:
        X[rng.integers(len(X), size=2)] = np.nan
        traits += ", empty rows"
    return replace(case, plain=X, traits=(*case.traits, traits))


def as_sparse(case: Case, rng: Draws) -> Case:
    """Return the case, now and then with sparse X where that is legal."""
    if np.isnan(case.plain).any() or np.ndim(case.settings["n_trials"]) == 2 or rng.random() > 0.15:
        return case
    return replace(case, plain=csr_array(case.plain), traits=(*case.traits, "sparse"))


def in_some_unit(case: Case, rng: Draws) -> Case:
    """Return the case far from zero or of another scale, now and then."""
    a, b = 1.0, 0.0
    if rng.random() < 0.3:
        b = np.round(10 ** rng.uniform(0, np.log10(FARTHEST)))
    if rng.random() < 0.3:
        wide = rng.random() < 0.2
        a = 2.0 ** np.round(np.log2(10) * (rng.uniform(-170, 170) if wide else rng.uniform(-6, 6)))
    if not 1 / LARGEST_SQUARE < a < LARGEST_SQUARE or not 1 / LARGEST_SQUARE < a * max(b, 1) < LARGEST_SQUARE:
        settings, init = dict(case.settings), case.settings["init"]  # these hold squares of the scale
        settings |= {"prior": None, "frozen": None, "init": init if case.start != "parameters" else "k-means++"}
        case = replace(case, settings={name: value for name, value in settings.items() if name in case.settings})
    unit = float(a), float(b)
    return (
        case
        if unit == (1.0, 0.0)
        else replace(case, unit=unit, traits=(*case.traits, f"scale {a:.3g}, offset {b:.3g}"))
    )


def may_refuse(case: Case) -> bool:
    """Whether there is a reason to refuse the case: in the data, in its scale, or in a start or frozen probs."""
    a, b = case.unit
    ordinary = a > 1 / LARGEST_SQUARE and a * max(b, 1.0) < LARGEST_SQUARE
    return scarce(case) or not ordinary or case.start == "labels" or "probs" in (case.settings["frozen"] or {})


def scarce(case: Case) -> bool:
    """Whether the rows that are observed and have a weight are too few, or leave a column empty or constant."""
    kept = case.weights > 0
    if kept.sum() < max(2, case.settings["n_components"]):
        return True
    X = (case.plain if isinstance(case.plain, np.ndarray) else case.plain.toarray())[kept]
    seen = ~np.isnan(X)
    varies = np.where(seen, X, -np.inf).max(axis=0) > np.where(seen, X, np.inf).min(axis=0)
    return not seen.any(axis=0).all() or (case.gaussian and not varies.all())


# Settings -------------------------------------------------------------------------------------------------------------


def draw_settings(case: Case, rng: Draws, z: np.ndarray, truth: Any) -> dict[str, Any]:
    """Return the settings of the estimator, in plain units."""
    n_init = int(rng.choice([1, 2, 3], p=[0.6, 0.2, 0.2]))
    found: dict[str, Any] = {
        "prior": draw_prior(case, rng, truth) if case.family != "kmeans" and rng.random() < 0.45 else None,
        "frozen": draw_frozen(rng, truth) if rng.random() < 0.15 else None,
        "n_init": n_init,
        "n_starts": None if rng.random() < 0.7 else n_init + int(rng.integers(5)),
        "init": draw_init(case, rng, z, truth),
        "tol": float(rng.choice([1e-8, 1e-4, 1e-12, 0.0, 1.0], p=[0.6, 0.15, 0.1, 0.1, 0.05])),
        "max_iter": int(rng.choice([1000, 1, 2, 10], p=[0.8, 0.06, 0.06, 0.08])),
        "acceleration": [None, "squarem", "multisecant"][rng.choice(3, p=[0.25, 0.25, 0.5])],
        "random_state": int(rng.integers(2**31)),
    }
    if case.gaussian:
        found["covariance_type"] = case.family
    return found


def draw_init(case: Case, rng: Draws, z: np.ndarray, truth: Any) -> Any:
    """Return a kind of start, labels or parameters."""
    kind = rng.choice(["k-means++", "kmeans", "random", "labels", "parameters"], p=[0.35, 0.1, 0.15, 0.15, 0.25])
    if case.family == "kmeans":
        return truth.means if kind == "parameters" else "k-means++"
    if kind == "labels":
        return np.where(rng.random(len(z)) < 0.1, rng.integers(truth.n_components, size=len(z)), z)
    if kind == "parameters":
        return truth
    return str(kind)


def draw_frozen(rng: Draws, truth: Any) -> dict[str, Array]:
    """Return some of the parameters, or all."""
    return {name: array for name, array in truth.arrays().items() if rng.random() < 0.5}


def draw_prior(case: Case, rng: Draws, truth: Any) -> Any:
    """Return a weakly informative prior, one that is nearly flat, or an extreme one that is legal."""
    kind = str(rng.choice(["weak", "flat", "strong", "extreme"]))
    size = {"weak": 1.0, "flat": 1e-6, "strong": 100.0}.get(kind, 10 ** rng.uniform(-8, 8))
    concentration = 1 + size * rng.uniform(0.5, 2, size=() if rng.random() < 0.7 else truth.n_components)
    if not case.gaussian:
        shapes = 1 + size * rng.uniform(0.2, 2, size=(2, truth.n_features))
        return BMMPrior(concentration, shapes[0], shapes[1])
    counts = (case.weights[:, None] * ~np.isnan(case.plain)).sum(axis=0)
    if kind == "weak" and not scarce(case) and (counts > 1).all():
        return GMMPrior.weakly_informative(
            case.plain, truth.n_components, case.family, sample_weight=case.sample_weight
        )
    mean = on_grid(rng.normal(size=truth.n_features))
    D, matrices = truth.n_features, case.family in ("full", "tied")
    vector = () if case.family == "spherical" else (D,)
    if not matrices and rng.random() < 0.5:
        shape = None if rng.random() < 0.5 else 1 + size
        return GMMIndependentPrior(
            concentration, mean, rng.uniform(1, 4, size=D), rng.uniform(0.3, 2, size=vector), shape, 2.0, case.family
        )
    spread = np.diag(rng.uniform(0.3, 2, size=D)) if matrices else rng.uniform(0.3, 2, size=vector)
    degrees = D - 1 + size if matrices else size
    return GMMPrior(concentration, mean, 0.01 * size, degrees, size * spread, case.family)


# Illegal input --------------------------------------------------------------------------------------------------------


def spoil(case: Case, rng: Draws) -> Case:
    """Return the case with one argument that is not legal; a refusal must name it."""
    X, n, D = case.plain, *case.plain.shape
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
    """Return what the estimator of a family calls a setting."""
    return "n_clusters" if family == "kmeans" and name == "n_components" else name


def named_for(case: Case) -> Case:
    """Return the case with the settings that its estimator has, by their names there."""
    known = ESTIMATORS[case.family]().get_params(deep=False)
    settings = {renamed(name, case.family): value for name, value in case.settings.items()}
    return replace(case, settings={name: value for name, value in settings.items() if name in known})
