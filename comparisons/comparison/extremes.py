"""Refuse by name, before any draw, what float64 cannot hold: an extreme prior, or data of an extreme scale.

A prior whose numbers are legal may have a density, a gradient or a mode beyond float64. :func:`refused_by_name` turns
what NumPy, SciPy, PyMC and nutpie say of it into an :class:`UnfitPriorError` that names the number of the prior that is
furthest from the weakly informative prior's, or else the scale of the data.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
from scipy.special import gammaln

from comparisons.comparison.checks import Check
from comparisons.comparison.problem import Problem
from models.validation import Array

FAR = 6.0  # powers of ten from the weakly informative prior
MOST_PULL = 1e12  # variances of X; float64 has 16 digits
LARGEST_COUNT = 1e11  # of ten components the log density is rounded to steps of 0.004 nats


class UnfitPriorError(ValueError):
    """The prior is legal and its posterior on these data is none that can be compared; the message says why."""


class NoModeError(UnfitPriorError):
    """Under the prior every restart of MAP-EM collapsed on these data, which only the fit can tell."""


@contextmanager
def refused_by_name(problem: Problem) -> Iterator[list[str]]:
    """Turn what goes wrong inside into an UnfitPriorError; yield a list of what overflows and is not raised.

    Where neither the prior nor the data are extreme, an error is none of theirs and stays as it is.
    """
    noted: list[str] = []
    try:
        with np.errstate(over="call", divide="call", invalid="call", call=lambda kind, _: noted.append(kind)):
            yield noted
    except (ValueError, ArithmeticError, RuntimeError) as error:
        if isinstance(error, UnfitPriorError) or not _is_extreme(problem):
            raise
        raise unfit(problem, " ".join(str(error).split())) from error


def check_prior(problem: Problem) -> None:
    """Raise an UnfitPriorError if EM or the densities would lose all digits to the prior.

    The log density of very many pseudo-samples is coarse. Under κ0 pseudo-samples at a distance d, a component's sum of
    squares grows by up to κ0 d², and its covariance loses the data's own digits.
    """
    for name, count in _counts(problem).items():
        if count.max() > LARGEST_COUNT:
            rounding = np.spacing(gammaln(problem.n_components * count.max()))
            raise UnfitPriorError(
                f"prior.{name} must be at most {LARGEST_COUNT:g} to be compared, got {_range(count)}: the log density "
                f"of so many pseudo-samples is rounded to steps of {rounding:.2g} nats"
            )
    with np.errstate(all="ignore"):
        pull = problem.family.pull(problem.prior, problem.X)
    if (pull > MOST_PULL).any():
        raise unfit(problem, "the prior pulls means out of the data, beyond all digits of covariances")


def rounding_of_prior(problem: Problem) -> float:
    """Return by how many nats the log prior is rounded: a part in 2**52 of its log gamma functions, which cancel."""
    terms = (abs(float(gammaln(problem.n_components * count.max()))) for count in _counts(problem).values())
    return 4 * float(np.finfo(np.float64).eps) * sum(terms)


def _counts(problem: Problem) -> dict[str, Array]:
    """Return the numbers of the prior that count pseudo-samples, by name."""
    counts = {name: getattr(problem.prior, name, None) for name in problem.family.prior_counts}
    return {name: np.asarray(count) for name, count in counts.items() if count is not None}


def check_agreement(problem: Problem, checks: Sequence[Check]) -> None:
    """Raise an UnfitPriorError if EM and PyMC differ about densities under a prior that is far from the data's own."""
    failed = [check for check in checks if check.passed is False]
    if failed and max(_powers_of_ten(problem).values(), default=0.0) >= FAR:
        raise unfit(problem, f"{failed[0].name} only to {failed[0].value:.2g}")


def check_mode(problem: Problem, fit: Any, noted: list[str]) -> None:
    """Raise an UnfitPriorError unless the log prior at MAP, and what else a comparison makes of MAP, is finite."""
    mode, prior = fit.parameters_, problem.prior
    gaps = problem.family.conjugate_gaps(mode, len(problem.X), prior)
    with np.errstate(all="ignore"):  # Monte Carlo errors of standard deviations take fourth powers
        powers = [array**4 for array in mode.arrays().values()]
    numbers = [fit.objective_, prior.log_prob(mode), *powers, *(gap for point in gaps for gap in point.values())]
    if not all(np.isfinite(np.sum(value)) for value in numbers) or (fit.collapsed_ and noted):
        raise unfit(problem, "MAP-EM overflows, or the fourth powers of its estimates do")
    if fit.collapsed_:
        raise NoModeError(f"prior must keep variances from 0 on these data, as inverse gammas do: {fit.status_}")


def unfit(problem: Problem, why: str) -> UnfitPriorError:
    """Return an error that names the extreme number of the prior, or else the scale of the data, and what to do."""
    far = _powers_of_ten(problem)
    name = max(far, key=lambda name: far[name], default="")
    if name and far[name] >= FAR:
        got, usual = (_range(np.asarray(getattr(prior, name))) for prior in (problem.prior, _usual(problem)))
        return UnfitPriorError(
            f"prior.{name} is too extreme to compute with in float64 on these data, got {got}: {why}. "
            f"The weakly informative prior has {usual}; move it there"
        )
    return UnfitPriorError(
        f"X and prior must be of a scale that float64 can hold, got X from {np.nanmin(problem.X):.3g} to "
        f"{np.nanmax(problem.X):.3g}: {why}. Rescale the columns of X to deviations of about 1, or pass prior=None"
    )


def _is_extreme(problem: Problem) -> bool:
    """Whether a number of the prior, or a deviation or a mean of the data, is far from ordinary."""
    with np.errstate(all="ignore"):
        mean, sd = np.nanmean(problem.X, axis=0), np.nanstd(problem.X, axis=0)
        sizes = np.abs(np.log10(sd[sd > 0])).max(initial=0.0), np.log10(np.abs(mean) / sd).max()
    return not max(*_powers_of_ten(problem).values(), *sizes) < FAR  # NaN is far


def _usual(problem: Problem) -> Any:
    """Return the weakly informative prior of the same kind."""
    kind = problem.family.prior_family(problem.prior)
    return problem.family.default_prior(problem.X, problem.n_components, kind)


def _powers_of_ten(problem: Problem) -> dict[str, float]:
    """Return how far each number of the prior is from the weakly informative prior's, in powers of ten."""
    try:
        usual = _usual(problem)
    except ValueError:  # a constant column has none
        return {}
    far = {}
    for name in (field.name for field in fields(problem.prior)):
        given, other = getattr(problem.prior, name), getattr(usual, name)
        if not isinstance(given, float | np.ndarray) or other is None:
            continue
        if name == "mean":
            sizes = np.maximum(np.abs(given - other) / np.nanstd(problem.X, axis=0), 1.0)
        else:
            sizes = np.abs(given).max() / np.abs(other).max()
        with np.errstate(divide="ignore"):
            far[name] = float(np.abs(np.log10(sizes)).max())
    return far


def _range(values: Array) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
