"""Compare the optima that our calls and scikit-learn's find: ``python -m benchmarks.found``.

Gaussian mixtures: the data are drawn from random mixtures of every size, near and far from each other. The
log-likelihood (sum, nats) of `GaussianMixtureEM` must not be lower than that of scikit-learn's default by more than
1e-6. scikit-learn with ten restarts, as many as ours, is shown too: with few samples and many components, nearly every
start has an optimum of its own, and either may find the higher one. If all our restarts collapse, nothing is compared.

K-means: the data come with scikit-learn or are simulated clouds. The mean inertia over seeds must not be larger than
scikit-learn's with as many restarts by more than 1e-6, relative.

The exit code is 0 if both hold, else 1.
"""

import sys
import warnings
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer
from sklearn import datasets
from sklearn.cluster import KMeans as RivalKMeans
from sklearn.mixture import GaussianMixture

from benchmarks.tables import new_console
from em import GaussianMixtureEM, KMeans
from em.process.progress import track
from models.validation import Array

NATS, SHARE = 1e-6, 1e-6
SHIPPED = ("iris", "wine", "breast_cancer", "digits", "diabetes")


def mixture(seed: int) -> tuple[Array, int]:
    """Return samples X (n, D) of a random Gaussian mixture, and its number of components K."""
    rng = np.random.RandomState(seed)
    n, D, K = int(10 ** rng.uniform(2, 4)), rng.randint(1, 7), rng.randint(1, 7)
    centers = rng.choice([1.0, 2.0, 4.0]) * rng.normal(size=(K, D))
    roots = np.eye(D) + 0.3 * rng.normal(size=(K, D, D))
    z = rng.choice(K, size=n, p=rng.dirichlet(np.full(K, 4.0)))
    return centers[z] + np.einsum("nij,nj->ni", roots[z], rng.normal(size=(n, D))), K


def clouds() -> Iterator[tuple[str, Array, int]]:
    """Yield data for K-means: a name, X (n, D), and the number of clusters."""
    for name in SHIPPED:
        X = getattr(datasets, f"load_{name}")().data
        for K in (3, 8, 20):
            yield f"{name}, K = {K}", X, K
    rng = np.random.RandomState(0)
    for n, D, K, distance in [(500, 2, 5, 3.0), (2_000, 2, 25, 4.0), (2_000, 10, 10, 1.0), (5_000, 5, 50, 2.0)]:
        centers = distance * rng.normal(size=(K, D))
        yield f"clouds ({n:,}, {D}), K = {K}", centers[rng.randint(K, size=n)] + rng.normal(size=(n, D)), K
    for n, D, K in [(1_000, 2, 10), (5_000, 3, 20), (20_000, 2, 30), (50_000, 8, 10)]:
        yield f"uniform ({n:,}, {D}), K = {K}", rng.uniform(size=(n, D)), K


def nats_above(seed: int) -> list[float]:
    """Return how many nats our fit of a random mixture is above scikit-learn's with one start and with ten.

    They are NaN if all our restarts collapsed.
    """
    X, K = mixture(seed)
    with warnings.catch_warnings(action="ignore"):  # scikit-learn stops early
        ours = GaussianMixtureEM(K, random_state=seed).fit(X)
        theirs = [GaussianMixture(K, n_init=n_init, random_state=seed).fit(X) for n_init in (1, 10)]
    reached = float("nan") if ours.collapsed_ else ours.log_likelihood_
    return [reached - float(fit.score(X)) * len(X) for fit in theirs]


def share_above(X: Array, K: int, seeds: int) -> float:
    """Return how much larger our mean inertia is than scikit-learn's, relative, both with ten restarts."""
    ours = np.mean([KMeans(K, random_state=seed).fit(X).inertia_ for seed in range(seeds)])
    theirs = np.mean([RivalKMeans(K, n_init=10, random_state=seed).fit(X).inertia_ for seed in range(seeds)])
    return float(ours / theirs - 1)


def main(
    mixtures: Annotated[int, typer.Option(help="Random Gaussian mixtures.")] = 40,
    seeds: Annotated[int, typer.Option(help="Seeds of K-means on each data set.")] = 20,
) -> None:
    """Compare log-likelihoods and inertias with scikit-learn's."""
    console, worse = new_console(), 0
    gaps = np.array([nats_above(seed) for seed in track(range(mixtures), "Gaussian mixtures", True)])
    n_compared = int(np.isfinite(gaps[:, 0]).sum())
    for which, of_one in zip(("default", "n_init=10"), gaps.T, strict=True):
        below = np.flatnonzero(of_one < -NATS)
        named = "".join(f"; seed {seed}: {-of_one[seed]:.3g} nats below" for seed in below.tolist())
        at = f"{n_compared - len(below)} of {n_compared} at scikit-learn's or above"
        console.print(f"Gaussian mixtures, {which}: {at}, {np.sum(of_one > NATS)} above{named}", soft_wrap=True)
        worse += len(below) * (which == "default")
    sets = list(clouds()) if seeds else []
    shares = [share_above(X, K, seeds) for _, X, K in track(sets, "K-means", True)]
    for (name, *_), share in zip(sets, shares, strict=True):
        console.print(f"K-means, {name}: mean inertia {share:+.2g} of scikit-learn's")
        worse += share > SHARE
    console.print(f"K-means: {sum(share <= SHARE for share in shares)} of {len(shares)} at scikit-learn's or below")
    sys.exit(worse > 0)


if __name__ == "__main__":
    typer.run(main)
