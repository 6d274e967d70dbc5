"""Bad input ends with exit code 2 and a sentence that says what was given and what would do; nothing is written."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from comparisons import concentration
from comparisons.comparison.command import application, prepare_case
from comparisons.comparison.problem import prepare
from comparisons.data import load, read_csv
from comparisons.declarations import Case
from models.gmm import GMMIndependentPrior, GMMPrior


def invoke(family, *arguments):
    return CliRunner().invoke(application(family), list(arguments))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def refused(result, *words):
    assert result.exit_code == 2, result.output
    for word in words:
        assert word in result.output


def test_an_unknown_data_set_lists_the_known_ones(out):
    refused(invoke("gmm", "--data", "geyser", "--out", str(out)), "geyser", "faithful")
    assert not out.exists()


def test_lists_of_a_flag_that_is_given_twice_are_joined(tmp_path, out):
    """So that what a refusal advises can be added to the command that was refused."""
    lines = "remark,x,town,y\na long one,1.5,Ulm,k. A.\nshort,2.5,Bonn,3.1\nwindy,3.1,Trier,-9\nwet,0.3,Fulda,9\n"
    (tmp_path / "mine.csv").write_text(lines)
    given = ["--data", str(tmp_path / "mine.csv"), "--missing", "k. A.", "--missing", "-9", "--components", "9"]
    refused(invoke("gmm", *given, "--drop", "town"), "--drop remark leaves out this column")
    both = invoke("gmm", *given, "--drop", "town", "--drop", "remark")
    refused(both, "left out, as asked: town, remark", "missing: 2 of 8 cells", "n_components")
    refused(invoke("gmm", *given, "--drop", ""), "drop must list names")
    refused(invoke("gmm", *given, "--columns", "x", "--columns", "z"), "columns must name columns of the file", "'z'")


def test_a_missing_file_is_named(out):
    refused(invoke("gmm", "--data", "missing.csv", "--out", str(out)), "missing.csv", "does not exist")
    assert not out.exists()


def test_a_file_without_its_flag_is_told_the_flag(out):
    refused(invoke("gmm", "mine.csv", "--out", str(out)), "'mine.csv' has no flag before it: write --data mine.csv")
    refused(
        invoke("gmm", "--columns", "a,", "b", "--out", str(out)), "'b' has no flag before it: a list", "needs quotes"
    )
    assert not out.exists()


def test_an_argument_of_another_name_is_named_by_its_flag(tmp_path, out):
    (tmp_path / "answers.csv").write_text("x,y\n1,0\n0,0\n0,1\n1,1\n0,1\n1,0\n")
    refused(invoke("gmm", "--components", "0", "--out", str(out)), "Error: --components: n_components must be", "got 0")
    refused(invoke("gmm", "--restarts", "0", "--out", str(out)), "Error: --restarts: n_init must be")
    refused(invoke("gmm", "--draws", "5", "--out", str(out)), "Error: draws must be")
    refused(invoke("bmm", "--data", str(tmp_path / "answers.csv"), "--trials", "0"), "Error: --trials: n_trials must")
    assert not out.exists()


def test_an_empty_name_of_data_is_told_the_built_in_ones():
    refused(invoke("gmm", "--data", ""), "data must be a file of your own", "built in (faithful, ", "got ''")


def test_data_of_the_other_family_name_the_other_command(out):
    refused(invoke("gmm", "--data", "lsat7", "--out", str(out)), "comparisons.bmm")


def test_an_out_folder_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "taken"
    file.write_text("mine")
    for out in (file, file / "inside"):
        result = invoke("gmm", "--out", str(out))
        refused(result, "cannot be written to: a file stands there")
        assert "Errno" not in result.output
    assert file.read_text() == "mine"


def test_results_of_two_families_on_one_file_have_two_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("x,y\n1,0\n0,0\n0,1\n1,1\n0,1\n1,0\n")
    (tmp_path / "results").write_text("a file, so that no folder can be made")
    for family in ("gmm", "bmm"):
        refused(invoke(family, "--data", "mine.csv"), f"results/mine-{family}-2", "cannot be written")
    refused(invoke("gmm", "--data", "faithful"), "results/faithful-2", "cannot be written")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--components", "0", ["n_components", "0"]),
        ("--components", "500", ["n_components", "500", "272"]),
        ("--draws", "5", ["draws", "5"]),
        ("--chains", "1", ["chains", "1"]),
        ("--seed", "-1", ["seed", "-1"]),
        ("--prior", "scale=2", ["scale", "matrix"]),
        ("--prior", "concentration=0.5", ["concentration", "at least 1"]),
        ("--prior", "shape=2", ["shape", "degrees_of_freedom"]),
        ("--prior", "covariance_type=diag", ["covariance_type", "degrees_of_freedom"]),
        ("--prior", "mean_precision=much", ["mean_precision", "much"]),
        ("--prior-family", "uniform", ["prior-family", "conjugate, half-normal, inverse-gamma", "uniform"]),
        ("--prior-family", "half-normal", ["MAP by EM", "no closed form", "diag"]),
        ("--draws", "many", ["--draws", "integer"]),
        ("--covariance", "round", ["--covariance", "round", "spherical"]),
    ],
)
def test_bad_options_are_named(out, option, value, words):
    refused(invoke("gmm", option, value, "--out", str(out)), *words)
    assert not out.exists()


def test_a_number_of_components_of_the_sweep_is_named_by_its_flag(out):
    command = typer.Typer()
    command.command()(concentration.main)
    result = CliRunner().invoke(command, ["--components", "0", "--out", str(out)])
    refused(result, "--components: n_components must be a whole number of at least 1, got 0")
    assert not out.exists()


def test_a_prior_under_which_map_collapses_is_told_after_the_fit(out):
    options = ["--data", "collapsing", "--covariance", "diag", "--prior-family", "half-normal", "--out", str(out)]
    refused(invoke("gmm", *options), "prior must keep variances from 0 on these data", "inverse gammas")
    assert not out.exists()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers overflow on the way
@pytest.mark.parametrize("number", ["mean_precision=1e300", "degrees_of_freedom=1e300"])
def test_a_prior_whose_density_fits_no_float_is_told_before_the_draws(out, number):
    options = ["--data", "faithful", "--restarts", "2", "--prior", number, "--out", str(out)]
    refused(invoke("gmm", *options), "prior must have numbers not too far from those of weakly_informative()")
    assert not out.exists()


@pytest.mark.parametrize(
    ("family", "text", "words"),
    [
        ("gmm", "", ["empty"]),
        ("gmm", "a,b\n", ["no rows"]),
        ("gmm", "a,b\n1,2\n3,x\n", ["line 3", "column 'b', got 'x'", "--drop b"]),
        ("gmm", "a,b\n1,2\n3\n", ["line 3", "expected 2 cells"]),
        ("gmm", "a,b\n1,2\n", ["X"]),
        ("gmm", "a,b\n1.5,\n2,nan\n3,NA\n", ["column 'b' has no observed cell", "--drop b"]),
        ("gmm", "a,b\n1,2\n1,inf\n2,1\n", ["line 3", "column 'b', got 'inf'"]),
        ("bmm", "a,count\n0,1\n1,\n", ["count", "whole numbers"]),
        ("gmm", "a,b\n1,2\n1,3\n1,4\n", ["constant column 'a'"]),
        ("gmm", "1,2,3\n3,4,4\n", ["line 1", "names or data"]),
        ("gmm", "a,a\n3,4\n", ["different name"]),
        ("gmm", "a,count\n3,1e12\n", ["count", "at most"]),
        ("bmm", "a,b\n0,1\n2,1\n0,0\n", ["line 3", "column 'a', got 2", "n_trials is 1"]),
        ("bmm", "a,count\n0,1.5\n", ["count", "whole numbers"]),
    ],
)
def test_bad_files_are_explained(tmp_path, out, family, text, words):
    file = tmp_path / "mine.csv"
    file.write_text(text)
    refused(invoke(family, "--data", str(file), "--out", str(out)), *words)
    assert not out.exists()


def test_a_count_column_repeats_rows(tmp_path):
    file = tmp_path / "patterns.csv"
    file.write_text("a, b ,count\n0,1,2\n1,1,3\n0,0,0\n")
    dataset = read_csv(file, "bmm")
    assert dataset.X.tolist() == [[0, 1]] * 2 + [[1, 1]] * 3
    assert dataset.feature_names == ("a", "b")


def test_empty_cells_and_nan_and_na_are_missing(tmp_path):
    file = tmp_path / "holes.csv"
    file.write_text("a,b,count\n0, ,2\nnan,1,1\n1,NA,1\n,,3\n1,0,1\n")
    expected = [[0, np.nan]] * 2 + [[np.nan, 1], [1, np.nan]] + [[np.nan, np.nan]] * 3 + [[1, 0]]
    np.testing.assert_array_equal(read_csv(file, "bmm").X, expected)


def test_the_prior_of_a_structure_is_changed_within_it():
    """--prior with --covariance: the numbers change, the structure stays that of the mixture."""
    dataset, case = load("faithful"), Case("faithful", 2, {"covariance_type": "diag"})
    found = prepare_case(dataset, case, prior="degrees_of_freedom=7,scale=2")
    assert (found.prior.covariance_type, found.prior.degrees_of_freedom) == ("diag", 7)
    np.testing.assert_array_equal(found.prior.scale, [2, 2])
    with pytest.raises(ValueError, match=r"prior.covariance_type must be 'diag' like the mixture's, got 'full'"):
        prepare(dataset.X, "gmm", 2, GMMPrior.weakly_informative(dataset.X, 2), covariance_type="diag")


def test_a_family_with_one_default_prior_asks_for_none():
    assert "--prior-family" in invoke("gmm", "--help").output
    assert "--prior-family" not in invoke("pmm", "--help").output


def test_the_prior_family_is_chosen_and_its_numbers_changed():
    dataset, case = load("faithful"), Case("faithful", 2, {"covariance_type": "diag"})
    found = prepare_case(dataset, case, prior="scale=2", prior_family="half-normal")
    assert isinstance(found.prior, GMMIndependentPrior)
    np.testing.assert_array_equal(found.prior.scale, [2, 2])
    with pytest.raises(ValueError, match=r"prior must be name=value.*, mean, mean_sd, scale, correlation_shape"):
        prepare_case(dataset, case, prior="variance_shape=2", prior_family="half-normal")
    with pytest.raises(ValueError, match="prior-family must be one of conjugate, got 'half-normal'"):
        prepare_case(load("lsat7"), Case("lsat7", 2), prior_family="half-normal")


@pytest.mark.parametrize("family", ["gmm", "bmm"])
def test_help_tells_data_verdicts_files_and_exit_codes(family):
    result = invoke(family, "--help")
    assert result.exit_code == 0
    for word in [
        "--components",
        "--prior",
        "--seed",
        "Built-in data",
        "comparison.json",
        "Exit code",
        "not identified",
    ]:
        assert word in " ".join(result.output.replace("│", " ").split())


def test_built_in_data_are_what_their_sources_say():
    shapes = {
        "faithful": (272, 2),
        "galaxies": (82, 1),
        "iris": (150, 4),
        "lsat7": (1000, 5),
        "saxony": (6115, 1),
        "digits-binary": (1797, 64),
        "digits-counts": (1797, 64),
    }
    assert {name: load(name).X.shape for name in shapes} == shapes
    assert load("galaxies").X[77, 0] == 26.69
    assert load("saxony").X.sum() == 6115 * 12 * 0.5192150449713818
