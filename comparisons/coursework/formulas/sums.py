"""Estimates that are other sums or ratios than the right ones: terms added, left out or with another factor.

With known arrays u_j and a right estimate A / B, a function's estimate θ is tried as

::

    θ = α A/B + β_1 u_1 + β_2 u_2        or        θ = (A + d u) / (B + c)

Both are linear in what is not known, so that least squares finds the numbers, and the fit is exact or it is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.formulas.terms import as_power, solved, times
from models.validation import Array

EXACT, NONE = 1e-8, 1e-6
Pair = tuple[Problem, Array, Array]


def by_constants(quantity: str, pairs: Sequence[Pair], divisor: Any, additions: Any) -> Mistake | None:
    """Return the mistake that numbers added to numerator and divisor are.

    Parameters
    ----------
    quantity : str
        Name of the estimate.
    pairs : sequence of (Problem, ndarray, ndarray)
        A function's estimates and the right ones.
    divisor, additions : callable
        From a problem to B, and to arrays u by name.
    """
    names = ["", *(name for name in additions(pairs[0][0]) if "N_k" not in name)]
    for below, name in [(True, ""), *[(below, name) for name in names[1:] for below in (False, True)]]:
        found = [_constants(pair, divisor, additions, below, name) for pair in pairs]
        rules = (
            [as_power([(p, one[i]) for (p, *_), one in zip(pairs, found, strict=True)]) for i in (0, 1)]
            if all(one is not None for one in found)
            else ["", ""]
        )
        if "" not in rules:
            said = [] if rules[1] == "0" else [f"{times(rules[1], name)} to the numerator"]
            said += [] if rules[0] == "0" else [f"{rules[0]} to the divisor"]
            named = f"adds {' and '.join(said)}"
            hint = (
                f"Numerator and divisor of the {quantity}: which of the two has something that does not belong there?"
            )
            return Mistake(named, hint, f"The {quantity} are the right ratio, but it {named}.")
    return None


def _constants(pair: Pair, divisor: Any, additions: Any, below: bool, name: str) -> tuple[float, float] | None:
    """Return c and d with θ (B + c) = A + d u, or None if there are none."""
    problem, yours, right = pair
    B = np.broadcast_to(divisor(problem), right.shape)
    columns = [yours.ravel()] if below else []
    if name:
        columns.append(-np.broadcast_to(additions(problem)[name], right.shape).ravel())
    found = solved(np.stack(columns, axis=1), ((right - yours) * B).ravel(), EXACT)
    if found is None:
        return None
    numbers = [*found] if below else [0.0, *found]
    return float(numbers[0]), float(numbers[1]) if name else 0.0


def by_sums(quantity: str, pairs: Sequence[Pair], additions: Any, most: int) -> Mistake | None:
    """Return the mistake that another sum of at most so many arrays is; parameters are those of `by_constants`."""
    all_arrays = [additions(problem) for problem, *_ in pairs]
    columns = {
        name: np.concatenate(
            [np.broadcast_to(a[name], y.shape).ravel() for a, (_, y, _) in zip(all_arrays, pairs, strict=True)]
        )
        for name in all_arrays[0]
    }
    right = np.concatenate([right.ravel() for *_, right in pairs])
    y = np.concatenate([yours.ravel() for _, yours, _ in pairs])
    for fixed, names in _subsets([name for name, a in columns.items() if np.isfinite(a).all()], most):
        own = [columns[name] for name in names] + ([] if fixed else [right])
        factors = solved(np.stack(own, axis=1), y - right if fixed else y, EXACT)
        if factors is not None and np.abs(factors[: len(names)]).min() > NONE:
            return _sum_said(quantity, names, factors, fixed)
    return None


def _subsets(names: Sequence[str], most: int) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Yield arrays to be added, first to the right estimate as it is, then to a multiple of it."""
    for size in range(1, most + 1):
        for fixed in (True, False):
            yield from ((fixed, chosen) for chosen in combinations(names, size))


def _sum_said(quantity: str, names: Sequence[str], factors: Array, fixed: bool) -> Mistake:
    parts = [times(f"{factor:.6g}", name) for name, factor in zip(names, factors, strict=False)]
    if fixed:
        named = f"{' and '.join(parts)} added"
    elif abs(factors[-1]) < NONE:
        named = " + ".join(parts)
    else:
        named = " + ".join([times(f"{factors[-1]:.6g}", "the right one"), *parts])
    hint = f"Write your {quantity} as a sum of terms. Which term is not in the formula, or has another factor there?"
    return Mistake(named.replace("+ -", "- "), hint, f"The {quantity} are exactly: {named}.")


def scaled(arrays: Mapping[str, Array], N: Array) -> dict[str, Array]:
    """Return arrays (K, ...) as they are, over N_k and times N_k / n."""
    found: dict[str, Array] = dict(arrays)
    for name, a in arrays.items():
        own = N.reshape(-1, *(1,) * (a.ndim - 1))
        found[f"{name} over N_k"] = a / own
        found[f"N_k/n {name}"] = a * own / N.sum()
    return found
