"""A student's step is judged rightly: the mistake is named, a right variant raises no alarm."""

import ast
import contextlib
import re
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from coursework_fits import FITS
from coursework_steps import ROOMY, e_step, m_step
from coursework_unlisted import M0, SCALES, UNLISTED
from coursework_variants import VARIANTS
from mistakes import MISTAKES
from scipy.special import softmax
from scipy.stats import binom, norm, poisson

import comparisons
from comparisons.coursework import (
    check_e_step,
    check_fit,
    check_log_likelihood,
    check_m_step,
    check_q,
    check_steps,
)
from comparisons.coursework.calling.caller import Answer
from comparisons.coursework.formulas.slots import close
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.formulas.textbooks import ALSO, textbook_of
from comparisons.coursework.judging import Trial, unlisted_mistakes
from comparisons.coursework.unlisted import repair
from comparisons.coursework.unlisted.narrowing import describe_difference
from comparisons.families import family_names, family_of
from models.bmm import BMMPrior
from models.gmm import GMMPrior

BOOKS = [("gmm", {"covariance_type": kind}) for kind in ("full", "tied", "diag", "spherical")]


BOOKS += [("bmm", {}), ("bmm", {"n_trials": 7}), ("pmm", {"exposure": 2.5}), ("cmm", {})]


# Named, and no false alarm --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "check", "options", "function"), MISTAKES, ids=lambda x: getattr(x, "__name__", ""))
def test_a_mistake_is_named(name, check, options, function):
    found = check(function, time_limit=ROOMY, **options)
    assert not found.right
    assert " and ".join(found.mistakes) == name
    assert found.hint
    assert all(mistake not in repr(found) for mistake in found.mistakes)  # the page does not give it away
    assert all(mistake in found.explain() for mistake in found.mistakes)
    assert "Smallest input" in repr(found)


