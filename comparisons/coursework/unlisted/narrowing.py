"""Describe on which inputs, and in which entries, a function differs from the textbook, if its mistake is not known."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.validation import Array

SAME = 1e-6


def describe_difference(quantity: str, trials: Sequence[Any], rtol: float) -> str:
    """Describe on which inputs, and in which entries, a quantity is wrong.

    Parameters
    ----------
    quantity : str
        Name of the quantity.
    trials : sequence of Trial
        Problems with the function's answers and the right ones.
    rtol : float
        Relative tolerance.
    """
    if shape := _describe_shape(quantity, trials):
        return shape
    wrong = [trial for trial in trials if not trial.is_right(quantity, rtol)]
    trial = next((t for t in wrong if not t.problem.name), wrong[0])
    entries = _describe_entries(trial.answer.values[quantity], trial.right[quantity], trial.problem.K, rtol)
    return "; ".join(filter(None, [_describe_inputs(quantity, trials, rtol), entries]))


def _describe_shape(quantity: str, trials: Sequence[Any]) -> str:
    """Return the first wrong shape in words, or nothing if all are right."""
    for trial in trials:
        yours, right = trial.answer.values[quantity], trial.right[quantity]
        if yours.shape != right.shape:
            size = f"n = {trial.problem.n}, K = {trial.problem.K}, D = {trial.problem.D}"
            return f"it has shape {yours.shape} where {right.shape} belongs ({size})"
    return ""


def _describe_inputs(quantity: str, trials: Sequence[Any], rtol: float) -> str:
    """Return on which kinds of inputs a quantity is right or wrong."""
    right = [t.problem.name for t in trials if t.problem.name and t.is_right(quantity, rtol)]
    wrong = [t.problem.name for t in trials if t.problem.name and not t.is_right(quantity, rtol)]
    if all(t.is_right(quantity, rtol) for t in trials if not t.problem.name):
        return f"wrong only with {' and with '.join(dict.fromkeys(wrong))}"
    names = [name for name in dict.fromkeys(right) if name not in wrong]
    return f"right with {' and with '.join(names)}, wrong otherwise" if names else "wrong on every kind of input"


def _describe_entries(yours: Array, right: Array, K: int, rtol: float) -> str:
    """Return in which entries, and by which factor or offset, an array is wrong."""
    if not np.isfinite(yours).all():
        bad = "NaN" if np.isnan(yours).any() else "infinite"
        every = "everywhere" if not np.isfinite(yours).any() else "in some entries"
        return f"{bad} {every}"
    scale = np.abs(right).max()
    off = np.abs(yours - right) > rtol * scale
    if not off.any():  # the right answer is no number
        return ""
    places = _wrong_places(off, K)
    with np.errstate(all="ignore"):
        ratio, gap = yours / right, yours - right
    factor = _pattern(ratio[off] if places else ratio, "factor", ratio, K, off)
    offset = "" if factor else _pattern(gap[off] if places else gap, "offset", gap, K, off)
    size = f"by up to {np.abs(gap).max():.3g}, where numbers are up to {scale:.3g}"
    return ", ".join(part for part in (places, factor or offset or size) if part)


def _wrong_places(off: np.ndarray, K: int) -> str:
    """Return which entries are wrong, if they follow a pattern."""
    if off.all() or off.ndim == 0:
        return ""
    if off.ndim >= 2 and off.shape[-1] == off.shape[-2]:
        diagonal = np.broadcast_to(np.eye(off.shape[-1], dtype=bool), off.shape)
        if not off[diagonal].any():
            return "only off the diagonal"
        if not off[~diagonal].any():
            return "only on the diagonal"
    for axis, word in enumerate(_axes(off, K)):
        others = tuple(a for a in range(off.ndim) if a != axis)
        hit = off.any(axis=others)
        if hit.sum() == 1 < len(hit):
            return f"only for {word} {hit.argmax()}"
        if hit.sum() == len(hit) - 1 > 0:
            return f"for every {word} but {hit.argmin()}"
    return "only in some entries"


def _axes(array: np.ndarray, K: int) -> list[str]:
    if array.ndim == 2 and array.shape[1] == K != array.shape[0]:
        return ["sample", "component"]
    return ["component", "feature", "feature"][: array.ndim]


def _pattern(values: Array, word: str, array: Array, K: int, off: np.ndarray) -> str:
    """Return the factor or offset, ``word``, if it is one constant, or one for each entry of an axis; else ""."""
    if not np.isfinite(values).all():
        return ""
    if np.ptp(values) <= SAME * max(np.abs(values).max(), SAME):
        return f"by the constant {word} {float(values.flat[0]):.6g}"
    if not off.all():
        return ""
    for axis, name in enumerate(_axes(array, K)):
        flat = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
        if flat.shape[1] > 1 and (np.ptp(flat, axis=1) <= SAME * np.abs(flat).max()).all():
            return f"by a {word} for each {name}: {np.array2string(flat[:, 0], precision=4)}"
    return ""
