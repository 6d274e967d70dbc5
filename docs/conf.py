"""How Sphinx builds the site: ``sphinx-build -W docs docs/_build/html``. No page asks the network for anything."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_extensions")]

# Fifteen kernels import the same packages: where bytecode is not to be kept beside them, it is kept with the site.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ["PYTHONPYCACHEPREFIX"] = str(HERE / "_build" / "bytecode")

# Two kernels run side by side: a BLAS that has threads of its own would have both wait for each other.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

project, author, copyright = "mixture-twins", "the authors of mixture-twins", "the authors of mixture-twins"
release = version = installed_version("mixture-twins")

extensions = ["mathml", "pages", "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_design"]
exclude_patterns = ["_build", "_templates", "_extensions"]
templates_path = ["_templates"]
html_static_path = ["_static"]

# Pages and notebooks are run once, by myst-nb; an error, a warning in a cell, or one of Sphinx fails the build.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "executed")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "warn"
nb_merge_streams = True
nb_ipywidgets_js: dict[str, Any] = {}  # the default is two scripts from the network
html_math_renderer = "mathml"
highlight_language = "text"

# The reference: docstrings in numpydoc's form; members that are inherited from other libraries are left out.
autosummary_generate = sorted(str(path) for path in (HERE / "reference").glob("*.md"))
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
suppress_warnings = ["ref.citation"]  # references are lists of reading, cited in the text by author and year
OURS = "models", "em", "comparisons"

html_theme = "pydata_sphinx_theme"
html_title = "mixture-twins"
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {
    page: [] for page in ["index", "tutorial", "formulas", "glossary", "names", "accuracy", "speed", "notebooks/*"]
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 9,
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "back_to_top_button": False,
    "logo": {"text": "mixture-twins"},
}


def skip_foreign(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what scikit-learn, dataclasses and the like put into our classes."""
    home = getattr(member, "__module__", None) or getattr(getattr(member, "fget", None), "__module__", None)
    return True if isinstance(home, str) and home.split(".")[0] not in OURS else None


def keep_formulas(app: Any, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Show indented lines of a module's docstring as they stand: they are formulas, which a paragraph would join."""
    if what != "module":
        return
    for at in reversed(range(2, len(lines))):
        starts = lines[at].startswith("    ") and not lines[at - 1].strip() and lines[at - 2][:1].strip()
        if starts and not lines[at - 2].rstrip().endswith("::"):
            lines[at:at] = ["::", ""]


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("autodoc-process-docstring", keep_formulas)
    app.connect("autodoc-skip-member", skip_foreign)
