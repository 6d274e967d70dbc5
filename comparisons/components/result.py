"""What :func:`comparisons.components.compare_components` returns: a table that prints itself, and its picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.alignment.mixing import MAX_RHAT
from comparisons.output.console import lines_of
from models.shown import shown
from models.validation import Array

CRITERIA = ("bic", "icl", "elpd", "log_evidence", "chib")


@dataclass(frozen=True, eq=False, repr=False)
class ByComponents:
    """One row per number of components; printing it shows the table.

    Attributes
    ----------
    table : list of dict
        n_components, log_likelihood, bic, icl, elpd, elpd_se, p_loo, elpd_difference (from the best) and its se,
        n_bad_k (rows with Pareto k above 0.7), rhat (the largest of label-free quantities), chib and chib_se
        (log p(X) by Chib's identity; None where the prior is not conjugate or a Gaussian cell is missing), log_evidence
        and log_evidence_se (by SMC; None where Chib's identity applies, or it was not asked for), status of the ML fit.
    pointwise : ndarray, shape (number of K, n)
        elpd of each row.
    caution : str
        What to beware of in the posteriors, such as that they are improper.
    """

    table: list[dict[str, Any]]
    pointwise: Array
    caution: str = ""

    def __repr__(self) -> str:
        """The table as plain text; a star at the best of each column."""
        columns = [("K", "n_components"), ("BIC", "bic"), ("ICL", "icl"), ("elpd", "elpd"), ("se", "elpd_se")]
        columns += [("p", "p_loo"), ("from best", "elpd_difference"), ("se", "elpd_difference_se")]
        columns += [("k > .7", "n_bad_k"), ("R-hat", "rhat"), ("log p(X)", "log_evidence"), ("se", "log_evidence_se")]
        columns += [("Chib", "chib"), ("se", "chib_se")]
        columns = [column for column in columns if any(row[column[1]] is not None for row in self.table)]
        heads, keys = zip(*columns, strict=True)
        best = {criterion: self.best(criterion) for criterion in CRITERIA}
        rows = [
            [
                _told(row[key], 3 if key == "rhat" else 2) + ("*" if best.get(key) == row["n_components"] else "")
                for key in keys
            ]
            for row in self.table
        ]
        told = ["* best by this column"]
        if unmixed := [str(row["n_components"]) for row in self.table if not row["rhat"] <= MAX_RHAT]:
            told += [
                f"R-hat above {MAX_RHAT} or unknown at K = {', '.join(unmixed)}: elpd is rough there, wants more draws"
            ]
        return "\n".join(
            [*lines_of([heads, *rows]), "; ".join(told), *([f"Caution: {self.caution}"] if self.caution else [])]
        )

    def best(self, criterion: str) -> int | None:
        """Return the number of components that is best by bic, icl, elpd, log_evidence or chib; None where none is."""
        if criterion not in CRITERIA:
            raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {shown(criterion)}")
        rows = [row for row in self.table if row[criterion] is not None]
        if criterion in ("bic", "icl"):
            return min((r for r in rows if r["has_maximum"]), key=lambda r: r[criterion], default={}).get(
                "n_components"
            )
        return max(rows, key=lambda r: r[criterion], default={}).get("n_components")

    def plot(self) -> Any:
        """Draw criteria, elpd and evidence against K and return the figure."""
        import matplotlib.pyplot as plt

        fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
        K = [row["n_components"] for row in self.table]
        for name in ("bic", "icl"):
            axes[0].plot(
                K, [row[name] if row["has_maximum"] else np.nan for row in self.table], ".-", label=name.upper()
            )
        axes[0].set(title="EM: smaller is better")
        errors = {"elpd_difference": "elpd_difference_se", "log_evidence": "log_evidence_se", "chib": "chib_se"}
        labels = {
            "elpd_difference": "elpd - the best's ± its se",
            "log_evidence": "SMC",
            "chib": "Chib, from Gibbs draws",
        }
        for ax, names in [(axes[1], ["elpd_difference"]), (axes[2], ["log_evidence", "chib"])]:
            for name in names:
                values = [np.nan if row[name] is None else row[name] for row in self.table]
                if np.isnan(values).all():
                    continue
                yerr = [row[errors[name]] or 0.0 for row in self.table]
                ax.errorbar(K, values, yerr, fmt=".-", capsize=3, label=labels[name])
        axes[1].set(title="Leave-one-out: larger is better")
        axes[2].set(title="log p(X): larger is better")
        for ax in axes:
            ax.set(xlabel="number of components", xticks=K)
            if ax.get_legend_handles_labels()[0]:
                ax.legend(fontsize=8)
        return fig


def _told(value: Any, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}" if isinstance(value, float) else str(value)
