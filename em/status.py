"""The warnings that estimators give, each of a class of its own so that it can be filtered or turned into an error."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

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


def warn_user(message: str, category: type[Warning]) -> None:
    """Give a warning that points to the line of the caller outside of this package, however deep the call is."""
    warnings.warn(message, category, skip_file_prefixes=(PACKAGE,), stacklevel=2)


FIT_WARNINGS = (NotConvergedWarning, CollapseWarning, NoMaximumWarning, NotIdentifiableWarning, FewerClustersWarning)


@contextmanager
def left_to_the_status() -> Iterator[None]:
    """Fit without warnings, for a caller that reads ``status_`` of each of many fits instead."""
    with warnings.catch_warnings():
        for category in FIT_WARNINGS:
            warnings.simplefilter("ignore", category)
        yield
