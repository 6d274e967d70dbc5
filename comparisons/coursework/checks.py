"""Check a student's functions against the textbook: E-step, M-step, log-likelihood and Q.

A function is plain: ``e_step(X, weights, means, covariances)`` returns responsibilities, or these with the
log-likelihood in either order; ``m_step(X, responsibilities)`` returns weights, means, covariances. Names and order of
the arguments are found out from the signature. Each function is called on several small inputs, made so that mistakes
differ, and its answers are compared with the textbook's. A wrong answer is compared with a catalogue of mistakes:
formulas in which one term is replaced (:mod:`comparisons.coursework.formulas.slots`).
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.examples import example_of
from comparisons.coursework.formulas.textbooks import textbook_of
from comparisons.coursework.judging import Trial, judge, trial_of
from comparisons.coursework.notes import notes_of
from comparisons.coursework.repeated_calls import judge_repeated_calls
from comparisons.coursework.result import Check, Verdict
from models.shown import counted

SHARE_OF_CALLS = 0.6  # of the time limit, for calls of the student's function; the rest is for the catalogue
SHARE_OF_SEARCH = 0.8  # of the time limit, when the search in the catalogue ends
Declared = str | Sequence[str]


def check_e_step(
    f: Callable[..., Any],
    family: str = "gmm",
    *,
    takes: Declared = (),
    returns: Declared = (),
    time_limit: float = 2.0,
    **options: Any,
) -> Check:
    """Check an E-step: ``f(X, weights, means, covariances)`` returns responsibilities, and the log-likelihood or not.

    Parameters
    ----------
    f : callable
        The function; for ``family="kmeans"`` the assignment ``f(X, centers)``.
    family : str, default "gmm"
        Name of the mixture, or "kmeans".
    takes, returns : str or sequence of str
        What it takes or returns in another way: "precisions", "standard deviations", "(K, n)", "log responsibilities".
        A function that has its responsibilities as (K, n) is understood without.
    time_limit : float, default 2
        Seconds of computing for all of the check; on a busy machine up to three times as many pass.
    **options
        The family's, such as ``covariance_type="diag"`` or ``n_trials=10``.

    Returns
    -------
    Check
        Its ``right``, ``hint`` and ``explain()``.

    Raises
    ------
    ValueError
        If the family or an option is none.
    TypeError
        If ``f`` cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.coursework import check_e_step
    >>> from scipy.stats import multivariate_normal
    >>> def e_step(X, weights, means, covariances):
    ...     densities = [multivariate_normal.pdf(X, m, S) for m, S in zip(means, covariances)]
    ...     joint = np.reshape(densities, (len(weights), len(X))).T  # the weights are missing
    ...     return joint / joint.sum(axis=1, keepdims=True)
    >>> check = check_e_step(e_step)
    >>> check.right, check.mistakes
    (False, ('weights left out',))
    """
    return check_of_step(f, "e", family, takes, returns, time_limit, options)


def check_m_step(
    f: Callable[..., Any],
    family: str = "gmm",
    *,
    prior: Any = None,
    takes: Declared = (),
    returns: Declared = (),
    time_limit: float = 2.0,
    **options: Any,
) -> Check:
    """Check an M-step: ``f(X, responsibilities)`` returns weights, means, covariances, or what the family has.

    Parameters
    ----------
    f : callable
        The function; it may take the old parameters too. For ``family="kmeans"`` the update ``f(X, labels)``.
    family : str, default "gmm"
        Name of the mixture, or "kmeans".
    prior : prior or None
        Of the family; ``None`` asks for maximum likelihood.
    takes, returns, time_limit, **options
        As of `check_e_step`.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.coursework import check_m_step
    >>> def m_step(X, r):
    ...     N = r.sum(axis=0)
    ...     return N / len(X), r.T @ X / len(X)
    >>> check = check_m_step(m_step, family="pmm")
    >>> [verdict.quantity for verdict in check.verdicts if not verdict.right], check.mistakes
    (['rates'], ('n in place of N_k',))
    """
    return check_of_step(f, "m", family, takes, returns, time_limit, options, prior)


def check_log_likelihood(
    f: Callable[..., Any],
    family: str = "gmm",
    *,
    takes: Declared = (),
    returns: Declared = (),
    time_limit: float = 2.0,
    **options: Any,
) -> Check:
    """Check a log-likelihood: ``f(X, weights, means, covariances)`` returns the sum over the samples, in nats.

    Parameters are those of `check_e_step`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import poisson
    >>> from comparisons.coursework import check_log_likelihood
    >>> def log_likelihood(X, weights, rates):
    ...     logs = poisson.logpmf(X[:, None, :], rates).sum(axis=2)
    ...     return (weights * logs).sum()
    >>> check_log_likelihood(log_likelihood, family="pmm").mistakes
    ('weights outside of the logarithm',)
    """
    return check_of_step(f, "log_likelihood", family, takes, returns, time_limit, options)


def check_q(
    f: Callable[..., Any],
    family: str = "gmm",
    *,
    takes: Declared = (),
    returns: Declared = (),
    time_limit: float = 2.0,
    **options: Any,
) -> Check:
    """Check Q, the expected complete-data log-likelihood: ``f(X, responsibilities, weights, means, covariances)``.

    It may also take two sets of parameters, ``f(X, theta, theta_old)`` or ``f(X, weights, ..., weights_old, ...)``, and
    make the responsibilities of the old ones itself. Parameters are those of `check_e_step`; ``returns="mean over
    samples"`` declares that Q is divided by n.

    Examples
    --------
    >>> from scipy.special import softmax
    >>> from scipy.stats import poisson
    >>> from comparisons.coursework import check_q
    >>> def log_joint(X, theta):
    ...     return poisson.logpmf(X[:, None, :], theta["rates"]).sum(axis=2)  # log weights are missing
    >>> def q(X, theta, theta_old):
    ...     return (softmax(log_joint(X, theta_old), axis=1) * log_joint(X, theta)).sum()
    >>> check_q(q, family="pmm").right
    False
    """
    return check_of_step(f, "q", family, takes, returns, time_limit, options)


def check_fit(
    fit_function: Callable[..., Any], family: str = "gmm", *, time_limit: float = 2.0, **options: Any
) -> Check:
    """Check a whole fit: ``fit_function(X, K)`` returns parameters, and the log-likelihood or its history or not.

    It may take a start, a number of iterations, a tolerance and a seed by any usual name; the more it takes, the more
    is found out about its loop. The order of the components is free.

    Parameters are those of `check_e_step`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import softmax
    >>> from scipy.stats import poisson
    >>> from comparisons.coursework import check_fit
    >>> def fit(X, K, n_iter=100):
    ...     rates = X.mean(axis=0) * np.random.default_rng(0).uniform(1, 2, (K, X.shape[1]))
    ...     weights = np.full(K, 1 / K)
    ...     for _ in range(n_iter):
    ...         r = softmax(np.log(weights) + poisson.logpmf(X[:, None, :], rates).sum(axis=2), axis=1)
    ...         weights, rates = r.mean(axis=0), r.T @ X / r.sum(axis=0)[:, None]
    ...     return weights, rates
    >>> check_fit(fit, family="pmm").right
    True
    """
    from comparisons.coursework.fits import check_of_fit

    return check_of_fit(fit_function, family, time_limit, options)


def check_steps(
    e_step: Callable[..., Any],
    m_step: Callable[..., Any],
    family: str = "gmm",
    *,
    prior: Any = None,
    takes: Declared = (),
    returns: Declared = (),
    time_limit: float = 2.0,
    **options: Any,
) -> Check:
    """Check an E-step and an M-step, each by itself, as one result.

    Parameters are those of `check_m_step`; ``time_limit`` holds for each step.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import softmax
    >>> from scipy.stats import poisson
    >>> from comparisons.coursework import check_steps
    >>> def e_step(X, weights, rates):
    ...     return softmax(np.log(weights) + poisson.logpmf(X[:, None, :], rates).sum(axis=2), axis=1)
    >>> def m_step(X, r):
    ...     return r.sum(axis=0), r.T @ X / r.sum(axis=0)[:, None]  # the weights are not divided by n
    >>> "Hint: What must the weights sum to?" in str(check_steps(e_step, m_step, family="pmm"))
    True
    """
    first = check_of_step(
        e_step, "e", family, takes, [n for n in _as_list(returns) if "respons" in n or "(K" in n], time_limit, options
    )
    second = check_of_step(
        m_step, "m", family, takes, [n for n in _as_list(returns) if "respons" not in n], time_limit, options, prior
    )
    wrong = first if not first.right else second
    return Check(
        f"{first.what} and {second.what[0].upper()}{second.what[1:]}",
        (*first.verdicts, *second.verdicts),
        tuple(dict.fromkeys((*first.notes, *second.notes))),
        wrong.example,
        wrong.section,
        first.seconds + second.seconds,
    )


def _as_list(names: Declared) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


@np.errstate(all="ignore")
def check_of_step(
    f: Callable[..., Any],
    step: str,
    family: str,
    takes: Declared,
    returns: Declared,
    time_limit: float,
    options: dict[str, Any],
    prior: Any = None,
) -> Check:
    """Call a student's function on the inputs of a step, judge each quantity, and return the result."""
    if not callable(f):
        raise TypeError(f"f must be a function, got {type(f).__name__}: pass its name, without calling it")
    start, deadline = perf_counter(), used_seconds() + SHARE_OF_SEARCH * time_limit
    book = textbook_of(family, prior, **options)
    caller = Caller(f, book, step, _as_list(takes), _as_list(returns), SHARE_OF_CALLS * time_limit)
    book.note_sizes(caller.signature.roles, caller.signature.defaults)
    book.two_sets = any(role.startswith("old ") for role in caller.signature.roles)
    what = f"{book.titles[step]} of {book.title}"
    if caller.signature.problem:
        verdict = Verdict(book.first_quantity(step), False, located=caller.signature.problem)
        return Check(what, (verdict,), section=book.section(step), seconds=perf_counter() - start)
    trials = _trials(caller)
    names = [q.name for q in book.expected(step, trials[0].problem) if q.required or q.name in trials[0].answer.values]
    verdicts = tuple(judge(book, name, trials, deadline, caller=caller) for name in names)
    verdicts, trials = judge_repeated_calls(caller, trials, verdicts, deadline)
    wrong = [verdict.quantity for verdict in verdicts if not verdict.right]
    example = example_of(caller, wrong, trials) if wrong else ""
    notes = notes_of(caller, trials, verdicts)
    return Check(what, verdicts, notes, example, book.section(step), perf_counter() - start)


def _trials(caller: Caller) -> list[Trial]:
    """Call the function on each input of its step until the time limit; return at least one trial."""
    trials: list[Trial] = []
    for problem in caller.settle(caller.book.problems_of(caller.step)):
        trial = trial_of(caller, problem)
        if trial.answer.outcome.overtime and trials:
            caller.notes.append(f"slow: the time limit came after {counted(len(trials), 'input')}")
            break
        trials.append(trial)
        if trial.answer.outcome.overtime:
            break
    return trials
