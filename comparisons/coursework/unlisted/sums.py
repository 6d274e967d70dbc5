"""Estimates that are other sums or ratios than the right ones: terms added, left out or with another factor.

With known arrays u_j and a right estimate A / B, a function's estimate θ is tried as

::

    θ = α A/B + β_1 u_1 + β_2 u_2        or        θ = (A + d u) / (B + c)

Both are linear in what is not known, so that least squares finds the numbers, and the fit is exact or it is not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, permutations, product
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem, per_component
from comparisons.coursework.formulas.slots import Mistake
from models.validation import Array

EXACT = 1e-8  # largest gap between an estimate and the sum that it is, relative
EXACT_RATIO = 1e-7  # the same of ratios, which lose a digit where estimates are small
NONE = 1e-6
DEPENDENT = 1e-7  # of the largest singular value: below it columns depend on each other
NOTHING = 1e-12  # of the right numbers: what rounding leaves where terms cancel
RULES: dict[str, Callable[[Problem], float]] = {
    "1": lambda p: 1.0,
    "K": lambda p: float(p.K),
    "D": lambda p: float(p.D),
    "1/K": lambda p: 1.0 / p.K,
    "1/D": lambda p: 1.0 / p.D,
}
Pair = tuple[Problem, Array, Array]
Allowed = Callable[[Array], float]


def rounding(y: Array) -> float:
    """Return the gap to some numbers that rounding leaves."""
    return EXACT * float(np.abs(y).max())


@np.errstate(all="ignore")
def by_factor(quantity: str, pairs: Sequence[Pair]) -> Mistake | None:
    """Return the mistake that a factor is, the same for all entries: a number, or one times a power of n, K or D."""
    if all(np.abs(yours).max() < NOTHING * np.abs(right).max() for _, yours, right in pairs):
        hint = f"Which parts of your {quantity} cancel, whatever the data are?"
        return Mistake("always 0", hint, f"Your function returns 0 for the {quantity}, to rounding.")
    ratios = [(problem, yours / right) for problem, yours, right in pairs]
    if not all(np.isfinite(a).all() and np.ptp(a) <= EXACT_RATIO * np.abs(a).max() for _, a in ratios):
        return None
    first = float(np.ravel(ratios[0][1])[0])
    rule = as_power([(problem, float(np.ravel(a)[0])) for problem, a in ratios])
    is_one_number = sum(a.size for _, a in ratios) == 1
    if not rule or rule == "1" or (is_one_number and not is_usual(first)):
        return None
    factor = _of_sizes(first, pairs[0][0].given) or rule
    hint = f"All of the {quantity} is too large or too small by the same factor. What do you divide by?"
    return Mistake(f"factor {factor}", hint, f"Your function returns {factor} times the right {quantity}.")


def _of_sizes(factor: float, given: Mapping[str, Any]) -> str:
    """Return a factor as a power of the size of the cells, or as the size over one more or less, if it is one."""
    for name, size in given.items():
        if isinstance(size, int | float) and size != 1:
            forms = {name: size, f"1 / {name}": 1 / size, f"{name}^2": size**2, f"{name}^-2": size**-2}
            forms |= {f"{name} / ({name} + 1)": size / (size + 1), f"{name} / ({name} - 1)": size / (size - 1)}
            return next((said for said, value in forms.items() if abs(factor / value - 1) < NONE), "")
    return ""


def by_numbers(
    quantity: str,
    pairs: Sequence[Pair],
    additions: Any,
    divisor: Any = None,
) -> Mistake | None:
    """Return the mistake that numbers are which are added to the estimates, or to their numerator and divisor.

    Parameters are those of `by_constants`.
    """
    found = by_sums(quantity, pairs, additions, 1)
    if found is None and divisor is not None:
        found = by_constants(quantity, pairs, divisor, additions)
    return found or by_sums(quantity, pairs, additions, 2)


def by_constants(
    quantity: str, pairs: Sequence[Pair], divisor: Any, additions: Any, allowed: Allowed = rounding
) -> Mistake | None:
    """Return the mistake that numbers added to numerator and divisor are.

    Parameters
    ----------
    quantity : str
        Name of the estimate.
    pairs : sequence of (Problem, ndarray, ndarray)
        A function's estimates and the right ones.
    divisor, additions : callable
        From a problem to B, and to arrays u by name.
    allowed : callable
        From the numbers that are fitted to the largest gap that is none.
    """
    arrays = [additions(problem) for problem, *_ in pairs]
    names = ["", *(name for name in arrays[0] if "N_k" not in name and "new" not in name)]
    for name, below in [(name, below) for name in names for below in (False, True) if name or below]:
        found = []
        for rules in product(RULES, repeat=below + bool(name)):
            factors = _constants(pairs, [own.get(name) for own in arrays], divisor, below, rules, allowed)
            if factors is not None:
                found.append(tuple(zip(factors, rules, strict=True)))
        if found:
            of_one_size = len({(problem.n, problem.K, problem.D) for problem, *_ in pairs}) == 1
            best = min(found, key=lambda terms: sum(_oddness(c, rule, of_one_size) for c, rule in terms))
            parts = [f"{times(_ruled(*best[-1]), name)} to the numerator"] if name else []
            parts += [f"{_ruled(*best[0])} to the divisor"] if below else []
            named = f"adds {' and '.join(parts)}"
            hint = f"Numerator and divisor of the {quantity}: has one of them something that does not belong there?"
            return Mistake(named, hint, f"Your function {named}; without that its {quantity} are right.")
    return None


def _constants(
    pairs: Sequence[Pair],
    arrays: Sequence[Any],
    divisor: Any,
    below: bool,
    rules: Sequence[str],
    allowed: Allowed,
) -> list[float] | None:
    """Return c and d with θ (B + c) = A + d u, each times a rule's number of the problem, or None."""
    columns, y = [], []
    for (problem, yours, right), u in zip(pairs, arrays, strict=True):
        B = np.broadcast_to(divisor(problem), right.shape)
        terms = [*([-yours] if below else []), *([] if u is None else [np.broadcast_to(u, right.shape)])]
        columns.append(np.stack([RULES[r](problem) * a.ravel() for r, a in zip(rules, terms, strict=True)], axis=1))
        y.append(((yours - right) * B).ravel())
    found = solved(np.concatenate(columns), np.concatenate(y), allowed)
    if found is None or np.abs(found).min() <= NONE or not _is_above_zero(pairs, divisor, found[0] * below, rules[0]):
        return None
    return [float(factor) for factor in found]


