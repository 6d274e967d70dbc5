"""A fitted mixture as its library describes it, in terms shared by all libraries: one `LibraryFit` for each fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from comparisons.auditing.lines import Line
from models.validation import Array

OfRows = Callable[[Any], Any]


@dataclass(frozen=True)
class ReportedLikelihood:
    """A log-likelihood that a fit reports.

    Attributes
    ----------
    name : str
        Its name in the library.
    value : float
        Its value.
    is_bound : bool
        Whether it is a ``lower_bound_``: a mean over samples instead of a sum, measured before the last M-step. It is
        then lower than the log-likelihood of the parameters.
    """

    name: str
    value: float
    is_bound: bool = False


@dataclass(frozen=True)
class BoundGain:
    """Gains of a fit that maximises another objective, in that objective: by more iterations, and by restarts."""

    gained: float
    gained_by_restarts: float
    iterations: int


@dataclass(frozen=True, kw_only=True)
class LibraryFit:
    """A fit as its library describes it.

    Attributes
    ----------
    source : str
        Library and class, such as "scikit-learn's GaussianMixture".
    family : str
        Name of the family.
    arrays : mapping
        The fit's arrays by the names of this project.
    options : mapping
        Options of the family, such as the structure of covariances.
    ours : estimator or None
        The fit itself if this project fitted it; the audit then keeps its settings.
    frozen : mapping
        Arrays that were held fixed.
    reports : tuple of ReportedLikelihood
        Log-likelihoods that the fit reports.
    stopped : str
        The stopping rule, and how the iterations ended.
    added, added_to_scatter : float
        Each M-step adds ``added + added_to_scatter / N_k`` to every variance of component k.
    added_by : str
        The setting of the library that causes this.
    objective : str
        The objective, if it is neither the likelihood nor a posterior density of this project; else "".
    bound : callable or None
        Returns the `BoundGain` of this objective, given X.
    log_density, total, probabilities, labels : callable or None
        Methods of the library, which take rows: log p(x_i) (n,), its sum, responsibilities (n, K), labels (n,).
    criteria : mapping of callable
        Methods of the library, "bic" and "aic", which take rows.
    whole_numbers : str
        How the library treats X of an integer type, if it does so in another way than X of floats.
    parts : tuple of Line
        Faults of the fit that do not depend on the data.
    alternatives : mapping of mapping
        Other arrays of the same fit that may be the right ones, by a description.
    next_call : str
        A call of the library that continues from ``audit.best``, without what was wrong.
    """

    source: str
    family: str
    arrays: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    ours: Any = None
    frozen: Mapping[str, Array] = field(default_factory=dict)
    reports: tuple[ReportedLikelihood, ...] = ()
    stopped: str = ""
    added: float = 0.0
    added_to_scatter: float = 0.0
    added_by: str = ""
    objective: str = ""
    bound: Callable[[Any], BoundGain] | None = None
    log_density: OfRows | None = None
    total: OfRows | None = None
    probabilities: OfRows | None = None
    labels: OfRows | None = None
    criteria: Mapping[str, OfRows] = field(default_factory=dict)
    whole_numbers: str = ""
    parts: tuple[Line, ...] = ()
    alternatives: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    next_call: str = ""