@pytest.mark.parametrize(("check", "options", "function"), VARIANTS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_right_variant_raises_no_alarm(check, options, function):
    found = check(function, time_limit=ROOMY, **options)
    assert found.right, found.explain()
    assert found.mistakes == found.located == ()


@pytest.mark.parametrize(("name", "options", "function"), FITS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_fit_is_judged_by_its_path_and_its_limit(name, options, function):
    found = check_fit(function, time_limit=ROOMY, **options)
    assert found.right == (name == "")
    assert " and ".join(found.mistakes) == name


@pytest.mark.parametrize(("name", "check", "options", "function"), UNLISTED, ids=lambda x: getattr(x, "__name__", ""))
def test_what_no_entry_lists_is_found_by_its_numbers(name, check, options, function, monkeypatch):
    monkeypatch.setattr(repair, "can_limit", lambda: False)  # nothing is edited
    found = check(function, time_limit=ROOMY, **options)
    assert found.right == (name == "")
    assert " and ".join(found.mistakes) == name
    assert (found.located, bool(found.hint)) == ((), bool(name))


def test_a_fit_that_takes_a_start_by_another_name_is_followed():
    def fit(X, K, init=None, n_iter=50):
        theta = init or (np.full(K, 1 / K), X[:K], np.array([np.cov(X.T)] * K))
        for _ in range(n_iter):
            old, theta = theta, m_step(X, e_step(X, *theta))
        return old

    found = check_fit(fit)
    assert found.right
    assert any("asked for one it returns its start" in note for note in found.notes)


@pytest.mark.parametrize("default", ["kmeans", None])
def test_an_argument_that_is_no_start_is_left_alone(default):
    def fit(X, K, init=default, n_iter=60):
        theta = np.full(K, 1 / K), X[:K] if init != "last" else X[-K:], np.array([np.cov(X.T)] * K)
        for _ in range(n_iter):
            theta = m_step(X, e_step(X, *theta))
        return theta

    assert check_fit(fit).right


def test_q_without_the_data_says_so():
    assert "no argument for X" in check_q(lambda theta, theta_old: 0.0).hint


@pytest.mark.parametrize("kind", SCALES)
def test_the_right_formulas_of_map_are_those_of_em(kind):
    prior = GMMPrior(2.0, M0, 1.5, 6.0, SCALES[kind], kind)
    book = textbook_of("gmm", prior, covariance_type=kind)
    for problem in book.problems("m"):
        arrays = import_module("em.gmm").m_step(problem.X, problem.r, prior, covariance_type=kind).arrays()
        for name, value in book.truth("m", problem).items():
            np.testing.assert_allclose(value, arrays[name], rtol=1e-10)


def test_the_tables_are_as_long_as_they_claim():
    assert len({function for *_, function in MISTAKES}) >= 60
    assert len(VARIANTS) >= 30


# The catalogue --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "options"), BOOKS, ids=str)
def test_the_right_formulas_are_those_of_em(family, options):
    book, steps = textbook_of(family, **options), import_module(f"em.{family}")
    for problem in book.problems("e"):
        if family == "cmm":
            K, D, L = problem.theta["probs"].shape
            theta = {**problem.theta, "probs": problem.theta["probs"].reshape(K, -1)}
            parameters, sizes, structure = import_module("models.cmm").CMMParameters(**theta, levels=(L,) * D), {}, {}
        else:
            parameters, sizes = book.parameters(problem), book.sizes_of(problem)
            structure = book.family.of_mixture
        r, log_likelihood = steps.e_step(problem.X, parameters, **sizes)
        right = book.truth("e", problem)
        np.testing.assert_allclose(right["responsibilities"], r, atol=1e-12)
        np.testing.assert_allclose(right["log_likelihood"], log_likelihood, rtol=1e-12)
    for problem in book.problems("m"):
        levels = {"levels": (problem.theta["probs"].shape[2],) * problem.D} if family == "cmm" else {}
        sizes = {} if family == "cmm" else book.sizes_of(problem)
        arrays = steps.m_step(problem.X, problem.r, **sizes, **structure, **levels).arrays()
        for name, value in book.truth("m", problem).items():
            np.testing.assert_allclose(value, arrays[name].reshape(value.shape), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("family", [*family_names(), *ALSO])
def test_every_mistake_has_a_hint_and_an_explanation(family):
    for formula in textbook_of(family).formulas.values():
        names = [change.mistake for change in formula.singles()]
        assert all(mistake.hint.strip() and mistake.why.strip() for mistake in names)
        assert len(names) > 20


def test_every_text_belongs_to_a_mistake():
    texts = set()
    for root in comparisons.__path__:
        for file in [one for one in Path(root).rglob("*.toml") if "coursework" in one.parts]:
            with file.open("rb") as stream:
                tables = [table for table in tomllib.load(stream).values() if isinstance(table, dict)]  # else of files
                rows = [row for table in tables for row in table.items()]
                texts |= {name for name, row in rows if not isinstance(row, str)}  # else a formula without words
    used = set()
    of_prior = textbook_of("gmm", GMMPrior(2.0, [0.0, 0.0], 1.0, 4.0, np.eye(2)))
    of_prior.two_sets = True
    for book in [
        of_prior,
        *(textbook_of(family, **options) for family, options in [*BOOKS, ("kmeans", {}), ("pmm", {})]),
    ]:
        for formula in book.formulas.values():
            used |= {change.name for change in formula.singles()}
    loops = import_module("comparisons.coursework.formulas.loops")
    used |= {*loops.LOOP_MISTAKES, *loops.LIMIT_MISTAKES, *loops.FORM_MISTAKES}
    assert texts - used == set()


@pytest.mark.parametrize(
    ("family", "options"), [("bmm", {"n_trials": 7}), ("cmm", {}), ("gmm", {}), ("kmeans", {})], ids=str
)
def test_mistakes_have_values_that_differ_from_the_right_ones_and_from_each_other(family, options):
    book, answers, without_value = textbook_of(family, **options), {}, set()
    for quantity, step in ((book.first_quantity("e"), "e"), (book.quantities[-1], "m")):
        problems = book.problems(step)
        right = [book.formulas[quantity].value(problem) for problem in problems]
        for change in book.formulas[quantity].singles():
            without_value.add(change.name)
            with (
                np.errstate(all="ignore"),
                contextlib.suppress(ValueError, KeyError, IndexError, np.linalg.LinAlgError),
            ):
                values = [book.formulas[quantity].value_with(problem, [change]) for problem in problems]
                without_value.discard(change.name)
                same = all(close(value, truth) for value, truth in zip(values, right, strict=True))
                key = "right" if same else repr([np.round(value, 8).tolist() for value in values])
                answers.setdefault((quantity, key), []).append(change.name)
    groups = [names for (_, key), names in answers.items() if key != "right"]
    assert len(groups) > 0.7 * sum(map(len, answers.values()))
    of_several = {f"{which} {what} left out" for which in ("first", "last") for what in ("component", "centre")}
    of_weights = {"centers averaged by the weights"}  # which K-means does not have
    assert without_value <= {"your own means", *of_several, *of_weights}  # a student's, and what K = 1 does not have


def test_a_family_without_formulas_of_its_own_is_checked_by_its_steps():
    book = Textbook(family_of("pmm"))
    (problem, *_) = book.problems("e")
    right = textbook_of("pmm").formulas["log_likelihood"].value(problem)
    np.testing.assert_allclose(book.truth("e", problem)["log_likelihood"], right)
    assert [formula.quantity for formula in book.estimates()] == ["weights"]


# Priors ---------------------------------------------------------------------------------------------------------------


def test_map_steps_are_judged_by_the_prior():
    prior = BMMPrior(concentration=3.0, successes=2.0, failures=4.0)

    def posterior_mode(X, r):
        N = r.sum(axis=0)
        return (N + 2) / (len(X) + 2 * len(N)), (r.T @ X + 1) / (N[:, None] + 4)

    assert check_m_step(posterior_mode, family="bmm", prior=prior).right

    def posterior_mean(X, r):
        N = r.sum(axis=0)
        return (N + 2) / (len(X) + 2 * len(N)), (r.T @ X + 2) / (N[:, None] + 6)

    found = check_m_step(posterior_mean, family="bmm", prior=prior)
    assert found.mistakes == ("b in place of b - 1", "b + c in place of b + c - 2")


def test_a_gaussian_step_that_forgets_its_prior_is_told_so():
    X = np.random.RandomState(0).normal(size=(20, 2))
    prior = GMMPrior.weakly_informative(X, 3)
    found = check_m_step(m_step, prior=prior)
    assert found.mistakes == ("prior left out",)


# What is located, noted or refused ------------------------------------------------------------------------------------


def test_an_unknown_mistake_is_located():
    def odd(X, weights, means, covariances):
        r = e_step(X, weights, means, covariances)
        return np.sin(r) / np.sin(r).sum(axis=1, keepdims=True)  # which no single edit mends

    found = check_e_step(odd, time_limit=1.0)
    (sentence,) = found.located
    assert sentence.startswith("responsibilities: right with one component")
    assert "smallest input" in found.hint


def test_q_of_exchanged_parameters_and_sizes_beside_them_are_told():
    def log_joint(theta, X, n_trials):
        return np.log(theta[0]) + binom.logpmf(X[:, None], n_trials, theta[1]).sum(axis=2)

    def exchanged(X, theta, theta_old, n_trials):
        return (softmax(log_joint(theta, X, n_trials), axis=1) * log_joint(theta_old, X, n_trials)).sum()

    def mixed(X, theta, theta_old, n_trials):
        return (softmax(log_joint((theta_old[0], theta[1]), X, n_trials), axis=1) * log_joint(theta, X, n_trials)).sum()

    assert check_q(exchanged, "bmm", n_trials=6).mistakes == ("old and new parameters exchanged",)
    assert check_q(mixed, "bmm", n_trials=6).mistakes == ("new probs in the responsibilities",)


def test_levels_that_are_read_off_the_data_are_no_mistake():
    def m_step(X, r):
        counts = [np.array([r[x == level].sum(axis=0) for level in np.unique(x)]) for x in X.T]
        return r.mean(axis=0), np.array([c / c.sum(axis=0) for c in counts]).transpose(2, 0, 1)

    assert check_m_step(m_step, "cmm").right


def test_a_sum_without_responsibilities_is_told_so_and_not_as_a_sum_of_covariances():
    def m_step(X, r):
        N = r.sum(axis=0)
        means = r.T @ X / N[:, None]
        return N / len(X), means, np.mean((X - means[:, None]) ** 2, axis=1)

    assert check_m_step(m_step, covariance_type="diag").mistakes == ("responsibilities left out",)


def test_no_mistake_is_made_up_where_a_number_is_infinite_or_alone():
    def infinite(X, weights, rates):
        return log_likelihood(X, weights, rates) * np.inf

    def log_likelihood(X, weights, rates):
        return np.log(poisson.pmf(X[:, None], rates).prod(axis=2) @ weights).sum()

    def last_but_one(X, K, n_iter=50):
        weights, rates, history = np.full(K, 1 / K), X[:K] + 1.0, []
        for _ in range(n_iter):
            joint = weights * poisson.pmf(X[:, None], rates).prod(axis=2)
            history.append(np.log(joint.sum(axis=1)).sum() - 7.5)
            r = joint / joint.sum(axis=1, keepdims=True)
            weights, rates = r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]
        return weights, rates, history[-1]

    assert check_log_likelihood(infinite, "pmm").mistakes[0].startswith("`log_likelihood(")
    found = check_fit(last_but_one, "pmm")
    assert (found.right, found.mistakes) == (False, ())


def test_a_factor_of_sizes_and_the_largest_component_are_told():
    def of_pairs(X, r):
        N, K = r.sum(axis=0), r.shape[1]
        means = r.T @ X / N[:, None]
        d = X[:, None] - means
        return N / len(X), means, np.einsum("nk,nkd,nke->de", r, d, d) / len(X) * (K - 1) / K

    def by_the_largest(X, r):
        return r.mean(axis=0), r.T @ X / r.sum(axis=0).max()

    assert check_m_step(of_pairs, covariance_type="tied").mistakes == ("factor (K - 1)/K",)
    assert check_m_step(by_the_largest, "pmm").mistakes == ("largest N_k",)


def test_two_iterations_for_each_are_a_note():
    def fit(X, K, n_iter=40):
        weights, probs = np.full(K, 1 / K), np.linspace(0.3, 0.7, K)[:, None] * np.ones(X.shape[1])
        for _ in range(2 * n_iter):
            r = softmax(np.log(weights) + X @ np.log(probs).T + (1 - X) @ np.log(1 - probs).T, axis=1)
            weights, probs = r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]
        return weights, probs

    found = check_fit(fit, "bmm")
    assert found.right
    assert "two" in found.notes[0]


@pytest.mark.parametrize("step", ["e", "m", "log_likelihood"])
def test_the_search_takes_answers_of_any_value_and_shape(step):
    book = textbook_of("gmm")
    problems = [problem for problem in book.problems(step) if not problem.name]
    for quantity in book.truth(step, problems[0]):
        right = [(problem, book.truth(step, problem)[quantity]) for problem in problems]
        for change in (
            np.zeros_like,
            lambda a: a + np.inf,
            lambda a: a * np.nan,
            lambda a: a * 1e300,
            lambda a: [a, a],
        ):
            pairs = [(problem, np.asarray(change(a)), a) for problem, a in right]
            assert len(unlisted_mistakes(book, quantity, pairs)) <= 1


def test_an_unknown_inertia_is_located():
    found = check_log_likelihood(lambda X, centers: (np.abs(X) ** 2.5).sum(), family="kmeans")
    assert found.located[0].startswith("log_likelihood: wrong on every kind of input")


def test_a_wrong_factor_of_a_term_is_told_by_its_place():
    def tempered(X, weights, means, covariances):
        d = X[:, None] - means
        logs = 0.3 * np.log(weights) - 0.5 * np.linalg.slogdet(covariances)[1]
        logs = logs - 0.5 * np.einsum("nkd,kde,nke->nk", d, np.linalg.inv(covariances), d)
        r = np.exp(logs - logs.max(axis=1, keepdims=True))
        return r / r.sum(axis=1, keepdims=True)

    found = check_e_step(tempered)
    (mistake,) = found.mistakes
    assert mistake.startswith("`0.3 * np.log(weights)` in place of `np.log(weights)`, in line ")


def test_underflow_far_out_is_a_note_and_no_mistake():
    found = check_e_step(e_step)
    assert found.right
    assert any("60 standard deviations away" in note for note in found.notes)


def test_an_m_step_with_an_array_too_few_is_told_that_a_part_is_missing():
    found = check_m_step(lambda X, r: (r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]))
    (sentence,) = found.located
    assert sentence.startswith("weights, means, covariances: not found in what the function returns: a part is missing")


