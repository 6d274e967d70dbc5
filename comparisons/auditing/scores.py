"""Whether the numbers that a library's methods give are right: log densities, probabilities, labels, BIC, AIC."""

from typing import Any

import numpy as np

from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WARNING, WRONG, Line, nats
from comparisons.auditing.standing import Standing
from em.process.process_wide import without_warnings

WRONG_BY, ROUNDED_BY = 1e-3, 1e-6  # nats; beside them 1e-9 and 1e-12 of a log density
SHARE = 1e-5  # of a probability
PARAMETERS = 0.01


def as_the_library_takes(X: Any) -> Any:
    """Return X as a user hands it to a library's methods: an array of its own dtype."""
    return X if hasattr(X, "toarray") or hasattr(X, "columns") else np.asarray(X)


def scores_line(here: Standing) -> Line:
    """Return whether log densities, probabilities and labels of the rows of X are those of the parameters."""
    given, X = here.given, _plain(here)
    if given.log_density is None and given.total is None and given.probabilities is None:
        return Line("scores", NOT_APPLICABLE, "there are no methods to try")
    if given.objective:
        return _own_scores(here, X)
    findings, verdict, value = [], RIGHT, 0.0
    for name, method in [("log densities", _log_densities), ("probabilities", _probabilities), ("labels", _labels)]:
        of_this, finding, by = _tried(name, method, here, X)
        findings += [finding] if finding else []
        verdict, value = max((verdict, of_this), key=(RIGHT, WARNING, WRONG).index), max(value, by)
    whole = _is_whole(X)
    remedy = ""
    if verdict != RIGHT and whole and given.whole_numbers:
        findings.append(given.whole_numbers)
        remedy = "pass X.astype(float) to score, score_samples, predict, predict_proba, bic and aic"
    elif verdict != RIGHT:
        remedy = "take them from audit.fitted, which has the same methods at the same parameters"
    return Line("scores", verdict, "; ".join(findings), value, remedy)


def criteria_line(here: Standing) -> Line:
    """Return whether BIC and AIC are right, and whether they count the free parameters rightly."""
    given, X, n = here.given, _plain(here), here.n_samples
    if not given.criteria or (here.sample_weight is not None and given.own is None):
        return Line("criteria", NOT_APPLICABLE, "it has no BIC or AIC of these data")
    summary = here.here.summary(here.X, sample_weight=here.sample_weight)
    ours, p = {"bic": summary["bic"], "aic": summary["aic"]}, _n_free(here)
    if p != summary["n_free_parameters"]:  # all were held fixed to stand there
        deviance = -2 * here.log_likelihood
        ours = {"bic": deviance + p * np.log(n), "aic": deviance + 2 * p}
    weight = {} if here.sample_weight is None else {"sample_weight": here.sample_weight}
    try:
        theirs = {name: _quietly(lambda f=f: float(f(X, **weight))) for name, f in given.criteria.items()}
    except Exception as error:  # whatever a library raises on the data of its own fit is the finding
        return Line("criteria", WRONG, f"{type(error).__name__}: {error}", None, "take those of audit.fitted")
    gaps = {name: theirs[name] - ours[name] for name in theirs}
    largest = max(gaps.values(), key=abs)
    sentence = ", ".join(f"{name.upper()} {ours[name]:.3f}" for name in ours)
    if abs(largest) <= PARAMETERS + 1e-9 * abs(ours["bic"]):
        return Line("criteria", RIGHT, f"{sentence}, with {p} free parameters", largest)
    counted = (gaps["bic"] - gaps["aic"]) / (np.log(n) - 2) if {"bic", "aic"} <= gaps.keys() else np.nan
    said = ", ".join(f"{name.upper()} {value:.3f}" for name, value in theirs.items())
    said = f"its own are {said}; right are {sentence}"
    if abs(counted - round(counted)) < PARAMETERS and round(counted) and not (given.whole_numbers and _is_whole(X)):
        said += f": it counts {p + round(counted)} free parameters, and there are {p}"
    return Line("criteria", WRONG, said, largest, "take those of audit.fitted")


def _tried(name: str, method: Any, here: Standing, X: Any) -> tuple[str, str, float]:
    """Return verdict, finding and distance of one method; what it raises is a finding too."""
    try:
        with without_warnings, np.errstate(all="ignore"):
            found: tuple[str, str, float] = method(here, X)
    except Exception as error:  # whatever a library raises on the data of its own fit is the finding
        return WRONG, f"{name}: {type(error).__name__}: {error}", np.inf
    return found


