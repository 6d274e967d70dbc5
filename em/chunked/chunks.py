"""Sums over chunks of rows, computed by Dask.

Parts are added in a tree whose shape depends only on the number of chunks. The same chunks therefore give the same bits
on any number of workers.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from secrets import token_hex
from typing import Any

import numpy as np

from em.chunked.groups import Parts, Recipe, Recipes, add, grouped, raise_in_chunk, recipes_of, sum_of_group
from models.frames import is_dask
from models.shown import counted
from models.validation import Array

SECONDS = 1.0  # between two looks at which worker holds which chunk: asking a cluster takes some milliseconds
SHARED: ContextVar[Any] = ContextVar("SHARED", default=None)  # the `Passes` that this thread shares with others, if any


@dataclass(eq=False)
class Chunks:
    """The rows of a Dask array or DataFrame and their weights, chunk by chunk.

    Attributes
    ----------
    rows : tuple
        For each chunk its delayed matrix (n_c, D).
    weights : tuple
        For each chunk its weights (n_c,), delayed or in memory, or ``None``.
    futures : mapping
        Results that the workers of a cluster already hold (``X.persist()``), by key.
    sent : dict
        For each group of the last pass, keyed by the numbers of its chunks: how to compute these chunks. On a cluster
        it is a future, so that the tasks are sent once.
    worker_of : dict
        For each result, by key, a worker that held it when the workers were last asked.
    asked : float
        When the workers were last asked, in seconds of the monotonic clock.
    """

    rows: tuple[Any, ...]
    weights: tuple[Any, ...]
    futures: Mapping[Any, Any]
    sent: dict[tuple[int, ...], Any] = field(default_factory=dict, init=False)
    worker_of: dict[Any, str] = field(default_factory=dict, init=False)
    asked: float = field(default=-math.inf, init=False)

    @classmethod
    def of(cls, X: Any, sample_weight: Any) -> "Chunks":
        """Return the chunks of X and of its weights, which are a Dask array or any array.

        Threads that share passes (:mod:`em.chunked.shared_passes`) get the same object for the same data.
        """
        shared = SHARED.get()
        return cls.read_from(X, sample_weight) if shared is None else shared.chunks_of(X, sample_weight)

    @classmethod
    def read_from(cls, X: Any, sample_weight: Any) -> "Chunks":
        """Build the chunks of X and of its weights anew."""
        array = rows_of(X)
        rows = tuple(array.to_delayed().ravel())
        if sample_weight is None:
            return cls(rows, (None,) * len(rows), _futures_of(array))
        if not hasattr(sample_weight, "to_delayed"):
            return cls(rows, tuple(_split_weights(sample_weight, array)), _futures_of(array))
        weights = sample_weight.to_dask_array() if hasattr(sample_weight, "to_dask_array") else sample_weight
        if weights.ndim != 1 or weights.npartitions != len(rows):
            raise ValueError(
                f"sample_weight must have one number for each row, in {counted(len(rows), 'chunk')} like X, got "
                f"{counted(weights.ndim, 'dimension')} in {counted(weights.npartitions, 'chunk')}: rechunk it like X"
            )
        return cls(rows, tuple(weights.to_delayed().ravel()), _futures_of(array, weights))

    def sum(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return Σ_chunks function(rows, weights, *arguments), added by ``+`` in a tree of pairs.

        A chunk is left out if all its weights are 0, or if the function returns ``None`` for it. If every chunk is left
        out, the sum is ``None``.
        """
        if (passes := SHARED.get()) is not None:
            return passes.sum(self, function, *arguments)
        get, n_chunks, bound = _scheduler(), len(self.rows), _Bound(function, arguments)
        parts: Parts = {}
        tasks: Any = {
            f"chunks {numbers[0]} to {numbers[-1]}, {token_hex(8)}": (sum_of_group, recipes, n_chunks, bound, given)
            for numbers, recipes, given in self._tasks(_client(get))
        }
        keys = list(tasks)
        if self._recipes[0].shared:
            from dask.highlevelgraph import HighLevelGraph

            tasks = HighLevelGraph.from_collections(token_hex(8), tasks, [*self.rows, *filter(is_dask, self.weights)])
        for of_group in get(tasks, keys):
            for position, part in of_group.items():
                add(parts, position, part, n_chunks)
        (total,) = parts.values()
        return total

    @cached_property
    def _recipes(self) -> list[Recipe]:
        return recipes_of(self.rows, self.weights, self.futures)

    def _tasks(self, client: Any) -> Iterator[tuple[tuple[int, ...], Any, list[Any]]]:
        """Yield for each group the numbers of its chunks, their recipes, and the results that these need."""
        if time.monotonic() - self.asked > SECONDS:
            self._group(client)
        for numbers, recipes in self.sent.items():
            keys = [key for c in numbers for key in self._recipes[c].given]
            yield numbers, recipes, [self.futures.get(key, key) for key in keys]

    def _group(self, client: Any) -> None:
        """Group the chunks by the worker that holds them, and send each new group's tasks to the cluster."""
        workers = {} if self._recipes[0].shared else self._workers(client)
        groups = grouped(self._recipes, _n_threads(client), workers)
        if set(groups) != self.sent.keys():
            packs = [Recipes(self._recipes[c] for c in numbers) for numbers in groups]
            sent = packs if client is None else client.map(_itself, packs, pure=False)
            self.sent = dict(zip(groups, sent, strict=True))
        self.asked = time.monotonic()

    def _workers(self, client: Any) -> dict[Any, str]:
        """Wait for the results that the cluster holds, and return for each a worker that holds it, by key."""
        if not self.futures:
            return {}
        from distributed import wait

        wait(list(self.futures.values()))
        for recipe in self._recipes:
            for future in (self.futures[key] for key in recipe.given if key in self.futures):
                if future.status == "error":
                    raise_in_chunk(recipe.number, future.exception())
        for key, own in client.who_has(list(self.futures.values())).items():
            if own and self.worker_of.get(key) not in own:  # copies that come and go change nothing
                self.worker_of[key] = min(own)
        return self.worker_of


