"""M-steps as ratios of sums weighted by responsibilities; what goes wrong in numerator, divisor and afterwards.

::

    θ_kd = (Σ_i r_ik T_d(x_i) + pseudo) / (Σ_i r_ik s_id + pseudo),    s the size of a cell, 1 for most families

`SHARE` is what stands for r_ik. The value of a divisor is a function of the shares (n, K), the sizes (n, p) and the
problem; that of the last slot, of the estimate (K, p) and the problem.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import hard
from comparisons.coursework.formulas.slots import Formula, Slot, texts_beside
from models.validation import Array

TEXTS = texts_beside(__file__)
OfProblem = Callable[[Problem], Array]


def overall(p: Problem) -> Array:
    """Return the mean of all samples, shape (D,)."""
    return np.asarray(p.X.mean(axis=0))


def mixed(new: Array, old: Array, k: int) -> Array:
    """Return new values with the old one in place k."""
    mixed = np.array(new)
    mixed[k] = old[k]
    return mixed


SHARE_AS_IS = Slot(
    "share",
    lambda p: p.r,
    {
        "hard responsibilities": lambda p: hard(p.r),
        "responsibilities squared": lambda p: p.r**2,
        "root of responsibilities": lambda p: np.sqrt(p.r),
        "responsibilities left out": lambda p: np.ones_like(p.r),
        "responsibilities times the weights": lambda p: p.r * p.theta["weights"],
        "responsibilities over the weights": lambda p: p.r / p.theta["weights"],
        "responsibilities normalised over samples": lambda p: p.r / p.r.sum(axis=0),
        "responsibilities rounded": lambda p: np.round(p.r),
        "responsibilities above 1/2": lambda p: (p.r > 0.5).astype(float),
        "complement of responsibilities": lambda p: 1 - p.r,
        "responsibilities of another component": lambda p: np.roll(p.r, 1, axis=1),
        "responsibilities of another component, the next": lambda p: np.roll(p.r, -1, axis=1),
        "responsibilities in reverse order of components": lambda p: p.r[:, ::-1],
        "first component's responsibilities for all": lambda p: np.repeat(p.r[:, :1], p.K, axis=1),
        "last component's responsibilities for all": lambda p: np.repeat(p.r[:, -1:], p.K, axis=1),
        "responsibilities in reverse order of samples": lambda p: p.r[::-1],
        "responsibilities of the sample before": lambda p: np.roll(p.r, 1, axis=0),
        "exp of responsibilities": lambda p: np.exp(p.r),
        "log of responsibilities": lambda p: np.log(p.r),
        "first sample left out": lambda p: np.where(np.arange(p.n)[:, None] > 0, p.r, 0.0),
        "last sample left out": lambda p: np.where(np.arange(p.n)[:, None] < p.n - 1, p.r, 0.0),
        "only the largest responsibility": lambda p: p.r * hard(p.r),
        "largest responsibility": lambda p: np.repeat(p.r.max(axis=1, keepdims=True), p.K, axis=1),
    },
    texts=TEXTS,
)
AGAIN = (
    "responsibilities squared",
    "root of responsibilities",
    "exp of responsibilities",
    "complement of responsibilities",
)
NORMALISED = {
    f"{name}, then normalised over {over}": lambda p, name=name, axis=axis: (
        SHARE_AS_IS.wrong[name](p) / SHARE_AS_IS.wrong[name](p).sum(axis=axis, keepdims=True)
    )
    for name in AGAIN
    for over, axis in (("components", 1), ("samples", 0))
}
OF_NORMALISED = {
    name: ("What is done to the responsibilities before they are summed?", f"The {name}, stand where r_ik belongs.")
    for name in NORMALISED
}
SHARE = replace(
    SHARE_AS_IS,
    wrong={**SHARE_AS_IS.wrong, **NORMALISED},
    texts={**TEXTS, "share": {**TEXTS["share"], **OF_NORMALISED}},
)
SMALL_DIVISORS: Mapping[str, Callable[..., Any]] = {
    "n in place of N_k": lambda s, size, p: size.sum(axis=0),
    "K in place of N_k": lambda s, size, p: float(p.K),
    "D in place of N_k": lambda s, size, p: float(p.D),
    "not divided": lambda s, size, p: 1.0,
    "N_k - 1": lambda s, size, p: p.r.T @ size - 1,
    "N_k + 1": lambda s, size, p: p.r.T @ size + 1,
    "n - 1 in place of N_k": lambda s, size, p: size.sum(axis=0) - 1,
    "n - K in place of N_k": lambda s, size, p: size.sum(axis=0) - p.K,
    "the shares' own sum": lambda s, size, p: s.T @ size,
    "the shares' own sum - 1": lambda s, size, p: s.T @ size - 1,
    "divided by N_k twice": lambda s, size, p: (p.r.T @ size) ** 2,
    "divided by n twice": lambda s, size, p: p.n**2,
    "root of N_k": lambda s, size, p: np.sqrt(p.r.T @ size),
    "hard counts": lambda s, size, p: hard(p.r).T @ size,
    "old weights in place of N_k": lambda s, size, p: p.theta["weights"][:, None],
    "new weights in place of N_k": lambda s, size, p: p.r.mean(axis=0)[:, None],
    "n times the old weights": lambda s, size, p: p.n * p.theta["weights"][:, None],
    "sum of squared responsibilities": lambda s, size, p: (p.r**2).T @ size,
    "effective sample size": lambda s, size, p: p.r.sum(axis=0)[:, None] ** 2 / (p.r**2).sum(axis=0)[:, None],
    "unbiased by squared responsibilities": lambda s, size, p: (
        p.r.sum(axis=0) - (p.r**2).sum(axis=0) / p.r.sum(axis=0)
    )[:, None],
    "N_k less the sum of squared responsibilities": lambda s, size, p: (p.r - p.r**2).sum(axis=0)[:, None],
    "N of the next component": lambda s, size, p: np.roll(p.r.T @ size, -1, axis=0),
    "N of the component before": lambda s, size, p: np.roll(p.r.T @ size, 1, axis=0),
    "N in reverse order of components": lambda s, size, p: (p.r.T @ size)[::-1],
    "N_k never reset": lambda s, size, p: np.cumsum(p.r.T @ size, axis=0),
    "first component's N for all": lambda s, size, p: (p.r.T @ size)[:1],
    "last component's N for all": lambda s, size, p: (p.r.T @ size)[-1:],
    "n/K in place of N_k": lambda s, size, p: p.n / p.K,
    "K N_k": lambda s, size, p: p.K * (p.r.T @ size),
    "D N_k": lambda s, size, p: p.D * (p.r.T @ size),
    "n D": lambda s, size, p: p.n * p.D,
    "n K": lambda s, size, p: p.n * p.K,
    "n N_k": lambda s, size, p: p.n * (p.r.T @ size),
    "largest responsibility of each component": lambda s, size, p: p.r.max(axis=0)[:, None],
    "size of the cells left out": lambda s, size, p: p.r.sum(axis=0)[:, None],
    "size of the cells only": lambda s, size, p: size.mean(axis=0),
    "size of the cells squared": lambda s, size, p: p.r.T @ size**2,
    "N_k times the mean size": lambda s, size, p: p.r.sum(axis=0)[:, None] * size.mean(),
    "N_k - D": lambda s, size, p: p.r.T @ size - p.D,
    "multiplied by N_k": lambda s, size, p: 1 / (p.r.T @ size),
    "N_k over D": lambda s, size, p: (p.r.T @ size) / p.D,
    "half of N_k": lambda s, size, p: (p.r.T @ size) / 2,
    "twice N_k": lambda s, size, p: (p.r.T @ size) * 2,
}
SUMS: dict[str, Callable[..., Any]] = {
    f"sum of {name}": lambda s, size, p, share=share: share(p).T @ size
    for name, share in SHARE.wrong.items()
    if not name.endswith(("squared", "left out", "rounded", "out"))
}
OF_SUMS = {
    name: ("By what is the weighted sum divided?", f"The divisor is the {name}; N_k belongs there.") for name in SUMS
}
DIVISOR = Slot(
    "divisor",
    lambda s, size, p: p.r.T @ size,
    {**SMALL_DIVISORS, **SUMS},
    {**TEXTS, "divisor": {**TEXTS["divisor"], **OF_SUMS}},
    apply=False,
    follows=("the shares' own sum",),
)


def ratio(
    quantity: str,
    text: str,
    numerator: Slot,
    size: OfProblem,
    after: Slot,
    pseudo: tuple[Slot, Slot] | None = None,
) -> Formula:
    """Return Σ_i r_ik T(x_i) / Σ_i r_ik s_i, with pseudo-counts above and below.

    Parameters
    ----------
    quantity, text : str
        Name, and the right formula.
    numerator : Slot
        T(x), shape (n, p).
    size : callable
        From a problem to the sizes s (n, p).
    after : Slot
        What is done to the estimate.
    pseudo : tuple of two Slots or None
        What a prior adds to numerator and divisor.
    """

    def combine(p: Problem, v: Mapping[str, Any]) -> Array:
        share = v["share"]
        above = share.T @ v[numerator.name]
        below = v["divisor"](share, size(p), p)
        if pseudo is not None:
            above, below = above + v[pseudo[0].name], below + v[pseudo[1].name]
        return np.asarray(v[after.name](above / below, p))

    def divisor(p: Problem) -> Any:
        return p.r.T @ size(p) + (pseudo[1].right(p) if pseudo is not None else 0.0)

    return Formula(quantity, text, (SHARE, DIVISOR, after, numerator), combine, divisor=divisor, pseudo=pseudo or ())


def after_of(old: str, extra: Mapping[str, Callable[..., Any]], texts: Mapping[str, Any]) -> Slot:
    """Return the last slot of an estimate (K, p), with the name of its current value and what a family adds."""
    generic: dict[str, Callable[..., Any]] = {
        "old value returned": lambda a, p: p.theta[old],
        "mean with the old value": lambda a, p: (a + p.theta[old]) / 2,
        "last component keeps the old value": lambda a, p: mixed(a, p.theta[old], -1),
        "first component keeps the old value": lambda a, p: mixed(a, p.theta[old], 0),
        "last component left at 0": lambda a, p: mixed(a, 0 * a, -1),
        "first component left at 0": lambda a, p: mixed(a, 0 * a, 0),
        "median of all samples": lambda a, p: np.repeat(np.median(p.X, axis=0)[None], p.K, axis=0),
        "added to the old value": lambda a, p: a + p.theta[old],
        "components in reverse order": lambda a, p: a[::-1],
        "components shifted by one": lambda a, p: np.roll(a, 1, axis=0),
        "components shifted back by one": lambda a, p: np.roll(a, -1, axis=0),
        "components sorted": lambda a, p: np.sort(a, axis=0),
        "features in reverse order": lambda a, p: a[:, ::-1],
        "first component for all": lambda a, p: np.repeat(a[:1], p.K, axis=0),
        "last component for all": lambda a, p: np.repeat(a[-1:], p.K, axis=0),
        "averaged over the components": lambda a, p: np.repeat(a.mean(axis=0, keepdims=True), p.K, axis=0),
        "averaged over the features": lambda a, p: a.mean(axis=1),
        "averaged over the features, repeated": lambda a, p: np.repeat(a.mean(axis=1, keepdims=True), a.shape[1], 1),
        "multiplied by the new weights": lambda a, p: a * p.r.mean(axis=0)[:, None],
        "multiplied by the old weights": lambda a, p: a * p.theta["weights"][:, None],
        "normalised over the components": lambda a, p: a / a.sum(axis=0),
        "share in the sum of the data": lambda a, p: a * p.r.sum(axis=0)[:, None] / (p.r.sum(axis=0) @ a),
        "normalised over the features": lambda a, p: a / a.sum(axis=1, keepdims=True),
        "rounded": lambda a, p: np.round(a),
        "root returned": lambda a, p: np.sqrt(a),
        "square returned": lambda a, p: a**2,
        "log returned": lambda a, p: np.log(a),
        "exp returned": lambda a, p: np.exp(a),
        "sign": lambda a, p: -a,
        "one over it returned": lambda a, p: 1 / a,
    }
    return Slot(
        "after", lambda a, p: a, generic | dict(extra), {**TEXTS, "after": {**TEXTS["after"], **texts}}, apply=False
    )
