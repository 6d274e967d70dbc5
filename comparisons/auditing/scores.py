"""Compare what a library's methods return with our own values: log densities, probabilities, labels, BIC, AIC."""

from functools import partial
from typing import Any

import numpy as np

from comparisons.auditing.audited import AuditedFit
from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WARNING, WRONG, Line, in_nats
from em.process.process_wide import without_warnings
from models.shown import counted

WRONG_BY, ROUNDED_BY = 1e-3, 1e-6  # nats of a log density; plus 1e-9 and 1e-12 of its size
SHARE = 1e-5  # largest error of a probability
PARAMETERS = 0.01  # nats of a criterion, and parameters, that rounding explains


def scores_line(audited: AuditedFit) -> Line:
    """Return whether the library's log densities, probabilities and labels of X follow from its parameters."""
    library_fit, X = audited.library_fit, audited.X
    judges = [
        ("log densities", _log_densities, library_fit.log_density),
        ("score", _total, library_fit.total if audited.sample_weight is None else None),
        ("probabilities", _probabilities, library_fit.probabilities),
        ("labels", _labels, library_fit.labels),
    ]
    methods = [(name, judge, method) for name, judge, method in judges if method is not None]
    if not methods:
        return Line("scores", NOT_APPLICABLE, "there are no methods to try")
    if library_fit.objective:
        return _own_scores(audited, library_fit.log_density)
    findings, verdict, value, remedy = [], RIGHT, 0.0, ""
    for name, judge, method in methods:
        try:
            method_verdict, finding, by = judge(audited, _quietly(partial(method, X)))
        except Exception as error:  # an error on the data of its own fit is a finding
            method_verdict, finding, by = WRONG, f"{name}: {type(error).__name__}: {error}", np.inf
        findings.append(finding)
        verdict, value = max((verdict, method_verdict), key=(RIGHT, WARNING, WRONG).index), max(value, by)
    if verdict != RIGHT and _is_whole(X) and library_fit.whole_numbers:
        findings.append(library_fit.whole_numbers)
        remedy = "pass X.astype(float) to score, score_samples, predict, predict_proba, bic and aic"
    elif verdict != RIGHT:
        remedy = "take them from audit.fitted, which has the same methods at the same parameters"
    return Line("scores", verdict, "; ".join(findings), value, remedy)


def criteria_line(audited: AuditedFit) -> Line:
    """Return whether BIC and AIC are right, and whether they count the right number of free parameters."""
    library_fit, X, n = audited.library_fit, audited.X, audited.n_samples
    if not library_fit.criteria or (audited.sample_weight is not None and library_fit.ours is None):
        return Line("criteria", NOT_APPLICABLE, "it has no BIC or AIC of these data")
    p = sum(free for name, free in audited.parameters.n_free.items() if name not in library_fit.frozen)
    deviance = -2 * audited.log_likelihood
    ours = {"bic": deviance + p * np.log(n), "aic": deviance + 2 * p}
    weight = {} if audited.sample_weight is None else {"sample_weight": audited.sample_weight}
    try:
        theirs = {name: _quietly(lambda f=f: float(f(X, **weight))) for name, f in library_fit.criteria.items()}
    except Exception as error:  # an error on the data of its own fit is a finding
        return Line("criteria", WRONG, f"{type(error).__name__}: {error}", None, "take those of audit.fitted")
    gaps = {name: float(theirs[name] - ours[name]) for name in theirs}
    largest = max(gaps.values(), key=abs)
    sentence = ", ".join(f"{name.upper()} {ours[name]:.3f}" for name in ours)
    if abs(largest) <= PARAMETERS + 1e-9 * abs(ours["bic"]):
        return Line("criteria", RIGHT, f"{sentence}, with {p} free parameters", largest)
    values = ", ".join(f"{name.upper()} {value:.3f}" for name, value in theirs.items())
    finding = f"its own are {values}; right are {sentence}"
    extra = (gaps["bic"] - gaps["aic"]) / (np.log(n) - 2)  # free parameters that it counts too many
    is_count = abs(extra - round(extra)) < PARAMETERS and round(extra) != 0
    if is_count and not (library_fit.whole_numbers and _is_whole(X)):
        finding += f": it counts {p + round(extra)} free parameters, and there are {p}"
    return Line("criteria", WRONG, finding, largest, "take those of audit.fitted")


def _total(audited: AuditedFit, theirs: Any) -> tuple[str, str, float]:
    """Judge what the library's method returned: a verdict, a finding and a distance in nats."""
    by = abs(float(theirs) - audited.log_likelihood)
    verdict = RIGHT if by <= ROUNDED_BY * (1 + abs(audited.log_likelihood)) else WRONG
    return verdict, f"score is {'right to' if verdict == RIGHT else 'wrong by'} {in_nats(by)} in all", by


