"""What a library says about a fitted mixture, in words that every library shares: one `Given` for each fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from comparisons.auditing.lines import Line
from models.validation import Array

OfRows = Callable[[Any], Any]


@dataclass(frozen=True)
class Report:
    """A log-likelihood that a fit reports.

    Attributes
    ----------
    name : str
        What it is called there.
    value : float
        What it is.
    is_bound : bool
        Whether it is a ``lower_bound_``: a mean over samples, and not their sum, that was measured before the last
        M-step, so that it is lower than that of the parameters.
    """

    name: str
    value: float
    is_bound: bool = False


@dataclass(frozen=True)
class Bound:
    """What a fit that maximises another objective still gains by its own iterations, and by restarts of its own."""

    gained: float
    gained_by_restarts: float
    iterations: int


@dataclass(frozen=True, kw_only=True)
class Given:
    """A fit as its library describes it.

    Attributes
    ----------
    source : str
        Library and class, such as "scikit-learn's GaussianMixture".
    family : str
        Name of the family.
    arrays : mapping
        The declared arrays as the fit has them, by name.
    options : mapping
        Options of the family, such as a structure of covariances.
    own : estimator or None
        The fit itself where it is one of this project's, whose settings hold.
    frozen : mapping
        Arrays that were not estimated.
    reports : tuple of Report
        Log-likelihoods that it reports.
    stopped : str
        How its iterations ended, by which rule.
    added, added_to_scatter, added_by : float, float and str
        What each M-step adds to every variance: a number, and another over N_k; and the setting that says so.
    objective : str
        What it maximises, where that is not the likelihood or a posterior density of this project.
    bound : callable or None
        X -> `Bound`, of such an objective.
    log_density, total, probabilities, labels : callable or None
        Of rows as the library takes them: log p(x_i) (n,), their sum, responsibilities (n, K), most probable labels.
    criteria : mapping of callable
        "bic" and "aic" of rows.
    whole_numbers : str
        What happens to X of whole numbers, where the library treats them in another way.
    parts : tuple of Line
        What the fit itself says wrongly, whatever the data.
    alternatives : mapping of mapping
        By what they are, other arrays that the same fit holds.
    continued : str
        The call that starts the library at ``audit.best`` and goes on without what was wrong.
    """

    source: str
    family: str
    arrays: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    own: Any = None
    frozen: Mapping[str, Array] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    stopped: str = ""
    added: float = 0.0
    added_to_scatter: float = 0.0
    added_by: str = ""
    objective: str = ""
    bound: Callable[[Any], Bound] | None = None
    log_density: OfRows | None = None
    total: OfRows | None = None
    probabilities: OfRows | None = None
    labels: OfRows | None = None
    criteria: Mapping[str, OfRows] = field(default_factory=dict)
    whole_numbers: str = ""
    parts: tuple[Line, ...] = ()
    alternatives: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    continued: str = ""
