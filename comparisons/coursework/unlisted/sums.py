"""Find estimates that are wrong sums or ratios: terms are added, left out, or have another factor.

With known arrays u_j and a right estimate A / B, a function's estimate θ is fitted as

::

    θ = α A/B + β_1 u_1 + β_2 u_2        or        θ = (A + d u) / (B + c)

Both are linear in the unknown numbers. Least squares finds these, and the fit counts if it is exact.
"""

from collections.abc import Callable, Mapping, Sequence
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
NOTHING = 1e-12  # relative: what rounding leaves if terms cancel
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
    """Return the largest error of numbers by rounding."""
    return EXACT * float(np.abs(y).max())


@np.errstate(all="ignore")
def by_factor(quantity: str, pairs: Sequence[Pair]) -> Mistake | None:
    """Return the mistake of one factor in all entries: a number, or a number times a power of n, K or D."""
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
    hint = f"All of the {quantity} is too large or too small by the same factor. What do you divide by?"
    return Mistake(f"factor {rule}", hint, f"Your function returns {rule} times the right {quantity}.")


def by_numbers(
    quantity: str,
    pairs: Sequence[Pair],
    additions: Any,
    divisor: Any = None,
) -> Mistake | None:
    """Return the mistake of arrays added to the estimates, or to their numerator and divisor.

    Parameters are those of `by_constants`.
    """
    mistake = by_sums(quantity, pairs, additions, 1)
    if mistake is None and divisor is not None:
        mistake = by_constants(quantity, pairs, divisor, additions)
    return mistake or by_sums(quantity, pairs, additions, 2)


def by_constants(
    quantity: str, pairs: Sequence[Pair], divisor: Any, additions: Any, allowed: Allowed = rounding
) -> Mistake | None:
    """Return the mistake of arrays added to the numerator, and of constants added to the divisor.

    Parameters
    ----------
    quantity : str
        Name of the estimate.
    pairs : sequence of (Problem, ndarray, ndarray)
        A function's estimates and the right ones.
    divisor, additions : callable
        Functions of a problem: the right divisor B, and arrays u by name.
    allowed : callable
        Function of the fitted numbers: the largest error of an exact fit.
    """
    arrays = [additions(problem) for problem, *_ in pairs]
    names = ["", *(name for name in arrays[0] if "N_k" not in name and "new" not in name)]
    for name, below in [(name, below) for name in names for below in (False, True) if name or below]:
        solutions = []
        for rules in product(RULES, repeat=below + bool(name)):
            factors = _constants(pairs, [u.get(name) for u in arrays], divisor, below, rules, allowed)
            if factors is not None:
                solutions.append(tuple(zip(factors, rules, strict=True)))
        if solutions:
            of_one_size = len({(problem.n, problem.K, problem.D) for problem, *_ in pairs}) == 1
            best = min(solutions, key=lambda terms: sum(_oddness(c, rule, of_one_size) for c, rule in terms))
            parts = [f"{times(_factor_text(*best[-1]), name)} to the numerator"] if name else []
            parts += [f"{_factor_text(*best[0])} to the divisor"] if below else []
            title = f"adds {' and '.join(parts)}"
            hint = f"Numerator and divisor of the {quantity}: has one of them something that does not belong there?"
            return Mistake(title, hint, f"Your function {title}; without that its {quantity} are right.")
    return None


def _constants(
    pairs: Sequence[Pair],
    arrays: Sequence[Any],
    divisor: Any,
    below: bool,
    rules: Sequence[str],
    allowed: Allowed,
) -> list[float] | None:
    """Return c and d with θ (B + c) = A + d u, or None; each is times the number that its rule gives for a problem."""
    columns, y = [], []
    for (problem, yours, right), u in zip(pairs, arrays, strict=True):
        B = np.broadcast_to(divisor(problem), right.shape)
        terms = [*([-yours] if below else []), *([] if u is None else [np.broadcast_to(u, right.shape)])]
        columns.append(np.stack([RULES[r](problem) * a.ravel() for r, a in zip(rules, terms, strict=True)], axis=1))
        y.append(((yours - right) * B).ravel())
    x = solve_exactly(np.concatenate(columns), np.concatenate(y), allowed)
    if x is None or np.abs(x).min() <= NONE or not _is_above_zero(pairs, divisor, x[0] * below, rules[0]):
        return None
    return [float(factor) for factor in x]


def _oddness(factor: float, rule: str, of_one_size: bool) -> float:
    """Return how unlikely it is that a person writes a factor: 0 for 1, little for halves of small whole numbers.

    Multiples of K or D are less likely than numbers, above all if K and D are the same in all problems, since every
    number is then a multiple of them.
    """
    is_usual = abs(2 * factor - round(2 * factor)) < NONE
    of_rule = 3.0 if of_one_size and abs(factor - 1) > NONE else 0.3
    return (abs(abs(factor) - 1) / 10 if is_usual else 3.0) + of_rule * (rule != "1")


def _is_above_zero(pairs: Sequence[Pair], divisor: Any, added: float, rule: str) -> bool:
    """Whether the divisors stay positive with the constant added; 0/0 would give any estimate."""
    return all(np.min(divisor(p) + added * RULES[rule](p)) > NONE * np.max(divisor(p)) for p, *_ in pairs)


