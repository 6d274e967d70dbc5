"""The Bernoulli and binomial mixture's formulas for coursework.

::

    log p(x_i|k) = Σ_d { x_id log p_kd + (m - x_id) log(1 - p_kd) + log C(m, x_id) },    p_kd = Σ_i r_ik x_id / (m N_k)
"""

import numpy as np
from scipy.special import gammaln

from comparisons.coursework.formulas.cells import by_component, by_sample, features_with
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot, term, texts_beside
from comparisons.coursework.formulas.weights import HINT
from models.validation import Array

TEXTS = texts_beside(__file__)
TRIALS = 5  # where a function has an argument for them and none are given


def _x(p: Problem) -> Array:
    return by_sample(p.X)


def _m(p: Problem) -> Array:
    return by_sample(p.size("n_trials"))


def _p(p: Problem) -> Array:
    return by_component(p.theta["probs"])


def _choose(p: Problem) -> Array:
    return np.asarray(gammaln(_m(p) + 1) - gammaln(_x(p) + 1) - gammaln(_m(p) - _x(p) + 1))


SUCCESSES = Slot(
    "x log p",
    lambda p: _x(p) * np.log(_p(p)),
    {
        "successes left out": lambda p: 0 * _x(p),
        "log p without x": lambda p: np.log(_p(p)),
        "1 - p for a success": lambda p: _x(p) * np.log1p(-_p(p)),
        "p without logarithm": lambda p: _x(p) * _p(p),
        "p to the power m": lambda p: _m(p) * np.log(_p(p)),
        "p to the power m - x": lambda p: (_m(p) - _x(p)) * np.log(_p(p)),
        "odds": lambda p: _x(p) * (np.log(_p(p)) - np.log1p(-_p(p))),
        "log10 of p": lambda p: _x(p) * np.log10(_p(p)),
        "log2 of p": lambda p: _x(p) * np.log2(_p(p)),
        "proportion in the exponent": lambda p: _x(p) / _m(p) * np.log(_p(p)),
        "x + 1 successes": lambda p: (_x(p) + 1) * np.log(_p(p)),
        "p multiplied by x": lambda p: np.log(_x(p) * _p(p)),
        "x + p in place of the power": lambda p: np.log(_x(p) + _p(p)),
    },
    TEXTS,
)
FAILURES = Slot(
    "(m - x) log(1 - p)",
    lambda p: (_m(p) - _x(p)) * np.log1p(-_p(p)),
    {
        "failures left out": lambda p: 0 * _x(p),
        "log(1 - p) without m - x": lambda p: np.log1p(-_p(p)),
        "p for a failure": lambda p: (_m(p) - _x(p)) * np.log(_p(p)),
        "1 - log p in place of log(1 - p)": lambda p: (_m(p) - _x(p)) * (1 - np.log(_p(p))),
        "1 - p without logarithm": lambda p: (_m(p) - _x(p)) * (1 - _p(p)),
        "1 - p to the power m": lambda p: _m(p) * np.log1p(-_p(p)),
        "1 - p to the power x": lambda p: _x(p) * np.log1p(-_p(p)),
        "1 - x failures": lambda p: (1 - _x(p)) * np.log1p(-_p(p)),
        "x - m failures": lambda p: (_x(p) - _m(p)) * np.log1p(-_p(p)),
        "log10 of 1 - p": lambda p: (_m(p) - _x(p)) * np.log10(1 - _p(p)),
        "1 + p in place of 1 - p": lambda p: (_m(p) - _x(p)) * np.log1p(_p(p)),
        "proportion of failures in the exponent": lambda p: (1 - _x(p) / _m(p)) * np.log1p(-_p(p)),
        "m - x - 1 failures": lambda p: (_m(p) - _x(p) - 1) * np.log1p(-_p(p)),
        "m - x + 1 failures": lambda p: (_m(p) - _x(p) + 1) * np.log1p(-_p(p)),
        "m - p in place of 1 - p": lambda p: (_m(p) - _x(p)) * np.log(_m(p) - _p(p)),
        "n - x failures, of n samples": lambda p: (p.n - _x(p)) * np.log1p(-_p(p)),
        "D - x failures, of D features": lambda p: (p.D - _x(p)) * np.log1p(-_p(p)),
        "1 - p without the power, of proportions": lambda p: np.log1p(-_p(p)) / _m(p),
    },
    TEXTS,
)
COEFFICIENT = Slot(
    "log C(m, x)",
    lambda p: np.where(_m(p) > 1, _choose(p), 0.0),
    {
        "no binomial coefficient": lambda p: 0 * _x(p),
        "divided by the binomial coefficient": lambda p: -_choose(p),
        "binomial coefficient without logarithm": lambda p: np.exp(_choose(p)),
        "m! only": lambda p: gammaln(_m(p) + 1) + 0 * _x(p),
        "permutations m! / (m - x)!": lambda p: gammaln(_m(p) + 1) - gammaln(_m(p) - _x(p) + 1),
        "m! / x! only": lambda p: gammaln(_m(p) + 1) - gammaln(_x(p) + 1),
        "1 / (x! (m - x)!) only": lambda p: -gammaln(_x(p) + 1) - gammaln(_m(p) - _x(p) + 1),
        "(m - 1) over x": lambda p: gammaln(_m(p)) - gammaln(_x(p) + 1) - gammaln(np.maximum(_m(p) - _x(p), 1e-300)),
        "gamma function one too low": lambda p: (
            gammaln(_m(p)) - gammaln(np.maximum(_x(p), 1e-300)) - gammaln(np.maximum(_m(p) - _x(p), 1e-300))
        ),
        "beta function without m + 1": lambda p: _choose(p) + np.log(_m(p) + 1),
        "binomial coefficient squared": lambda p: 2 * _choose(p),
    },
    TEXTS,
)
SWAPS = Slot(
    "inputs",
    lambda p: p,
    {
        "p and 1 - p exchanged": lambda p: p.changed(probs=1 - p.theta["probs"]),
        "x and m - x exchanged": lambda p: p.changed(X=p.size("n_trials") - p.X),
        "one trial for each cell": lambda p: p.changed(given={**p.given, "n_trials": 1}),
        "mean prob for all features": lambda p: p.changed(
            probs=np.repeat(p.theta["probs"].mean(axis=1, keepdims=True), p.D, axis=1)
        ),
        "first prob for all features": lambda p: p.changed(probs=np.repeat(p.theta["probs"][:, :1], p.D, axis=1)),
        "probs of the first component for all": lambda p: p.changed(probs=np.repeat(p.theta["probs"][:1], p.K, axis=0)),
        "probs of the last component for all": lambda p: p.changed(probs=np.repeat(p.theta["probs"][-1:], p.K, axis=0)),
        "probs of the component before": lambda p: p.changed(probs=np.roll(p.theta["probs"], 1, axis=0)),
        "probs of the next component": lambda p: p.changed(probs=np.roll(p.theta["probs"], -1, axis=0)),
        "probs in reverse order of components": lambda p: p.changed(probs=p.theta["probs"][::-1]),
        "probs in reverse order of features": lambda p: p.changed(probs=p.theta["probs"][:, ::-1]),
        "probs times the weights": lambda p: p.changed(probs=p.theta["probs"] * p.theta["weights"][:, None]),
        "probs over the number of trials": lambda p: p.changed(probs=p.theta["probs"] / p.size("n_trials").max()),
        "root of the probs": lambda p: p.changed(probs=np.sqrt(p.theta["probs"])),
        "probs squared": lambda p: p.changed(probs=p.theta["probs"] ** 2),
        "probs normalised over the components": lambda p: p.changed(
            probs=p.theta["probs"] / p.theta["probs"].sum(axis=0)
        ),
        "probs normalised over the features": lambda p: p.changed(
            probs=p.theta["probs"] / p.theta["probs"].sum(axis=1, keepdims=True)
        ),
        "probs rounded": lambda p: p.changed(probs=np.clip(np.round(p.theta["probs"]), 1e-10, 1 - 1e-10)),
        "any success counts as one": lambda p: p.changed(X=(p.X > 0).astype(float)),
        "data as proportions": lambda p: p.changed(X=p.X / p.size("n_trials")),
        "probs smoothed by 0.01": lambda p: p.changed(probs=p.theta["probs"] + 0.01),
        "sigmoid of the probs": lambda p: p.changed(probs=1 / (1 + np.exp(-p.theta["probs"]))),
    },
    TEXTS,
)
OTHERS = features_with(
    {
        "squared gaps": lambda cells, p: -((_x(p) - _m(p) * _p(p)) ** 2).sum(axis=2) / 2,
        "squared gaps without 1/2": lambda cells, p: -((_x(p) - _m(p) * _p(p)) ** 2).sum(axis=2),
        "Gaussian in place of the binomial": lambda cells, p: (
            -((_x(p) - _m(p) * _p(p)) ** 2) / (2 * _m(p) * _p(p) * (1 - _p(p)))
            - np.log(2 * np.pi * _m(p) * _p(p) * (1 - _p(p))) / 2
        ).sum(axis=2),
        "absolute gaps": lambda cells, p: -np.abs(_x(p) - _m(p) * _p(p)).sum(axis=2),
    },
    TEXTS["features"],
)
VALUES = Slot(
    "successes",
    lambda p: p.X,
    {
        "failures counted": lambda p: p.size("n_trials") - p.X,
        "proportions counted": lambda p: p.X / p.size("n_trials"),
        "any success counted as one": lambda p: (p.X > 0).astype(float),
        "successes squared": lambda p: p.X**2,
        "successes centred": lambda p: p.X - p.X.mean(axis=0),
        "m - 1 trials below": lambda p: p.X * p.size("n_trials") / np.maximum(p.size("n_trials") - 1, 0.5),
    },
    TEXTS,
)
AFTER = {
    "1 - probs": lambda a, p: 1 - a,
    "odds returned": lambda a, p: a / (1 - a),
    "logits returned": lambda a, p: np.log(a / (1 - a)),
    "means in place of probs": lambda a, p: a * p.size("n_trials").max(),
    "divided by the trials once more": lambda a, p: a / p.size("n_trials").max(),
    "proportion in all data": lambda a, p: np.repeat((p.X.sum(axis=0) / p.size("n_trials").sum(axis=0))[None], p.K, 0),
    "clipped to 0.01 .. 0.99": lambda a, p: np.clip(a, 0.01, 0.99),
    "clipped to 0.1 .. 0.9": lambda a, p: np.clip(a, 0.1, 0.9),
    "clipped to 0.05 .. 0.95": lambda a, p: np.clip(a, 0.05, 0.95),
    "1e-3 added": lambda a, p: a + 1e-3,
    "joint with the component": lambda a, p: a * p.r.mean(axis=0)[:, None],
    "sigmoid returned": lambda a, p: 1 / (1 + np.exp(-a)),
}


