"""A page about a fitted mixture, as R's mclust prints one: model, criteria, clusters, certainty, parameters, ending."""

import re
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.predictions import weighted_sum
from em.samples import samples_to_use
from em.uncertainty import KINDS, Uncertainty
from models.labels import plain
from models.shown import shown
from models.tables import Tabular, table_lines

SURE = 0.9
MOST_ROWS = 60
MOST_OPTIMA = 3
CRITERIA = {"log_likelihood": "log-likelihood", "n_free_parameters": "free parameters"}
CRITERIA |= {"aic": "AIC", "bic": "BIC", "icl": "ICL", "lower_bound": "lower bound", "inertia": "inertia"}


@dataclass(frozen=True, eq=False, repr=False)
class Summary(Tabular):
    """What a fit says; printing it shows the page.

    Attributes
    ----------
    model : str
        The model and how it was fitted, in words.
    prior : MixturePrior or None
        The prior of MAP.
    samples : str
        How many samples of how many features, and their names, in words.
    fit : dict
        Numbers of the whole fit: ``log_likelihood``, ``n_free_parameters``, ``aic``, ``bic`` and ``icl``, of mean field
        ``lower_bound``; ``mean_probability`` and ``share_sure``, the mean of the largest responsibility and the share
        of samples where it is above 0.9; of K-means ``inertia``. Also ``n_components`` (``n_clusters``),
        ``n_samples``, ``n_features`` and ``n_missing``.
    components : list of dict
        One row for each: ``component``, ``weight``, ``samples`` (whose most probable component it is) and
        ``probability``, with which these belong to it on average. Of K-means ``cluster``, ``samples`` and
        ``mean squared distance``.
    parameters : list of dict
        One row for each: ``parameter`` and ``estimate``; with an uncertainty what its table has.
    uncertainty : Uncertainty or None
        Standard errors and intervals, if asked for.
    status : str
        How the fit ended.
    starts : list of dict
        Where restarts ended, the estimator's ``starts_``; empty of K-means.
    """

    model: str
    prior: Any
    samples: str
    fit: dict[str, Any]
    components: list[dict[str, Any]]
    parameters: list[dict[str, Any]]
    uncertainty: Uncertainty | None
    status: str
    starts: list[dict[str, Any]]

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The tables by name: parameters, components, and the fit in one row."""
        return {"parameters": self.parameters, "components": self.components, "fit": [{**self.fit}]}

    def __getitem__(self, name: str) -> Any:
        """Return a number of the whole fit, such as ``summary["bic"]``."""
        if name not in self.fit:
            raise KeyError(f"name must be one of {', '.join(self.fit)}, got {shown(name)}")
        return self.fit[name]

    def __repr__(self) -> str:
        """The page as plain text."""
        parts = [
            [self.model, *([] if self.prior is None else [f"prior: {self.prior!r}"]), self.samples],
            _numbers_as_table({name: self.fit[key] for key, name in CRITERIA.items() if key in self.fit}),
            [*_rows_as_table(self.components), *self._certainty()],
            self._parameters(),
            [f"Fit: {self.status}", *self._restarts()],
        ]
        return "\n\n".join("\n".join(part) for part in parts)

    def _certainty(self) -> list[str]:
        if "share_sure" not in self.fit:
            return []
        mean, sure = self.fit["mean_probability"], self.fit["share_sure"]
        return [f"largest probability: {mean:.4f} on average, above {SURE} for {100 * sure:.1f} % of the samples"]

    def _parameters(self) -> list[str]:
        rows = self.parameters
        if self.uncertainty is not None:
            first, *table, last = repr(self.uncertainty).splitlines()
            return [first, *table[: MOST_ROWS + 1], *_left_out(rows), last]
        cells = [["parameter", "estimate"], *([row["parameter"], f"{row['estimate']:.5g}"] for row in rows[:MOST_ROWS])]
        return [*table_lines(cells, "lr"), *_left_out(rows)]

    def _restarts(self) -> list[str]:
        ends = [
            f"{row['objective']:.3f} ({row['times_found']} time{'s' * (row['times_found'] != 1)})"
            for row in self.starts[:MOST_OPTIMA]
        ]
        more = f" and {len(self.starts) - MOST_OPTIMA} lower" if len(self.starts) > MOST_OPTIMA else ""
        return [f"Objectives at which restarts ended: {', '.join(ends)}{more}"] if ends else []


def summary_of(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None, uncertainty: Any) -> Summary:
    """Return the page of :meth:`em.reports.ReportsOfMixture.summary`, from one E-step."""
    responsibilities, log_prob = estimator._normalised(X)
    w = estimator._counted(X, sample_weight)
    n, sure = float(w.sum()), responsibilities.max(axis=1)
    entries = estimator._entries(n)
    table = _asked(estimator, X, sample_weight, uncertainty, entries.names)
    fit = {"log_likelihood": weighted_sum(log_prob, w), **estimator._said(responsibilities, log_prob, w)}
    fit |= {"mean_probability": float(w @ sure) / n, "share_sure": float(w @ (sure > SURE)) / n}
    labels, K = responsibilities.argmax(axis=1), estimator.n_components
    sizes, sums = (np.bincount(labels, weights, minlength=K) for weights in (w, w * sure))
    means = np.divide(sums, sizes, out=np.full(K, np.nan), where=sizes > 0)
    columns = (range(K), estimator.weights_.tolist(), sizes.tolist(), means.tolist())
    heads = ("component", "weight", "samples", "probability")
    pairs = zip(entries.names, entries.values.tolist(), strict=True)
    return Summary(
        _model(estimator),
        estimator.prior,
        *described(estimator, X, n, fit | {"n_components": K}),
        [dict(zip(heads, row, strict=True)) for row in zip(*columns, strict=True)],
        [{"parameter": name, "estimate": value} for name, value in pairs] if table is None else table.table,
        table,
        estimator.status_,
        getattr(estimator, "starts_", []),
    )


def described(estimator: Any, X: ArrayLike, n: float, fit: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what the samples are in words, and the numbers of the fit with those of the samples."""
    matrix = samples_to_use(estimator, X, missing=True)
    D, n_missing = matrix.shape[1], 0 if issparse(matrix) else int(np.isnan(matrix).sum())
    named = getattr(estimator, "feature_names_in_", None)
    words = f"{n:.10g} sample{'s' * (n != 1)} of {D} feature{'s' * (D > 1)}"
    words += f": {', '.join(map(plain, named))}" if named is not None else ""
    words += f"; {n_missing} of {matrix.shape[0] * D} cells missing" if n_missing else ""
    return words, fit | {"n_samples": n, "n_features": D, "n_missing": n_missing}


