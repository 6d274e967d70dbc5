"""A mistake that no formula names is found in the student's source: the expression, and what belongs in its place."""

import linecache

import numpy as np
import pytest
from coursework_fits import e_step, m_step, start
from scipy.special import gammaln, logsumexp, softmax
from scipy.stats import multivariate_normal, multivariate_t, norm

from comparisons.coursework import check_e_step, check_fit, check_log_likelihood, check_m_step, check_q
from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.calling.source import functions_of, leaves_loops
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.textbooks import textbook_of
from comparisons.coursework.unlisted import repair
from comparisons.coursework.unlisted.intermediates import intermediates
from comparisons.coursework.unlisted.layouts import layouts
from comparisons.coursework.unlisted.recorder import RECORDER, Recorder, instrument
from comparisons.coursework.unlisted.substitutes import expression_of_step

ROOMY = 20.0  # seconds: on a busy machine the time limit must not decide
SPHERICAL, DIAGONAL = {"covariance_type": "spherical"}, {"covariance_type": "diag"}


def mean_distance_squared(X, r):
    N = r.sum(0)
    mu = r.T @ X / N[:, None]
    dist = np.sqrt(((X[:, None] - mu) ** 2).sum(2))
    return N / len(X), mu, ((r * dist).sum(0) / N) ** 2 / X.shape[1]


def step_from_the_old_means(X, r, weights, means, covariances):
    new = means + np.array([r[:, k] @ (X - means[k]) / len(X) for k in range(len(means))])
    d = X[:, None] - r.T @ X / r.sum(axis=0)[:, None]
    return r.mean(axis=0), new, np.einsum("nk,nki,nkj->kij", r, d, d) / r.sum(axis=0)[:, None, None]


def minus_log_weights(X, weights, probs):
    logs = np.array([(X * np.log(p) + (1 - X) * np.log1p(-p)).sum(axis=1) for p in probs]).T
    return logsumexp(logs, axis=1, b=-np.log(weights)).sum()


def heavy_tails(X, weights, means, covariances):
    rows = []
    for x in X:
        joint = [w * multivariate_t.pdf(x, m, S, df=5) for w, m, S in zip(weights, means, covariances, strict=True)]
        rows.append(joint / np.sum(joint))
    return np.array(rows)


def failures_of_all(X, r, weights, probs):
    heads = r.T @ X
    tails = len(X) - heads
    return (r.sum(0) * np.log(weights)).sum() + (heads * np.log(probs) + tails * np.log1p(-probs)).sum()


def log_of_the_average_rate(X, r, weights, rates):
    mixed = r @ rates
    return (r @ np.log(weights)).sum() + (X * np.log(mixed) - mixed - gammaln(X + 1)).sum()


def arguments_exchanged(X, weights, rates):
    return softmax(np.log(weights) + np.log(X + 1) @ rates.T - rates.sum(axis=1), axis=1)


SUBSTITUTED = [
    ("`((r * dist).sum(0) / N) ** 2`", "Σ_i r_ik ‖x_i - μ_k‖² / N_k", check_m_step, SPHERICAL, mean_distance_squared),
    ("`len(X)`", "N_k = Σ_i r_ik", check_m_step, {}, step_from_the_old_means),
    ("`-np.log(weights)`", "weights", check_log_likelihood, {"family": "bmm"}, minus_log_weights),
    ("`multivariate_t.pdf(x, m, S, df=5)`", "p(x_i|k)", check_e_step, {}, heavy_tails),
    ("`len(X)`", "N_k = Σ_i r_ik", check_q, {"family": "bmm"}, failures_of_all),
    (
        "`(X * np.log(mixed) - mixed - gammaln(X + 1)).sum()`",
        "Σ_ik r_ik log p(x_i|k)",
        check_q,
        {"family": "pmm"},
        log_of_the_average_rate,
    ),
    ("`np.log(X + 1) @ rates.T`", "the term x log(e λ)", check_e_step, {"family": "pmm"}, arguments_exchanged),
]


