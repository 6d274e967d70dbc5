"""Data of a case: numbers or counts, what is odd about them, weights and missing cells."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from benchmarks.fuzz.cases import Case
from models.bmm import BMMParameters
from models.gmm import GMMParameters
from models.validation import Array

GRID = 2.0**-14  # of plain data, whose spread is about 1: at offsets up to 2^34 they keep every bit of 53

type Draws = np.random.Generator


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
    "collinear columns": one_column(lambda rng, X: 2 * on_grid(X[:, 0]) + 1),
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


def scarce(case: Case) -> bool:
    """Whether the rows that are observed and have a weight are too few, or leave a column empty or constant."""
    kept = case.weights > 0
    if kept.sum() < max(2, case.settings["n_components"]):
        return True
    X = (case.plain if isinstance(case.plain, np.ndarray) else case.plain.toarray())[kept]
    seen = ~np.isnan(X)
    varies = np.where(seen, X, -np.inf).max(axis=0) > np.where(seen, X, np.inf).min(axis=0)
    return not seen.any(axis=0).all() or (case.gaussian and not varies.all())
