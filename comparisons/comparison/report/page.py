"""Write a comparison as one HTML file to send: verdict, tables, figures, settings and versions."""

from os import PathLike
from pathlib import Path
from typing import Any

from comparisons.comparison.all_rows import sample_note
from comparisons.comparison.report.plots import drawings_of
from comparisons.comparison.report.tables import tables_of
from comparisons.output.files import versions
from em.page import Section, write_page
from models.labels import some_of
from models.shown import counted, shown

TONES = {"agree": "good", "disagree": "bad"}
CAPTIONS = {
    "data": "The data, with EM's estimates and the posterior.",
    "posterior": "Posterior draws of each parameter, aligned, beside the estimates.",
    "responsibilities": "EM's responsibilities beside those averaged over the posterior.",
    "objective": "Distance of the objective from its limit at each iteration of EM.",
    "ridge": "Draws along the free direction, and a quantity that the data identify.",
}
WORDS = {
    "MLE": "maximum-likelihood estimate: the parameters under which the data are most probable",
    "MAP": "maximum a posteriori: the parameters of highest posterior density, the prior included",
    "nats": "unit of log-likelihoods, which are natural logarithms",
    "responsibility": "probability that a sample comes from a component, given the sample",
    "NUTS": "the sampler that draws from the posterior (No-U-Turn Sampler)",
    "R-hat": "spread of all chains over that of each chain; near 1 if the chains agree",
    "ESS": "effective sample size: the number of independent draws that would be as precise as these draws",
    "label-free": "quantities that do not depend on how the components are numbered",
    "aligned": "draws whose components have been put in the order of EM's",
    "labelled samples": "number of complete samples of known components with as much information as the data have",
    "ridge": "different parameters that give the same distribution, so that the data cannot distinguish them",
}


def write_report(comparison: Any, path: str | PathLike[str], pictures: Path | None = None) -> None:
    """Write the page; see :meth:`comparisons.comparison.result.Comparison.report`.

    ``pictures`` is a folder with the figures as PNG files; None draws them.
    """
    lead, tone = f"{comparison.verdict}: {comparison.explanation}", TONES.get(comparison.verdict, "doubtful")
    title = f"{comparison.title}: EM and PyMC, {comparison.family.title}, K = {comparison.n_components}"
    drawings: dict[str, Any] = drawings_of(comparison)
    made = drawings if pictures is None else {name: pictures / f"{name}.png" for name in drawings}
    figures = {caption: made[name] for name, caption in CAPTIONS.items() if name in made}
    write_page(path, title, lead, _sections(comparison, Section("Figures", figures=figures)), tone)


def _sections(comparison: Any, figures: Section) -> list[Section]:
    """Return the sections of the page, in order."""
    caution = [f"Caution: {comparison.caution}."] if comparison.caution else []
    return [
        Section("What was compared", [*caution, *_sizes(comparison)]),
        *([Section("What was read", comparison.notes)] if comparison.notes else []),
        *tables_of(comparison, verbose=True),
        figures,
        Section("Settings and versions", table=_settings(comparison)),
        Section("Words", table=[{"word": word, "meaning": meaning} for word, meaning in WORDS.items()]),
    ]


def _sizes(comparison: Any) -> list[str]:
    X, missing, D = comparison.X, comparison.n_missing, comparison.X.shape[1]
    holes = f", {missing} of {X.size} cells missing" if missing else ""
    fits = [("Maximum likelihood", comparison.mle), ("MAP", comparison.map)]
    return [
        f"{comparison.family.title}, {comparison.family!r}, with K = {comparison.n_components} components.",
        f"{counted(len(X), 'sample')} of {counted(D, 'feature')} ({some_of(comparison.feature_names)}){holes}.",
        *([f"They are {note}."] if (note := sample_note(comparison)) else []),
        f"Prior: {comparison.prior!r}.",
        *(f"{name} by EM: log-likelihood {fit.log_likelihood_:.6f} nats; {fit.status_}." for name, fit in fits),
    ]


def _settings(comparison: Any) -> list[dict[str, Any]]:
    settings = vars(comparison.settings) | comparison.family.of_data | comparison.family.of_mixture
    seconds = ", ".join(f"{step} {value:.1f}" for step, value in comparison.seconds.items())
    libraries = ", ".join(f"{name} {number}" for name, number in versions().items())
    named = {"versions": libraries, "seconds of each step": seconds}
    texts = {name: value if isinstance(value, str) else shown(value) for name, value in settings.items()} | named
    return [{"setting": name, "value": text} for name, text in texts.items()]
