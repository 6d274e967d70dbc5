"""K-means for coursework; its formulas are in :mod:`comparisons.coursework.kmeans.formulas`."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, override

import numpy as np

from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.kmeans.formulas import AFTER, AVERAGE, DISTANCE, INPUTS, INTERMEDIATES, PICK, SUM
from models.validation import Array


class KMeans(Textbook):
    """Assignment and update."""

    spellings: ClassVar[Mapping[str, str]] = {
        "centers": "centers centres center centre centroids centroid cents c cs mu mus means mean m cluster_centers "
        "cluster_centres prototypes codebook",
        "labels": "labels label z zs assignments assignment clusters cluster y ys idx index r rs resp a assign ids "
        "membership memberships cluster_ids one_hot responsibilities which nearest",
    }
    notebook = "01_kmeans_hard_and_soft_clustering.ipynb"
    sections: ClassVar[Mapping[str, str]] = {
        "e": "Lloyd's algorithm by hand",
        "m": "Lloyd's algorithm by hand",
        "log_likelihood": "What K-means minimises",
    }
    conventions = (
        Convention(
            "one-hot",
            "labels",
            lambda a, p: np.eye(p.K)[np.asarray(a).astype(int)],
            lambda a, p: _labels_of(a),
            ("one_hot", "onehot"),
            free=True,
        ),
    )
    n_samples = 11, 12
    size_names = ()
    quantities = ("centers",)
    title = "K-means"
    titles: ClassVar[Mapping[str, str]] = {"e": "assignment", "m": "update", "log_likelihood": "inertia"}
    answers: ClassVar[Mapping[str, tuple[str, ...]]] = {"e": ("labels",), "log_likelihood": ("log_likelihood",)}
    intermediates = INTERMEDIATES

    def __init__(self, **options: Any) -> None:
        if options:
            raise TypeError(f"{', '.join(options)} is no option of family 'kmeans', which has none")
        self.prior, self.given = None, {}

    @override
    def shape(self) -> tuple[int | None, int | None]:
        return None, None

    @override
    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        centers, X = rng.normal(1.0, 1.5, size=(K, D)), rng.normal(0.7, 1.8, size=(n, D))
        if plain:
            centers, X = np.round(centers, 1), np.round(X, 1)
        labels = rng.permutation(np.maximum(np.arange(n) % (K + 1) - 1, 0)) if n > K else np.arange(n) % K
        return Problem("", X, {"centers": centers}, np.eye(K)[labels])

    @override
    def sizes(self, step: str) -> list[tuple[str, int, int, int]]:
        more = 50 if step == "e" else 0  # labels say little each
        return [(name, n + more * (n > 1), K, D) for name, n, K, D in super().sizes(step)]

    @override
    def other_shapes(self, quantity: str, problem: Problem) -> Sequence[tuple[int, ...]]:
        return [(problem.n, problem.K)] if quantity == "labels" else []

    @override
    def needed(self, step: str) -> tuple[str, ...]:
        return ("X", "labels") if step == "m" else ("X", "centers")

    @override
    def optional(self, step: str) -> tuple[str, ...]:
        return ("centers", "K", "D", "n") if step == "m" else ("labels", "K", "D", "n")

    @override
    def value_of(self, role: str, problem: Problem) -> Any:
        return problem.r.argmax(axis=1) if role == "labels" else super().value_of(role, problem)

    @override
    def all_conventions(self, step: str) -> tuple[Convention, ...]:
        return self.conventions

    falls_with_fit = True

    @override
    def fit_problem(self) -> Problem:
        rng = np.random.RandomState(8)
        centers = np.array([[0.0, 0.0], [4.0, 1.0], [1.0, 5.0]])
        X = centers[np.arange(90) % 3] + rng.normal(size=(90, 2))
        start = np.array([[0.5, 1.5], [2.5, 1.0], [1.0, 2.5]])
        return Problem("", X, {"centers": start}, np.eye(3)[np.arange(90) % 3])

    @override
    def responsibilities(self, problem: Problem) -> Array:
        return np.eye(problem.K)[self.formulas["labels"].value(problem).astype(int)]

    @override
    def as_responsibilities(self, answer: Array, problem: Problem) -> Array:
        if answer.shape != (problem.n,) or not np.isin(answer, np.arange(problem.K)).all():
            raise ValueError("no labels")
        return np.eye(problem.K)[answer.astype(int)]

    @override
    def objective_at(self, problem: Problem) -> float:
        return -super().objective_at(problem)

    @override
    def misfit(self, problem: Problem, theta: Mapping[str, Array]) -> str:
        shape = problem.theta["centers"].shape
        given = theta["centers"].shape
        return "" if given == shape else f"centers must have shape {shape}, got {given}"

    @cached_property
    def formulas(self) -> dict[str, Formula]:
        """The formulas by quantity."""
        rows = (
            ("labels", "z_i = argmin_k ‖x_i - c_k‖²", DISTANCE, PICK, INPUTS),
            ("centers", "c_k = the mean of the samples with z_i = k", AVERAGE, AFTER, None),
            ("log_likelihood", "J = Σ_i min_k ‖x_i - c_k‖²", DISTANCE, SUM, INPUTS),
        )

        def compose(first: str, last: str) -> Callable[[Problem, Mapping[str, Any]], Array]:
            return lambda p, v: np.asarray(v[last](v[first], p))

        return {name: Formula(name, text, (a, b), compose(a.name, b.name), swaps) for name, text, a, b, swaps in rows}


def _labels_of(a: Array) -> Array:
    """Return the labels of one-hot rows, or raise a ValueError."""
    a = np.asarray(a)
    if a.ndim != 2 or not ((a == 0) | (a == 1)).all() or not (a.sum(axis=1) == 1).all():
        raise ValueError("not one-hot")
    return np.asarray(a.argmax(axis=1))


TEXTBOOK = KMeans
