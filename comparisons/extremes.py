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

from comparisons.draws import single
from comparisons.result import Comparison
from comparisons.starts import UnfitPriorError
from models.validation import Array

FAR = 6.0  # powers of ten from the weakly informative prior


@contextmanager
def refused_by_name(found: Comparison, *, with_prior: bool = True) -> Iterator[list[str]]:
    """Turn whatever goes wrong inside into an UnfitPriorError; yield a list of what overflows and is not raised.

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
        raise UnfitPriorError(unfit(found, " ".join(str(error).split()), with_prior=with_prior)) from error


def check_mode(found: Comparison, noted: list[str]) -> None:
    """Raise an UnfitPriorError unless the log prior at MAP, and what else a comparison makes of MAP, is finite."""
    mode = found.map.parameters_
    gaps = found.family.conjugate_gaps(mode, len(found.X), found.prior)
    numbers = [found.map.objective_, found.prior.log_prob(mode), *(gap for point in gaps for gap in point.values())]
    if not all(np.isfinite(value).all() for value in numbers) or (found.map.collapsed_ and noted):
        raise UnfitPriorError(unfit(found, "MAP-EM overflows"))
    with np.errstate(all="ignore"):
        squares = [(array**2).sum() for array in single(mode).values()]
    if not np.isfinite(squares).all():
        raise UnfitPriorError(unfit(found, "the squares of MAP-EM's estimates overflow"))


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
