"""Groups of chunks: in a pass each group is one Dask task.

A group's task computes its chunks one after the other, so a worker holds one chunk of a group at a time. It adds
their parts and returns the sums.

The tasks that compute a chunk, such as reading a file, are taken out of Dask's graph and sent to the workers once. In
each pass only a function is sent to each group. Chunks that workers already hold (``X.persist()``) are grouped by
worker, so that none is moved. If chunks share expensive work, as after a shuffle, each chunk is a group of its own, and
Dask computes it. All this saves time: a task for each chunk would cost Dask milliseconds per chunk and pass.

Parts are added in a tree of pairs over the numbers of the chunks. A group's task adds the pairs that lie within the
group; the caller of the pass adds the rest. The result therefore has the same bits for any grouping. A group of
neighbouring chunks returns one to four sums, two or three as a rule.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from em.process.blas import no_other_thread, one_blas_thread
from models.validation import Array, check_sample_weight

PER_THREAD = 2  # groups for each thread, so that a fast one takes more; each group costs Dask some milliseconds
ALONE = 4  # up to so many chunks for each thread, each chunk is a group of its own, so that no thread waits long
UNEVEN = 1.1  # a worker that holds more chunks, in units of the mean, has several groups, so that others may take some
MOST_CHUNKS = 64  # in a group: so many are computed again if a worker dies

type Parts = dict[tuple[int, int], Any]  # sums of 2^level chunks, keyed by (level, position)


@dataclass(frozen=True)
class Recipe:
    """How to compute a chunk.

    Attributes
    ----------
    number : int
        The number of the chunk.
    tasks : mapping
        The Dask tasks that compute it, by key.
    rows : key
        The key of its rows.
    weights : key, ndarray or None
        The key of its weights, or the weights themselves.
    given : tuple of keys
        The results of other tasks that its tasks need.
    shared : bool
        Whether Dask computes the chunk in each pass, outside the group's task.
    """

    number: int
    tasks: Mapping[Hashable, Any]
    rows: Hashable
    weights: Any
    given: tuple[Hashable, ...]
    shared: bool

    def part(self, function: Callable[..., Any], given: Mapping[Hashable, Any]) -> Any:
        """Return a function of the chunk, or None if all its weights are 0; errors name the chunk."""
        try:
            rows, weights = self._computed(given)
            n = rows.shape[0]
            if n == 0 or (weights is not None and np.shape(weights) == (n,) and not np.any(weights)):
                return None
            return function(rows, check_sample_weight(weights, n))
        except Exception as error:
            raise_in_chunk(self.number, error)

    def _computed(self, given: Mapping[Hashable, Any]) -> tuple[Any, Array | None]:
        from dask.local import get_sync

        known = self.weights is None or isinstance(self.weights, np.ndarray)
        keys: list[Any] = [self.rows] if known else [self.rows, self.weights]
        values = {key: given[key] for key in self.given}
        made = get_sync({**self.tasks, **values}, keys) if self.tasks else [values[key] for key in keys]
        return made[0], self.weights if known else made[1]


def raise_in_chunk(number: int, error: BaseException) -> NoReturn:
    """Raise an error again with the chunk's number in its message."""
    if isinstance(error, TypeError | ValueError) and len(error.args) == 1:
        error.args = (f"chunk {number}: {error}",)
        raise error
    raise RuntimeError(f"chunk {number}: {type(error).__name__}: {error}") from error


class Recipes:
    """The recipes of a group; Dask does not search this class for tasks of its own."""

    def __init__(self, recipes: Iterable[Recipe]) -> None:
        self.recipes = tuple(recipes)


def recipes_of(rows: Sequence[Any], weights: Sequence[Any], held: Collection[Hashable] = ()) -> list[Recipe]:
    """Return how to compute chunks from delayed rows and from weights, which are delayed, arrays or None."""
    recipes = [_left_to_dask(c, own, w) for c, (own, w) in enumerate(zip(rows, weights, strict=True))]
    graphs = [one[0].__dask_graph__() for one in (rows, weights) if hasattr(one[0], "__dask_graph__")]
    if any(layer.annotations for graph in graphs for layer in getattr(graph, "layers", {}).values()):
        return recipes  # the user asked for special workers
    tasks: dict[Hashable, Any] = {key: task for graph in graphs for key, task in dict(graph).items() if key not in held}
    taken: set[Hashable] = set()
    own_recipes = []
    for recipe in recipes:
        own = _with_own_tasks(recipe, tasks)
        work = {key for key, task in own.tasks.items() if hasattr(task, "func")}
        if work & taken:
            return recipes
        taken |= work
        own_recipes.append(own)
    return own_recipes


