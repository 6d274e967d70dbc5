"""Write a self-contained HTML page of sentences, tables and pictures, without scripts or network.

The template escapes all text, so that names chosen by users cannot become markup. Pictures are data inside the file.
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

LARGEST_SVG = 400_000  # bytes, above which a picture of points is smaller as PNG
DPI = 110
NUMBER = re.compile(r"(([-–]|[-+]?(\d[\d.]*(e[-+]\d+)?|inf|nan))([ <]+|$))+")  # one number or several in a cell
LARGE = 1000  # numbers from here on, such as sums in nats, are shown with more digits, since differences matter


@dataclass(frozen=True)
class Section:
    """A section of a page: a title and, optionally, sentences, a table and pictures.

    Attributes
    ----------
    title : str
        Title.
    sentences : sequence of str
        Paragraphs.
    table : sequence of mapping
        Rows, as mappings from the heads of the columns to values; all rows have the heads of the first.
    caption : str
        Caption of the table.
    figures : mapping of callable or Path
        By caption, a function that returns a Matplotlib figure, or a PNG file. If a function fails, a sentence says so.
    """

    title: str
    sentences: Sequence[str] = ()
    table: Sequence[Mapping[str, Any]] = ()
    caption: str = ""
    figures: Mapping[str, Callable[[], Any] | Path] = field(default_factory=dict)


def write_page(
    path: str | PathLike[str], title: str, lead: str, sections: Iterable[Section], tone: str = "doubtful"
) -> None:
    """Write a page; if that fails, no part of it is left.

    Parameters
    ----------
    path : str or path
        The HTML file.
    title, lead : str
        The heading, and the most important sentence.
    sections : iterable of Section
        The sections.
    tone : {"good", "doubtful", "bad"}, default "doubtful"
        Tone of the lead, which decides its colour.

    Raises
    ------
    ValueError, OSError
        If the file cannot be written (:func:`em.saving.whole_files.write_whole`).
    """
    write_whole(path, None)
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
    """Return a file's template filled with values, whose text is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)


def capital(text: str) -> str:
    """Return the text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def _shown(section: Section) -> dict[str, Any]:
    """Return a section as the template needs it."""
    pictures, sentences = [], [plain(sentence) for sentence in section.sentences]
    for caption, draw in section.figures.items():
        try:
            pictures.append({"caption": plain(caption), "address": _picture(draw)})
        except Exception as error:  # a picture that fails must not cost the numbers of the page
            sentences.append(plain(f"{caption.rstrip('.')}: left out, {type(error).__name__}: {error}"))
    texts = {"title": plain(section.title), "sentences": sentences, "caption": plain(section.caption)}
    return {**texts, **shown_table(section), "pictures": pictures}


def shown_table(section: Section) -> dict[str, Any]:
    """Return a section's table as text: heads, the class of each column ("number" or ""), and rows of cells."""
    heads = list(section.table[0]) if section.table else []
    rows = [[_cell(row[head]) for head in heads] for row in section.table]
    sides = ["number" * all(NUMBER.fullmatch(cell) for cell in column if cell) for column in zip(*rows, strict=True)]
    return {"heads": [plain(head) for head in heads], "sides": sides, "rows": rows}


def _picture(draw: Callable[[], Any] | Path) -> str:
    """Return a figure as a data URL: as SVG, or as PNG if the SVG would be large."""
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
    """Return an image as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"


def _cell(value: Any) -> str:
    """Return a cell of a table: numbers with five digits, large numbers with seven, missing values as a dash."""
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
