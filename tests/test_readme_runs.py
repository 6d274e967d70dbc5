"""What README and site show is true: their Python runs as written, commands begin their work, files exist."""

import contextlib
import importlib
import pkgutil
import re
import shlex
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import typer
from sessions import Session
from typer.testing import CliRunner

from comparisons.comparison.command import application
from comparisons.families import family_names

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?:\{code-cell\} )?python\n(?:^:tags:[^\n]*\n)?(.*?)^```", re.MULTILINE | re.DOTALL)
MADE = {"_build", "generated"}  # folders that the site's build makes
PAGES = sorted(
    path
    for path in ROOT.glob("**/*.md")
    if not MADE & set(path.parts) and not path.relative_to(ROOT).parts[0].startswith(".")
)
COMMAND = re.compile(r"python -m ((?:comparisons|benchmarks)\b[.\w]*)([^`|\n]*)")
MADE_UP = {"negbin": "pmm", "gammas": "pmm", "n-successes": "exposure"}  # what pages add, and what stands for it here
# Where each command begins its work, once it has read and checked what it was given.
WORK = {
    "comparisons.comparison.steps": ["run"],
    "comparisons.components.criteria": ["compare_components"],
    "comparisons.concentration": ["sweep"],
    "comparisons.calibration.steps": ["calibrate"],
    "comparisons.auditing.files": ["fit_of"],
    "comparisons.coursework.marking.folder": ["mark"],
    "comparisons.coursework.release": ["release"],
    "comparisons.coursework.script": ["checks_of"],
    "benchmarks.agreement.__main__": ["against_long_run", "of_many_samples", "against_enumeration"],
    "benchmarks.alignment": ["measured"],
    "benchmarks.calls": ["calls"],
    "benchmarks.cluster.__main__": ["agreement", "constants", "on_disk", "overhead", "rival", "speed"],
    "benchmarks.em": ["passes"],
    "benchmarks.explorer": ["look"],
    "benchmarks.found": ["nats_above"],
    "benchmarks.judged": ["fit"],
    "benchmarks.laplace": ["measured"],
    "benchmarks.optimum": ["table"],
    "benchmarks.memmap": ["table"],
    "benchmarks.digits": ["table"],
    "benchmarks.stream": ["stationary"],
    "benchmarks.posterior.__main__": ["measure_all", "draw_costs"],
    "benchmarks.fuzz.command": ["results", "draw"],
}


def python_blocks(page):
    """Return the Python of a page, block by block; line numbers are those of the page."""
    text = page.read_text(encoding="utf-8")
    return ["\n" * text.count("\n", 0, found.start(1)) + found[1] for found in BLOCK.finditer(text)]


WITH_PYTHON = {
    page.relative_to(ROOT).as_posix(): blocks
    for page in PAGES
    if page.name != "CONTRIBUTING.md" and (blocks := python_blocks(page))  # its blocks are files: test_a_family_...
}
# These run in `test_comparison_of_faithful`, which has made their comparison.
WITH_FAITHFUL = sorted(name for name, blocks in WITH_PYTHON.items() if "import compare\n" in "".join(blocks))


