"""Read mixtures fitted by this project; the audit keeps their settings (prior, frozen arrays, sizes of cells)."""

from collections.abc import Mapping
from typing import Any

from comparisons.auditing.libraries import check_is_fitted, class_from
from comparisons.auditing.library_fit import LibraryFit, ReportedLikelihood
from comparisons.families import family_classes

REFUSED = {
    "KMeans": "K-means is no mixture and has no likelihood: audit a mixture that starts at its labels",
    "VariationalMixture": "mean field has a posterior and no estimate; its lower_bound_ and status_ say how it ended",
}


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> LibraryFit | None:
    """Return a fit of this project."""
    if refused := class_from(fit, "em", *REFUSED):
        raise ValueError(f"fit must be a mixture fitted by EM, got a {refused}: {REFUSED[refused]}")
    if not class_from(fit, "em", "MixtureEM"):
        return None
    check_is_fitted(fit, "parameters_")
    pair = next(pair for pair in family_classes() if isinstance(fit.parameters_, pair.parameters_type))
    sources = [(option.name, fit if option.of_data else fit.parameters_) for option in pair.options]
    values = {name: getattr(source, f"{name}_", getattr(source, name, None)) for name, source in sources}
    stored = {name: value for name, value in values.items() if value is not None}
    has_likelihood = hasattr(fit, "log_likelihood_")  # a fit of a stream has none
    reports = (ReportedLikelihood("log_likelihood_", float(fit.log_likelihood_)),) if has_likelihood else ()
    return LibraryFit(
        source=f"this project's {type(fit).__name__}",
        family=pair.name,
        arrays=fit.parameters_.arrays(),
        options={**stored, **options},
        ours=fit,
        frozen=fit.frozen or {},
        reports=reports,
        stopped=fit.status_,
        log_density=fit.score_samples,
        probabilities=fit.predict_proba,
        labels=fit.predict,
        criteria={"bic": fit.bic, "aic": fit.aic},
    )
