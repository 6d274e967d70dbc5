"""Print the map of formulas on one page: ``python docs/formula_sheet.py`` writes ``docs/_build/formula_sheet.html``.

The formulas are those of ``docs/formulas.md``, and the program is asked in which file each of them is computed, so
nothing is kept twice. The site writes the page beside its others. Print it from the browser: it is one page of A4.
"""

import base64
import html
import inspect
import pkgutil
import re
import sys
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
FILE = DOCS / "_build" / "formula_sheet.html"
FORMULAS = {"formula", "maximum likelihood", "{term}`MAP`", "MAP"}  # heads of columns
NAME = re.compile(r"`((?:em|models|comparisons)\.[\w.]+)`")
ROLE = re.compile(r"\{\w+\}`([^`]*)`")
STYLE = """
@page { size: A4; margin: 7mm 8mm; }
@font-face { font-family: "STIX Two Math"; src: local("STIX Two Math"), url("FONT"); }
body { font: 7.7pt/1.22 "Source Sans 3", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; margin: 0 auto; }
body { max-width: 194mm; }
math { font-family: "STIX Two Math", math; font-size: 1.05em; }
h1 { font-size: 12pt; margin: 0 0 1mm; }
h2 { font-size: 9pt; margin: 1.6mm 0 0.4mm; color: #0072b2; break-after: avoid; }
p { margin: 0 0 1mm; }
main { columns: 2; column-gap: 5mm; column-rule: 0.2mm solid #ccc; }
.row { break-inside: avoid; border-top: 0.15mm solid #ccc; padding: 0.5mm 0; }
.row { display: flex; flex-wrap: wrap; column-gap: 3mm; }
.words { flex: 1 1 20mm; }
.code { flex-basis: 100%; color: #444; font: 6pt/1.2 "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.code { overflow-wrap: anywhere; }
@media screen { body { padding: 4mm; max-width: 230mm; font-size: 9pt; } .code { font-size: 7.5pt; } }
@media screen and (max-width: 170mm) { main { columns: 1; } .row { overflow-x: auto; } }
"""


@dataclass(frozen=True)
class Row:
    """One row of the map.

    Attributes
    ----------
    words : str
        What it is called, in Markdown.
    formulas : tuple of str
        One, or those of maximum likelihood and of MAP, in Markdown.
    names : tuple of str
        The functions and classes that compute it, with their packages.
    """

    words: str
    formulas: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """The files that these are written in, from the root of the repository."""
        return sorted({file_of(name) for name in self.names})


def file_of(name: str) -> str:
    """Return the file that a function, method or class is written in, from the root of the repository."""
    found = inspect.getsourcefile(inspect.unwrap(pkgutil.resolve_name(name)))
    return Path(str(found)).resolve().relative_to(DOCS.parent).as_posix()


@dataclass(frozen=True)
class Section:
    """A section of the map: what its letters mean, in Markdown, and its rows."""

    title: str
    letters: str
    rows: tuple[Row, ...]


def sections() -> list[Section]:
    """Return the sections of ``docs/formulas.md`` that hold formulas."""
    page = (DOCS / "formulas.md").read_text(encoding="utf-8").split("## Where the formulas stand")[0]
    return [section_of(*text.split("\n", maxsplit=1)) for text in page.split("\n## ")[1:]]


def section_of(title: str, text: str) -> Section:
    """Return one section of the page."""
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    is_formula, rows = [column.strip() in FORMULAS for column in table[0]], []
    for cells in table[2:]:
        formulas = tuple(cell for cell, formula in zip(cells, is_formula, strict=True) if formula)
        (words,) = (cell for cell, formula in zip(cells[:-1], is_formula[:-1], strict=True) if not formula)
        rows.append(Row(words, formulas, tuple(NAME.findall(cells[-1]))))
    letters = " ".join(part.strip().replace("\n", " ") for part in text.split("\n\n") if part.strip().startswith("$"))
    return Section(title, letters, tuple(rows))


def symbols() -> str:
    """Return the paragraph that says what the symbols mean."""
    page = (DOCS / "formulas.md").read_text(encoding="utf-8")
    return page[page.index("Symbols: ") :].partition("\n\n")[0].replace("\n", " ")


def as_html(markdown: str) -> str:
    """Return a cell with its formulas as MathML."""
    from mathml import mathml

    parts = re.split(r"\$([^$]+)\$", ROLE.sub(r"\1", markdown))
    parts[::2] = [re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(part)) for part in parts[::2]]
    parts[1::2] = [mathml(part, "inline") for part in parts[1::2]]
    return "".join(parts)


def page(font: str) -> str:
    """Return the sheet; ``font`` is the address of the font of its formulas."""
    body = ["<h1>Mixtures by EM and by Bayes: the formulas, and the code that computes them</h1>"]
    body.append(f"<p>{as_html(symbols())} Under each formula: the function, and its file.</p><main>")
    for section in sections():
        both = ": maximum likelihood, MAP" if len(section.rows[0].formulas) == 2 else ""
        letters = f"<p>{as_html(section.letters)}</p>" if section.letters else ""
        body.append(f"<h2>{html.escape(section.title)}{both}</h2>{letters}")
        for row in section.rows:
            formulas = "".join(f"<div>{as_html(formula)}</div>" for formula in row.formulas)
            code = f"{', '.join(row.names)} &nbsp; <i>{', '.join(row.files)}</i>"
            words = f'<div class="words">{as_html(row.words)}</div>'
            body.append(f'<div class="row">{words}{formulas}<div class="code">{code}</div></div>')
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f"<title>Formula sheet</title><style>{STYLE.replace('FONT', font)}</style>"
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{"".join(body)}</main></body></html>\n'


def main() -> None:
    """Write the page as one file, with its font inside."""
    from importlib.resources import files

    sys.path.insert(0, str(DOCS / "_extensions"))
    from mathml import FONT

    data = base64.b64encode((files("ziamath") / "fonts" / FONT).read_bytes()).decode("ascii")
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(page(f"data:font/ttf;base64,{data}"), encoding="utf-8")
    print(FILE)


if __name__ == "__main__":
    main()
