"""The fuzzer: no invariant is violated in a slice of it, and each planted fault violates the invariant of its name."""

import warnings

import numpy as np
import pytest
from scipy.sparse import issparse
from scipy.special import logsumexp
from scipy.stats import binom, multivariate_normal
from typer import Typer
from typer.testing import CliRunner

import em
from benchmarks.fuzz import check, command
from benchmarks.fuzz.cases import IMPORTS
from benchmarks.fuzz.check import FITTED, IN_TIME, NAMED, NAMES, RAISED, REFUSED, WARNED, Verdicts
from benchmarks.fuzz.command import main, results
from benchmarks.fuzz.draws import draw
from benchmarks.fuzz.reference import binomial_reference, exact_log_binomial, gaussian_reference
from em import BernoulliMixtureEM, GaussianMixtureEM, KMeans
from em.estimator import MixtureEM
from em.fitted import FittedMixture
from models.gmm import GMMParameters

# In these cases every invariant has something to say: the last has columns that are never observed together, and the
# four that take a third of the time of the first forty are left out.
SEED, SLICE = 24, [*(number for number in range(40) if number not in (1, 11, 12, 28)), 76]


def dense(X):
    return X.toarray() if issparse(X) else X


def command_line(*arguments):
    app = Typer()
    app.command()(main)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def verdicts_of_slice():
    """Verdicts of the slice by number."""
    with results(SEED, SLICE, jobs=1) as verdicts:
        return {of.number: of.by_invariant for of in verdicts}


def test_no_invariant_is_violated_in_a_slice(verdicts_of_slice):
    assert {name for of in verdicts_of_slice.values() for name in of} == set(NAMES)
    assert [(number, name, said) for number, of in verdicts_of_slice.items() for name, said in of.items() if said] == []


# A case depends on its seed and number alone --------------------------------------------------------------------------


def test_a_case_is_the_program_that_it_prints():
    for number in (3, 17, 40, 41):
        case, names = draw(1, number), {}
        exec(case.snippet().split("fit.fit(")[0], names)
        again = draw(1, number)
        for one, other in [(case.weight, names["sample_weight"]), (case.weight, again.weight)]:
            np.testing.assert_array_equal(one, other)
        for other in (names["X"], again.X):
            np.testing.assert_array_equal(dense(case.X), dense(other))
        assert case.estimator().get_params().keys() == names["fit"].get_params().keys()
        assert IMPORTS in case.snippet()


def test_another_seed_or_number_is_another_case():
    texts = {draw(seed, number).snippet() for seed in (0, 1) for number in (0, 1)}
    assert len(texts) == 4


def test_processes_do_not_matter(verdicts_of_slice):
    first = SLICE[:8]  # four for each process
    with results(SEED, first, jobs=2) as verdicts:
        assert {of.number: of.by_invariant for of in verdicts} == {
            number: verdicts_of_slice[number] for number in first
        }


def test_units_move_exactly():
    """X - b over a gives the plain data back, bit for bit, at any offset."""
    moved = [case for case in (draw(0, number) for number in range(300)) if case.unit[1] > 1e6]
    assert len(moved) > 10
    for case in moved:
        a, b = case.unit
        np.testing.assert_array_equal(case.X / a - b, case.plain)


# The reference --------------------------------------------------------------------------------------------------------


def test_the_gaussian_reference_is_scipys_density():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 3, 3))
    parameters = GMMParameters([0.3, 0.7], rng.normal(size=(2, 3)), roots @ roots.transpose(0, 2, 1) + np.eye(3))
    X = rng.normal(size=(20, 3))
    components = zip(parameters.weights, parameters.means, parameters.covariances, strict=True)
    expected = logsumexp([np.log(w) + multivariate_normal(m, S).logpdf(X) for w, m, S in components], axis=0)
    reference = gaussian_reference(X, parameters)
    assert (np.abs(reference.log_prob - expected) <= reference.rounding).all()
    X[:, 1] = np.nan
    components = zip(parameters.weights, parameters.means[:, ::2], parameters.covariances[:, ::2, ::2], strict=True)
    expected = logsumexp([np.log(w) + multivariate_normal(m, S).logpdf(X[:, ::2]) for w, m, S in components], axis=0)
    assert (np.abs(gaussian_reference(X, parameters).log_prob - expected) <= reference.rounding).all()


@pytest.mark.parametrize(("m", "value"), [(10**9, -10.5670133), (10**12, -14.0209), (10**15, -17.47)])
def test_the_binomial_reference_keeps_its_digits(m, value):
    """At the mode of Binomial(m, 0.4): log p = -1/2 log(2 π m 0.4 0.6) + O(1 / m)."""
    exact = exact_log_binomial(np.array(0.4 * m), np.array(float(m)), np.array(0.4))
    assert exact == pytest.approx(-0.5 * np.log(2 * np.pi * m * 0.24), abs=1e-9)
    assert exact == pytest.approx(value, abs=0.005)


def test_the_binomial_reference_is_scipys_mass():
    rng = np.random.default_rng(0)
    m, p, weights = np.full((10, 2), 9), rng.uniform(size=(3, 2)), np.array([0.2, 0.3, 0.5])
    X = rng.binomial(9, 0.4, size=(10, 2)).astype(float)
    expected = np.log(binom(9, p).pmf(X[:, None]).prod(axis=2) @ weights)
    np.testing.assert_allclose(binomial_reference(X, m, weights, p).log_prob, expected, rtol=1e-12)


# The fuzzer can fail --------------------------------------------------------------------------------------------------


def wrapped(owner, name, around):
    """Return what plants a fault: a method becomes ``around(method, self, ...)``."""

    def plant(monkeypatch):
        method = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **named: around(method, *args, **named))

    return plant


