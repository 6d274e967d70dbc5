"""What the pages of the site claim of the program: names resolve, numbers are held by tests."""

import importlib.util
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import comparisons
import em
from comparisons.data import load
from comparisons.families import family_names
from em import GaussianMixtureEM

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ROLE = re.compile(r"\{(?:func|class|mod|meth|attr)\}`~?([\w.]+)`")
LISTED = re.compile(r"^   ((?:em|models|comparisons)\.[\w.]+)$", re.MULTILINE)


def text_of(name):
    return (DOCS / name).read_text(encoding="utf-8")


def module_of(path):
    """Return a Python file of the site as a module."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


REFERENCE = {
    name for page in sorted((DOCS / "reference").glob("*.md")) for name in LISTED.findall(page.read_text("utf-8"))
}


def test_every_public_name_has_a_page_of_the_reference():
    modules = {"gmm", "bmm", "cmm", "pmm", "plots"}
    public = {f"em.{name}" for name in em.__all__ if name not in modules}
    public |= {f"comparisons.{name}" for name in comparisons.__all__}
    for family in family_names():
        public |= {f"models.{family}", f"em.{family}.e_step", f"em.{family}.m_step"}
        public |= {f"models.{family}.{name}" for name in importlib.import_module(f"models.{family}").__all__}
    public |= {f"em.plots.{name}" for name in vars(em.plots) if name.startswith(("plot", "animate", "draw"))}
    missing = sorted(public - REFERENCE)
    assert not missing, "add to a page of docs/reference:\n   " + "\n   ".join(missing)


def test_every_name_of_the_reference_exists():
    assert all(pkgutil.resolve_name(name) is not None for name in REFERENCE)


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_code_reference_of_a_page_resolves_and_is_linked(page):
    for name in ROLE.findall(page.read_text(encoding="utf-8")):
        assert pkgutil.resolve_name(name) is not None
        assert name in REFERENCE, f"{name} has no page of the reference, so the link would be dead"


def test_the_map_leads_from_each_formula_to_code():
    page = text_of("formulas.md").split("## Where the formulas stand")[0]
    rows = [row for row in page.splitlines() if row.startswith("|") and "$" in row]
    assert len(rows) > 35
    name = re.compile(r"`(?:(?:em|models|comparisons)\.[\w.]+|covariance_type=\"\w+\")`")
    assert [row for row in rows if not name.search(row)] == []
    for structure in re.findall(r'`covariance_type="(\w+)"`', page):
        GaussianMixtureEM(2, covariance_type=structure, n_init=1, max_iter=1, tol=1e9, random_state=0).fit(
            load("faithful").X
        )


def test_the_formula_sheet_is_the_map_with_the_file_of_each_formula_and_fits_one_page():
    sheet = module_of(DOCS / "formula_sheet.py")
    rows = [row for section in sheet.sections() for row in section.rows]
    page = text_of("formulas.md").split("## Where the formulas stand")[0]
    assert len(rows) == sum(row.startswith("|") and "$" in row for row in page.splitlines())
    for row in rows:
        assert all("$" in formula for formula in row.formulas)
        assert row.files, f"{row.words}: no function is named"
        assert all(
            (ROOT / file).is_file() and file.split("/")[0] in ("models", "em", "comparisons") for file in row.files
        )
    by_words = {row.words: row for row in rows}
    assert by_words["most probable label"].files == ["em/predictions.py"]
    assert len(by_words["means"].formulas) == 2
    assert len(rows) <= 52  # printed: 46 rows take nine tenths of a page


def test_our_names_beside_those_of_other_software_exist():
    fitted = GaussianMixtureEM(2, random_state=0).fit(load("faithful").X)
    classes = em.CategoricalMixtureEM(2, n_init=1, random_state=0).fit(load("hair-eye-color").X)
    summary = vars(pkgutil.resolve_name("em.cmm.latent_classes.LatentClasses"))["__annotations__"]
    ours = set()
    for row in text_of("names.md").splitlines():
        theirs, *here = row.strip("| ").split("|") if row.startswith("|") else ("",)
        cell = theirs if here and here[0].strip() == "the same" else "|".join(here)
        ours |= {name.split("=")[0].split("(")[0] for name in re.findall(r"(?<!\})`([a-z_]+(?:[=(][^`]*)?)`", cell)}
    known = {*dir(fitted), *dir(classes), *dir(em.KMeans), *summary, "n_clusters", "cluster_centers_", "inertia_"}
    known |= {*em.VariationalMixture().get_params(), *em.KMeans().get_params(), "labels_", "lower_bound_", "criterion"}
    known |= {"reg_covar", "log_likelihood_", "score"}  # theirs, in the column of differences
    assert {"weights_", "n_init", "criterion", "predict_proba", "g_squared"} < ours
    assert ours - known == set()


def test_every_number_of_the_accuracy_page_is_held_by_a_test():
    held = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("tests/test_*.py")))
    numbers = re.findall(r"(?<![\w.-])-?\d+\.\d{3,}", text_of("accuracy.md"))
    assert len(numbers) > 30
    assert [number for number in numbers if number.lstrip("-") not in held] == []


def test_the_figure_of_the_readme_is_the_fit():
    figure = module_of(DOCS / "figure.py")
    X = load("faithful").X
    drawn, kept = (re.split(r"(-?\d+\.\d)", text) for text in (
        figure.drawn(GaussianMixtureEM(2, random_state=0).fit(X), X), figure.FILE.read_text(encoding="utf-8")
    ))  # fmt: skip
    assert drawn[::2] == kept[::2]
    assert [float(number) for number in drawn[1::2]] == pytest.approx(
        [float(number) for number in kept[1::2]], abs=0.11
    )
    assert f"docs/_static/{figure.FILE.name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_is_short_and_says_how_to_build_the_site():
    readme, contributing = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    assert len(readme.splitlines()) <= 150
    (command,) = re.findall(r"^python -m uv run --group docs .*$", readme, re.MULTILINE)
    assert command in contributing
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_links_of_the_readme_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_configuration_of_the_site_asks_the_network_for_nothing():
    conf, css = text_of("conf.py"), text_of("_static/site.css")
    assert "intersphinx" not in conf
    assert "http" not in conf + css
    assert 'html_math_renderer = "mathml"' in conf
    assert "sphinx.ext.mathjax" not in conf
    assert "sphinx" not in sys.modules  # the tests do not need the group that builds the site


def test_bars_about_a_determinant_and_a_norm_are_of_one_height():
    pytest.importorskip("docutils", reason="the group that builds the site")
    pytest.importorskip("latex2mathml")
    written = module_of(DOCS / "_extensions" / "mathml.py").mathml(
        r"\log \lvert\Sigma\rvert + \lVert x\rVert^2", "inline"
    )
    bars = re.findall(r'<mo form="(\w+)" stretchy="false">(.)</mo>', written)
    assert bars == [("prefix", "|"), ("postfix", "|"), ("prefix", "‖"), ("postfix", "‖")]
