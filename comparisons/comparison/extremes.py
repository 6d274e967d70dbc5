"""What float64 cannot hold, told before any draw: an extreme prior, or data of an extreme scale, by name.

A prior whose numbers are legal may have a density, a gradient or a mode beyond float64. :func:`refused_by_name` turns
what NumPy, SciPy, PyMC and nutpie say of it into an :class:`UnfitPriorError` that names the number of the prior that is
furthest from the weakly informative prior's, or else the scale of the data.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
from scipy.special import gammaln

from comparisons.comparison.result import Comparison
from comparisons.comparison.starts import UnfitPriorError
from models.gmm import GMMIndependentPrior, GMMPrior
from models.validation import Array

FAR = 6.0  # powers of ten from the weakly informative prior
COUNTS = ("concentration", "degrees_of_freedom", "variance_shape", "correlation_shape", "successes", "failures")
MOST_PULL = 1e12  # variances of X; float64 has 16 digits
LARGEST_COUNT = 1e11  # of ten components the log density is rounded to steps of 0.004 nats


@contextmanager
def refused_by_name(found: Comparison, *, with_prior: bool = True) -> Iterator[list[str]]:
    """Turn what goes wrong inside into an UnfitPriorError; yield a list of what overflows and is not raised.

    Where neither the prior nor the data are extreme, an error is none of theirs and stays as it is.

    Parameters
    ----------
    found : Comparison
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
        if not _is_extreme(found, with_prior):
            raise
        raise UnfitPriorError(unfit(found, " ".join(str(error).split()), with_prior=with_prior)) from error


def check_counts(found: Comparison) -> None:
    """Raise an UnfitPriorError if a number of pseudo-samples is so large that log densities lose their digits."""
    for name in COUNTS:
        count = np.asarray(getattr(found.prior, name, None), dtype=np.float64)  # None is NaN
        if count.max() > LARGEST_COUNT:
            rounding = np.spacing(gammaln(found.n_components * count.max()))
            raise UnfitPriorError(
                f"prior.{name} must be at most {LARGEST_COUNT:g} to be compared, got {_range(count)}: the log density "
                f"of so many pseudo-samples is rounded to steps of {rounding:.2g} nats"
            )


def check_mean(found: Comparison) -> None:
    """Raise an UnfitPriorError if the prior pulls the means so far that covariances lose the data's own digits.

    Under κ0 pseudo-samples at a distance d, a component's sum of squares grows by up to κ0 d².
    """
    prior, variances = found.prior, np.nanvar(found.X, axis=0)
    if not isinstance(prior, GMMPrior | GMMIndependentPrior):
        return
    with np.errstate(all="ignore"):
        kappa = prior.mean_precision if isinstance(prior, GMMPrior) else variances * (1 / prior.mean_sd) ** 2
        pull = np.minimum(kappa, 1.0) * (prior.mean - np.nanmean(found.X, axis=0)) ** 2 / variances
    if (pull > MOST_PULL).any():
        raise UnfitPriorError(unfit(found, "the prior pulls means out of the data, beyond all digits of covariances"))


def rounding_of_prior(found: Comparison) -> float:
    """Return by how many nats the log prior is rounded: a part in 2**52 of its log gamma functions, which cancel."""
    counts = (np.asarray(getattr(found.prior, name, None), dtype=np.float64) for name in COUNTS)
    terms = sum(abs(float(gammaln(found.n_components * np.nan_to_num(count.max(), nan=1.0)))) for count in counts)
    return 4 * float(np.finfo(np.float64).eps) * terms


def check_agreement(found: Comparison) -> None:
    """Raise an UnfitPriorError if EM and PyMC differ about densities under a prior that is far from the data's own."""
    far = _powers_of_ten(found)
    failed = [check for check in found.checks if check.passed is False]
    if failed and max(far.values(), default=0.0) >= FAR:
        raise UnfitPriorError(unfit(found, f"{failed[0].name} only to {failed[0].value:.2g}"))


def check_mode(found: Comparison, noted: list[str]) -> None:
    """Raise an UnfitPriorError unless the log prior at MAP, and what else a comparison makes of MAP, is finite."""
    mode = found.map.parameters_
    gaps = found.family.conjugate_gaps(mode, len(found.X), found.prior)
    numbers = [found.map.objective_, found.prior.log_prob(mode), *(gap for point in gaps for gap in point.values())]
    if not all(np.isfinite(value).all() for value in numbers) or (found.map.collapsed_ and noted):
        raise UnfitPriorError(unfit(found, "MAP-EM overflows"))
    with np.errstate(all="ignore"):  # Monte Carlo errors of standard deviations take fourth powers
        powers = [(array**4).sum() for array in mode.arrays().values()]
    if not np.isfinite(powers).all():
        raise UnfitPriorError(unfit(found, "the fourth powers of MAP-EM's estimates overflow"))


def unfit(found: Comparison, why: str, *, with_prior: bool = True) -> str:
    """Return a sentence that names the extreme number of the prior, or else the scale of the data, and what to do."""
    far = _powers_of_ten(found) if with_prior else {}
    name = max(far, key=lambda name: far[name], default="")
    if name and far[name] >= FAR:
        got = _range(np.asarray(getattr(found.prior, name)))
        usual = _range(np.asarray(getattr(_usual(found), name)))
        return (
            f"prior.{name} is too extreme to compute with in float64 on these data, got {got}: {why}. "
            f"The weakly informative prior has {usual}; move it there"
        )
    low, high = np.nanmin(found.X), np.nanmax(found.X)
    names, given, remedy = "X", "", ""
    if with_prior:
        names, given, remedy = "prior and X", f"a {type(found.prior).__name__} and ", ", or pass prior=None"
    return (
        f"{names} must be of a scale that float64 can hold, got {given}X from {low:.3g} to {high:.3g}: {why}. "
        f"Rescale the columns of X to deviations of about 1{remedy}"
    )


def _is_extreme(found: Comparison, with_prior: bool) -> bool:
    """Whether a number of the prior, or a deviation or a mean of the data, is far from ordinary."""
    far = max(_powers_of_ten(found).values(), default=0.0) if with_prior else 0.0
    with np.errstate(all="ignore"):
        mean, sd = np.nanmean(found.X, axis=0), np.nanstd(found.X, axis=0)
        sizes = np.abs(np.log10(sd[sd > 0])).max(initial=0.0), np.log10(np.abs(mean) / sd).max()
    return not max(far, *sizes) < FAR  # NaN is far


def _usual(found: Comparison) -> Any:
    """Return the weakly informative prior of the same kind."""
    shape = getattr(found.prior, "variance_shape", None)
    kinds = found.family.prior_families
    own = isinstance(found.prior, found.family.prior_types[-1]) and len(kinds) > 1
    kind = kinds[0] if not own else "half-normal" if shape is None else "inverse-gamma"
    return found.family.default_prior(found.X, found.n_components, kind)


def _powers_of_ten(found: Comparison) -> dict[str, float]:
    """Return how far each number of the prior is from the weakly informative prior's, in powers of ten."""
    try:
        usual = _usual(found)
    except ValueError:  # a constant column has none
        return {}
    far = {}
    for field in fields(found.prior):
        given, other = getattr(found.prior, field.name), getattr(usual, field.name)
        if not isinstance(given, float | np.ndarray) or other is None:
            continue
        if field.name == "mean":
            deviations = np.nanstd(found.X, axis=0)
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
