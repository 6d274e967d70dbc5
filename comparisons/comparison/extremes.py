"""What float64 cannot hold, told before any draw: an extreme prior, or data of an extreme scale, by name.

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
from comparisons.comparison.starts import UnfitPriorError
from models.validation import Array

FAR = 6.0  # powers of ten from the weakly informative prior
MOST_PULL = 1e12  # variances of X; float64 has 16 digits
LARGEST_COUNT = 1e11  # of ten components the log density is rounded to steps of 0.004 nats


@contextmanager
def refused_by_name(problem: Problem, *, with_prior: bool = True) -> Iterator[list[str]]:
    """Turn what goes wrong inside into an UnfitPriorError; yield a list of what overflows and is not raised.

    Where neither the prior nor the data are extreme, an error is none of theirs and stays as it is.

    Parameters
    ----------
    problem : Problem
        Whose data and prior are named.
    with_prior : bool, default True
        Whether the prior has a part in what is computed.
    """
    noted: list[str] = []
    try:
        with np.errstate(over="call", divide="call", invalid="call", call=lambda kind, _: noted.append(kind)):
            yield noted
    except UnfitPriorError:
        raise
    except (ValueError, ArithmeticError, RuntimeError) as error:
        if not _is_extreme(problem, with_prior):
            raise
        raise UnfitPriorError(unfit(problem, " ".join(str(error).split()), with_prior=with_prior)) from error


def check_counts(problem: Problem) -> None:
    """Raise an UnfitPriorError if a number of pseudo-samples is so large that log densities lose their digits."""
    for name in problem.family.prior_counts:
        count = np.asarray(getattr(problem.prior, name, None), dtype=np.float64)  # None is NaN
        if count.max() > LARGEST_COUNT:
            rounding = np.spacing(gammaln(problem.n_components * count.max()))
            raise UnfitPriorError(
                f"prior.{name} must be at most {LARGEST_COUNT:g} to be compared, got {_range(count)}: the log density "
                f"of so many pseudo-samples is rounded to steps of {rounding:.2g} nats"
            )


def check_mean(problem: Problem) -> None:
    """Raise an UnfitPriorError if the prior pulls the means so far that covariances lose the data's own digits.

    Under κ0 pseudo-samples at a distance d, a component's sum of squares grows by up to κ0 d².
    """
    with np.errstate(all="ignore"):
        pull = problem.family.pull(problem.prior, problem.X)
    if (pull > MOST_PULL).any():
        why = "the prior pulls means out of the data, beyond all digits of covariances"
        raise UnfitPriorError(unfit(problem, why))


def rounding_of_prior(problem: Problem) -> float:
    """Return by how many nats the log prior is rounded: a part in 2**52 of its log gamma functions, which cancel."""
    counts = (np.asarray(getattr(problem.prior, name, None), dtype=np.float64) for name in problem.family.prior_counts)
    terms = sum(abs(float(gammaln(problem.n_components * np.nan_to_num(count.max(), nan=1.0)))) for count in counts)
    return 4 * float(np.finfo(np.float64).eps) * terms


def check_agreement(problem: Problem, checks: Sequence[Check]) -> None:
    """Raise an UnfitPriorError if EM and PyMC differ about densities under a prior that is far from the data's own."""
    far = _powers_of_ten(problem)
    failed = [check for check in checks if check.passed is False]
    if failed and max(far.values(), default=0.0) >= FAR:
        raise UnfitPriorError(unfit(problem, f"{failed[0].name} only to {failed[0].value:.2g}"))


def check_mode(problem: Problem, fit: Any, noted: list[str]) -> None:
    """Raise an UnfitPriorError unless the log prior at MAP, and what else a comparison makes of MAP, is finite."""
    mode = fit.parameters_
    gaps = problem.family.conjugate_gaps(mode, len(problem.X), problem.prior)
    numbers = [fit.objective_, problem.prior.log_prob(mode), *(gap for point in gaps for gap in point.values())]
    if not all(np.isfinite(value).all() for value in numbers) or (fit.collapsed_ and noted):
        raise UnfitPriorError(unfit(problem, "MAP-EM overflows"))
    with np.errstate(all="ignore"):  # Monte Carlo errors of standard deviations take fourth powers
        powers = [(array**4).sum() for array in mode.arrays().values()]
    if not np.isfinite(powers).all():
        raise UnfitPriorError(unfit(problem, "the fourth powers of MAP-EM's estimates overflow"))


def unfit(problem: Problem, why: str, *, with_prior: bool = True) -> str:
    """Return a sentence that names the extreme number of the prior, or else the scale of the data, and what to do."""
    far = _powers_of_ten(problem) if with_prior else {}
    name = max(far, key=lambda name: far[name], default="")
    if name and far[name] >= FAR:
        got = _range(np.asarray(getattr(problem.prior, name)))
        usual = _range(np.asarray(getattr(_usual(problem), name)))
        return (
            f"prior.{name} is too extreme to compute with in float64 on these data, got {got}: {why}. "
            f"The weakly informative prior has {usual}; move it there"
        )
    low, high = np.nanmin(problem.X), np.nanmax(problem.X)
    names, given, remedy = "X", "", ""
    if with_prior:
        names, given, remedy = "prior and X", f"a {type(problem.prior).__name__} and ", ", or pass prior=None"
    return (
        f"{names} must be of a scale that float64 can hold, got {given}X from {low:.3g} to {high:.3g}: {why}. "
        f"Rescale the columns of X to deviations of about 1{remedy}"
    )


def _is_extreme(problem: Problem, with_prior: bool) -> bool:
    """Whether a number of the prior, or a deviation or a mean of the data, is far from ordinary."""
    far = max(_powers_of_ten(problem).values(), default=0.0) if with_prior else 0.0
    with np.errstate(all="ignore"):
        mean, sd = np.nanmean(problem.X, axis=0), np.nanstd(problem.X, axis=0)
        sizes = np.abs(np.log10(sd[sd > 0])).max(initial=0.0), np.log10(np.abs(mean) / sd).max()
    return not max(far, *sizes) < FAR  # NaN is far


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
    for field in fields(problem.prior):
        given, other = getattr(problem.prior, field.name), getattr(usual, field.name)
        if not isinstance(given, float | np.ndarray) or other is None:
            continue
        if field.name == "mean":
            deviations = np.nanstd(problem.X, axis=0)
            far[field.name] = float(np.log10(np.maximum(np.abs(given - other) / deviations, 1.0)).max())
        else:
            far[field.name] = float(np.abs(_log10(given).max() - _log10(other).max()))
    return far


def _log10(values: Any) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10(np.abs(values)))


def _range(values: Array) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
