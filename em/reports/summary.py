"""The summary of a fitted mixture, like that of R's mclust: model, criteria, clusters, parameters, status."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.chunked import is_chunked
from em.chunked.predictions import sums_over
from em.chunked.shared_passes import in_shared_passes
from em.predictions import NO_SAMPLE, sums_of_rows
from em.samples.reading import samples_to_use
from em.uncertainty import KINDS, Uncertainty
from models.labels import some_of
from models.shown import counted, shown
from models.tables import Tabular, rows_of, table_lines
from models.validation import Array

SURE = 0.9
MOST_ROWS = 60
MOST_OPTIMA = 3
CRITERIA = {"log_likelihood": "log-likelihood", "n_free_parameters": "free parameters"}
CRITERIA |= {"aic": "AIC", "bic": "BIC", "icl": "ICL", "lower_bound": "lower bound", "inertia": "inertia"}


@dataclass(frozen=True, eq=False, repr=False)
class Summary(Tabular):
    """The summary of a fit; printing it shows the whole.

    Attributes
    ----------
    model : str
        The model and how it was fitted, in words.
    prior : MixturePrior or None
        The prior of MAP.
    samples : str
        Numbers of samples and features, and the names of the features, in words.
    fit : dict
        Numbers of the whole fit. All have ``n_components`` (``n_clusters``), ``n_samples``, ``n_features`` and
        ``n_missing``. Mixtures have ``log_likelihood``, ``n_free_parameters``, ``aic``, ``bic`` and ``icl`` (mean field
        has ``lower_bound``), the mean of the largest responsibility, ``mean_probability``, and the share of samples in
        which it is above 0.9, ``share_sure``. K-means has ``inertia``.
    components : list of dict
        A row for each component: ``component``, ``weight``, ``samples``, the number of samples of which it is the most
        probable component, and ``probability``, their mean responsibility. K-means has ``cluster``, ``samples`` and
        ``mean squared distance``.
    parameters : list of dict
        A row for each parameter: ``parameter`` and ``estimate``, or the row of an uncertainty's table.
    uncertainty : Uncertainty or None
        Standard errors and intervals, if asked for.
    status : str
        How the fit ended.
    starts : list of dict
        The optima of the restarts, the estimator's ``starts_``; empty for K-means.
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
        """Return the summary as plain text."""
        parts = [
            [self.model, *([] if self.prior is None else [f"prior: {self.prior!r}"]), self.samples],
            _rows_as_table([{name: self.fit[key] for key, name in CRITERIA.items() if key in self.fit}]),
            [*_rows_as_table(self.components), *self.certainty],
            self._parameters(),
            [f"Fit: {self.status}", *self._restarts()],
        ]
        return "\n\n".join("\n".join(part) for part in parts)

    @property
    def certainty(self) -> list[str]:
        """A sentence about the largest responsibilities; none for K-means."""
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
        found = self.starts[:MOST_OPTIMA]
        ends = [f"{row['objective']:.3f} ({counted(row['times_found'], 'time')})" for row in found]
        more = f" and {len(self.starts) - MOST_OPTIMA} lower" if len(self.starts) > MOST_OPTIMA else ""
        return [f"Objectives at which restarts ended, unless stopped before: {', '.join(ends)}{more}"] if ends else []


def summary_of(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None, uncertainty: Any) -> Summary:
    """Return the summary of :meth:`em.reports.ReportsOfMixture.summary`, from one E-step."""
    sums, cells = sums_and_cells(_sums, estimator, X, sample_weight)
    (log_likelihood, certainty, n, mean_sure, n_sure), K = sums[:5].tolist(), estimator.n_components
    if not n > 0:
        raise ValueError(NO_SAMPLE)
    entries = estimator._entries(n)
    table = _asked(estimator, X, sample_weight, uncertainty, entries.names)
    fit = {"log_likelihood": log_likelihood, **estimator._summary_numbers(log_likelihood, certainty, n)}
    fit |= {"mean_probability": mean_sure / n, "share_sure": n_sure / n}
    sizes, of_component = sums[5:].reshape(2, K)
    components = {"component": range(K), "weight": estimator.weights_}
    components |= {"samples": sizes, "probability": means_of(of_component, sizes)}
    estimates = {"parameter": entries.names, "estimate": entries.values}
    return Summary(
        _model(estimator),
        estimator.prior,
        *described(estimator, n, cells, fit | {"n_components": K}),
        rows_of(components),
        rows_of(estimates) if table is None else table.table,
        table,
        estimator.status_,
        getattr(estimator, "starts_", []),
    )