@pytest.mark.parametrize(
    ("text", "belongs", "check", "options", "f"), SUBSTITUTED, ids=lambda x: getattr(x, "__name__", "")
)
def test_the_expression_that_should_have_been_an_intermediate_result_is_named(text, belongs, check, options, f):
    [name] = check(f, time_limit=ROOMY, **options).mistakes
    assert name.startswith(f"{text} in line ")
    assert name.endswith(f", where {belongs} belongs")


def called_of(f, family="gmm", step="m", quantity="means", **options):
    book = textbook_of(family, **options)
    caller = Caller(f, book, step, (), (), ROOMY)
    problems = caller.settle(book.problems_of(step))
    return caller, quantity, [(p, {quantity: book.truth(step, p)[quantity]}) for p in problems]


def test_what_is_put_in_place_is_no_answer_of_the_step():
    caller, quantity, inputs = called_of(lambda X, r: (r.mean(axis=0), r.T @ X + 1.0, np.eye(2)))
    assert expression_of_step(caller, quantity, inputs, used_seconds() + ROOMY) is None


def test_nothing_is_put_in_place_after_the_deadline():
    caller, quantity, inputs = called_of(step_from_the_old_means)
    assert expression_of_step(caller, quantity, inputs, used_seconds() + ROOMY) is not None
    assert expression_of_step(caller, quantity, inputs, used_seconds() - 1.0) is None


def test_a_recorder_changes_no_answer_and_has_a_value_for_each_pass_of_a_loop():
    functions, recorder = repair.editable(step_from_the_old_means), Recorder()
    places, sources = instrument(functions)
    made = repair.compile_sources(step_from_the_old_means, sources, 1.0, {RECORDER: recorder})
    problem = textbook_of("gmm").problems("m")[0]
    given = problem.X, problem.r, *(problem.theta[name] for name in ("weights", "means", "covariances"))
    recorder.record()
    for yours, own in zip(made(*given), step_from_the_old_means(*given), strict=True):
        np.testing.assert_array_equal(yours, own)
    [turns] = [recorder.values[i] for i, (text, _) in enumerate(places) if text == "r[:, k]"]
    np.testing.assert_array_equal(turns, problem.r.T)


@pytest.mark.parametrize(
    ("shape", "values"), [((7, 3), [(7,)] * 3), ((7, 3), [()] * 21), ((3, 2), [(2,)] * 3), ((3,), [()])], ids=str
)
def test_an_array_has_a_part_for_each_pass_of_a_loop(shape, values):
    a = np.arange(np.prod(shape), dtype=float).reshape(shape)
    found = list(layouts(a, [np.empty(one) for one in values]))
    assert found
    for layout, turns in found:
        assert len(turns) == len(values)
        if layout.n_looped:
            np.testing.assert_array_equal(np.sort(np.ravel(turns)), a.ravel())


BOOKS = [("gmm", {"covariance_type": kind}) for kind in ("full", "tied", "diag", "spherical")]
BOOKS += [("bmm", {}), ("bmm", {"n_trials": 7}), ("pmm", {"exposure": 2.5}), ("cmm", {}), ("kmeans", {})]


@pytest.mark.parametrize(("family", "options"), BOOKS, ids=str)
def test_right_intermediates_are_many_and_those_of_the_m_step_are_about_the_new_parameters(family, options):
    book = textbook_of(family, **options)
    for step in ("e", "m", "log_likelihood", *(["q"] if family != "kmeans" else [])):
        for problem in book.problems(step):
            assert len(intermediates(book, step, problem)) >= 8
    problem = book.problems("m")[0]
    found = intermediates(book, "m", problem)
    last = book.quantities[-1]
    np.testing.assert_allclose(found[f"the new {last}"], book.truth("m", problem)[last])


