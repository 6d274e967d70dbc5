"""One line of an audit: question, verdict, finding and remedy."""

from dataclasses import dataclass

import numpy as np

RIGHT, WARNING, WRONG, NOT_APPLICABLE = VERDICTS = "right", "warning", "wrong", "not applicable"
NOTHING, LITTLE = 0.01, 0.1  # standard errors: largest distance that is right, and largest that is only a warning


@dataclass(frozen=True)
class Line:
    """One line of an audit.

    Attributes
    ----------
    name : str
        The question, by its name.
    verdict : {"right", "warning", "wrong", "not applicable"}
        The answer in a word.
    finding : str
        The answer in a sentence.
    value : float or None
        The number behind the answer; a distance between log-likelihoods is in nats.
    remedy : str
        What to do, or "".
    """

    name: str
    verdict: str
    finding: str
    value: float | None = None
    remedy: str = ""


def verdict_by_distance(standard_errors: float) -> str:
    """Return the verdict on a fit that lies so many standard errors from where it should be.

    Examples
    --------
    >>> from comparisons.auditing.lines import verdict_by_distance
    >>> verdict_by_distance(1e-4), verdict_by_distance(0.05), verdict_by_distance(2.0)
    ('right', 'warning', 'wrong')
    """
    return RIGHT if standard_errors <= NOTHING else WARNING if standard_errors <= LITTLE else WRONG


def distance_in_errors(gain: float) -> float:
    """Return the distance sqrt(2 g), in standard errors, from a maximum that is g nats higher.

    Near a maximum the log-likelihood is a quadratic, and z standard errors from it is z² / 2 nats lower.
    """
    return float(np.sqrt(2 * max(gain, 0.0)))


def in_nats(value: float) -> str:
    """Return a number of nats as text."""
    return f"{value:.3g} nats" if abs(value) < 1000 else f"{value:,.1f} nats"
