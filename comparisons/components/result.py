"""The result of :func:`comparisons.components.compare_components`: a table, and its figure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.output.console import unmixed_note
from em.plots.axes import legend
from models.shown import shown
from models.tables import Tabular, table_lines
from models.validation import Array

CRITERIA = ("bic", "icl", "elpd", "log_evidence", "chib")
COLUMNS = [("K", "n_components", ""), ("BIC", "bic", ".2f"), ("ICL", "icl", ".2f"), ("elpd", "elpd", ".2f")]
COLUMNS += [("se", "elpd_se", ".2f"), ("p", "p_loo", ".2f"), ("from best", "elpd_difference", ".2f")]
COLUMNS += [("se", "elpd_difference_se", ".2f"), ("k > .7", "n_bad_k", ""), ("R-hat", "rhat", ".3f")]
COLUMNS += [("log p(X)", "log_evidence", ".2f"), ("se", "log_evidence_se", ".2f")]
COLUMNS += [("Chib", "chib", ".2f"), ("se", "chib_se", ".2f")]
PANELS = {
    ("EM: smaller is better", "criterion"): {"bic": "BIC", "icl": "ICL"},
    ("Leave-one-out: larger is better", "elpd - the best's, in nats"): {"elpd_difference": "difference ± its se"},
    ("Evidence: larger is better", "log p(X) in nats"): {"log_evidence": "SMC", "chib": "Chib, from Gibbs draws"},
}
OF_COLUMNS = (
    "smaller is better: BIC, ICL; larger is better: elpd, the log density of each sample given the others, and in the",
    "last columns the log evidence; p: effective number of parameters; k > .7: samples whose elpd is rough",
)


@dataclass(frozen=True, eq=False, repr=False)
class ByComponents(Tabular):
    """One row per number of components; printing it shows the table.

    Attributes
    ----------
    table : list of dict
        n_components, log_likelihood, bic, icl, elpd, elpd_se, p_loo, elpd_difference (from the best) and its se,
        n_bad_k (rows with Pareto k above 0.7), rhat (the largest of label-free quantities), chib and chib_se
        (log p(X) by Chib's identity; None if the prior is not conjugate or a Gaussian cell is missing), log_evidence
        and log_evidence_se (by SMC; None if Chib's identity applies, or SMC was not asked for), status of the ML fit.
    pointwise : ndarray, shape (number of K, n)
        elpd of each row.
    caution : str
        A warning about the posteriors, such as that they are improper; or "".
    """

    table: list[dict[str, Any]]
    pointwise: Array
    caution: str = ""

    def __repr__(self) -> str:
        """The table as plain text; a star marks the best value of each column."""
        columns = [column for column in COLUMNS if any(row[column[1]] is not None for row in self.table)]
        best = {criterion: self.best(criterion) for criterion in CRITERIA}
        rows = [
            [
                ("-" if row[key] is None else format(row[key], form)) + "*" * (best.get(key) == row["n_components"])
                for _, key, form in columns
            ]
            for row in self.table
        ]
        numbers, rhats = zip(*((row["n_components"], row["rhat"]) for row in self.table), strict=True)
        notes = ["* best by this column", *unmixed_note(numbers, rhats, "K = ", "elpd is")]
        caution = [f"Caution: {self.caution}"] if self.caution else []
        lines = table_lines([[head for head, *_ in columns], *rows], "r" * len(columns))
        return "\n".join([*lines, "; ".join(notes), *OF_COLUMNS, *caution])

    def best(self, criterion: str) -> int | None:
        """Return the best number of components by bic, icl, elpd, log_evidence or chib; None if none was computed."""
        if criterion not in CRITERIA:
            raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {shown(criterion)}")
        of_em = criterion in ("bic", "icl")
        rows = [row for row in self.table if row[criterion] is not None and (row["has_maximum"] or not of_em)]
        sign = -1 if of_em else 1
        return max(rows, key=lambda row: sign * row[criterion], default={}).get("n_components")

    def plot(self) -> Any:
        """Draw criteria, elpd and evidence against K and return the figure."""
        import matplotlib.pyplot as plt

        fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
        K = [row["n_components"] for row in self.table]
        for ax, ((title, ylabel), names) in zip(axes, PANELS.items(), strict=True):
            for name, label in names.items():
                rows = [row if row["has_maximum"] or name not in ("bic", "icl") else {} for row in self.table]
                values = np.array([row.get(name) for row in rows], dtype=np.float64)  # None becomes NaN
                errors = [row.get(f"{name}_se") or 0.0 for row in rows]
                if not np.isnan(values).all():
                    ax.errorbar(K, values, errors if any(errors) else None, fmt=".-", capsize=3, label=label)
            ax.set(title=title, xlabel="number of components", ylabel=ylabel, xticks=K)
            legend(ax)
        return fig