def rows_of(X: Any) -> Any:
    """Return a Dask array or DataFrame as an array with all columns in each chunk."""
    check_matrix(X)
    array = X.to_dask_array() if hasattr(X, "to_dask_array") else X
    return array.rechunk({1: -1})


def check_matrix(X: Any) -> None:
    """Raise a ValueError unless X is two-dimensional."""
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (samples, features), got {counted(X.ndim, 'dimension')}")


class _Bound:
    """A function of rows and weights with its further arguments bound; Dask does not search it for collections."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments

    def __call__(self, rows: Any, weights: Any) -> Any:
        return self.function(rows, weights, *self.arguments)

    def __dask_tokenize__(self) -> str:
        return token_hex(16)  # unique: Dask would otherwise hash the arguments for each task


def _scheduler() -> Any:
    """Return Dask's function that computes keys of a graph: the chosen scheduler, a cluster's, or that of threads."""
    from dask.base import get_scheduler
    from dask.threaded import get

    return get_scheduler() or get


def _client(get: Any) -> Any:
    """Return the client of the cluster that computes, or None if this process computes."""
    owner = getattr(get, "__self__", None)
    return owner if hasattr(owner, "who_has") else None


def _n_threads(client: Any) -> int:
    import dask

    if client is not None:
        return max(sum(client.nthreads().values()), 1)
    return dask.config.get("num_workers", None) or os.cpu_count() or 1


def _itself(recipes: Recipes) -> Recipes:
    return recipes


def _futures_of(*collections: Any) -> dict[Any, Any]:
    """Return the futures of the collections' results that a cluster already holds, by key."""
    if "distributed" not in sys.modules:
        return {}
    from distributed import futures_of

    return {future.key: future for future in futures_of(collections)}


def _split_weights(sample_weight: Any, array: Any) -> list[Array]:
    """Return the weights of each chunk's rows as a list of arrays (n_c,)."""
    weights = np.asarray(sample_weight)
    sizes = array.chunks[0]
    if np.isnan(sizes).any():
        raise ValueError(
            "sample_weight must be a Dask array in chunks like X, because the lengths of X's chunks are not known"
        )
    if weights.shape != (sum(sizes),):
        raise ValueError(f"sample_weight must have shape ({sum(sizes)},), one for each row of X, got {weights.shape}")
    return np.split(weights, np.cumsum(sizes)[:-1])
