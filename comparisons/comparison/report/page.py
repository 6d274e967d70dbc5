"""A comparison as a page to send: verdict, tables, figures, settings and versions in one HTML file."""

from os import PathLike
from pathlib import Path
from typing import Any

from comparisons.comparison.all_rows import expected_distance, said_of
from comparisons.comparison.report.plots import drawings_of
from comparisons.comparison.spread import METHODS, summary
from comparisons.output.files import versions
from em.page import Section, write_page
from models.labels import some_of
from models.shown import shown

TONES = {"agree": "good", "disagree": "bad"}
CAPTIONS = {
    "data": "The data, with what EM and the posterior say about them.",
    "posterior": "Posterior draws of each parameter, aligned, beside the estimates.",
    "responsibilities": "EM's responsibilities beside those averaged over the posterior.",
    "objective": "What was still to be gained at each iteration of EM.",
    "ridge": "Draws along the free direction, and what the data do identify.",
}
WORDS = {
    "MLE": "maximum-likelihood estimate: the parameters under which the data are most probable",
    "MAP": "maximum a posteriori: the parameters of highest posterior density, the prior included",
    "nats": "unit of log-likelihoods, which are natural logarithms",
    "responsibility": "probability that a sample comes from a component, given the sample",
    "NUTS": "the sampler that draws from the posterior (No-U-Turn Sampler)",
    "R-hat": "spread of all chains over that of each; near 1 where the chains tell the same",
    "ESS": "effective sample size: how many independent draws the draws are worth",
    "label-free": "quantities that do not depend on how the components are numbered",
    "aligned": "draws whose components have been put in the order of EM's",
    "labelled samples": "as many whole samples of known components would tell as much of the parameters as the data do",
    "ridge": "parameters that differ and give the same distribution, so that the data cannot tell them apart",
}
MARKS = {True: "pass", False: "FAIL", None: "shown"}


def write_report(comparison: Any, path: str | PathLike[str], pictures: Path | None = None) -> None:
    """Write the page; see :meth:`comparisons.comparison.result.Comparison.report`.

    ``pictures`` is a folder with the figures as PNG files, where they have been drawn before.
    """
    lead, tone = f"{comparison.verdict}: {comparison.explanation}", TONES.get(comparison.verdict, "doubtful")
    title = f"{comparison.title}: EM and PyMC, {comparison.family.title}, K = {comparison.n_components}"
    drawings: dict[str, Any] = drawings_of(comparison)
    made = drawings if pictures is None else {name: pictures / f"{name}.png" for name in drawings}
    figures = {caption: made[name] for name, caption in CAPTIONS.items() if name in made}
    write_page(path, title, lead, _sections(comparison, Section("Figures", figures=figures)), tone)


def _sections(comparison: Any, figures: Section) -> list[Section]:
    """Return what the page says, in the order in which it is read."""
    caution = [f"Caution: {comparison.caution}."] if comparison.caution else []
    return [
        Section("What was compared", [*caution, *_sizes(comparison)]),
        *([Section("What was read", comparison.notes)] if comparison.notes else []),
        Section("Estimates", table=_estimates(comparison), caption=_OF_ESTIMATES),
        *_all_rows(comparison),
        Section("Checks", table=_checks(comparison), caption=_OF_CHECKS),
        figures,
        Section("Spread by each method", table=_spreads(comparison), caption=f"{summary(comparison.spreads)}."),
        Section("Settings and versions", table=_settings(comparison)),
        Section("Words", table=[{"word": word, "meaning": meaning} for word, meaning in WORDS.items()]),
    ]


_OF_ESTIMATES = (
    "MLE and MAP by EM; mean and sd of the posterior by NUTS. A gap is the distance from the posterior mean in sd. "
    "R-hat near 1 and an ESS (effective sample size) of hundreds say that the chains mixed."
)
_OF_CHECKS = "A value passes that is at most its tolerance (at least, for an ESS). What is only shown says why."


def _sizes(comparison: Any) -> list[str]:
    X, missing, D = comparison.X, comparison.n_missing, comparison.X.shape[1]
    holes = f", {missing} of {X.size} cells missing" if missing else ""
    fits = [("Maximum likelihood", comparison.mle), ("MAP", comparison.map)]
    return [
        f"{comparison.family.title}, {comparison.family!r}, with K = {comparison.n_components} components.",
        f"{len(X)} samples of {D} feature{'s' * (D > 1)} ({some_of(comparison.feature_names)}){holes}.",
        *([f"They are {said}."] if (said := said_of(comparison)) else []),
        f"Prior: {comparison.prior!r}.",
        *(f"{name} by EM: log-likelihood {fit.log_likelihood_:.6f} nats; {fit.status_}." for name, fit in fits),
    ]


def _estimates(comparison: Any) -> list[dict[str, Any]]:
    heads = {"parameter": "parameter", "truth": "truth", "mle": "MLE", "map": "MAP", "mean": "mean", "sd": "sd"}
    heads |= {"mle_gap_sd": "gap of MLE", "map_gap_sd": "gap of MAP", "rhat": "R-hat", "ess": "ESS"}
    if comparison.truth is None:
        del heads["truth"]
    digits = {"gap of MLE": 2, "gap of MAP": 2, "R-hat": 3, "ESS": 0}
    rows = [{head: row[key] for key, head in heads.items()} for row in comparison.estimates]
    for row in rows:
        row |= {
            head: round(row[head], n) if n else round(row[head]) for head, n in digits.items() if row[head] is not None
        }
    return rows


def _all_rows(comparison: Any) -> list[Section]:
    """Return the section on all rows, of which the data are a sample, if they are."""
    if not comparison.all_rows_estimates:
        return []
    heads = {"parameter": "parameter", "sample": "MLE of the sample", "standard_error": "standard error"}
    heads |= {"all_rows": "MLE of all rows", "distance": "distance in standard errors"}
    table = [{head: row[key] for key, head in heads.items()} for row in comparison.all_rows_estimates]
    texts = [f"{said_of(comparison)} are compared. Distance: {expected_distance(comparison)}."]
    return [Section("Sample and all rows", texts, table=table)]


def _checks(comparison: Any) -> list[dict[str, Any]]:
    return [
        {
            "": MARKS[check.passed],
            "check": check.name,
            "value": check.value,
            "tolerance": check.tolerance,
            "what it is, and where the tolerance comes from": check.reason
            + (f". Only shown: {check.why_shown}" if check.why_shown else ""),
        }
        for check in comparison.checks
    ]


def _spreads(comparison: Any) -> list[dict[str, Any]]:
    methods = METHODS | {"nuts": "NUTS"}
    known = {m: name for m, name in methods.items() if any(row[f"{m}_sd"] is not None for row in comparison.spreads)}
    return [
        {"parameter": row["parameter"]}
        | {f"sd by {name}": row[f"{method}_sd"] for method, name in known.items()}
        | {"understates": ", ".join(METHODS[method] for method in row["understate"])}
        for row in comparison.spreads
    ]


def _settings(comparison: Any) -> list[dict[str, Any]]:
    settings = vars(comparison.settings) | comparison.family.of_data | comparison.family.of_mixture
    seconds = ", ".join(f"{step} {value:.1f}" for step, value in comparison.seconds.items())
    libraries = ", ".join(f"{name} {number}" for name, number in versions().items())
    named = {"versions": libraries, "seconds of each step": seconds}
    texts = {name: value if isinstance(value, str) else shown(value) for name, value in settings.items()} | named
    return [{"setting": name, "value": text} for name, text in texts.items()]
