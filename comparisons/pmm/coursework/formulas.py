"""The Poisson mixture's formulas for coursework.

::

    log p(x_i|k) = Σ_d { x_id log λ_kd + x_id log e_id - e_id λ_kd - log x_id! }
    λ_kd = Σ_i r_ik x_id / Σ_i r_ik e_id
"""

import numpy as np
from scipy.special import gammaln

from comparisons.coursework.formulas.cells import by_component, by_sample, features_with
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot, term, texts_beside
from comparisons.coursework.formulas.weights import HINT
from models.validation import Array

TEXTS = texts_beside(__file__)


def _x(p: Problem) -> Array:
    return by_sample(p.X)


def _e(p: Problem) -> Array:
    return by_sample(p.size("exposure"))


def _rate(p: Problem) -> Array:
    return by_component(p.theta["rates"])


POWER = Slot(
    "x log(e λ)",
    lambda p: _x(p) * (np.log(_rate(p)) + np.log(_e(p))),
    {
        "λ^x left out": lambda p: 0 * _x(p),
        "exposure left out of the power": lambda p: _x(p) * np.log(_rate(p)),
        "x^λ in place of λ^x": lambda p: _rate(p) * np.log(np.maximum(_x(p), 1e-300)),
        "log λ without x": lambda p: np.log(_rate(p)),
        "λ without logarithm": lambda p: _x(p) * _rate(p),
        "x + 1 events": lambda p: (_x(p) + 1) * np.log(_rate(p)),
        "x - 1 events": lambda p: (_x(p) - 1) * np.log(_rate(p)),
        "divided by the exposure": lambda p: _x(p) * (np.log(_rate(p)) - np.log(_e(p))),
        "log10 of λ": lambda p: _x(p) * np.log10(_rate(p) * _e(p)),
        "log2 of λ": lambda p: _x(p) * np.log2(_rate(p) * _e(p)),
        "1/λ": lambda p: -_x(p) * np.log(_rate(p)),
        "rates of events per exposure": lambda p: _x(p) / _e(p) * np.log(_rate(p)),
    },
    TEXTS,
)
EXPONENTIAL = Slot(
    "-e λ",
    lambda p: -_e(p) * _rate(p),
    {
        "exp(-λ) left out": lambda p: 0 * _x(p),
        "exp(+λ)": lambda p: _e(p) * _rate(p),
        "exposure left out of exp(-λ)": lambda p: -_rate(p),
        "exp(-x)": lambda p: -_x(p),
        "exp(-x λ)": lambda p: -_x(p) * _rate(p),
        "exp(-λ)'s logarithm forgotten": lambda p: np.exp(-_rate(p) * _e(p)),
        "λ divided by the exposure": lambda p: -_rate(p) / _e(p),
        "exp(-1/λ)": lambda p: -1 / _rate(p),
        "log λ subtracted": lambda p: -np.log(_rate(p)),
        "λ squared": lambda p: -(_rate(p) ** 2),
        "exp(-λ/2)": lambda p: -_rate(p) / 2,
        "exp(-2λ)": lambda p: -2 * _rate(p),
    },
    TEXTS,
)
FACTORIAL = Slot(
    "-log x!",
    lambda p: -gammaln(_x(p) + 1),
    {
        "no factorial": lambda p: 0 * _x(p),
        "multiplied by x!": lambda p: gammaln(_x(p) + 1),
        "gamma function one too low": lambda p: -gammaln(np.maximum(_x(p), 1e-300)),
        "log x in place of log x!": lambda p: -np.log(np.maximum(_x(p), 1e-300)),
        "x! without logarithm": lambda p: -np.exp(gammaln(_x(p) + 1)),
        "(x + 1)!": lambda p: -gammaln(_x(p) + 2),
        "log(1 + x) in place of log x!": lambda p: -np.log1p(_x(p)),
        "Stirling's formula, short": lambda p: -(np.where(_x(p) > 0, _x(p) * np.log(np.maximum(_x(p), 1)), 0) - _x(p)),
        "x in place of log x!": lambda p: -_x(p),
        "log10 of x!": lambda p: -gammaln(_x(p) + 1) / np.log(10),
    },
    TEXTS,
)