def grouped(recipes: Sequence[Recipe], n_threads: int, workers: Mapping[Hashable, str]) -> list[tuple[int, ...]]:
    """Return the numbers of the chunks of each group.

    Parameters
    ----------
    recipes : sequence of Recipe
        How to compute the chunks.
    n_threads : int
        Number of threads of all workers together.
    workers : mapping
        For each result that a cluster holds, by key, a worker that holds it.
    """
    n = len(recipes)
    by_worker: dict[str, list[int]] = {}
    for recipe in recipes:
        worker = next((workers[key] for key in recipe.given if key in workers), "")
        by_worker.setdefault(worker, []).append(recipe.number)
    fullest = max(map(len, by_worker.values()))
    if "" not in by_worker and len(by_worker) >= n_threads and fullest * n_threads <= UNEVEN * n:
        n_groups, of_chunks = 1, MOST_CHUNKS  # workers of one thread that hold about equally many
    elif recipes[0].shared or n <= ALONE * n_threads:
        n_groups, of_chunks = 1, 1
    else:
        n_groups, of_chunks = max(PER_THREAD * n_threads, -(-n // MOST_CHUNKS)), n
    split = (_split_numbers(numbers, -(-len(numbers) * n_groups // of_chunks)) for numbers in by_worker.values())
    return [tuple(group.tolist()) for groups in split for group in groups]


def sum_of_group(group: Recipes, n_chunks: int, function: Callable[..., Any], given: Sequence[Any]) -> Parts:
    """Return the sums of a function over the chunks of a group.

    ``given`` holds the values of the recipes' ``given`` keys, in order.
    """
    parts: Parts = {}
    values = iter(given)
    with one_blas_thread(), no_other_thread():  # Dask already has a thread for each core
        for recipe in group.recipes:
            own = {key: next(values) for key in recipe.given}
            add(parts, (0, recipe.number), recipe.part(function, own), n_chunks)
    return parts


def add(parts: Parts, position: tuple[int, int], part: Any, n_chunks: int) -> None:
    """Store a part at its (level, position) in the tree, and add it to neighbours that are stored already.

    Examples
    --------
    >>> from em.chunked.groups import add
    >>> parts = {}
    >>> for number in (3, 4, 0, 2, 1):
    ...     add(parts, (0, number), f"{number}", 5)
    >>> parts
    {(3, 0): '01234'}
    """
    level, at = position
    while (n := -(-n_chunks >> level)) > 1:
        if (beside := at ^ 1) < n:
            if (level, beside) not in parts:
                break
            other = parts.pop((level, beside))
            first, last = (other, part) if beside < at else (part, other)
            part = last if first is None else first if last is None else first + last
        level, at = level + 1, at // 2
    parts[level, at] = part


def _split_numbers(numbers: Sequence[int], n_groups: int) -> list[np.ndarray]:
    """Cut ascending numbers into groups of nearly equal size, so that few pairs of the tree lie in two groups.

    Groups begin at multiples of the largest 2^level that is at most a quarter of a group. Sizes then differ by no more
    than 2^level, and all pairs below that level lie within a group.
    """
    n = len(numbers)
    step = 1 << max((n // (4 * n_groups)).bit_length() - 1, 0)
    borders = [-(-numbers[group * n // n_groups] // step) * step for group in range(1, n_groups)]
    return np.split(np.asarray(numbers), np.searchsorted(numbers, borders))


def _left_to_dask(number: int, rows: Any, weights: Any) -> Recipe:
    given = (rows.key, *((weights.key,) if hasattr(weights, "key") else ()))
    return Recipe(number, {}, rows.key, getattr(weights, "key", weights), given, shared=True)


def _with_own_tasks(recipe: Recipe, tasks: Mapping[Hashable, Any]) -> Recipe:
    from dask.optimization import cull

    keys = [_alias_target(key, tasks) for key in recipe.given]  # of the rows, and of any weights
    own, _ = cull(tasks, [key for key in keys if key in tasks])
    needed = (key for task in own.values() for key in getattr(task, "dependencies", ()))
    given = {*keys, *needed} - own.keys()
    weights = keys[1] if len(keys) > 1 else recipe.weights
    return Recipe(recipe.number, own, keys[0], weights, tuple(sorted(given, key=str)), shared=False)


def _alias_target(key: Hashable, tasks: Mapping[Hashable, Any]) -> Hashable:
    """Return the key that a key is an alias of, or the key itself."""
    while hasattr(tasks.get(key), "target"):
        key = tasks[key].target
    return key
