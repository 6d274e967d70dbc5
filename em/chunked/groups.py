"""Chunks in groups: in a pass each group is one task, which makes its chunks one after the other and adds their parts.

A pass with a task for each chunk costs Dask milliseconds for each of them. So the tasks that make a chunk (reading a
file, say) are taken out of Dask's graph and sent to the workers once; a pass sends a function to each group. A worker
holds one chunk of a group at a time. Chunks that workers hold already (``X.persist()``) are grouped by worker, so that
none is moved. Where chunks share work that is worth sharing, as after a shuffle, each is a group, and Dask makes it.

Parts are added in a tree of pairs over the numbers of the chunks: by the task of a group as far as both of a pair are
in it, the rest where the pass was asked for. So the same chunks give the same bits, whoever adds which. A group of
neighbours returns one to four sums, two or three as a rule.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from em.process.blas import no_other_thread, one_blas_thread
from models.validation import Array, check_sample_weight

PER_THREAD = 2  # groups, of which each costs Dask some milliseconds
ALONE = 4  # chunks for each thread, or fewer, are groups of their own, so that no thread waits long for another
MOST_CHUNKS = 64  # in a group: so much is done again where a worker dies

type Parts = dict[tuple[int, int], Any]  # sums of 2^level chunks, by level and place


@dataclass(frozen=True)
class Recipe:
    """How to make a chunk.

    Attributes
    ----------
    number : int
        The number of the chunk.
    tasks : mapping
        Dask's tasks that make it, by key.
    rows, weights
        The key of its rows, and that of its weights, the weights themselves, or None.
    given : tuple of keys
        What the tasks need that others have made.
    shared : bool
        Whether others make it in each pass.
    """

    number: int
    tasks: Mapping[Hashable, Any]
    rows: Hashable
    weights: Any
    given: tuple[Hashable, ...]
    shared: bool

    def part(self, function: Callable[..., Any], given: Mapping[Hashable, Any]) -> Any:
        """Return a function of the chunk, or None where no row counts; errors name the chunk."""
        try:
            rows, weights = self._made(given)
            n = rows.shape[0]
            if n == 0 or (weights is not None and np.shape(weights) == (n,) and not np.any(weights)):
                return None
            return function(rows, check_sample_weight(weights, n))
        except Exception as error:
            refuse(self.number, error)

    def _made(self, given: Mapping[Hashable, Any]) -> tuple[Any, Array | None]:
        from dask.local import get_sync

        known = self.weights is None or isinstance(self.weights, np.ndarray)
        keys: list[Any] = [self.rows] if known else [self.rows, self.weights]
        values = {key: given[key] for key in self.given}
        made = get_sync({**self.tasks, **values}, keys) if self.tasks else [values[key] for key in keys]
        return made[0], self.weights if known else made[1]


def refuse(number: int, error: BaseException) -> NoReturn:
    """Raise an error about a chunk, with its number."""
    if isinstance(error, TypeError | ValueError) and len(error.args) == 1:
        error.args = (f"chunk {number}: {error}",)
        raise error
    raise RuntimeError(f"chunk {number}: {type(error).__name__}: {error}") from error


class Recipes:
    """Those of a group, into which Dask does not look for tasks of its own."""

    def __init__(self, recipes: Iterable[Recipe]) -> None:
        self.recipes = tuple(recipes)


def recipes_of(rows: Sequence[Any], weights: Sequence[Any], held: Collection[Hashable] = ()) -> list[Recipe]:
    """Return how to make chunks of delayed rows and of weights, which are delayed, arrays or None."""
    recipes = [_as_dask_makes_it(c, own, w) for c, (own, w) in enumerate(zip(rows, weights, strict=True))]
    graphs = [one[0].__dask_graph__() for one in (rows, weights) if hasattr(one[0], "__dask_graph__")]
    if any(layer.annotations for graph in graphs for layer in getattr(graph, "layers", {}).values()):
        return recipes  # asked for special workers
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


def grouped(recipes: Sequence[Recipe], n_threads: int, places: Mapping[Hashable, str]) -> list[tuple[int, ...]]:
    """Return the numbers of the chunks of each group.

    Parameters
    ----------
    recipes : sequence of Recipe
        How to make the chunks.
    n_threads : int
        How many threads the workers have together.
    places : mapping
        The worker that holds what is given, by key.
    """
    n = len(recipes)
    alone = recipes[0].shared or n <= ALONE * n_threads
    n_groups = n if alone else max(PER_THREAD * n_threads, -(-n // MOST_CHUNKS))
    at: dict[str, list[int]] = {}
    for recipe in recipes:
        place = next((places[key] for key in recipe.given if key in places), "")
        at.setdefault(place, []).append(recipe.number)
    split = (_cut(numbers, -(-len(numbers) * n_groups // n)) for numbers in at.values())
    return [tuple(group.tolist()) for groups in split for group in groups]


def sum_of_group(group: Recipes, n_chunks: int, function: Callable[..., Any], given: Sequence[Any]) -> Parts:
    """Return the sums of a function over the chunks of a group; ``given`` are the values of all given keys in order."""
    parts: Parts = {}
    values = iter(given)
    with one_blas_thread(), no_other_thread():  # Dask has one for each core
        for recipe in group.recipes:
            own = {key: next(values) for key in recipe.given}
            add(parts, (0, recipe.number), recipe.part(function, own), n_chunks)
    return parts


def add(parts: Parts, place: tuple[int, int], part: Any, n_chunks: int) -> None:
    """Put a part in its place of the tree, added to its neighbours as far as they are there.

    Examples
    --------
    >>> from em.chunked.groups import add
    >>> parts = {}
    >>> for number in (3, 4, 0, 2, 1):
    ...     add(parts, (0, number), f"{number}", 5)
    >>> parts
    {(3, 0): '01234'}
    """
    level, at = place
    while (n := -(-n_chunks >> level)) > 1:
        if (beside := at ^ 1) < n:
            if (level, beside) not in parts:
                break
            other = parts.pop((level, beside))
            first, last = (other, part) if beside < at else (part, other)
            part = last if first is None else first if last is None else first + last
        level, at = level + 1, at // 2
    parts[level, at] = part


def _cut(numbers: Sequence[int], n_groups: int) -> list[np.ndarray]:
    """Return ascending numbers in groups that are nearly equal, and of which few pairs lie in two groups.

    Groups begin at multiples of the largest 2^level that is at most a quarter of a group: so they differ by no more
    than that, and all pairs below that level are added in them.
    """
    n = len(numbers)
    step = 1 << max((n // (4 * n_groups)).bit_length() - 1, 0)
    borders = [-(-numbers[group * n // n_groups] // step) * step for group in range(1, n_groups)]
    return np.split(np.asarray(numbers), np.searchsorted(numbers, borders))


def _as_dask_makes_it(number: int, rows: Any, weights: Any) -> Recipe:
    given = (rows.key, *((weights.key,) if hasattr(weights, "key") else ()))
    return Recipe(number, {}, rows.key, getattr(weights, "key", weights), given, shared=True)


def _with_own_tasks(recipe: Recipe, tasks: Mapping[Hashable, Any]) -> Recipe:
    from dask.optimization import cull

    keys = [_named_by(key, tasks) for key in recipe.given]  # of the rows, and of any weights
    own, _ = cull(tasks, [key for key in keys if key in tasks])
    needed = (key for task in own.values() for key in getattr(task, "dependencies", ()))
    given = {*keys, *needed} - own.keys()
    weights = keys[1] if len(keys) > 1 else recipe.weights
    return Recipe(recipe.number, own, keys[0], weights, tuple(sorted(given, key=str)), shared=False)


def _named_by(key: Hashable, tasks: Mapping[Hashable, Any]) -> Hashable:
    """Return the key of what a key is another name of."""
    while hasattr(tasks.get(key), "target"):
        key = tasks[key].target
    return key