def _oddness(factor: float, rule: str, of_one_size: bool) -> float:
    """Return 0 for 1, less than 1 for small whole numbers and halves, more for others and for multiples of K or D.

    Where K and D are the same everywhere, every number is a multiple of them.
    """
    is_usual = abs(2 * factor - round(2 * factor)) < NONE
    of_rule = 3.0 if of_one_size and abs(factor - 1) > NONE else 0.3
    return (abs(abs(factor) - 1) / 10 if is_usual else 3.0) + of_rule * (rule != "1")


def _is_above_zero(pairs: Sequence[Pair], divisor: Any, added: float, rule: str) -> bool:
    """Whether the divisors, with what is added, are no zeros: any estimate is a ratio of two zeros."""
    return all(np.min(divisor(p) + added * RULES[rule](p)) > NONE * np.max(divisor(p)) for p, *_ in pairs)


def _ruled(factor: float, rule: str) -> str:
    return f"{factor:.6g}" if rule == "1" else rule if abs(factor - 1) < NONE else f"{factor:.6g} {rule}"


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
        factors = solved(np.stack(own, axis=1), y - right if fixed else y)
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
    return Mistake(named.replace("+ -", "- "), hint, f"Exactly this is returned: {named}.")


def scaled(arrays: Mapping[str, Array], N: Array) -> dict[str, Array]:
    """Return arrays (K, ...) as they are, over N_k and times N_k / n."""
    found: dict[str, Array] = dict(arrays)
    for name, a in arrays.items():
        own = per_component(N, a)
        found[f"{name} over N_k"] = a / own
        found[f"N_k/n {name}"] = a * own / N.sum()
    return found


def as_power(ratios: Sequence[tuple[Problem, float]]) -> str:
    """Return ratios as a number, or one times a power of n, K or D or a ratio of two of them; "" if no rule is."""
    values = np.array([ratio for _, ratio in ratios])
    if np.ptp(values) <= NONE * max(np.abs(values).max(), 1.0):
        return f"{0.0 if abs(values[0]) < NONE else values[0]:.6g}"
    sizes = {name: np.array([float(getattr(problem, name)) for problem, _ in ratios]) for name in "DKn"}
    powers = {f"{name}^{power:g}": a**power for name, a in sizes.items() for power in (1, -1, 0.5, -0.5, 2, -2)}
    powers |= {f"({name} - 1)/{name}": (a - 1) / a for name, a in sizes.items() if a.min() > 1}
    powers |= {f"{one}/{other}": sizes[one] / sizes[other] for one, other in permutations(sizes, 2)}
    rests = {said.removesuffix("^1"): values / a for said, a in powers.items()}
    fronts = [(said, rest[0]) for said, rest in rests.items() if np.ptp(rest) <= NONE * np.abs(rest).max()]
    plain = [said for said, front in fronts if abs(front - 1) < NONE]
    return plain[0] if plain else f"{fronts[0][1]:.6g} {fronts[0][0]}" if fronts else ""


def is_usual(factor: float) -> bool:
    """Whether a factor is one that is written down: a fraction with a small denominator, or a logarithm's base."""
    bases = np.log([2.0, 10.0, 2 * np.pi, np.pi])
    usual = [*bases, *(1 / bases), *(bases / 2), np.pi, 2 * np.pi]
    return abs(60 * factor - round(60 * factor)) < 60 * NONE or any(abs(abs(factor) - base) < NONE for base in usual)


def times(rule: str, name: str) -> str:
    """Return a factor and a name as a product in words."""
    return rule if name == "1" else name if rule == "1" else f"-{name}" if rule == "-1" else f"{rule} times {name}"


def solved(A: Array, y: Array, allowed: Allowed = rounding) -> Array | None:
    """Return x with A x = y, or None, also where columns depend on each other."""
    if len(y) <= A.shape[1] or not (np.isfinite(A).all() and np.isfinite(y).all()):
        return None
    sizes = np.sqrt((A * A).sum(axis=0))
    if (sizes == 0).any():
        return None
    x, _, rank, _ = np.linalg.lstsq(A / sizes, y, rcond=DEPENDENT)
    gap = np.abs(A / sizes @ x - y).max()
    return np.asarray(x / sizes) if rank == len(x) and gap <= allowed(y) else None
