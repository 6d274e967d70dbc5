"""Compare estimates from a stream with batch estimates: ``python -m benchmarks.stream [--quick]``.

The first tables have the distance between `partial_fit` and the batch estimate, in standard errors of that estimate
(Louis), by the number of rows seen, in passes over one data set in random order or sorted by component. With drifting
means, the distance is from the current truth, and a batch estimate of the last rows competes. Rivals are scikit-learn's
MiniBatchKMeans, of which only the means can be compared, and a naive average θ ← 0.9 θ + 0.1 θ', with θ' after one EM
step on each batch, from the same start. The last table is CPU time per row.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.cluster import MiniBatchKMeans

from benchmarks.tables import new_console
from em import BernoulliMixtureEM, GaussianMixtureEM, PoissonMixtureEM, StreamSettings
from models import bmm, gmm, pmm
from models.validation import Array

PASSES = (1, 2, 5, 20)
BATCH = 250
WEIGHTS = np.array([0.5, 0.3, 0.2])
DECAY = 0.1
SHIFT = 2.0  # standard deviations by which means drift in total

type Learner = Callable[[Array], Any]  # takes a batch, returns parameters or means (K, D)


def main(quick: Annotated[bool, typer.Option(help="Few rows, to see that it runs.")] = False) -> None:
    """Print the tables."""
    n, console = 1000 if quick else 10_000, new_console()
    for name, case in cases().items():
        console.print(stationary(name, *case, n))
    console.print(drifting(n))
    console.print(speed(4 * BATCH if quick else 40 * BATCH))


def cases() -> dict[str, tuple[Any, Any]]:
    """Return estimators and true mixtures by name."""
    rng = np.random.RandomState(0)
    roots = 0.3 * rng.normal(size=(3, 3, 3)) + np.eye(3)
    means = np.array([[0, 0, 0], [2.5, 0, 1], [0, 2.5, -1]])
    truth = gmm.GMMParameters(WEIGHTS, means, roots @ roots.swapaxes(1, 2))
    return {
        "Gaussian, full covariances, D = 3": (GaussianMixtureEM(3, n_init=5, random_state=0), truth),
        "Bernoulli, D = 20": (
            BernoulliMixtureEM(3, n_init=5, random_state=0),
            bmm.BMMParameters(WEIGHTS, rng.uniform(0.1, 0.9, size=(3, 20))),
        ),
        "Poisson, D = 3": (
            PoissonMixtureEM(3, n_init=5, random_state=0),
            pmm.PMMParameters(WEIGHTS, np.array([[2.0, 5.0, 3.0], [6.0, 2.0, 3.0], [5.0, 7.0, 9.0]])),
        ),
    }


def drawn(truth: Any, n: int, seed: int) -> tuple[Array, np.ndarray]:
    """Return rows of a mixture, and their components."""
    module = {"GMMParameters": gmm, "BMMParameters": bmm, "PMMParameters": pmm}[type(truth).__name__]
    X, z = module.simulate(truth, n, random_state=seed)
    return X, z


def learners(estimator: Any, settings: StreamSettings) -> dict[str, Learner]:
    """Return the methods that learn from batches, by name."""
    stream, clusters = clone(estimator), MiniBatchKMeans(estimator.n_components, n_init=5, random_state=0)

    def kmeans(batch: Array) -> Array:
        return clusters.partial_fit(batch).cluster_centers_

    methods: dict[str, Learner] = {
        "partial_fit": lambda batch: stream.partial_fit(batch, settings=settings).parameters_,
        "naive average": naive(estimator),
    }
    return methods | ({"MiniBatchKMeans, means": kmeans} if isinstance(estimator, GaussianMixtureEM) else {})


def naive(estimator: Any) -> Learner:
    """Return a method that averages the parameters after an EM step on each batch, with the stream's start."""
    kept: list[Any] = []
    first: list[Array] = []

    def learn(batch: Array) -> Any:
        first.append(batch)
        if not kept or sum(map(len, first)) <= 4 * BATCH:
            kept[:] = [_quietly(clone(estimator), np.concatenate(first))]
            return kept[0]
        one = clone(estimator).set_params(init=kept[0], max_iter=1, acceleration=None)
        step = _quietly(one, batch).arrays()
        kept[0] = replace(kept[0], **{k: (1 - DECAY) * a + DECAY * step[k] for k, a in kept[0].arrays().items()})
        return kept[0]

    return learn


def _quietly(estimator: Any, X: Array) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return estimator.fit(X).parameters_


def distance(estimate: Any, target: Any, errors: dict[str, Array]) -> float:
    """Return the root mean square of (estimate - target) / standard error over parameters, or over means alone."""
    _, name, *_ = target.arrays()
    centers = estimate if isinstance(estimate, np.ndarray) else estimate.arrays()[name]
    gaps = ((centers[:, None] - target.arrays()[name]) / errors[name]) ** 2
    of_wanted, own = linear_sum_assignment(gaps.sum(axis=2).T)
    assert (of_wanted == np.arange(len(own))).all()
    arrays = {name: estimate[own]} if isinstance(estimate, np.ndarray) else estimate.permute(own).arrays()
    squares = [(((array - target.arrays()[key]) / errors[key]) ** 2).ravel() for key, array in arrays.items()]
    return float(np.sqrt(np.nanmean(np.concatenate(squares))))


