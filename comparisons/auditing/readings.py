"""Read a fit's arrays as parameters of this project, and detect arrays that hold something else than their names say.

Precisions under the name of covariances still make a mixture, but the wrong one. So other readings of the same numbers
are tried too. One of them replaces the plain reading if the likelihood is far larger under it, and EM hardly moves from
there.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import permutations
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.auditing.audited import AuditedFit, audited_fit
from comparisons.auditing.family import audit_of_family
from comparisons.auditing.library_fit import LibraryFit
from comparisons.auditing.lines import RIGHT, WRONG, Line, in_nats
from comparisons.auditing.transformed_data import undo_transformations
from comparisons.families import family_of
from comparisons.family import Family
from models.parameters import Parameters, Quantity
from models.supports import PROBABILITY, SIMPLEX, Covariance, Positive, Variance
from models.validation import Array

ROUNDED = {np.dtype(np.float32): 1e-5, np.dtype(np.float16): 1e-2}  # tolerance of sums to one; 1e-8 for float64
NEARLY_SYMMETRIC = 1e-3
FAR_HIGHER = 10.0, 0.02  # nats, and nats per sample, that another reading must gain
OTHER_NAMES = "give the arrays their own names; the lines below are about this reading"
OTHER_DATA = "audit the fit on the X that it was fitted to; the lines below are about its parameters on this X"
MOST_COMPONENTS = 4  # up to which all orders are tried
Reading = tuple[Parameters, str, str]  # the parameters, what the arrays hold in words, and what to do
LEAVES = 0.2  # EM may still gain at most this share of what the other reading gains


def read(
    library_fit: LibraryFit, X: Any, sample_weight: ArrayLike | None, settings: Mapping[str, Any]
) -> tuple[AuditedFit | None, Line]:
    """Read a fit as its names say, or by another reading of its numbers if that is far more likely.

    Returns
    -------
    audited : AuditedFit or None
        The fit that was read; None if it is no mixture.
    line : Line
        The line "mixture" of the audit.
    """
    pair, arrays, complaints = _family_and_arrays(library_fit, X)
    parameters, why = _parameters(pair, arrays)
    if parameters is not None and parameters.n_features != np.shape(X)[1]:
        raise ValueError(f"X must have {parameters.n_features} columns like the fit, got {np.shape(X)[1]}")
    audit_of: Callable[[Parameters], AuditedFit] = partial(
        audited_fit, library_fit=library_fit, pair=pair, X=X, sample_weight=sample_weight, **settings
    )
    audited = None if parameters is None else audit_of(parameters)
    if (other := _better_reading(audited, _legal_readings(library_fit, pair, arrays, X), audit_of)) is not None:
        better, what, remedy = other
        gap = "" if audited is None else f", by {in_nats(better.log_likelihood - audited.log_likelihood)}"
        finding = f"{'; '.join([*filter(None, [why]), what])}: the data are far more probable so{gap}"
        return better, Line("mixture", WRONG, finding, None, remedy)
    if audited is None:
        return None, Line("mixture", WRONG, why, None, "without a mixture there is nothing more to audit")
    if complaints:
        remedy = "the lines below are about the corrected arrays"
        return audited, Line("mixture", WRONG, "; ".join(complaints), None, remedy)
    names = ", ".join(name for name in arrays if name != "weights")
    off = abs(float(arrays["weights"].sum()) - 1)
    finding = f"weights are not negative and sum to 1 (to {off:.1g}); {names} are legal"
    return audited, Line("mixture", RIGHT, finding, off)


def _family_and_arrays(library_fit: LibraryFit, X: Any) -> tuple[Family, dict[str, Array], list[str]]:
    """Return the family with its options, the arrays with small errors corrected, and a complaint about each error."""
    arrays = {name: np.array(values) for name, values in library_fit.arrays.items()}
    tolerance = max([1e-8, *(ROUNDED.get(array.dtype, 0.0) for array in arrays.values())])
    arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
    options = audit_of_family(library_fit.family).structure(arrays, library_fit.options, np.shape(X)[1])
    pair = family_of(library_fit.family, **options)
    if None in pair.of_mixture.values():
        pair = pair.of_samples(X)[0]
    expected = {quantity.name for quantity in pair.quantities}
    if expected != arrays.keys():
        raise ValueError(f"fit must have the arrays {', '.join(sorted(expected))}, got {', '.join(sorted(arrays))}")
    complaints = []
    for quantity in pair.quantities:
        complaint, arrays[quantity.name] = _correct(quantity, arrays[quantity.name], tolerance)
        complaints += [complaint] if complaint else []
    return pair, arrays, complaints


def _correct(quantity: Quantity, array: Array, tolerance: float) -> tuple[str, Array]:
    """Correct a small error of an array, such as weights that do not sum to one; return a complaint and the array."""
    if not np.isfinite(array).all() or not array.size:
        return "", array
    if quantity.support is SIMPLEX and array.min() >= 0 and (total := float(array.sum())) > 0:
        wrong = f"{quantity.name} sum to {total:.6g}, and not to 1"
        return wrong * (abs(total - 1) > tolerance), array / total
    if isinstance(quantity.support, Covariance) and array.ndim >= 2 and array.shape[-1] == array.shape[-2]:
        gap, largest = np.abs(array - array.mT).max(), np.abs(array).max()
        if gap >= NEARLY_SYMMETRIC * largest:
            return "", array
        wrong = f"{quantity.name} are not symmetric: entries that must be equal differ by {gap:.2g}"
        return wrong * bool(gap > tolerance * largest), (array + array.mT) / 2
    if quantity.support.bounded and array.min() >= 0 and array.any():
        normalised = quantity.support.normalised(array)
        return "", normalised if np.abs(normalised - array).max() <= tolerance else array
    return "", array


def _parameters(pair: Family, arrays: Mapping[str, Array]) -> tuple[Parameters | None, str]:
    """Return parameters made of these arrays, or None and the reason why the arrays are illegal."""
    of_mixture = {name: value for name, value in pair.of_mixture.items() if value is not None}
    try:
        parameters: Parameters = pair.parameters_type(**arrays, **of_mixture)
    except ValueError as error:
        return None, shorten(str(error), 240, placeholder=" ...")
    return parameters, ""


def _legal_readings(library_fit: LibraryFit, pair: Family, arrays: Mapping[str, Array], X: Any) -> list[Reading]:
    """Return the other readings of the arrays that are a mixture.

    Fits of this project are only tried on transformed data: their own checks ensure what the arrays hold.
    """
    others = [] if library_fit.ours is not None else [*library_fit.alternatives.items(), *_other_readings(pair, arrays)]
    return [
        (parameters, words, remedy)
        for remedy, candidates in ((OTHER_NAMES, others), (OTHER_DATA, undo_transformations(pair, arrays, X)))
        for words, other_arrays in candidates
        if (parameters := _parameters(pair, other_arrays)[0]) is not None
    ]


def _better_reading(
    audited: AuditedFit | None, readings: list[Reading], audit_of: Callable[[Parameters], AuditedFit]
) -> tuple[AuditedFit, str, str] | None:
    """Return another reading under which the data are far more probable, with its description and the remedy."""
    if not readings:
        return None
    reference = audited or audit_of(readings[0][0])
    parameters, words, remedy = max(readings, key=lambda reading: reference.log_likelihood_at(reading[0]))
    best = audit_of(parameters)
    if audited is not None:
        gain, (least, per_sample) = reference.log_likelihood_at(parameters) - audited.log_likelihood, FAR_HIGHER
        if not gain > max(least, per_sample * audited.n_samples) or best.gain > LEAVES * gain:
            return None
    return best, words, remedy


def _other_readings(pair: Family, arrays: Mapping[str, Array]) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yield other readings of the arrays, each with one array changed, and a description."""
    for quantity in pair.quantities:
        K = len(arrays[quantity.name]) if quantity.dims[:1] == ("component",) else 0
        for order in permutations(range(K)) if K <= MOST_COMPONENTS else ():
            if list(order) != list(range(K)):
                permuted = {**arrays, quantity.name: arrays[quantity.name][list(order)]}
                yield f"{quantity.name} are in another order of components than the rest", permuted
    for quantity in pair.quantities[1:]:
        array, name, support = arrays[quantity.name], quantity.name, quantity.support
        with np.errstate(all="ignore"):
            readings = _of_support(support, array)
        if array.ndim == 2 and array.shape[0] == array.shape[1] and not isinstance(support, Covariance):
            readings["transposed, features first"] = array.T
        for words, reading in readings.items():
            if np.isfinite(reading).all():
                yield f"{name} are {words}", {**arrays, name: reading}


def _of_support(support: Any, array: Array) -> dict[str, Array]:
    if isinstance(support, Covariance):
        if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
            return {}
        product = array @ array.mT
        if array.shape[-1] == 1:
            return {"precisions, the inverses of covariances": _inverse(array), "standard deviations": product}
        if np.allclose(array, np.tril(array)) or np.allclose(array, np.triu(array)):
            factors = {"Cholesky factors L of covariances L L'": product}
            return {**factors, "Cholesky factors U of precisions U U'": _inverse(product)}
        return {"precisions, the inverses of covariances": _inverse(array)}
    if isinstance(support, Variance):
        if isinstance(support, Positive):
            return {"their inverses": 1 / array}
        return {"precisions, the inverses of variances": 1 / array, "standard deviations": array**2}
    return {"those of the other outcome": 1 - array} if support is PROBABILITY else {}


def _inverse(matrices: Array) -> Array:
    try:
        inverse = np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        return np.full_like(matrices, np.nan)
    return (inverse + inverse.mT) / 2