def _log_densities(here: Standing, X: Any) -> tuple[str, str, float]:
    given, used = here.given, here.counted > 0
    if given.log_density is None:
        if given.total is None or here.sample_weight is not None:
            return RIGHT, "", 0.0
        by = abs(float(given.total(X)) - here.log_likelihood)
        verdict = RIGHT if by <= ROUNDED_BY * (1 + abs(here.log_likelihood)) else WRONG
        return verdict, f"score is {'right to' if verdict == RIGHT else 'wrong by'} {nats(by)} in all", by
    own = np.asarray(given.log_density(X), dtype=float)[used]
    off = np.abs(own - here.log_prob[used])
    off[own == here.log_prob[used]] = 0.0
    size, precision = np.abs(here.log_prob[used]), _precision(here)
    wrong = ~(off <= np.maximum(WRONG_BY, 1e3 * precision) + 1e-9 * size)
    rounded = ~(off <= np.maximum(ROUNDED_BY, precision) + 1e-12 * size)
    largest = float(np.max(off, initial=0.0))
    if wrong.any():
        total = nats(abs(float(here.counted[used] @ own) - here.log_likelihood))
        of_rows = f"log densities of {int(wrong.sum())} rows are wrong"
        return WRONG, f"{of_rows}, by up to {nats(largest)}, {total} in all", largest
    verdict = WARNING if rounded.any() else RIGHT
    return verdict, f"log densities are right to {largest:.1g} nats", largest


def _probabilities(here: Standing, X: Any) -> tuple[str, str, float]:
    if here.given.probabilities is None:
        return RIGHT, "", 0.0
    theirs, used = np.asarray(here.given.probabilities(X), dtype=float), here.counted > 0
    if theirs.shape != here.responsibilities.shape:
        return WARNING, f"probabilities have the shape {theirs.shape}, and not {here.responsibilities.shape}", 0.0
    off = np.abs(theirs - here.responsibilities)[used]
    largest = float(np.max(off)) if not np.isnan(off).any() else np.inf
    if largest > max(SHARE, 1e3 * _precision(here)):
        n_wrong = int((off.max(axis=1) > SHARE).sum())
        return WRONG, f"probabilities of {n_wrong} rows are wrong, by up to {largest:.2g}", 0.0
    return RIGHT, f"probabilities to {largest:.1g}", 0.0


def _labels(here: Standing, X: Any) -> tuple[str, str, float]:
    if here.given.labels is None:
        return RIGHT, "", 0.0
    ordered = np.sort(here.responsibilities, axis=1)
    clear = np.ones(len(ordered), dtype=bool) if ordered.shape[1] == 1 else ordered[:, -1] - ordered[:, -2] > SHARE
    other = np.asarray(here.given.labels(X)) != here.responsibilities.argmax(axis=1)
    n_other = int((other & clear & (here.counted > 0)).sum())
    return (WRONG, f"{n_other} rows get another label", 0.0) if n_other else (RIGHT, "labels are right", 0.0)


def _own_scores(here: Standing, X: Any) -> Line:
    """Say what scores of another objective are, and whether they depend on the type of X."""
    given = here.given
    if given.log_density is None:
        return Line("scores", NOT_APPLICABLE, "its scores are of another objective")
    as_floats = np.asarray(_quietly(lambda: given.log_density(np.asarray(X, dtype=float))))
    gap = float(here.counted @ (as_floats - here.log_prob))
    finding = (
        f"its log densities are of its own objective, {nats(abs(gap))} {'above' if gap > 0 else 'below'} those at its "
    )
    finding += "parameters"
    if not _is_whole(X):
        return Line("scores", NOT_APPLICABLE, finding, gap)
    own = np.asarray(_quietly(lambda: given.log_density(X)))
    off = float(np.abs(own - as_floats).max())
    if off <= ROUNDED_BY:
        return Line("scores", NOT_APPLICABLE, finding, gap)
    return Line(
        "scores", WRONG, f"of integers they are off by up to {nats(off)}; {given.whole_numbers}", off, "X.astype(float)"
    )


def _quietly(function: Any) -> Any:
    with without_warnings, np.errstate(all="ignore"):
        return function()


def _n_free(here: Standing) -> int:
    return sum(n for name, n in here.parameters.n_free.items() if name not in here.given.frozen)


def _plain(here: Standing) -> Any:
    return here.X if here.given.own is not None else as_the_library_takes(here.X)


def _precision(here: Standing) -> float:
    """Return what the rounding of the fit's own numbers does to a log density: nothing of float64."""
    kinds = [np.asarray(values).dtype for values in here.given.arrays.values()]
    coarse = max((float(np.finfo(kind).eps) for kind in kinds if kind.kind == "f"), default=0.0)
    return 0.0 if coarse < 1e-10 else 1e2 * coarse


def _is_whole(X: Any) -> bool:
    """Whether X is of an integer type."""
    kinds = {getattr(dtype, "kind", "") for dtype in X.dtypes} if hasattr(X, "dtypes") else {np.asarray(X).dtype.kind}
    return kinds <= set("iu") and bool(kinds)
