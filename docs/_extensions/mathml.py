"""Formulas as MathML, made while the site is built: browsers draw it without a script and without the network."""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

BARE_ALIGNMENT = re.compile(r"(?<!\\)\\\\|&")  # lines or columns without an environment around them


def visit_math(self: Any, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    self.body.append(f'<span class="math">{convert(node.astext(), display="inline")}</span>')
    raise nodes.SkipNode


def visit_display(self: Any, node: nodes.math_block) -> None:
    """Write a formula on its own line; rows without an environment are aligned."""
    latex = node.astext().strip()
    if BARE_ALIGNMENT.search(latex) and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    self.body.append(f'<div class="math">{convert(latex, display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer; ``html_math_renderer = "mathml"`` takes it."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
