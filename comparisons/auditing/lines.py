"""One line of an audit: question, verdict, finding and remedy."""

from dataclasses import dataclass

RIGHT, WARNING, WRONG, NOT_APPLICABLE = VERDICTS = "right", "warning", "wrong", "not applicable"


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


def in_nats(value: float) -> str:
    """Return a number of nats as text."""
    return f"{value:.3g} nats" if abs(value) < 1000 else f"{value:,.1f} nats"