def _sums(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
    """Return the sums over rows that a summary needs.

    They are five numbers, and for each component the number of its samples and the sum of their responsibilities.
    """
    responsibilities, log_prob = estimator._normalised(X)
    w, sure = estimator._counted(X, sample_weight), responsibilities.max(axis=1)
    labels, K = responsibilities.argmax(axis=1), estimator.n_components
    of_components = (np.bincount(labels, weights, minlength=K) for weights in (w, w * sure))
    return np.concatenate([sums_of_rows(responsibilities, log_prob, w), [w @ sure, w @ (sure > SURE)], *of_components])


def sums_and_cells(
    sums: Callable[[Any, Any, Any], Array], estimator: Any, X: Any, sample_weight: Any
) -> tuple[Array, Array]:
    """Return sums over the rows of X, which may be in chunks, and the numbers of missing cells and of rows.

    The counts include rows of weight 0. Chunks are read once for both, or with weights once for each.
    """
    if not is_chunked(X):
        return sums(estimator, X, sample_weight), _cells(estimator, X, None)
    fit = estimator._for_chunks(X)
    passes = partial(sums_over, partial(sums, fit), X, sample_weight), partial(sums_over, partial(_cells, fit), X, None)
    total, cells = in_shared_passes(passes, X)
    return total, cells


def _cells(estimator: Any, X: ArrayLike, sample_weight: None) -> Array:
    matrix = samples_to_use(estimator, X, missing=True)
    return np.array([0 if issparse(matrix) else np.isnan(matrix).sum(), matrix.shape[0]])


def means_of(sums: Array, sizes: Array) -> Array:
    """Return the means of clusters of these sizes (K,); NaN for empty ones."""
    return np.divide(sums, sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)


def described(estimator: Any, n: float, cells: Array, fit: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a description of the samples, and the numbers of the fit with those of the samples."""
    D, (n_missing, n_rows) = estimator.n_features_in_, cells.tolist()
    named = getattr(estimator, "feature_names_in_", None)
    words = f"{counted(n, 'sample')} of {counted(D, 'feature')}"
    words += f": {some_of(named)}" if named is not None else ""
    words += f"; {n_missing} of {n_rows * D} cells missing" if n_missing else ""
    return words, fit | {"n_samples": n, "n_features": D, "n_missing": n_missing}


def _asked(
    estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None, uncertainty: Any, names: tuple[str, ...]
) -> Uncertainty | None:
    """Return the given uncertainty, which must be of parameters with these names, or compute the kind asked for."""
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
    return estimator.uncertainty(X, kind=kind, sample_weight=sample_weight)


def _model(estimator: Any) -> str:
    """Return the mixture in words, such as "Gaussian mixture of 2 components, covariance_type='full', by ..."."""
    of_class = " ".join(re.findall("[A-Z][a-z]+", type(estimator).__name__)).capitalize()
    words = getattr(estimator, "title", of_class)  # a family may give its title
    K, theta = estimator.n_components, estimator.parameters_
    options = [f.name for f in fields(theta) if f.init and f.name not in theta.arrays()]
    parts = [f"{words} of {counted(K, 'component')}"]
    parts += [f"{name}={getattr(theta, name)!r}" for name in options]
    frozen = getattr(estimator, "frozen", None)
    parts += [f"{', '.join(frozen)} frozen"] if frozen else []
    return f"{', '.join(parts)}{',' * (len(parts) > 1)} by {estimator._method}"


def _rows_as_table(rows: list[dict[str, Any]]) -> list[str]:
    cells = [[_shown_cell(head, value) for head, value in row.items()] for row in rows]
    return table_lines([[*rows[0]], *cells], "r" * len(rows[0]))


def _shown_cell(head: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    if head in CRITERIA.values() and isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:.4f}" if head in ("weight", "probability") else f"{value:.10g}"


def _left_out(rows: list[Any]) -> list[str]:
    return [f"... and {len(rows) - MOST_ROWS} more: see to_frame()"] if len(rows) > MOST_ROWS else []