def _asked(
    estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None, uncertainty: Any, names: tuple[str, ...]
) -> Uncertainty | None:
    """Return the uncertainty that was given, of parameters of these names, or is asked for."""
    if uncertainty is None or uncertainty is False:
        return None
    if isinstance(uncertainty, Uncertainty):
        if uncertainty.names != names:
            given = f"one of {', '.join(uncertainty.names[-1:])}"
            raise ValueError(f"uncertainty must be of this fit, whose last parameter is {names[-1]}, got {given}")
        return uncertainty
    kind = "louis" if uncertainty is True else uncertainty
    if kind not in KINDS:
        wanted = f"an Uncertainty, True, None or one of {', '.join(KINDS)}"
        raise ValueError(f"uncertainty must be {wanted}, got {shown(uncertainty)}")
    table: Uncertainty = estimator.uncertainty(X, kind=kind, sample_weight=sample_weight)
    return table


def _model(estimator: Any) -> str:
    """Return the mixture in words, such as "Gaussian mixture of 2 components, covariance_type='full', by ..."."""
    words = " ".join(re.findall("[A-Z][a-z]+", type(estimator).__name__)).capitalize()
    K, theta = estimator.n_components, estimator.parameters_
    options = [f.name for f in fields(theta) if f.init and f.name not in theta.arrays()]
    parts = [f"{words} of {K} component{'s' * (K > 1)}"]
    parts += [f"{name}={getattr(theta, name)!r}" for name in options]
    frozen = getattr(estimator, "frozen", None)
    parts += [f"{', '.join(frozen)} frozen"] if frozen else []
    return f"{', '.join(parts)}{',' * (len(parts) > 1)} by {estimator._how}"


def _numbers_as_table(numbers: dict[str, float]) -> list[str]:
    cells = [str(value) if isinstance(value, int) else f"{value:.3f}" for value in numbers.values()]
    return table_lines([[*numbers], cells], "r" * len(numbers))


def _rows_as_table(rows: list[dict[str, Any]]) -> list[str]:
    cells = [[_shown_cell(head, value) for head, value in row.items()] for row in rows]
    return table_lines([[*rows[0]], *cells], "r" * len(rows[0]))


def _shown_cell(head: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.4f}" if head in ("weight", "probability") else f"{value:.10g}"


def _left_out(rows: list[Any]) -> list[str]:
    return [f"... and {len(rows) - MOST_ROWS} more: see to_frame()"] if len(rows) > MOST_ROWS else []
