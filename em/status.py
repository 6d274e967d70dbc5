"""The warnings that estimators give, each of a class of its own so that it can be filtered or turned into an error."""

import os
import warnings
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

from em.process.process_wide import within

PACKAGE = f"{Path(__file__).parent}{os.sep}"


class NotConvergedWarning(ConvergenceWarning):
    """The best restart reached ``max_iter`` first."""


class CollapseWarning(UserWarning):
    """More than half of the restarts collapsed; the rest were ranked."""


class NoMaximumWarning(ConvergenceWarning):
    """Every restart collapsed: the likelihood runs away and has no maximum to report."""


class NotIdentifiableWarning(UserWarning):
    """Different parameters give the same distribution of the data; the message names a free direction."""


class FewerClustersWarning(ConvergenceWarning):
    """K-means found fewer distinct clusters than ``n_clusters``: X has too few distinct rows, or a cluster is empty."""


class FigureWarning(UserWarning):
    """No font of the system has the letters of a name, which a figure shows as boxes."""


_unsaid: ContextVar[tuple[type[Warning], ...]] = ContextVar("_unsaid", default=())


def tell(message: str, category: type[Warning]) -> None:
    """Give a warning that points to the line outside of this package, unless `left_to_the_status` holds here."""
    if not issubclass(category, _unsaid.get()):
        warnings.warn(message, category, skip_file_prefixes=(PACKAGE,), stacklevel=2)


def left_to_the_status(*categories: type[Warning]) -> AbstractContextManager[None]:
    """Fit without warnings, for a caller that reads ``status_`` of each of many fits instead.

    This holds in the thread that asks for it, and touches no filter: `warnings.catch_warnings` replaces the filters of
    the whole process, and two threads that overlap in it leave the filters of one of them behind.

    Parameters
    ----------
    *categories : type of Warning
        Which warnings of this module are left out; none given means all.
    """
    return within(_unsaid, (*_unsaid.get(), *(categories or (Warning,))))