def _pseudo(p: Problem, name: str) -> Array:
    return np.zeros(p.D) if p.prior is None else np.broadcast_to(np.asarray(getattr(p.prior, name)) - 1.0, p.D)


ABOVE = term(
    "b - 1",
    HINT,
    lambda p: _pseudo(p, "successes"),
    {
        "b": lambda p: _pseudo(p, "successes") + 1,
        "c - 1": lambda p: _pseudo(p, "failures"),
        "c": lambda p: _pseudo(p, "failures") + 1,
        "m (b - 1)": lambda p: p.size("n_trials")[0] * _pseudo(p, "successes"),
    },
)
BELOW = term(
    "b + c - 2",
    HINT,
    lambda p: _pseudo(p, "successes") + _pseudo(p, "failures"),
    {
        "b + c": lambda p: _pseudo(p, "successes") + _pseudo(p, "failures") + 2,
        "b + c - 1": lambda p: _pseudo(p, "successes") + _pseudo(p, "failures") + 1,
        "b - 1": lambda p: _pseudo(p, "successes"),
        "c - 1": lambda p: _pseudo(p, "failures"),
        "b": lambda p: _pseudo(p, "successes") + 1,
        "c": lambda p: _pseudo(p, "failures") + 1,
        "m (b + c - 2)": lambda p: p.size("n_trials")[0] * (_pseudo(p, "successes") + _pseudo(p, "failures")),
    },
)
