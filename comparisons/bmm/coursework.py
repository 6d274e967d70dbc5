"""The Bernoulli and binomial mixture's formulas for coursework.

::

    log p(x_i|k) = Σ_d { x_id log p_kd + (m - x_id) log(1 - p_kd) + log C(m, x_id) },    p_kd = Σ_i r_ik x_id / (m N_k)
"""

from collections.abc import Callable, Collection
from typing import Any, ClassVar, override

import numpy as np
from scipy.special import gammaln

from comparisons.coursework.formulas.cells import INTEGERS, CellTextbook, by_component, by_sample
from comparisons.coursework.formulas.estimates import after_of, ratio, weights_formula
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula, Slot, texts_beside
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


ABOVE = Slot(
    "pseudo-successes",
    lambda p: _pseudo(p, "successes"),
    {
        "prior's successes left out": lambda p: np.zeros(p.D),
        "b in place of b - 1": lambda p: _pseudo(p, "successes") + 1,
        "failures' prior for successes": lambda p: _pseudo(p, "failures"),
        "1/2 added to the successes": lambda p: np.full(p.D, 0.5),
        "0.01 added to the successes": lambda p: np.full(p.D, 0.01),
    },
    TEXTS,
)
BELOW = Slot(
    "pseudo-trials",
    lambda p: _pseudo(p, "successes") + _pseudo(p, "failures"),
    {
        "prior's trials left out": lambda p: np.zeros(p.D),
        "b + c in place of b + c - 2": lambda p: _pseudo(p, "successes") + _pseudo(p, "failures") + 2,
        "b + c - 1 in place of b + c - 2": lambda p: _pseudo(p, "successes") + _pseudo(p, "failures") + 1,
        "successes' prior only": lambda p: _pseudo(p, "successes"),
        "number of features added": lambda p: np.full(p.D, float(p.D)),
        "number of components added": lambda p: np.full(p.D, float(p.K)),
        "0.02 added to the trials": lambda p: np.full(p.D, 0.02),
    },
    TEXTS,
)


class Bernoulli(CellTextbook):
    """Bernoulli and binomial mixtures."""

    spellings: ClassVar = {
        "probs": "probs prob p ps pk p_k theta thetas mu mus means mean q qs beta betas rho rhos success_probs bias biases "
        "probabilities success_prob pr coin_probs coin_bias m_k",
        "X": "heads flips successes n_heads num_heads k tosses",
        "n_trials": "n_trials trials m n ntrials num_trials flips n_flips tosses n_tosses size",
        "weights": "lam lambda lambdas lambda_k",
    }
    notebook = "03_em_for_bmm_coins_then_binary_vectors.ipynb"
    sections: ClassVar = {"e": "E-step and M-step", "m": "E-step and M-step", "log_likelihood": "The model"}
    quantities = "weights", "probs"  # type: ignore[assignment]
    cell_slots = SUCCESSES, FAILURES, COEFFICIENT
    swaps = SWAPS
    conventions = (INTEGERS,)
    trials: Any = None

    @property
    @override
    def title(self) -> str:
        return "the Bernoulli mixture" if np.all(np.asarray(self.n_trials) == 1) else "the binomial mixture"

    @property
    def n_trials(self) -> Any:
        """Trials of each cell."""
        return self.family.of_data["n_trials"] if self.trials is None else self.trials

    @override
    def sized(self, roles: Collection[str], default: Callable[[str], Any]) -> None:
        if "n_trials" in roles and "n_trials" not in self.given:
            held = default("n_trials")
            self.trials = held if isinstance(held, int | float) and held >= 1 else TRIALS

    @override
    def shape(self) -> tuple[int | None, int | None]:
        K = None if self.prior is None or np.ndim(self.prior.concentration) == 0 else len(self.prior.concentration)
        given = [self.n_trials, *([] if self.prior is None else [self.prior.successes, self.prior.failures])]
        return K, next((np.shape(value)[-1] for value in given if np.ndim(value)), None)

    @override
    def sizes_of(self, problem: Problem) -> dict[str, Any]:
        return {"n_trials": problem.given["n_trials"]}

    @override
    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        probs = rng.uniform(0.1, 0.9, size=(K, D))
        probs = np.round(probs, 1) if plain else probs
        trials = np.broadcast_to(np.asarray(self.n_trials), (n, D)).astype(int)
        X = rng.binomial(trials, rng.uniform(0.25, 0.75, size=(n, D))).astype(float)
        X[0, 0] = trials[0, 0]
        if n > 2:
            X[1, 0] = 0
        theta = {"weights": self.draw_weights(rng, K, plain), "probs": probs}
        r = self.draw_responsibilities(rng, n, K, plain)
        return Problem("", X, theta, r, {"n_trials": self.n_trials}, self.prior)

    @override
    def problems(self, step: str) -> list[Problem]:
        problems = super().problems(step)
        none = problems[0]  # an estimate of 0 is legal
        if step == "m":
            X = none.X.copy()
            X[:, 0] = 0
            problems.insert(2, none.changed(name="a feature without successes", X=X))
        return problems

    @override
    def fit_problem(self) -> Problem:
        rng, D = np.random.RandomState(8), self.shape()[1] or 5
        drawn = self.draw(rng, 120, 2, D)
        probs = np.array([np.linspace(0.15, 0.4, D), np.linspace(0.85, 0.6, D)])
        X = rng.binomial(
            np.broadcast_to(np.asarray(self.n_trials), (120, D)).astype(int),
            probs[(rng.uniform(size=120) < 0.4).astype(int)],
        )
        return drawn.changed(X=X.astype(float), weights=np.array([0.55, 0.45]), probs=0.6 * probs + 0.2)

    @override
    def far(self) -> list[Problem]:
        K, D = self.shape()
        if D is not None or self.prior is not None:
            return []
        wide = self.draw(np.random.RandomState(6), 3, K or 2, 1500)
        return [wide.changed(name="with 1500 features")]

    @override
    def estimates(self) -> tuple[Formula, ...]:
        after = after_of("probs", AFTER, TEXTS["after"])
        text = "p_kd = Σ_i r_ik x_id / N_k" if self.title.startswith("the Ber") else "p_kd = Σ_i r_ik x_id / Σ_i r_ik m"
        if self.prior is not None:
            text = "p_kd = (Σ_i r_ik x_id + b - 1) / (Σ_i r_ik m + b + c - 2)"
        of_weights = "π_k = N_k / n" if self.prior is None else "π_k = (N_k + a_k - 1) / (n + Σa - K)"
        probs = ratio("probs", text, VALUES, lambda p: p.size("n_trials"), after, (ABOVE, BELOW))
        return weights_formula(of_weights), probs


TEXTBOOK = Bernoulli