def run_page(name, folder):
    """Run a page in a folder, warnings being errors; PyMC draws little and animations are short: no text shows them."""
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        sample, fewer = pm.sample, {"draws": 20, "tune": 100, "chains": 2}
        patch.setattr(pm, "sample", lambda **settings: sample(**settings | fewer))
        patch.setattr(plt, "show", lambda: None)
        patch.setattr("em.plots.animation._chosen", lambda length, most: [0, length - 1])
        done = Session(WITH_PYTHON[name], ROOT / name, folder)
    plt.close("all")
    return done


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Return a function that runs a how-to page once and remembers what it did."""
    return cache(lambda name: run_page(f"docs/howto/{name}.md", tmp_path_factory.mktemp("page")))


def test_the_pages_that_show_a_comparison_are_these():
    assert WITH_FAITHFUL == ["README.md", "docs/howto/compare.md", "docs/tutorial.md"]


@pytest.mark.parametrize("name", sorted({*WITH_PYTHON} - {*WITH_FAITHFUL}))
def test_every_python_block_runs_as_written(session, name):
    assert session(Path(name).stem).shown


def test_what_is_called_a_table_is_printed_as_one(session):
    selection = session("number_of_components").shown["selection"]
    for word in ("n_components", "covariance_type", "AIC", "BIC", "ICL", "status", "\n*"):
        assert word in selection
    found = session("fit")
    for start, source in [("fit.uncertainty(X)", "Louis"), ("fit.uncertainty(X, kind", "bootstrap")]:
        table = found.printed(start)
        assert source in table.splitlines()[0]
        assert re.search(r"weights\[0\] +0\.\d+ +0\.\d+", table)
    assert re.search(r"means\[0, eruptions\] +[\d.]+ +0\.0", found.printed("named.summary("))
    diagnosis = session("other_samplers").printed("diagnosis")
    assert 0 < diagnosis.index("R-hat") < diagnosis.index("label-free") < diagnosis.index("aligned by rule pivot")


def test_what_the_comments_about_estimators_say_is_so(session):
    fitted, saved = session("fit").names, session("saving_and_reports")
    X, fit = fitted["X"], fitted["fit"]
    assert fitted["is_anomaly"](fit, X).mean() == pytest.approx(0.04, abs=1 / len(X))
    weights = session("weights").names
    assert len(weights["rows"]) < len(X)
    assert weights["weighted"].log_likelihood_ == pytest.approx(weights["repeated"].log_likelihood_, rel=1e-9)
    loaded = saved.names["em"].load(saved.folder / "faithful.json")
    np.testing.assert_array_equal(loaded.means_, saved.names["fit"].means_)
    missing = session("missing_cells").names
    assert not np.isnan(missing["observed"].impute(missing["X_with_nan"])).any()


def test_what_the_page_about_own_data_prints_names_columns(session):
    names = session("own_data").names
    notes = "\n".join(names["dataset"].notes)
    for word in ("length, waiting", "'count' holds frequencies of 9", "'id'", "waiting 1", "'3,6'"):
        assert word in notes
    with pytest.raises(ValueError, match="remark"):
        names["read"](session("own_data").folder / "free_text.csv", "gmm")


def test_what_the_comments_about_the_posterior_say_is_so(session):
    names = session("posterior").names
    assert set(names["posterior"].posterior.dims) > {"chain", "draw", "component", "feature"}
    few, prior = names["X"][:10], names["prior"]
    assert names["variational"](few, 2, prior, random_state=0).elbo <= names["exact"].log_evidence
    draws = session("other_samplers").names["draws"]
    assert set(draws.posterior.dims) == {"chain", "draw", "component", "mu_dim_1"}


def typer_application(module):
    """Return the command line that ``python -m module`` starts, and refuse a module that starts none."""
    file = importlib.import_module(module)
    if hasattr(file, "__path__"):  # a package
        file = importlib.import_module(f"{module}.__main__")
    assert 'if __name__ == "__main__":' in Path(file.__file__).read_text(encoding="utf-8")
    if (family := module.removeprefix("comparisons.")) in family_names():
        return application(family)
    if hasattr(file, "app"):  # of several commands
        return file.app
    app = typer.Typer(rich_markup_mode=None)
    app.command()(file.main)
    return app


class WorkBegins(Exception):  # noqa: N818
    """Raised where a command would begin its work."""


@pytest.fixture
def begin(monkeypatch, tmp_path):
    """Return a function that asserts that a command reaches its work, in a folder with the files that pages name."""

    def work(*_, **__):
        raise WorkBegins

    for module, names in WORK.items():
        for name in names:
            monkeypatch.setattr(importlib.import_module(module), name, work)
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("")
    Path("mine.csv").write_text("a,b,count\n0,1,3\n1,1,4\n1,0,2\n0,0,2\n")
    Path("flu.csv").write_text("population,flu\n50,1\n120,4\n80,0\n")
    Path("shots.csv").write_text("shots,goals\n5,1\n12,4\n8,0\n")
    pd.DataFrame({"a": [0.5, 2.5, 4.0, 9.0], "b": [1.5, 0.0, 3.5, 2.0]}).to_parquet("mine.parquet")

    def run(module, arguments):
        result = CliRunner().invoke(typer_application(module), arguments)
        if "--help" in arguments:
            assert result.exit_code == 0, result.output
        else:
            assert isinstance(result.exception, WorkBegins), (
                f"{module} {arguments}: {result.output} {result.exception!r}"
            )

    return run


def there(text):
    """Return a text of families that are there."""
    for made_up, family in MADE_UP.items():
        text = text.replace(made_up, family)
    return text


def commands(text):
    """Return module and arguments of every command line of this project that a text shows."""
    found = COMMAND.finditer(there(text))
    return [(command[1], shlex.split(command[2], comments=True)) for command in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_line_of_a_page_begins_its_work(begin, page):
    for module, arguments in commands(page.read_text(encoding="utf-8")):
        begin(module, arguments)


def test_every_command_line_of_docstrings_and_help_begins_its_work(begin):
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "comparisons").rglob("*.py"))]
    quoted = "\n".join(line for text in texts for line in re.findall(r"``(python -m [^`]+)``", text))
    shown = commands(quoted)
    shown += [c for family in family_names() for c in commands(application(family).registered_commands[0].epilog)]
    assert {f"comparisons.{name}" for name in (*family_names(), "components", "calibration")} < {
        name for name, _ in shown
    }
    for module, arguments in shown:
        begin(module, arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_option_shown_on_its_own_is_known_to_a_command_of_the_page(page):
    text = there(page.read_text(encoding="utf-8"))
    options = set(re.findall(r"`(--[a-z-]+)[^`\n]*`", text)) - {"--help"}
    known = set()
    for module in {module for module, _ in commands(text)}:
        command = typer.main.get_command(typer_application(module))
        parameters = [p for each in (command, *getattr(command, "commands", {}).values()) for p in each.params]
        known |= {option for parameter in parameters for option in parameter.opts + parameter.secondary_opts}
    assert options <= known


def test_a_command_line_that_is_wrong_does_not_pass(begin):
    """The check can fail: an option that is none, a value that is none, a data set that is none."""
    for wrong in (["--drawz", "5"], ["--covariance", "round"], ["--data", "geyser"]):
        with pytest.raises(AssertionError, match=wrong[1]):
            begin("comparisons.gmm", wrong)


def test_every_file_in_the_table_of_formulas_exists():
    page = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")
    files = re.findall(r"`([\w/]+\.py)`", page[page.index("## Where the formulas stand") :])
    assert len(files) > 40
    assert [name for name in files if not (ROOT / name).exists()] == []


def prose():
    """Return what pages and notebooks say, by file; the made-up family of CONTRIBUTING.md becomes the Poisson one."""
    texts = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
    del texts["CHANGELOG.md"]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        texts[path.name] = "\n".join(
            cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"
        )
    return {name: there(text) for name, text in texts.items()}


@pytest.mark.parametrize("text", prose().values(), ids=prose())
def test_every_file_and_every_dotted_name_in_prose_exists(text):
    files = re.findall(r"`((?:em|models|comparisons|benchmarks|tests|docs)/[\w/]+\.\w+)`", text)
    kept = [file for file in files if not file.startswith("docs/_build/")]  # what a build makes is not kept
    assert [file for file in kept if not (ROOT / file).exists()] == []
    for dotted in re.findall(r"`~?((?:em|models|comparisons|benchmarks)(?:\.\w+)+)", text):
        assert pkgutil.resolve_name(dotted) is not None


def test_the_first_command_writes_where_the_readme_says(begin, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "comparisons.comparison.command.check_writable", lambda folder: asked.append(folder.as_posix()) or folder
    )
    begin("comparisons.gmm", [])
    (folder,) = re.findall(r"It writes figures, .*?to\s`(results/[\w-]+)/`", README, re.DOTALL)
    assert asked == [folder]
