"""Run several fits of the same chunks at once, so that each pass over the data serves all of them.

Each fit runs in a thread of its own until it needs a sum over chunks. When all running fits wait for a sum, a single
pass computes all these sums, and the fits go on. There are as many passes as the longest fit needs. Each fit has the
same result as if it ran alone, to the last bit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Condition
from typing import Any, NamedTuple

from em.chunked import is_chunked
from em.chunked.chunks import SHARED, Chunks
from em.sums import Sums


class Request(NamedTuple):
    """A sum over chunks that a thread waits for: the chunks, the summand with its arguments, and the future result."""

    chunks: Chunks
    summand: tuple[Callable[..., Any], tuple[Any, ...]]
    answer: Future[Any]


def in_shared_passes[T](tasks: Sequence[Callable[[], T]], X: Any) -> list[T]:
    """Return the result of each task; if X is in chunks, the tasks share passes over it.

    Parameters
    ----------
    tasks : sequence of callable
        The tasks, such as fits of X; no task may wait for another.
    X : array_like, or a Dask array or DataFrame
        The data of all tasks.

    Examples
    --------
    >>> import dask.array as da
    >>> from em import GaussianMixtureEM
    >>> from em.chunked.shared_passes import in_shared_passes
    >>> X = da.from_array([[0.0], [1.0], [2.0], [9.0]], chunks=2)
    >>> [fit.n_components for fit in in_shared_passes([lambda K=K: GaussianMixtureEM(K).fit(X) for K in (1, 1)], X)]
    [1, 1]
    """
    if not is_chunked(X):
        return [task() for task in tasks]
    passes = Passes(len(tasks))
    with ThreadPoolExecutor(len(tasks)) as threads:
        futures = [threads.submit(copy_context().run, passes.take_part, task) for task in tasks]
        passes.serve()
    return [future.result() for future in futures]


class Passes:
    """The passes over chunks that several threads share.

    Parameters
    ----------
    n_running : int
        Number of threads.
    """

    def __init__(self, n_running: int) -> None:
        self.n_running, self.changed = n_running, Condition()
        self.waiting: list[Request] = []
        self.failed: BaseException | None = None
        self.chunks: list[tuple[Any, Any, Chunks]] = []

    def chunks_of(self, X: Any, sample_weight: Any) -> Chunks:
        """Return the chunks of X and of the weights: the same object for each thread."""
        with self.changed:
            for rows, weights, chunks in self.chunks:
                if rows is X and weights is sample_weight:
                    return chunks
            self.chunks.append((X, sample_weight, Chunks.read_from(X, sample_weight)))
            return self.chunks[-1][2]

    def sum(self, chunks: Chunks, function: Callable[..., Any], *arguments: Any) -> Any:
        """Wait for the next pass, and return its sum."""
        request = Request(chunks, (function, arguments), Future())
        with self.changed:
            if self.failed is not None:
                raise self.failed
            self.waiting.append(request)
            self.changed.notify()
        return request.answer.result()

    def take_part[T](self, task: Callable[[], T]) -> T:
        """Run a task whose sums come from the shared passes."""
        SHARED.set(self)
        error: BaseException | None = None
        try:
            return task()
        except BaseException as raised:
            error = raised
            raise
        finally:
            with self.changed:
                self.n_running, self.failed = self.n_running - 1, self.failed or error
                self.changed.notify()

    def serve(self) -> None:
        """Make passes until all tasks have ended. An error in a task or in a pass ends all tasks."""
        asked: list[Request] = []
        try:
            while asked := self._asked():
                for request, total in zip(asked, _sums(asked), strict=True):
                    request.answer.set_result(total)
        except BaseException as error:
            with self.changed:
                self.failed = error
            raise
        finally:
            for request in (*asked, *self.waiting):
                if not request.answer.done():
                    request.answer.set_exception(self.failed)

    def _asked(self) -> list[Request]:
        """Wait until every running thread asks for a sum, and return the requests; raise the error of a failed task."""
        with self.changed:
            self.changed.wait_for(lambda: self.failed is not None or len(self.waiting) == self.n_running)
            if self.failed is not None:
                raise self.failed
            asked, self.waiting = self.waiting, []
            return asked


def _sums(requests: Sequence[Request]) -> list[Any]:
    """Return the requested sums; sums over the same chunks take one pass, and equal summands are computed once."""
    totals: dict[Any, Any] = {}
    for chunks in {id(request.chunks): request.chunks for request in requests}.values():
        summands = {_key(request.summand): request.summand for request in requests if request.chunks is chunks}
        sums = chunks.sum(_parts, list(summands.values()))
        parts = [None] * len(summands) if sums is None else sums.parts
        totals |= {(id(chunks), key): part for key, part in zip(summands, parts, strict=True)}
    return [totals[id(request.chunks), _key(request.summand)] for request in requests]


def _key(summand: Any) -> Any:
    """Return a key that equal summands share; a summand that cannot be hashed has a key of its own."""
    try:
        hash(summand)
    except TypeError:
        return id(summand)
    return summand


def _parts(rows: Any, weights: Any, summands: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> Sums:
    return Sums(tuple(function(rows, weights, *arguments) for function, arguments in summands))
