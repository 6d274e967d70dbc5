"""The categorical mixture's formulas for coursework; probs are (K, D, L), as students write them.

::

    log p(x_i|k) = Σ_d log p_kd,x_id,    p_kdl = Σ_i r_ik [x_id = l] / N_k
"""

from typing import Any

import numpy as np

from comparisons.coursework.formulas.estimates import SHARE
from comparisons.coursework.formulas.estimates import TEXTS as OF_ESTIMATES
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula, Slot, term, texts_beside
from comparisons.coursework.formulas.weights import HINT
from models.validation import Array

TEXTS = texts_beside(__file__)
LEVELS = 4


def one_hot(p: Problem) -> Array:
    """Return [x_id = l], shape (n, D, L)."""
    return np.eye(p.theta["probs"].shape[2])[p.X.astype(int)]


def chosen(p: Problem, probs: Array, shift: int = 0) -> Array:
    """Return p_kd,x_id, shape (n, K, D)."""
    codes = (p.X.astype(int) + shift) % probs.shape[2]
    return np.asarray(np.swapaxes(probs[:, np.arange(p.D), codes], 0, 1))


ANSWER = Slot(
    "log p_x",
    lambda p: np.log(chosen(p, p.theta["probs"])),
    {
        "probability without logarithm": lambda p: chosen(p, p.theta["probs"]),
        "level off by one": lambda p: np.log(chosen(p, p.theta["probs"], -1)),
        "next level": lambda p: np.log(chosen(p, p.theta["probs"], 1)),
        "level as a number": lambda p: p.X[:, None, :] * np.log(chosen(p, p.theta["probs"])),
        "complement of the level": lambda p: np.log1p(-chosen(p, p.theta["probs"])),
        "all levels": lambda p: np.log(p.theta["probs"]).sum(axis=2)[None],
        "levels not chosen too": lambda p: (
            np.log(chosen(p, p.theta["probs"]))
            + np.log1p(-p.theta["probs"]).sum(axis=2)[None]
            - np.log1p(-chosen(p, p.theta["probs"]))
        ),
        "levels not chosen only": lambda p: (
            np.log1p(-p.theta["probs"]).sum(axis=2)[None] - np.log1p(-chosen(p, p.theta["probs"]))
        ),
        "probability of the levels up to x": lambda p: np.log(chosen(p, np.cumsum(p.theta["probs"], axis=2))),
        "expected level": lambda p: np.log((p.theta["probs"] * np.arange(p.theta["probs"].shape[2])).sum(axis=2))[None],
        "first level for all": lambda p: np.log(p.theta["probs"][None, :, :, 0]) + 0 * p.X[:, None, :],
        "log10 of p": lambda p: np.log10(chosen(p, p.theta["probs"])),
        "multinomial coefficient": lambda p: np.log(chosen(p, p.theta["probs"])) + np.log(p.D) / p.D,
    },
    TEXTS,
)


def _changed(change: Any) -> Any:
    return lambda p: p.changed(probs=np.asarray(change(p.theta["probs"], p)))


