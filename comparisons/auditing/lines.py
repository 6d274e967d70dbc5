"""A line of an audit: what was asked, the verdict, what was found and what to do about it."""

from dataclasses import dataclass

import numpy as np

RIGHT, WARNING, WRONG, NOT_APPLICABLE = VERDICTS = "right", "warning", "wrong", "not applicable"
NAMES = ["mixture", "parts", "log-likelihood", "stationary", "best optimum", "components", "regularisation"]
NAMES += ["scores", "criteria", "identified"]
NOTHING, LITTLE = 0.01, 0.1  # standard errors, below which a distance is none, and no more than a warning


@dataclass(frozen=True)
class Line:
    """One line of an audit.

    Attributes
    ----------
    name : str
        What is asked.
    verdict : {"right", "warning", "wrong", "not applicable"}
        The answer in a word.
    finding : str
        The answer in a sentence.
    value : float or None
        The number behind it; nats where it is a distance between log-likelihoods.
    remedy : str
        What to do, or nothing.
    """

    name: str
    verdict: str
    finding: str
    value: float | None = None
    remedy: str = ""


def by_distance(standard_errors: float) -> str:
    """Return the verdict on a distance from where a fit should be, in standard errors.

    Examples
    --------
    >>> from comparisons.auditing.lines import by_distance
    >>> by_distance(1e-4), by_distance(0.05), by_distance(2.0)
    ('right', 'warning', 'wrong')
    """
    return RIGHT if standard_errors <= NOTHING else WARNING if standard_errors <= LITTLE else WRONG


def distance_of(gain: float) -> float:
    """Return the distance sqrt(2 g) in standard errors that g nats are worth near a maximum.

    There log-likelihoods fall by z² / 2 along the direction in which z standard errors gain the most.
    """
    return float(np.sqrt(2 * max(gain, 0.0)))


def nats(value: float) -> str:
    """Return nats as a sentence has them."""
    return f"{value:.3g} nats" if abs(value) < 1000 else f"{value:,.1f} nats"