def _log_densities(audited: AuditedFit, theirs: Any) -> tuple[str, str, float]:
    observed = audited.row_weights > 0
    densities = np.asarray(theirs, dtype=float)[observed]
    with np.errstate(invalid="ignore"):
        off = np.abs(densities - audited.log_prob[observed])
    off[densities == audited.log_prob[observed]] = 0.0
    size, precision = np.abs(audited.log_prob[observed]), _precision(audited)
    wrong = ~(off <= np.maximum(WRONG_BY, 1e3 * precision) + 1e-9 * size)
    rounded = ~(off <= np.maximum(ROUNDED_BY, precision) + 1e-12 * size)
    largest = float(np.max(off, initial=0.0))
    if wrong.any():
        total = in_nats(abs(float(audited.row_weights[observed] @ densities) - audited.log_likelihood))
        of_rows = f"log densities of {counted(int(wrong.sum()), 'row')} are wrong"
        return WRONG, f"{of_rows}, by up to {in_nats(largest)}, {total} in all", largest
    verdict = WARNING if rounded.any() else RIGHT
    return verdict, f"log densities are right to {largest:.1g} nats", largest


def _probabilities(audited: AuditedFit, theirs: Any) -> tuple[str, str, float]:
    theirs, observed = np.asarray(theirs, dtype=float), audited.row_weights > 0
    if theirs.shape != audited.responsibilities.shape:
        return WRONG, f"probabilities have the shape {theirs.shape}, and not {audited.responsibilities.shape}", np.inf
    off = np.abs(theirs - audited.responsibilities)[observed]
    largest = float(np.max(off)) if not np.isnan(off).any() else np.inf
    if largest > max(SHARE, 1e3 * _precision(audited)):
        n_wrong = int((off.max(axis=1) > SHARE).sum())
        return WRONG, f"probabilities of {counted(n_wrong, 'row')} are wrong, by up to {largest:.2g}", 0.0
    return RIGHT, f"probabilities to {largest:.1g}", 0.0


def _labels(audited: AuditedFit, theirs: Any) -> tuple[str, str, float]:
    ordered = np.sort(audited.responsibilities, axis=1)
    clear = np.ones(len(ordered), dtype=bool) if ordered.shape[1] == 1 else ordered[:, -1] - ordered[:, -2] > SHARE
    differs = np.asarray(theirs) != audited.responsibilities.argmax(axis=1)
    n_other = int((differs & clear & (audited.row_weights > 0)).sum())
    return (WRONG, f"{counted(n_other, 'row')} mislabelled", 0.0) if n_other else (RIGHT, "labels are right", 0.0)


def _own_scores(audited: AuditedFit, density: Any) -> Line:
    """Describe the scores of a fit that maximises another objective; check that they do not depend on the type of X."""
    X = audited.X
    as_floats = np.asarray(_quietly(lambda: density(np.asarray(X, dtype=float))))
    gap = float(audited.row_weights @ (as_floats - audited.log_prob))
    if _is_whole(X):
        off = float(np.abs(np.asarray(_quietly(lambda: density(X))) - as_floats).max())
        if off > ROUNDED_BY:
            finding = f"log densities of integers are off by up to {in_nats(off)}; {audited.library_fit.whole_numbers}"
            return Line("scores", WRONG, finding, off, "X.astype(float)")
    side = "above" if gap > 0 else "below"
    finding = f"its log densities are of its own objective, {in_nats(abs(gap))} {side} those at its parameters"
    return Line("scores", NOT_APPLICABLE, finding, gap)


def _quietly(function: Any) -> Any:
    with without_warnings, np.errstate(all="ignore"):
        return function()


def _precision(audited: AuditedFit) -> float:
    """Return the error of a log density that the rounding of the fit's arrays explains; 0 for float64."""
    kinds = [np.asarray(values).dtype for values in audited.library_fit.arrays.values()]
    coarse = max((float(np.finfo(kind).eps) for kind in kinds if kind.kind == "f"), default=0.0)
    return 0.0 if coarse < 1e-10 else 1e2 * coarse


def _is_whole(X: Any) -> bool:
    """Whether X is of an integer type."""
    kinds = {getattr(dtype, "kind", "") for dtype in (X.dtypes if hasattr(X, "dtypes") else [np.asarray(X).dtype])}
    return kinds <= set("iu") and bool(kinds)