def errors_of(fit: Any, X: Array) -> dict[str, Array]:
    """Return the standard errors of a fit by name, each of the shape of its array."""
    standard_errors, arrays = fit.uncertainty(X).standard_errors, fit.parameters_.arrays()
    errors = {name: np.full(array.shape, np.nan) for name, array in arrays.items()}
    for entry, error in zip(fit._entries(len(X)).entries, standard_errors, strict=True):
        errors[entry.array][entry.place] = error
    return errors


def passes(X: Array, z: np.ndarray, ordered: bool, seed: int) -> Iterator[Array]:
    """Yield batches of passes over the rows, without end."""
    rng = np.random.RandomState(seed)
    while True:
        order = rng.permutation(len(X))
        order = order[np.argsort(z[order], kind="stable")] if ordered else order
        yield from np.array_split(X[order], len(X) // BATCH)


def stationary(name: str, estimator: Any, truth: Any, n: int) -> Table:
    """Compare with the batch estimate after some passes over its rows."""
    X, z = drawn(truth, n, 0)
    fit = clone(estimator).fit(X)
    errors, share = errors_of(fit, X), fit.uncertainty(X).share_observed
    title = f"{name}: {n:,} rows, {100 * share:.0f} % of the information observed; distance in standard errors"
    table = Table(title=title)
    for heading in ("order", "method", *(f"{p * n:,} rows" for p in PASSES)):
        table.add_column(heading, justify="left" if heading in ("order", "method") else "right")
    for ordered in (False, True):
        for method, learn in learners(estimator, StreamSettings()).items():
            cells = []
            for number, batch in enumerate(passes(X, z, ordered, 1), start=1):
                estimate = learn(batch)
                if number in [p * (n // BATCH) for p in PASSES]:
                    cells.append(f"{distance(estimate, fit.parameters_, errors):.2f}")
                if len(cells) == len(PASSES):
                    break
            table.add_row("sorted" if ordered else "random", method, *cells)
    return table


def drifting(n: int) -> Table:
    """Compare with the current truth while the means drift, with a half-life and without."""
    estimator, truth = next(iter(cases().values()))
    X = drawn(truth, n, 0)[0]
    errors = errors_of(clone(estimator).fit(X), X)
    table = Table(
        title=f"Gaussian, means drift by {SHIFT:g}: distance from the truth now, in standard errors of {n:,} rows"
    )
    for heading in ("method", *(f"{p * n:,} rows" for p in PASSES)):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    forgetting = StreamSettings(half_life=n / 5)
    methods = {"partial_fit, no half-life": learners(estimator, StreamSettings())["partial_fit"]}
    methods |= {
        f"{name}{f', half-life {n // 5:,}' * (name == 'partial_fit')}": learner
        for name, learner in learners(estimator, forgetting).items()
    }
    last: list[Array] = []
    total, rows = PASSES[-1] * (n // BATCH), {name: list[str]() for name in [*methods, f"fit of the last {n:,} rows"]}
    for number in range(1, total + 1):
        now = replace(truth, means=truth.means + SHIFT * number / total)
        batch = drawn(now, BATCH, number)[0]
        last = [*last, batch][-(n // BATCH) :]
        estimates = {name: learn(batch) for name, learn in methods.items()}
        if number in [p * (n // BATCH) for p in PASSES]:
            estimates[f"fit of the last {n:,} rows"] = _quietly(clone(estimator), np.concatenate(last))
            for name, parameters in estimates.items():
                rows[name].append(f"{distance(parameters, now, errors):.2f}")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def speed(n: int) -> Table:
    """Time steps with batches of several sizes after the start."""
    table = Table(title="CPU microseconds per row, after the start")
    for heading in ("method", "1 row a call", f"{BATCH} rows", f"{4 * BATCH} rows"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name, (estimator, truth) in cases().items():
        X = drawn(truth, n, 0)[0]
        for method, learn in learners(estimator, StreamSettings()).items():
            learn(X[: 4 * BATCH])
            learn(X[:BATCH])
            cells = []
            for size, count in ((1, 20), (BATCH, n // BATCH), (4 * BATCH, n // (4 * BATCH))):
                if size == 1 and method == "naive average":
                    cells.append("-")
                    continue
                begin = time.process_time()
                for batch in np.split(X[: size * count], count):
                    learn(batch)
                cells.append(f"{1e6 * (time.process_time() - begin) / (size * count):.1f}")
            table.add_row(f"{name}: {method}", *cells)
    return table


if __name__ == "__main__":
    typer.run(main)