def test_the_term_is_on_request_by_printing_what_explain_returns():
    """At the end of a cell the text itself would be shown as one line in quotes."""

    def squared(X, r):
        return m_step(X, r**2)

    assert repr(check_m_step(squared)).endswith("print what explain() of this result returns.")


def test_a_step_for_more_features_is_not_taken_for_one_of_a_single_feature():
    def divides_columns(X, r):
        N = r.sum(axis=0)
        means = r.T @ X / N  # an axis is missing; without the axis of the features it would be right
        return (
            N / len(X),
            means,
            np.array([((X - m).T * r_k) @ (X - m) / r_k.sum() for m, r_k in zip(means, r.T, strict=True)]),
        )

    found = check_m_step(divides_columns)
    (sentence,) = found.located
    assert sentence.startswith("weights, means, covariances: ValueError: operands could not be broadcast")
    assert "Print the shapes" in found.hint
    assert "explain()" not in repr(found)  # it would say no more

    def of_numbers(x, r):
        N = r.sum(axis=0)
        means = r.T @ x / N
        return N / len(x), means, (r * (x[:, None] - means) ** 2).sum(axis=0) / N

    found = check_m_step(of_numbers)
    assert found.right
    assert any("with two features: ValueError" in note for note in found.notes)


def test_an_error_for_one_feature_only_is_a_note():
    def needs_two(X, weights, means, covariances):
        if X.shape[1] == 1:
            raise ValueError("two features, please")
        return e_step(X, weights, means, covariances)

    found = check_e_step(needs_two)
    assert found.right
    assert any("one feature" in note and "two features, please" in note for note in found.notes)