def fitting(change, estimator=GaussianMixtureEM):
    """Return what plants a fault: ``change(fit)`` is made after every fit."""

    def around(fit, *args, **named):
        fitted = fit(*args, **named)
        change(fitted)
        return fitted

    return wrapped(estimator, "fit", around)


def setting(name, change, estimator=GaussianMixtureEM):
    return fitting(lambda fit: setattr(fit, name, change(getattr(fit, name))), estimator)


def returning(owner, name, change):
    return wrapped(owner, name, lambda method, *args, **named: change(method(*args, **named)))


def with_another_status(fit):
    fit.status_ += "."
    return fit


def too_heavy(fit):
    object.__setattr__(fit.parameters_, "weights", fit.parameters_.weights * (1 + 1e-9))


def never_converged(fit):
    fit.converged_ = fit.converged_ and fit.max_iter > 1


def first_row_counts_twice(fit, self, X, y=None, sample_weight=None):
    weights = np.ones(X.shape[0]) if sample_weight is None else sample_weight.copy()
    weights[0] *= 2
    return fit(self, X, y, weights)


def without_units(fit, self, X, y=None, sample_weight=None):
    return fit(self, np.round(X, 3), y, sample_weight)


def without_seed(fit, self, *args, **named):
    seed, self.random_state = self.random_state, None
    try:
        return fit(self, *args, **named)
    finally:
        self.random_state = seed


def silent(fit, *args, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(*args, **named)


def accepting(fit, self, *args, **named):
    try:
        return fit(self, *args, **named)
    except (ValueError, TypeError):
        vars(self).update(vars(GaussianMixtureEM(1).fit(np.arange(3.0)[:, None])))
        return self


def mumbling(fit, *args, **named):
    try:
        return fit(*args, **named)
    except (ValueError, TypeError):
        raise ValueError("bad input") from None


def refusing(fit, *args, **named):
    raise ValueError("X is odd")


def dividing_by_zero(predict, self, X):
    raise ZeroDivisionError


FAULTS = {
    "parameters are finite": setting("objective_", lambda value: np.nan),
    "objective never falls": setting("history_", lambda h: np.append(h, h[-1] - 1e-3 * (1 + abs(h[-1])))),
    "objective_ is the best of history_": setting("history_", lambda h: h + 1e-3),
    "a run that gains no more stops": setting("history_", lambda h: np.append(h, np.full(60, h[-1])), MixtureEM),
    "weights sum to 1": fitting(too_heavy),
    "rows of responsibilities sum to 1": returning(FittedMixture, "predict_proba", lambda r: r * (1 + 1e-7)),
    "log-likelihood is the independent one": setting("log_likelihood_", lambda L: L + 1e-6, BernoulliMixtureEM),
    "objective = log-likelihood + log prior": setting("objective_", lambda value: value + 1e-3),
    "score, AIC, BIC, ICL agree with the fit": returning(FittedMixture, "bic", lambda value: value + 1e-3),
    "failures are said": wrapped(GaussianMixtureEM, "fit", silent),
    "free correlations are said": setting("status_", lambda status: "converged"),
    "same seed, same bits": wrapped(GaussianMixtureEM, "fit", without_seed),
    "saved and loaded, same bits": returning(em, "load", with_another_status),
    "a warm start says converged": fitting(never_converged),
    "permuted rows, same fit": wrapped(GaussianMixtureEM, "fit", first_row_counts_twice),
    "repeated or weighted rows, same fit": wrapped(KMeans, "fit", first_row_counts_twice),
    "a X + b, same path": wrapped(KMeans, "fit", without_units),
    FITTED: wrapped(GaussianMixtureEM, "fit", refusing),
    REFUSED: wrapped(GaussianMixtureEM, "fit", accepting),
    NAMED: wrapped(GaussianMixtureEM, "fit", mumbling),
    RAISED: wrapped(FittedMixture, "predict", dividing_by_zero),
    WARNED: fitting(lambda fit: np.log(np.zeros(1))),
    IN_TIME: lambda monkeypatch: monkeypatch.setattr(check, "SECONDS", 1e-4),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_fault_is_found(name, verdicts_of_slice, monkeypatch):
    """In the slice that is without a finding as long as nothing is planted."""
    FAULTS[name](monkeypatch)
    speaking = [number for number in SLICE if name in verdicts_of_slice[number]]
    assert any(check.check(SEED, number).by_invariant.get(name) for number in speaking)


def test_the_command_counts_and_exits_with_1_on_a_violation_and_with_2_on_a_bad_argument(monkeypatch):
    verdicts = {False: {WARNED: "", RAISED: ""}, True: {WARNED: "", RAISED: "[/] ZeroDivisionError"}}
    monkeypatch.setattr(command, "check", lambda seed, number: Verdicts(number, verdicts[number == 2 and seed == 7]))
    good, bad = (command_line("--cases", "4", "--jobs", "1", "--seed", seed) for seed in ("0", "7"))
    assert good.exit_code == 0
    assert bad.exit_code == 1
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in bad.output.splitlines() if "│" in line]
    assert [RAISED, "4", "1", "2", "[/] ZeroDivisionError"] in lines
    assert [WARNED, "4", "0", "", ""] in lines
    assert bad.output.rstrip().endswith("seconds")
    for arguments in (["--cases", "0"], ["--jobs", "0"], ["--only", "x"], ["--seed", "-1"]):
        assert command_line(*arguments).exit_code == 2


def test_one_case_is_printed_as_python():
    assert command_line("--only", "3", "--seed", "1", "--jobs", "1").output.startswith(draw(1, 3).snippet())
