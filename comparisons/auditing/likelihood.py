"""Recompute the log-likelihood of a fit, in sixty digits if that takes less than a second; compare it with reports."""

import numpy as np

from comparisons.auditing.audited import AuditedFit
from comparisons.auditing.library_fit import ReportedLikelihood
from comparisons.auditing.lines import RIGHT, WARNING, WRONG, Line, in_nats
from models.shown import counted

MOST_OPERATIONS = 300_000  # multiplications of decimal numbers, in less than a second
OF_EXP = 30  # multiplications that take as long as an exponential
LOST = 1e-6  # relative error of float64 above which rounding is a warning
LEFT_OUT, OTHER_DATA = 0.5, 0.05  # nats, and nats per sample, up to which a reported value is right, or a warning


def log_likelihood_line(audited: AuditedFit) -> Line:
    """Return the log-likelihood, the error of float64, and the distance to the values that the library reports."""
    verdict, value, remedy = RIGHT, audited.log_likelihood, ""
    try:
        digits, n_checked, gap = _in_digits(audited)
    except ValueError as error:
        finding = f"{value:.6f} nats in float64, but in 60 digits {error}: rounding decided"
        return Line("log-likelihood", WRONG, finding, value, "use float64 covariances, or a simpler structure")
    if digits is None:
        findings = [f"{value:.6f} nats (sum)"]
        findings += [f"{counted(n_checked, 'row')} in 60 digits: off by at most {gap:.1g}"] if n_checked else []
    else:
        findings = [f"{digits:.6f} nats (sum), in 60 digits; float64 is off by {abs(digits - value):.1g}"]
        value = digits
    if gap > LOST * (1 + np.abs(audited.log_prob).max()):
        verdict, remedy = WARNING, "center and scale X: its covariances are nearly singular"
    if not np.isfinite(value):
        n_impossible = int((audited.log_prob[audited.row_weights > 0] == -np.inf).sum())
        return Line("log-likelihood", WRONG, f"the fit makes {counted(n_impossible, 'row')} of X impossible", value)
    for report in () if audited.sample_weight is not None else audited.library_fit.reports:
        report_verdict, sentence = _compare_report(report, value, audited.n_samples)
        findings.append(sentence)
        if report_verdict != RIGHT:
            verdict, remedy = report_verdict, "audit the fit on the X that it was fitted to, with nothing changed since"
    return Line("log-likelihood", verdict, "; ".join(findings), float(value), remedy)


def _in_digits(audited: AuditedFit) -> tuple[float | None, int, float]:
    """Compute log densities in sixty digits: of all rows, or, if that takes too long, of those of lowest density.

    Float64 loses most digits in rows of low density.

    Returns
    -------
    log_likelihood : float or None
        The log-likelihood, if all rows were computed.
    n_rows : int
        Number of rows computed.
    gap : float
        Largest error of a float64 log density among them, in nats.
    """
    observed = np.flatnonzero(audited.row_weights > 0)
    K, D = audited.parameters.n_components, audited.rows.shape[1]
    n_checked = min(len(observed), max(1, MOST_OPERATIONS // (K * (D * D + OF_EXP))))
    checked = observed if n_checked == len(observed) else observed[np.argsort(audited.log_prob[observed])[:n_checked]]
    in_digits = audited.family_audit.log_density_in_digits(audited.rows[checked], audited.parameters)
    if in_digits is None:
        return None, 0, 0.0
    exact = np.array([float(value) for value in in_digits])
    gap = float(np.abs(exact - audited.log_prob[checked]).max())
    log_likelihood = float(audited.row_weights[checked] @ exact) if n_checked == len(observed) else None
    return log_likelihood, n_checked, gap


def _compare_report(report: ReportedLikelihood, value: float, n_samples: float) -> tuple[str, str]:
    """Compare a reported log-likelihood with the recomputed one; return verdict and finding."""
    reported = report.value * (n_samples if report.is_bound else 1)
    gap = reported - value
    note = " (a mean over samples, measured before the last M-step)" if report.is_bound else ""
    side = "above" if gap > 0 else "below"
    sentence = f"{report.name}{note} says {reported:.6f}, {in_nats(abs(gap))} {side}"
    if not abs(gap) > LEFT_OUT:
        return RIGHT, sentence
    if abs(gap) <= OTHER_DATA * n_samples:
        return RIGHT if report.is_bound and gap < 0 else WARNING, sentence
    return WRONG, f"{sentence}: these are not the data of that fit, or its parameters were changed since"