def test_the_smallest_input_shows_more_than_rounding():
    def about_the_mean_of_all(X, r):
        weights, means, _ = m_step(X, r)
        centred = X - X.mean(axis=0)
        return weights, means, np.einsum("nk,ni,nj->kij", r, centred, centred) / r.sum(axis=0)[:, None, None]

    answers = re.findall(r"(?:your covariances|right): (.*)", check_m_step(about_the_mean_of_all).example)
    yours, right = (np.array(ast.literal_eval(answer)) for answer in answers)
    assert np.abs(yours - right).max() > 0.01 * np.abs(right).max()


def test_arguments_that_are_none_are_said():
    found = check_e_step(lambda samples, temperature, pressure, volume, colour: samples)
    assert not found.right
    assert "X, weights, means, covariances" in found.located[0]
    assert "by hand" not in found.hint  # there is nothing to compute as long as it cannot be called


def test_an_answer_where_the_right_one_is_no_number_is_located():
    problem = textbook_of("bmm").problems("m")[0]
    probs = problem.theta["probs"]
    trial = Trial(problem, Answer({"probs": probs}), {"probs": np.full_like(probs, np.nan)})
    assert describe_difference("probs", [trial], 1e-8) == "wrong on every kind of input"
    with pytest.raises(TypeError, match="f must be a function, got int: pass its name, without calling it"):
        check_e_step(3)
    with pytest.raises(ValueError, match="family must be one of bmm, cmm, gmm, pmm, kmeans"):
        check_e_step(e_step, family="gnn")
    with pytest.raises(ValueError, match="takes and returns must be among 'precisions'"):
        check_e_step(e_step, takes="inverse")


