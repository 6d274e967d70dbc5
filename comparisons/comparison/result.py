"""What a comparison found, in one value that tables, figures and files are made from."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from comparisons.comparison.checks import Check
from comparisons.family import Family
from models.validation import Array


@dataclass
class Comparison:
    """Everything a comparison found.

    Attributes
    ----------
    family : Family
        The family's half of the work.
    X, feature_names, title, truth
        The data; X holds NaN where a cell is missing, and the rows that have an observed cell.
    prior, mle, map : object
        The shared prior; EM's fits without and with it. ``mle`` is an estimator even when it found no maximum.
    checks : list of Check
        In the order in which they were made.
    verdict : str
        "agree", "disagree", "not identified" or "no maximum".
    posterior : DataTree
        Draws aligned to ``reference``, with log_likelihood, sample_stats and observed_data.
    unaligned : Dataset
        The draws as they came.
    estimates : list of dict
        One row per parameter: truth, MLE, MAP, posterior mean, sd, gaps in sd, R-hat, ESS.
    spreads : list of dict
        One row per parameter: mean and sd by MLE, Laplace, mean field, ADVI and NUTS, and which understate NUTS's sd.
    responsibilities : dict of ndarray
        "em" (plug-in), "posterior mean", "posterior sd", each (n, K).
    seconds : dict
        Time of each step.
    """

    family: Family
    X: Array
    n_components: int
    prior: Any
    regular: bool
    title: str = "data"
    feature_names: tuple[str, ...] = ()
    truth: Any = None
    mle: Any = None
    map: Any = None
    verdict: str = ""
    explanation: str = ""
    checks: list[Check] = field(default_factory=list)
    posterior: Any = None
    unaligned: Any = None
    estimates: list[dict[str, Any]] = field(default_factory=list)
    spreads: list[dict[str, Any]] = field(default_factory=list)
    responsibilities: dict[str, Array] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def n_missing(self) -> int:
        """Number of missing cells."""
        return int(np.isnan(self.X).sum())

    @property
    def has_maximum(self) -> bool:
        """Whether maximum likelihood found a maximum."""
        return not self.mle.collapsed_

    @property
    def identified(self) -> bool:
        """Whether the model passed the rank test at the estimates."""
        return self.family.identified(self.mle) and self.family.identified(self.map)

    @property
    def reference(self) -> Any:
        """The parameters that draws are aligned to: EM's MLE, or its MAP where there is no MLE."""
        return self.mle.parameters_ if self.has_maximum and self.identified else self.map.parameters_

    def save(self, folder: Any) -> None:
        """Write ``comparison.json``, the posterior and figures into ``folder``, each replaced atomically.

        A figure that fails is left out with a ``FigureWarning`` (:mod:`em.status`). See
        :func:`comparisons.comparison.report.save` for runs that write to one folder at once.

        Raises
        ------
        ValueError
            If the folder cannot be written to.
        """
        from comparisons.comparison.report import save
        from comparisons.output.figures import warn_of

        warn_of(save(self, folder))

    def print(self, console: Any = None) -> None:
        """Print the tables and the verdict."""
        from comparisons.comparison.report import print_report

        print_report(self, console)