def test_an_argument_whose_default_is_a_number_is_no_array_of_parameters():
    def smoothed_step(X, r, alpha=1.0, beta=1.0):  # beta is also a name of the probabilities
        N = r.sum(axis=0)[:, None]
        return r.mean(axis=0), (r.T @ X + alpha - 1) / (N + alpha + beta - 2)

    def fit(X, K, n_iter=300, beta=1.0):
        weights, probs = np.full(K, 1 / K), np.linspace(0.3, 0.7, K)[:, None] + 0 * X[:K]
        for _ in range(n_iter):
            logs = np.log(weights) + X @ np.log(probs).T + (1 - X) @ np.log1p(-probs).T
            weights, probs = smoothed_step(X, softmax(logs, axis=1), beta, beta)
        return weights, probs

    assert check_m_step(smoothed_step, family="bmm").right
    assert check_fit(fit, family="bmm").right


# Edits reach further, and tell the place of what numbers name --------------------------------------------------------


def component_density(X, m, v):
    return np.exp(-((X - m) ** 2).sum(axis=1) / (2 * v)) / ((2 * np.pi * v) ** X.shape[1] / 2)


def precedence(X, weights, means, variances):
    return np.log(sum(w * component_density(X, *one) for w, *one in zip(weights, means, variances, strict=True))).sum()


def test_functions_that_a_generator_calls_are_edited():
    assert component_density in functions_of(precedence)
    [name] = check_log_likelihood(precedence, covariance_type="spherical", time_limit=ROOMY).mistakes
    assert "`(2 * np.pi * v) ** X.shape[1] / 2` in place of `(2 * np.pi * v) ** (X.shape[1] / 2)`" in name


SEEN = []


class Notebook:
    """A method that keeps what it was asked."""

    def __init__(self):
        self.asked = {}

    def e_step(self, X, weights, rates):
        SEEN.append(7)
        self.asked["times"] = 7
        return softmax(np.log(weights) - rates.sum(axis=1) ** 1.1 + X @ np.log(rates).T, axis=1)


def test_edited_calls_leave_lists_and_attributes_of_the_student_as_they_are():
    notebook = Notebook()
    SEEN.clear()
    [name] = check_e_step(notebook.e_step, family="pmm", time_limit=ROOMY).mistakes
    assert "`rates.sum(axis=1) ** 1.1`" in name
    assert {*SEEN, *notebook.asked.values()} == {7}


def test_sums_of_hundreds_of_terms_are_judged_without_edits():
    text = "def e_step(X, weights, rates):\n    return np.exp(weights" + " + 0 * weights" * 400 + ") + 0 * X[:, :1]\n"
    linecache.cache["<long>"] = (len(text), None, text.splitlines(keepends=True), "<long>")
    space = {"np": np}
    exec(compile(text, "<long>", "exec"), space)
    assert functions_of(space["e_step"])
    assert not check_e_step(space["e_step"], family="pmm").right


class Component:
    """A component with its precision, and the sign of a determinant for its logarithm."""

    def __init__(self, w, m, S):
        self.log_weight, self.mean, self.precision = np.log(w), m, np.linalg.inv(S)
        self.log_det = np.linalg.slogdet(S)[0]

    def log_joint(self, X):
        d = X - self.mean
        return self.log_weight - (self.log_det + np.einsum("ni,ij,nj->n", d, self.precision, d)) / 2


def by_components(X, weights, means, covariances):
    components = [Component(*one) for one in zip(weights, means, covariances, strict=True)]
    return softmax(np.column_stack([one.log_joint(X) for one in components]), axis=1)


def total_of_all_rates(X, weights, rates):
    return softmax(np.log(weights) - rates.sum() + X @ np.log(rates).T, axis=1)


def test_a_mistake_with_others_of_the_same_numbers_is_told_with_its_place():
    found = check_e_step(by_components, time_limit=ROOMY)
    assert found.mistakes == ("no determinant",)
    assert "to `np.linalg.slogdet(S)[1]`: then" in " ".join(found.explain().split())
    found = check_e_step(total_of_all_rates, family="pmm", time_limit=ROOMY)
    assert found.mistakes == ("exp(-λ) left out",)
    assert "`rates.sum()` should be Σ_d λ_kd" in " ".join(found.explain().split())


