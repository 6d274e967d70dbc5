"""Formulas as MathML, made while the site is built: browsers draw it without a script and without the network.

The font of its letters and brackets, STIX Two Math, is the one that ziamath brings; it is copied into the site.
"""

import re
import unicodedata
from importlib.resources import files
from pathlib import Path
from shutil import copyfile
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

FONT = "STIXTwoMath-Regular.ttf"
ROWS = re.compile(r"(?<!\\)\\\\|&")  # lines or columns without an environment around them
FUNCTION = re.compile(r"(\\(?:log|exp|max|min))(?=\s*(?!\\left|\\[bB]igl|\\,|\\;)[\\a-zA-Z0-9])")  # before no bracket
BEFORE_FUNCTION = re.compile(r"(?<=[a-zA-Z0-9}\])])\s*(?=\\(?:log|exp)(?![a-zA-Z]))")
ALPHABET = re.compile(r'<mi mathvariant="(script|double-struck)">([A-Z])</mi>')  # browsers know letters, not variants
NAMES = {"script": ("SCRIPT CAPITAL", "MATHEMATICAL SCRIPT CAPITAL"), "double-struck": ("DOUBLE-STRUCK CAPITAL",)}
TEXT = re.compile(r"\\text\{([^{}]*)\}")
MARKS = {"<": "\ue000", ">": "\ue001"}  # stand for what MathML must escape, while LaTeX is read
TILDE = "<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>"  # "is distributed as" is a relation, with space around it
BARS = {r"\lvert": "\ue002", r"\rvert": "\ue003", r"\lVert": "\ue004", r"\rVert": "\ue005"}  # stand for them likewise
BAR = re.compile(r"\\[lr][vV]ert(?![a-zA-Z])")
FENCE = '<mo form="{}" stretchy="false">{}</mo>'  # else the first is as high as the line, and the last is not
FENCES = [FENCE.format(form, bar) for bar in "|\u2016" for form in ("prefix", "postfix")]


def letter(match: re.Match[str]) -> str:
    """Return the letter of a script or double-struck alphabet."""
    for name in NAMES[match[1]]:
        try:
            return f"<mi>{unicodedata.lookup(f'{name} {match[2]}')}</mi>"
        except KeyError:
            continue
    return match[0]


def mathml(latex: str, display: str) -> str:
    """Return a formula as MathML."""
    latex = FUNCTION.sub(r"\1\\,", BEFORE_FUNCTION.sub(r"\\,", latex.replace(r"\arg", r"\operatorname{arg}")))
    latex = TEXT.sub(lambda match: match[0].translate(str.maketrans(MARKS)), latex)
    latex = BAR.sub(lambda match: BARS[match[0]], latex)
    written = ALPHABET.sub(letter, convert(latex, display=display).replace(*TILDE))
    for mark, fence in zip(BARS.values(), FENCES, strict=True):
        written = written.replace(f"<mi>{mark}</mi>", fence)
    return written.replace(MARKS["<"], "&lt;").replace(MARKS[">"], "&gt;")


def visit_math(self: Any, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    self.body.append(f'<span class="math">{mathml(node.astext(), "inline")}</span>')
    raise nodes.SkipNode


def visit_display(self: Any, node: nodes.math_block) -> None:
    """Write a formula on its own line; rows without an environment are aligned."""
    latex = node.astext().strip()
    if ROWS.search(latex) and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    self.body.append(f'<div class="math">{mathml(latex, "block")}</div>\n')
    raise nodes.SkipNode


def copy_font(app: Any, exception: Exception | None) -> None:
    """Put the font beside the site's style sheet, which names it."""
    if exception is None and app.builder.format == "html":
        copyfile(str(files("ziamath") / "fonts" / FONT), Path(app.outdir) / "_static" / FONT)


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer; ``html_math_renderer = "mathml"`` takes it."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_display, None))
    app.connect("build-finished", copy_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