SWAPS = Slot(
    "inputs",
    lambda p: p,
    {
        "probs of the first component for all": _changed(lambda a, p: np.repeat(a[:1], p.K, axis=0)),
        "probs of the last component for all": _changed(lambda a, p: np.repeat(a[-1:], p.K, axis=0)),
        "probs of the component before": _changed(lambda a, p: np.roll(a, 1, axis=0)),
        "probs of the next component": _changed(lambda a, p: np.roll(a, -1, axis=0)),
        "probs in reverse order of components": _changed(lambda a, p: a[::-1]),
        "probs of the first item for all": _changed(lambda a, p: np.repeat(a[:, :1], p.D, axis=1)),
        "probs of the last item for all": _changed(lambda a, p: np.repeat(a[:, -1:], p.D, axis=1)),
        "probs of the item before": _changed(lambda a, p: np.roll(a, 1, axis=1)),
        "probs in reverse order of items": _changed(lambda a, p: a[:, ::-1]),
        "probs in reverse order of levels": _changed(lambda a, p: a[:, :, ::-1]),
        "probs averaged over the items": _changed(lambda a, p: np.repeat(a.mean(axis=1, keepdims=True), p.D, axis=1)),
        "probs normalised over the components": _changed(lambda a, p: a / a.sum(axis=0)),
        "probs normalised over the items": _changed(lambda a, p: a / a.sum(axis=1, keepdims=True)),
        "probs times the weights": _changed(lambda a, p: a * p.theta["weights"][:, None, None]),
        "probs squared": _changed(lambda a, p: a**2),
        "root of the probs": _changed(lambda a, p: np.sqrt(a)),
        "probs over the number of levels": _changed(lambda a, p: a / a.shape[2]),
        "probs smoothed by 0.01": _changed(lambda a, p: a + 0.01),
    },
    TEXTS,
)
DIVISOR = Slot(
    "divisor of the probs",
    lambda s, T, p: p.r.sum(axis=0)[:, None, None],
    {
        "divided by n": lambda s, T, p: p.n,
        "divided by K": lambda s, T, p: p.K,
        "divided by D": lambda s, T, p: p.D,
        "divided by L": lambda s, T, p: T.shape[2],
        "not divided": lambda s, T, p: 1.0,
        "the shares' own sum": lambda s, T, p: s.sum(axis=0)[:, None, None],
        "normalised over the components": lambda s, T, p: np.einsum("nk,ndl->kdl", s, T).sum(axis=0),
        "normalised over the items": lambda s, T, p: np.einsum("nk,ndl->kdl", s, T).sum(axis=1, keepdims=True),
        "normalised over items and levels": lambda s, T, p: np.einsum("nk,ndl->kdl", s, T).sum(
            axis=(1, 2), keepdims=True
        ),
        "normalised over everything": lambda s, T, p: np.einsum("nk,ndl->kdl", s, T).sum(),
        "divided by the answers of this level": lambda s, T, p: T.sum(axis=0),
        "N_k - 1": lambda s, T, p: p.r.sum(axis=0)[:, None, None] - 1,
        "divided by D N_k": lambda s, T, p: p.D * p.r.sum(axis=0)[:, None, None],
        "divided by L N_k": lambda s, T, p: T.shape[2] * p.r.sum(axis=0)[:, None, None],
        "divided by K N_k": lambda s, T, p: p.K * p.r.sum(axis=0)[:, None, None],
        "old weights": lambda s, T, p: p.theta["weights"][:, None, None],
        "new weights": lambda s, T, p: p.r.mean(axis=0)[:, None, None],
        "hard counts": lambda s, T, p: np.bincount(p.r.argmax(axis=1), minlength=p.K)[:, None, None],
        "divided by the largest": lambda s, T, p: np.einsum("nk,ndl->kdl", s, T).max(axis=2, keepdims=True),
        "divided by N_k twice": lambda s, T, p: p.r.sum(axis=0)[:, None, None] ** 2,
        "N of another component": lambda s, T, p: np.roll(p.r.sum(axis=0), 1)[:, None, None],
        "N_k never reset": lambda s, T, p: np.cumsum(p.r.sum(axis=0))[:, None, None],
    },
    TEXTS,
    apply=False,
    follows=("the shares' own sum",),
)


def _smoothing(p: Problem) -> Any:
    """Return b - 1 of each item and level, shape (D, L); 0 for maximum likelihood."""
    shape = p.theta["probs"].shape[1:]
    b = np.ones(1) if p.prior is None else np.asarray(p.prior.pseudo_counts, dtype=float)
    return np.broadcast_to(b if b.size == 1 else np.reshape(b, shape), shape) - 1.0


def _total(values: Array) -> Array:
    return np.asarray(values.sum(axis=-1, keepdims=True))