def test_exposures_are_a_number_or_one_for_each_feature():
    def rates(X, r, exposure):
        return r.mean(axis=0), r.T @ X / (r.T @ np.broadcast_to(exposure, X.shape))

    assert check_m_step(rates, family="pmm", exposure=np.array([1.0, 2.0, 0.5])).right
    with pytest.raises(ValueError, match="exposure must be a number, or one for each feature"):
        check_m_step(rates, family="pmm", exposure=np.ones((8, 1)))


def test_both_steps_are_checked_as_one():
    assert check_steps(e_step, m_step).right
    found = check_steps(e_step, lambda X, r: (r.sum(axis=0), *m_step(X, r)[1:]))
    assert found.mistakes == ("not divided by n",)
    frame = found.to_frame()
    assert frame["right"].tolist() == [True, False, True, True]
    assert frame["mistake"].tolist() == ["", "not divided by n", "", ""]


def test_precisions_need_a_declaration():
    def of_precisions(X, weights, means, precisions_are_here):
        return e_step(X, weights, means, np.linalg.inv(precisions_are_here))

    assert check_e_step(of_precisions, takes="precisions").right
    assert check_log_likelihood(lambda x, w, m, s: norm.logpdf(x[:, None], m, s) @ w, time_limit=1.0).right is False
    assert check_q(lambda X, r, w, m, S: 0.0, time_limit=1.0).right is False
