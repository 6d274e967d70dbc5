"""The warnings of the estimators, each with a class of its own, so that it can be filtered or made an error."""

import os
import warnings
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

from em.process.process_wide import within

PACKAGE = f"{Path(__file__).parent}{os.sep}"


class NotConvergedWarning(ConvergenceWarning):
    """The best restart reached ``max_iter`` before it converged."""


class CollapseWarning(UserWarning):
    """More than half of the restarts collapsed; the rest were ranked."""


class NoMaximumWarning(ConvergenceWarning):
    """Every restart collapsed: the likelihood is unbounded there, and no maximum was found."""


class NotIdentifiableWarning(UserWarning):
    """Different parameters give the same distribution of the data; the message names a free direction."""


class FewerClustersWarning(ConvergenceWarning):
    """K-means found fewer distinct clusters than ``n_clusters``: X has too few distinct rows, or a cluster is empty."""


class FigureWarning(UserWarning):
    """No font of the system has the letters of a name, so a figure shows boxes instead."""


_unsaid: ContextVar[tuple[type[Warning], ...]] = ContextVar("_unsaid", default=())


def tell(message: str, category: type[Warning]) -> None:
    """Give a warning that points to the caller's line outside of this package, unless in `left_to_the_status`."""
    if not issubclass(category, _unsaid.get()):
        warnings.warn(message, category, skip_file_prefixes=(PACKAGE,), stacklevel=2)


def left_to_the_status(*categories: type[Warning]) -> AbstractContextManager[None]:
    """Suppress warnings of fits inside, for a caller that reads ``status_`` of many fits instead.

    This holds for the current thread only and changes no filter. `warnings.catch_warnings` would replace the filters of
    the whole process; if two threads overlap in it, the filters of one of them remain.

    Parameters
    ----------
    *categories : type of Warning
        Which warnings of this module to suppress; none given means all.
    """
    return within(_unsaid, (*_unsaid.get(), *(categories or (Warning,))))
