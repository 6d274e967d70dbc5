"""The log-likelihood of a fit: recomputed, in sixty digits where that takes less than a second, and as reported."""

import numpy as np

from comparisons.auditing.given import Report
from comparisons.auditing.lines import RIGHT, WARNING, WRONG, Line, nats
from comparisons.auditing.standing import Standing

MOST_OPERATIONS = 300_000  # on decimal numbers
OF_EXP = 30  # multiplications
LOST, LEFT_OUT, OTHER_DATA = 1e-6, 0.5, 0.05  # nats a sample, nats, nats a sample


def log_likelihood_line(here: Standing) -> Line:
    """Return what the log-likelihood is, and how far off float64 and the library's own figure are."""
    verdict, value, remedy = RIGHT, here.log_likelihood, ""
    try:
        digits, n_checked, gap = _in_digits(here)
    except ValueError as error:
        finding = f"{value:.6f} nats in float64, but in 60 digits {error}: rounding decided"
        return Line("log-likelihood", WRONG, finding, value, "use float64 covariances, or a simpler structure")
    if digits is None:
        findings = [f"{value:.6f} nats (sum)"]
        findings += [f"{n_checked} rows in 60 digits differ by at most {gap:.1g}"] if n_checked else []
    else:
        findings = [f"{digits:.6f} nats (sum), in 60 digits; float64 is off by {abs(digits - value):.1g}"]
        value = digits
    if gap > LOST * (1 + np.abs(here.log_prob).max()):
        verdict, remedy = WARNING, "center and scale X: its covariances are nearly singular"
    if not np.isfinite(value):
        n_impossible = int((here.log_prob[here.counted > 0] == -np.inf).sum())
        return Line("log-likelihood", WRONG, f"{n_impossible} row(s) of X are impossible under the fit", value)
    for report in () if here.sample_weight is not None else here.given.reports:
        of_report, sentence = _held_to(report, value, here.n_samples)
        findings.append(sentence)
        if of_report != RIGHT:
            verdict, remedy = of_report, "audit the fit on the X that it was fitted to, with nothing changed since"
    return Line("log-likelihood", verdict, "; ".join(findings), float(value), remedy)


def _in_digits(here: Standing) -> tuple[float | None, int, float]:
    """Return the log-likelihood in sixty digits if all rows are taken, how many are, and the largest error of float64.

    Where all rows take too long, those of the lowest density are taken: float64 loses most digits there.
    """
    used = np.flatnonzero(here.counted > 0)
    K, D = here.parameters.n_components, here.rows.shape[1]
    n_taken = min(len(used), max(1, MOST_OPERATIONS // (K * (D * D + OF_EXP))))
    taken = used if n_taken == len(used) else used[np.argsort(here.log_prob[used])[:n_taken]]
    found = here.hooks.log_density_in_digits(here.rows[taken], here.parameters)
    if found is None:
        return None, 0, 0.0
    exact = np.array([float(value) for value in found])
    gap = float(np.abs(exact - here.log_prob[taken]).max())
    whole = float(here.counted[taken] @ exact) if n_taken == len(used) else None
    return whole, n_taken, gap


def _held_to(report: Report, value: float, n_samples: float) -> tuple[str, str]:
    """Return a verdict and a sentence on a log-likelihood that the fit reports."""
    reported = report.value * (n_samples if report.is_bound else 1)
    off = reported - value
    note = " (a mean over samples, measured before the last M-step)" if report.is_bound else ""
    side = "above" if off > 0 else "below"
    sentence = f"{report.name}{note} says {reported:.6f}, {nats(abs(off))} {side}"
    if not abs(off) > LEFT_OUT:
        return RIGHT, sentence
    if abs(off) <= OTHER_DATA * n_samples:
        return RIGHT if report.is_bound and off < 0 else WARNING, sentence
    return WRONG, f"{sentence}: these are not the data, or no longer the parameters, of that fit"