def reset_in_the_loop(X, weights, means, variances):
    joint = np.zeros((len(X), len(weights)))
    for k, w in enumerate(weights):
        for d in range(X.shape[1]):
            p = np.full(len(X), w)
            p = p * norm.pdf(X[:, d], means[k, d], variances[k, d] ** 0.5)
        joint[:, k] = p
    return joint / joint.sum(axis=1, keepdims=True)


def total_before_it_grows(X, r):
    means, totals = np.zeros((r.shape[1], X.shape[1])), np.full(r.shape[1], 1e-300)
    for i in range(len(X)):
        for k in range(r.shape[1]):
            means[k] = means[k] + r[i, k] / totals[k] * (X[i] - means[k])
            totals[k] += r[i, k]
    d = X[:, None] - r.T @ X / r.sum(axis=0)[:, None]
    return r.mean(axis=0), means, np.einsum("nk,nki,nkj->kij", r, d, d) / r.sum(axis=0)[:, None, None]


def one_component_divided(X, r, n_trials=10):
    probs = r.T @ X / r.sum(axis=0)[:, None]
    probs[0] /= n_trials
    return r.mean(axis=0), probs


MOVED = [
    ("`p = np.full(len(X), w)`, which belongs before the loop `for d`", check_e_step, DIAGONAL, reset_in_the_loop),
    ("which belongs behind `totals[k] += r[i, k]`", check_m_step, {}, total_before_it_grows),
    ("`probs[0]` in place of `probs`", check_m_step, {"family": "bmm", "n_trials": 10}, one_component_divided),
]


@pytest.mark.parametrize(("named", "check", "options", "f"), MOVED, ids=lambda x: getattr(x, "__name__", ""))
def test_statements_change_places_and_what_is_assigned_to_is_edited(named, check, options, f):
    [name] = check(f, time_limit=ROOMY, **options).mistakes
    assert named in name


def three_iterations(X, K, n_iter=50):
    theta = start(X, K, 0)
    for _ in range(3):
        joint = np.array([w * multivariate_normal(m, S).pdf(X) for w, m, S in zip(*theta, strict=True)])
        theta = m_step(X, (joint / joint.sum(axis=0)).T)
    return theta


def test_an_argument_that_is_never_read_is_no_number_of_iterations():
    assert check_fit(three_iterations, time_limit=ROOMY).mistakes == ("number of iterations not used",)


def smoothed(X, K, n_iter=200):
    weights, probs = np.full(K, 1 / K), np.linspace(0.3, 0.7, K)[:, None] + 0 * X[:K]
    for _ in range(n_iter):
        r = softmax(np.log(weights) + X @ np.log(probs).T + (1 - X) @ np.log1p(-probs).T, axis=1)
        weights, probs = r.mean(axis=0), (r.T @ X + 20 * X.mean(axis=0)) / (r.sum(axis=0)[:, None] + 20)
    return weights, probs


def test_numbers_of_one_size_of_problem_are_no_multiples_of_its_size():
    found = check_fit(smoothed, family="bmm", time_limit=ROOMY).mistakes
    assert found == ("adds 20 times the mean of all samples to the numerator and 20 to the divisor",)


class Stops:
    """A fit whose test of convergence is the wrong way round."""

    def __init__(self, K, n_iter):
        self.K, self.n_iter = K, n_iter

    def run(self, X):
        theta, before = start(X, self.K, 0), -np.inf
        for _ in range(self.n_iter):
            joint = np.array([w * multivariate_normal(m, S).pdf(X) for w, m, S in zip(*theta, strict=True)])
            theta, now = m_step(X, (joint / joint.sum(axis=0)).T), np.log(joint.sum(axis=0)).sum()
            if now - before > 1e-6:
                break
            before = now
        return theta


def determinant_of_the_last(X, weights, means, covariances):
    K, inverses = len(weights), []
    for k in range(K):
        inverses.append(np.linalg.inv(covariances[k]))
        det = np.linalg.det(covariances[k])
    joint = np.zeros((len(X), K))
    for k in range(K):
        d = X - means[k]
        joint[:, k] = weights[k] * np.exp(-0.5 * (d @ inverses[k] * d).sum(axis=1)) / np.sqrt(det)
    return joint / joint.sum(axis=1, keepdims=True)


