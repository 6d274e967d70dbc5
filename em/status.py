"""The warnings that estimators give, each of a class of its own so that it can be filtered or turned into an error."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.exceptions import ConvergenceWarning


class NotConvergedWarning(ConvergenceWarning):
    """The best restart reached ``max_iter`` first."""


class CollapseWarning(UserWarning):
    """More than half of the restarts collapsed; the rest were ranked."""


class NoMaximumWarning(ConvergenceWarning):
    """Every restart collapsed: the likelihood runs away and has no maximum to report."""


class NotIdentifiableWarning(UserWarning):
    """Different parameters give the same distribution of the data; the message names a free direction."""


class FigureWarning(UserWarning):
    """A figure could not be drawn and was left out; the message names it and says why. Numbers are written first."""


@contextmanager
def left_to_the_status() -> Iterator[None]:
    """Fit without warnings, for a caller that reads ``status_`` of each of many fits instead."""
    with warnings.catch_warnings():
        for category in (NotConvergedWarning, CollapseWarning, NoMaximumWarning, NotIdentifiableWarning):
            warnings.simplefilter("ignore", category)
        yield