SWAPS = Slot(
    "inputs",
    lambda p: p,
    {
        "exposure ignored": lambda p: p.changed(given={**p.given, "exposure": 1.0}),
        "rates over the exposure": lambda p: p.changed(given={**p.given, "exposure": 1 / p.size("exposure")}),
        "mean exposure for all": lambda p: p.changed(given={**p.given, "exposure": p.size("exposure").mean()}),
        "mean rate for all features": lambda p: p.changed(
            rates=np.repeat(p.theta["rates"].mean(axis=1, keepdims=True), p.D, axis=1)
        ),
        "first rate for all features": lambda p: p.changed(rates=np.repeat(p.theta["rates"][:, :1], p.D, axis=1)),
        "rates of the first component for all": lambda p: p.changed(rates=np.repeat(p.theta["rates"][:1], p.K, axis=0)),
        "rates of the last component for all": lambda p: p.changed(rates=np.repeat(p.theta["rates"][-1:], p.K, axis=0)),
        "rates of the component before": lambda p: p.changed(rates=np.roll(p.theta["rates"], 1, axis=0)),
        "rates of the next component": lambda p: p.changed(rates=np.roll(p.theta["rates"], -1, axis=0)),
        "rates in reverse order of components": lambda p: p.changed(rates=p.theta["rates"][::-1]),
        "rates in reverse order of features": lambda p: p.changed(rates=p.theta["rates"][:, ::-1]),
        "rates times the weights": lambda p: p.changed(rates=p.theta["rates"] * p.theta["weights"][:, None]),
        "scale in place of rate": lambda p: p.changed(rates=1 / p.theta["rates"]),
        "exp of the rates": lambda p: p.changed(rates=np.exp(p.theta["rates"])),
        "log of the rates": lambda p: p.changed(rates=np.log(p.theta["rates"])),
        "root of the rates": lambda p: p.changed(rates=np.sqrt(p.theta["rates"])),
        "rates rounded": lambda p: p.changed(rates=np.round(p.theta["rates"])),
        "counts over the exposure": lambda p: p.changed(X=p.X / p.size("exposure"), given={**p.given, "exposure": 1.0}),
        "1 added to the counts": lambda p: p.changed(X=p.X + 1),
        "any event counts as one": lambda p: p.changed(X=(p.X > 0).astype(float)),
    },
    TEXTS,
)
OTHERS = features_with(
    {
        "Gaussian in place of the Poisson": lambda cells, p: (
            -((_x(p) - _e(p) * _rate(p)) ** 2) / (2 * _e(p) * _rate(p)) - np.log(2 * np.pi * _e(p) * _rate(p)) / 2
        ).sum(axis=2),
        "squared gaps": lambda cells, p: -((_x(p) - _e(p) * _rate(p)) ** 2).sum(axis=2) / 2,
        "exponential in place of the Poisson": lambda cells, p: (np.log(_rate(p)) - _rate(p) * _x(p)).sum(axis=2),
    },
    TEXTS["features"],
)
VALUES = Slot(
    "events",
    lambda p: p.X,
    {
        "rates of each sample summed": lambda p: p.X / p.size("exposure"),
        "events times exposure": lambda p: p.X * p.size("exposure"),
        "events squared": lambda p: p.X**2,
        "any event counted as one": lambda p: (p.X > 0).astype(float),
        "log of events": lambda p: np.log(np.maximum(p.X, 1e-300)),
        "log of 1 + events": lambda p: np.log1p(p.X),
        "events centred": lambda p: p.X - p.X.mean(axis=0),
        "events + 1": lambda p: p.X + 1,
    },
    TEXTS,
)


def _mean_of_rates(p: Problem) -> Array:
    return np.asarray(p.r.T @ (p.X / p.size("exposure")) / p.r.sum(axis=0)[:, None])


def _variances(a: Array, p: Problem) -> Array:
    centers = p.r.T @ p.X / p.r.sum(axis=0)[:, None]
    return np.asarray(np.einsum("nk,nkd->kd", p.r, (p.X[:, None] - centers) ** 2) / p.r.sum(axis=0)[:, None])


AFTER = {
    "mean of rates in place of rate of sums": lambda a, p: _mean_of_rates(p),
    "mean of all samples for all": lambda a, p: np.repeat(
        (p.X.sum(axis=0) / p.size("exposure").sum(axis=0))[None], p.K, 0
    ),
    "variances in place of rates": _variances,
    "scales returned": lambda a, p: 1 / a,
    "log rates returned": lambda a, p: np.log(a),
    "1e-3 added": lambda a, p: a + 1e-3,
    "1e-6 added": lambda a, p: a + 1e-6,
    "divided by the mean exposure once more": lambda a, p: a / p.size("exposure").mean(),
    "multiplied by the mean exposure": lambda a, p: a * p.size("exposure").mean(),
}


def _pseudo(p: Problem, place: int, offset: float) -> Array:
    """Return a number of the gamma prior less an offset, or 0 for maximum likelihood."""
    if p.prior is None:
        return np.zeros(p.D)
    return np.broadcast_to(np.asarray(getattr(p.prior, p.prior.hyperparameters[place])) - offset, p.D)


ABOVE = term(
    "b - 1",
    HINT,
    lambda p: _pseudo(p, 0, 1.0),
    {
        "b": lambda p: _pseudo(p, 0, 0.0),
        "b + 1": lambda p: _pseudo(p, 0, -1.0),
        "c": lambda p: _pseudo(p, 1, 0.0),
        "b / c": lambda p: _pseudo(p, 0, 0.0) / _pseudo(p, 1, 0.0),
        "(b - 1) / c": lambda p: _pseudo(p, 0, 1.0) / _pseudo(p, 1, 0.0),
        "b - 2": lambda p: _pseudo(p, 0, 2.0),
    },
)
BELOW = term(
    "c",
    HINT,
    lambda p: _pseudo(p, 1, 0.0),
    {
        "c - 1": lambda p: _pseudo(p, 1, 1.0),
        "c + 1": lambda p: _pseudo(p, 1, -1.0),
        "1 / c, a scale": lambda p: 1 / _pseudo(p, 1, 0.0),
        "b": lambda p: _pseudo(p, 0, 0.0),
        "b - 1": lambda p: _pseudo(p, 0, 1.0),
        "b + c": lambda p: _pseudo(p, 0, 0.0) + _pseudo(p, 1, 0.0),
        "b + c - 2": lambda p: _pseudo(p, 0, 1.0) + _pseudo(p, 1, 1.0),
        "e c": lambda p: p.size("exposure")[0] * _pseudo(p, 1, 0.0),
    },
)
