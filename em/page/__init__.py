"""A page to send: one self-contained HTML file of sentences, tables and pictures, without scripts or network.

Text that users chose stays text: the template escapes all that it is given, and pictures are data inside the file.
"""

import base64
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from em.process.process_wide import without_expected_warnings
from em.saving.whole_files import write_whole
from models.labels import plain

LARGEST_SVG = 400_000  # characters, above which a picture of points is smaller as PNG
DPI = 110
NUMBER = re.compile(r"(([-–]|[-+]?(\d[\d.]*(e[-+]\d+)?|inf|nan))([ <]+|$))+")  # or several in a cell
LARGE = 1000  # such as sums in nats, of which differences matter


@dataclass(frozen=True)
class Section:
    """A part of a page: a title, sentences, a table and pictures, each of which may be missing.

    Attributes
    ----------
    title : str
        What it is about.
    sentences : sequence of str
        Paragraphs.
    table : sequence of mapping
        Rows by the heads of the columns; the heads of all are those of the first.
    caption : str
        What the table needs to be understood.
    figures : mapping of callable or Path
        What returns a Matplotlib figure, or a PNG file, by its caption. One that fails is named in its place.
    """

    title: str
    sentences: Sequence[str] = ()
    table: Sequence[Mapping[str, Any]] = ()
    caption: str = ""
    figures: Mapping[str, Callable[[], Any] | Path] = field(default_factory=dict)


def write_page(
    path: str | PathLike[str], title: str, lead: str, sections: Iterable[Section], tone: str = "doubtful"
) -> None:
    """Write a page, whole or not at all.

    Parameters
    ----------
    path : str or path
        The HTML file.
    title, lead : str
        The heading, and the one sentence to read.
    sections : iterable of Section
        What follows.
    tone : {"good", "doubtful", "bad"}, default "doubtful"
        Colour beside the sentence.

    Raises
    ------
    ValueError, OSError
        If the file cannot be written (:func:`em.saving.whole_files.write_whole`).
    """
    write_whole(path, page(title, lead, sections, tone))


def page(title: str, lead: str, sections: Iterable[Section], tone: str = "doubtful") -> str:
    """Return the page as text.

    Examples
    --------
    >>> from em.page import Section, page
    >>> text = page("A <b>title", "All is well.", [Section("Numbers", table=[{"name": "x", "value": 1.5}])])
    >>> "<h1>A &lt;b&gt;title</h1>" in text, '<td class="number">1.5</td>' in text
    (True, True)
    """
    shown = [_shown(section) for section in sections]
    values = {"title": plain(title), "lead": plain(capital(lead)), "tone": tone, "sections": shown, "made": _made()}
    return filled(files(__name__).joinpath("page.html"), page=values)


def filled(template: Any, **values: Any) -> str:
    """Return a file's template filled with values, which stay text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)


def capital(text: str) -> str:
    """Return text that begins with a capital, and is as it was else."""
    return text[:1].upper() + text[1:]


def _shown(section: Section) -> dict[str, Any]:
    """Return what the template reads of a section."""
    pictures, sentences = [], [plain(sentence) for sentence in section.sentences]
    for caption, draw in section.figures.items():
        try:
            pictures.append({"caption": plain(caption), "address": _picture(draw)})
        except Exception as error:  # whatever it is, the numbers must not be lost to it
            sentences.append(plain(f"{caption.rstrip('.')}: left out, {type(error).__name__}: {error}"))
    texts = {"title": plain(section.title), "sentences": sentences, "caption": plain(section.caption)}
    return {**texts, **shown_table(section), "pictures": pictures}


def shown_table(section: Section) -> dict[str, Any]:
    """Return heads, on which sides columns are flush ("number" or ""), and the cells of a section's table as text."""
    heads = list(section.table[0]) if section.table else []
    rows = [[_cell(row[head]) for head in heads] for row in section.table]
    sides = ["number" * all(NUMBER.fullmatch(cell) for cell in column if cell) for column in zip(*rows, strict=True)]
    return {"heads": [plain(head) for head in heads], "sides": sides, "rows": rows}


def _picture(draw: Callable[[], Any] | Path) -> str:
    """Return a figure as an address that holds it: as SVG, or as PNG where that is shorter."""
    if isinstance(draw, Path):
        return address(draw.read_bytes(), "png")
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from em.plots.letters import lend_letters

    figure, image = draw(), io.BytesIO()
    try:
        lend_letters(figure)
        with without_expected_warnings, mpl.rc_context({"svg.hashsalt": "mixture-twins"}):
            figure.savefig(image, format="svg", metadata={"Date": None})
            kind = "svg+xml"
            if image.tell() > LARGEST_SVG:
                image, kind = io.BytesIO(), "png"
                figure.savefig(image, format="png", dpi=DPI)
    finally:
        plt.close(figure)
    return address(image.getvalue(), kind)


def address(image: bytes, kind: str) -> str:
    """Return an image as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"


def _cell(value: Any) -> str:
    """Return a value of a table: numbers with five digits, large ones with seven, what is unknown as a dash."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or (isinstance(value, Real) and not np.isfinite(float(value))):
        return "–"
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{float(value) + 0.0:.{5 if abs(float(value)) < LARGE else 7}g}"  # -0.0 + 0.0 is 0.0
    return plain(value)


def _made() -> str:
    try:
        own = version("mixture-twins")
    except PackageNotFoundError:  # the folders alone, not installed
        own = "of a checkout"
    return (
        f"Made by mixture-twins {own} on {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}. To cite: The mixture-twins "
        f"developers, mixture-twins: mixture models in which Bayes and EM must agree, version {own}."
    )
