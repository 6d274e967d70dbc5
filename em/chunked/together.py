"""Several fits of the same chunks at once: in each pass a chunk is read once, for all of them.

Each fit runs in a thread of its own until it asks for a sum over chunks. When all that still run are waiting for one,
a single pass makes all these sums, and they go on. So there are as many passes as the longest fit needs, and each fit
is the one that it would be alone, to the last bit.
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
    """What is to be summed over which chunks, and where the sum goes."""

    chunks: Chunks
    summand: tuple[Callable[..., Any], tuple[Any, ...]]
    answer: Future[Any]


def together[T](tasks: Sequence[Callable[[], T]], X: Any) -> list[T]:
    """Return what each task gives; where X is in chunks, in passes that all tasks share.

    Parameters
    ----------
    tasks : sequence of callable
        Such as fits of X; none may wait for another.
    X : array_like, or a Dask array or DataFrame
        What they are about.

    Examples
    --------
    >>> import dask.array as da
    >>> from em import GaussianMixtureEM
    >>> from em.chunked.together import together
    >>> X = da.from_array([[0.0], [1.0], [2.0], [9.0]], chunks=2)
    >>> [fit.n_components for fit in together([lambda K=K: GaussianMixtureEM(K).fit(X) for K in (1, 1)], X)]
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
    """The passes that some threads share.

    Parameters
    ----------
    n_running : int
        How many threads there are.
    """

    def __init__(self, n_running: int) -> None:
        self.n_running, self.changed = n_running, Condition()
        self.waiting: list[Request] = []
        self.failed: BaseException | None = None
        self.chunks: list[tuple[Any, Any, Chunks]] = []

    def chunks_of(self, X: Any, sample_weight: Any) -> Chunks:
        """Return the chunks of X and of the weights, the same whoever asks."""
        with self.changed:
            for rows, weights, chunks in self.chunks:
                if rows is X and weights is sample_weight:
                    return chunks
            self.chunks.append((X, sample_weight, Chunks.read_from(X, sample_weight)))
            return self.chunks[-1][2]

    def sum(self, chunks: Chunks, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return a sum over chunks, from the next pass."""
        request = Request(chunks, (function, arguments), Future())
        with self.changed:
            if self.failed is not None:
                raise self.failed
            self.waiting.append(request)
            self.changed.notify()
        return request.answer.result()

    def take_part[T](self, task: Callable[[], T]) -> T:
        """Do a task, whose sums are made here."""
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
        """Make passes until all tasks have ended; an error, in a task or in a pass, ends all of them."""
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
        """Return what all threads that still run ask for, once they all wait; raise the error of one that failed."""
        with self.changed:
            self.changed.wait_for(lambda: self.failed is not None or len(self.waiting) == self.n_running)
            if self.failed is not None:
                raise self.failed
            asked, self.waiting = self.waiting, []
            return asked


def _sums(requests: Sequence[Request]) -> list[Any]:
    """Return the sums that are asked for: those over the same chunks are made in one pass, and equal ones once."""
    totals: dict[int, Any] = {}
    for chunks in {id(request.chunks): request.chunks for request in requests}.values():
        keys = {id(request): _key(request.summand) for request in requests if request.chunks is chunks}
        summands = {_key(request.summand): request.summand for request in requests if request.chunks is chunks}
        found = chunks.sum(_parts, list(summands.values()))
        of_key = dict.fromkeys(summands) if found is None else dict(zip(summands, found.parts, strict=True))
        totals |= {number: of_key[key] for number, key in keys.items()}
    return [totals[id(request)] for request in requests]


def _key(summand: Any) -> Any:
    """Return what equal summands have in common; those that cannot be told to be equal count as different."""
    try:
        hash(summand)
    except TypeError:
        return id(summand)
    return summand


def _parts(rows: Any, weights: Any, summands: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> Sums:
    return Sums(tuple(function(rows, weights, *arguments) for function, arguments in summands))