ABOVE = term(
    "b_l - 1",
    HINT,
    _smoothing,
    {
        "b_l": lambda p: _smoothing(p) + 1,
        "b_l / L": lambda p: (_smoothing(p) + 1) / p.theta["probs"].shape[2],
        "(b_l - 1) / L": lambda p: _smoothing(p) / p.theta["probs"].shape[2],
        "1": lambda p: np.ones(1),
    },
)
BELOW = term(
    "Σb - L",
    HINT,
    lambda p: _total(_smoothing(p)),
    {
        "Σb": lambda p: _total(_smoothing(p) + 1),
        "Σb - 1": lambda p: _total(_smoothing(p) + 1) - 1,
        "b_l - 1, once": _smoothing,
        "b_l, once": lambda p: _smoothing(p) + 1,
        "Σb - K": lambda p: _total(_smoothing(p) + 1) - p.K,
        "L": lambda p: _total(_smoothing(p) * 0 + 1),
    },
)
AFTER = Slot(
    "after",
    lambda a, p: a,
    {
        "old value returned": lambda a, p: p.theta["probs"],
        "mean with the old value": lambda a, p: (a + p.theta["probs"]) / 2,
        "components in reverse order": lambda a, p: a[::-1],
        "components shifted by one": lambda a, p: np.roll(a, 1, axis=0),
        "features in reverse order": lambda a, p: a[:, ::-1],
        "levels in reverse order": lambda a, p: a[:, :, ::-1],
        "levels shifted by one": lambda a, p: np.roll(a, 1, axis=2),
        "levels shifted back by one": lambda a, p: np.roll(a, -1, axis=2),
        "levels sorted": lambda a, p: np.sort(a, axis=2),
        "first component for all": lambda a, p: np.repeat(a[:1], p.K, axis=0),
        "last component for all": lambda a, p: np.repeat(a[-1:], p.K, axis=0),
        "averaged over the features, repeated": lambda a, p: np.repeat(a.mean(axis=1, keepdims=True), p.D, axis=1),
        "first item for all": lambda a, p: np.repeat(a[:, :1], p.D, axis=1),
        "last item for all": lambda a, p: np.repeat(a[:, -1:], p.D, axis=1),
        "multiplied by the new weights": lambda a, p: a * p.r.mean(axis=0)[:, None, None],
        "multiplied by the old weights": lambda a, p: a * p.theta["weights"][:, None, None],
        "softmax of the probs": lambda a, p: np.exp(a) / np.exp(a).sum(axis=2, keepdims=True),
        "log returned": lambda a, p: np.log(a),
        "root returned": lambda a, p: np.sqrt(a),
        "square returned": lambda a, p: a**2,
        "sums up to each level": lambda a, p: np.cumsum(a, axis=2),
        "last level left out": lambda a, p: np.concatenate([a[:, :, :-1], 0 * a[:, :, -1:]], axis=2),
        "first level left out": lambda a, p: np.concatenate([0 * a[:, :, :1], a[:, :, 1:]], axis=2),
        "1 - probs": lambda a, p: 1 - a,
        "proportion in all data": lambda a, p: np.repeat(one_hot(p).mean(axis=0)[None], p.K, axis=0),
        "most frequent level only": lambda a, p: np.eye(a.shape[2])[a.argmax(axis=2)],
    },
    {"after": {**OF_ESTIMATES["after"], **TEXTS["after"]}},
    apply=False,
)


def probs_formula(prior: bool = False) -> Formula:
    """Return p_kdl = (Σ_i r_ik [x_id = l] + b_l - 1) / (N_k + Σb - L)."""

    def combine(p: Problem, v: Any) -> Array:
        T = one_hot(p)
        above, below = np.einsum("nk,ndl->kdl", v["share"], T), v["divisor of the probs"](v["share"], T, p)
        if prior:
            above, below = above + v[ABOVE.name], below + v[BELOW.name]
        return np.asarray(v["after"](above / below, p))

    def divisor(p: Problem) -> Array:
        return p.r.sum(axis=0)[:, None, None] + np.asarray(BELOW.right(p))

    text = "p_kdl = (Σ_i r_ik [x_id = l] + b_l - 1) / (N_k + Σb - L)" if prior else "p_kdl = Σ_i r_ik [x_id = l] / N_k"
    pseudo = (ABOVE, BELOW) if prior else ()
    return Formula("probs", text, (SHARE, DIVISOR, AFTER), combine, divisor=divisor, pseudo=pseudo)


def as_cells(a: Array, p: Problem) -> Array:
    """Return probs (K, D, L) as (K, cells)."""
    return np.asarray(a).reshape(p.K, -1)


def of_cells(a: Array, p: Problem) -> Array:
    """Return probs (K, cells) as (K, D, L)."""
    if np.ndim(a) != 2:
        raise ValueError("no table of cells")
    return np.asarray(a).reshape(p.theta["probs"].shape)
