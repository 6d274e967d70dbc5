"""A notebook as a deck of slides in one file: formulas as MathML, reveal.js inside, nothing asked of the network.

``docs/slides.py`` hands this preprocessor to nbconvert, whose template is ``docs/_templates/slides``.
Slides begin where the cells' metadata say (``slideshow.slide_type``). Of a cell with the tag "figure" only the output
is shown.
"""

import base64
import html
import re
from importlib.resources import files
from typing import Any

from mathml import FONT, mathml
from nbconvert.preprocessors import Preprocessor

WIDTH, HEIGHT = 1440, 810  # pixels of a page, which reveal.js scales to the screen
FORMULA = re.compile(r"(?<![\\$])\$\$(?P<block>.+?)\$\$|(?<![\\$`])\$(?P<inline>[^$`]+?)\$", re.DOTALL)
ROWS = re.compile(r"(?<!\\)\\\\|&")
MARKDOWN = {"|": "&#124;", "*": "&#42;", "_": "&#95;", "\n": " "}  # which Markdown would read inside a formula


def written(match: re.Match[str]) -> str:
    """Return a formula of a cell as MathML."""
    latex, display = (match["block"] or match["inline"]).strip(), "block" if match["block"] else "inline"
    if display == "block" and ROWS.search(latex) and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    return mathml(latex, display).translate(str.maketrans(MARKDOWN))


class Deck(Preprocessor):
    """Write formulas as MathML, hide the code of figures, and give the template what a deck loads."""

    def preprocess(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the notebook and the resources of its deck."""
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = FORMULA.sub(written, cell.source)
            elif "figure" in cell.metadata.get("tags", ()):
                cell.metadata["transient"] = {"remove_source": True}
        reveal = files("sphinx_revealjs") / "_static" / "revealjs" / "dist"
        names = {"script": "reveal.js", "style": "reveal.css"}
        font = (files("ziamath") / "fonts" / FONT).read_bytes()
        heading = next(line.lstrip("# ") for cell in nb.cells for line in cell.source.splitlines() if line[:1] == "#")
        resources["deck"] = {name: (reveal / file).read_text(encoding="utf-8") for name, file in names.items()}
        resources["deck"] |= {"font": base64.b64encode(font).decode("ascii"), "title": html.escape(heading)}
        resources["deck"] |= {"width": WIDTH, "height": HEIGHT}
        return nb, resources