def test_a_statement_of_an_earlier_loop_is_told_where_it_belongs():
    found = check_e_step(determinant_of_the_last, time_limit=ROOMY)
    assert "in the loop `for k` too: then your function is right" in " ".join(found.explain().split())


def stops_at_a_large_change(X, K, tol=1e-9, max_iter=200):
    theta, before = start(X, K, 0), -np.inf
    for _ in range(max_iter):
        r, value = e_step(X, *theta)
        theta = m_step(X, r)
        if value - before > tol:
            break
        before = value
    return theta


def test_a_test_that_is_the_wrong_way_round_is_told():
    found = check_fit(stops_at_a_large_change, time_limit=ROOMY)
    assert "to `if not value - before > tol: break`: then" in " ".join(found.explain().split())


def stops_too_early(X, K, n_iter=80):
    return Stops(K, n_iter).run(X)


def test_a_fit_that_stands_still_is_told_with_its_place_in_a_class():
    assert leaves_loops(stops_too_early)
    found = check_fit(stops_too_early, time_limit=ROOMY)
    assert found.mistakes == ("stands still after the first iteration",)
    assert "`if now - before > 1e-06: break`" in " ".join(found.explain().split())


# Inputs on which more mistakes show -----------------------------------------------------------------------------------


def e_step_of(X, weights, means, variances):
    return softmax(np.log(weights) - ((X[:, None] - means) ** 2 / variances + np.log(variances)).sum(2) / 2, axis=1)


def kept_above(least):
    def fit(X, K, n_iter=150):
        theta = np.full(K, 1 / K), X[:K], np.tile(X.var(axis=0), (K, 1))
        for _ in range(n_iter):
            r = e_step_of(X, *theta)
            means = r.T @ X / r.sum(axis=0)[:, None]
            variances = r.T @ X**2 / r.sum(axis=0)[:, None] - means**2
            theta = r.mean(axis=0), means, np.maximum(variances, least)
        return theta

    return fit


def test_variances_that_are_kept_above_a_number_show_in_small_units():
    assert check_fit(kept_above(0.5), covariance_type="diag").mistakes == ("variances kept above 0.5",)
    assert check_fit(kept_above(1e-6), covariance_type="diag").right


def damped(share):
    def fit(X, K, n_iter=400):
        theta = start(X, K, 0)
        for _ in range(n_iter):
            joint = np.array([w * multivariate_normal(m, S).pdf(X) for w, m, S in zip(*theta, strict=True)])
            new = m_step(X, (joint / joint.sum(axis=0)).T)
            theta = tuple((1 - s) * a + s * b for s, a, b in zip(share, theta, new, strict=True))
        return theta

    return fit


def test_iterations_that_are_damped_alike_are_a_note_and_others_a_mistake():
    found = check_fit(damped((0.4, 0.4, 0.4)), time_limit=ROOMY)
    assert found.right
    assert any("damped: 0.4 times" in note for note in found.notes)
    assert not check_fit(damped((1.0, 1.0, 0.4)), time_limit=ROOMY).right


def standardised(X, K, n_iter=150):
    shift, scale = X.mean(axis=0), X.std(axis=0)
    theta = start((X - shift) / scale, K, 0)
    for _ in range(n_iter):
        joint = np.array(
            [w * multivariate_normal(m, S).pdf((X - shift) / scale) for w, m, S in zip(*theta, strict=True)]
        )
        theta = m_step((X - shift) / scale, (joint / joint.sum(axis=0)).T)
    weights, means, covariances = theta
    return weights, means * scale + shift, covariances


def test_parameters_of_which_some_are_those_of_other_data_are_named():
    assert check_fit(standardised, time_limit=ROOMY).mistakes == ("covariances of data standardised",)


def test_the_largest_count_is_not_the_number_of_trials():
    def largest(X, r):
        return r.mean(axis=0), r.T @ X / (r.sum(axis=0)[:, None] * X.max())

    found = check_m_step(largest, family="bmm", n_trials=10)
    assert found.mistakes == ("largest count in place of the number of trials",)