def _factor_text(factor: float, rule: str) -> str:
    return f"{factor:.6g}" if rule == "1" else rule if abs(factor - 1) < NONE else f"{factor:.6g} {rule}"


def by_sums(quantity: str, pairs: Sequence[Pair], additions: Any, most: int) -> Mistake | None:
    """Return the mistake of a sum with at most ``most`` arrays added; parameters are those of `by_constants`."""
    all_arrays = [additions(problem) for problem, *_ in pairs]
    columns = {
        name: np.concatenate(
            [np.broadcast_to(a[name], y.shape).ravel() for a, (_, y, _) in zip(all_arrays, pairs, strict=True)]
        )
        for name in all_arrays[0]
    }
    right = np.concatenate([right.ravel() for *_, right in pairs])
    y = np.concatenate([yours.ravel() for _, yours, _ in pairs])
    finite = [name for name, a in columns.items() if np.isfinite(a).all()]
    for size, fixed in product(range(1, most + 1), (True, False)):  # added to the right one, then to a multiple of it
        for names in combinations(finite, size):
            terms = [columns[name] for name in names] + ([] if fixed else [right])
            factors = solve_exactly(np.stack(terms, axis=1), y - right if fixed else y)
            if factors is not None and np.abs(factors[: len(names)]).min() > NONE:
                return _mistake_of_sum(quantity, names, factors, fixed)
    return None


def _mistake_of_sum(quantity: str, names: Sequence[str], factors: Array, fixed: bool) -> Mistake:
    """Return the mistake of arrays added with these factors to the right estimate, or to a multiple of it."""
    parts = [times(f"{factor:.6g}", name) for name, factor in zip(names, factors, strict=False)]
    if fixed:
        title = f"{' and '.join(parts)} added"
    elif abs(factors[-1]) < NONE:
        title = " + ".join(parts)
    else:
        title = " + ".join([times(f"{factors[-1]:.6g}", "the right one"), *parts])
    hint = f"Write your {quantity} as a sum of terms. Which term is not in the formula, or has another factor there?"
    return Mistake(title.replace("+ -", "- "), hint, f"Exactly this is returned: {title}.")


def scaled_by_counts(arrays: Mapping[str, Array], N: Array) -> dict[str, Array]:
    """Return arrays (K, ...) as they are, over N_k and times N_k / n."""
    products: dict[str, Array] = dict(arrays)
    for name, a in arrays.items():
        counts = per_component(N, a)
        products[f"{name} over N_k"] = a / counts
        products[f"N_k/n {name}"] = a * counts / N.sum()
    return products


def as_power(ratios: Sequence[tuple[Problem, float]]) -> str:
    """Return ratios as a number times 1, a power of n, K or D, or a ratio of two of these; "" if no rule fits."""
    values = np.array([ratio for _, ratio in ratios])
    if np.ptp(values) <= NONE * max(np.abs(values).max(), 1.0):
        return f"{0.0 if abs(values[0]) < NONE else values[0]:.6g}"
    sizes = {name: np.array([float(getattr(problem, name)) for problem, _ in ratios]) for name in "DKn"}
    powers = {f"{name}^{power:g}": a**power for name, a in sizes.items() for power in (1, -1, 0.5, -0.5, 2, -2)}
    powers |= {f"({name} - 1)/{name}": (a - 1) / a for name, a in sizes.items() if a.min() > 1}
    powers |= {f"{one}/{other}": sizes[one] / sizes[other] for one, other in permutations(sizes, 2)}
    quotients = {rule.removesuffix("^1"): values / a for rule, a in powers.items()}
    factors = [(rule, q[0]) for rule, q in quotients.items() if np.ptp(q) <= NONE * np.abs(q).max()]
    plain = [rule for rule, factor in factors if abs(factor - 1) < NONE]
    return plain[0] if plain else f"{factors[0][1]:.6g} {factors[0][0]}" if factors else ""


def is_usual(factor: float) -> bool:
    """Whether people write a factor: a fraction with a small denominator, or the logarithm of a usual base."""
    bases = np.log([2.0, 10.0, 2 * np.pi, np.pi])
    usual = [*bases, *(1 / bases), *(bases / 2), np.pi, 2 * np.pi]
    return abs(60 * factor - round(60 * factor)) < 60 * NONE or any(abs(abs(factor) - base) < NONE for base in usual)


def times(rule: str, name: str) -> str:
    """Return a factor and a name as a product in words."""
    return rule if name == "1" else name if rule == "1" else f"-{name}" if rule == "-1" else f"{rule} times {name}"


def solve_exactly(A: Array, y: Array, allowed: Allowed = rounding) -> Array | None:
    """Return x with A x = y, or None if there is none, or if columns of A depend on each other."""
    if len(y) <= A.shape[1] or not (np.isfinite(A).all() and np.isfinite(y).all()):
        return None
    sizes = np.sqrt((A * A).sum(axis=0))
    if (sizes == 0).any():
        return None
    x, _, rank, _ = np.linalg.lstsq(A / sizes, y, rcond=DEPENDENT)
    gap = np.abs(A / sizes @ x - y).max()
    return np.asarray(x / sizes) if rank == len(x) and gap <= allowed(y) else None
