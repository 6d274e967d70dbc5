"""The Bernoulli and binomial mixture for coursework; its terms are in :mod:`comparisons.bmm.coursework.formulas`."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, override

import numpy as np

from comparisons.bmm.coursework.formulas import (
    ABOVE,
    AFTER,
    BELOW,
    COEFFICIENT,
    FAILURES,
    INTERMEDIATES,
    OTHERS,
    SUCCESSES,
    SUMS,
    SWAPS,
    TRIALS,
    VALUES,
)
from comparisons.coursework.formulas.cells import INTEGERS, CellTextbook
from comparisons.coursework.formulas.estimates import ratio, weights_formula
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula


class Bernoulli(CellTextbook):
    """Bernoulli and binomial mixtures."""

    spellings: ClassVar = {
        "probs": "probs prob p ps pk p_k theta thetas mu mus means mean q qs beta betas rho rhos success_probs bias "
        "biases probabilities success_prob pr coin_probs coin_bias m_k",
        "X": "heads flips successes n_heads num_heads k tosses",
        "n_trials": "n_trials trials m n ntrials num_trials flips n_flips tosses n_tosses size",
        "weights": "lam lambda lambdas lambda_k",
    }
    notebook = "03_em_for_bmm_coins_then_binary_vectors.ipynb"
    sections: ClassVar = {"e": "E-step and M-step", "m": "E-step and M-step", "log_likelihood": "The model"}
    quantities = "weights", "probs"
    cell_slots = SUCCESSES, FAILURES, COEFFICIENT
    swaps, features = SWAPS, OTHERS
    intermediates, sums = INTERMEDIATES, SUMS
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
    def note_sizes(self, roles: Collection[str], defaults: Mapping[str, Any]) -> None:
        if "n_trials" in roles and "n_trials" not in self.given:
            held = defaults.get("n_trials")
            self.trials = held if isinstance(held, int | float) and held >= 1 else TRIALS

    @override
    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        probs = rng.uniform(0.1, 0.9, size=(K, D))
        probs = np.round(probs, 1) if plain else probs
        trials = np.broadcast_to(np.asarray(self.n_trials), (n, D)).astype(int)
        X = rng.binomial(trials, rng.uniform(0.25, 0.75, size=(n, D))).astype(float)
        X[0, 0] = trials[0, 0]
        if n > 2:
            X[1, 0] = 0
        return self.complete(rng, X, plain, {"n_trials": self.n_trials}, probs=probs)

    @override
    def problems(self, step: str) -> list[Problem]:
        problems = super().problems(step)
        none = problems[0]  # an estimate of 0 is legal
        if step == "m":
            X = none.X.copy()
            X[:, 0] = 0
            X[0, 1:] = np.broadcast_to(np.asarray(self.n_trials), X.shape)[0, 1:]
            problems.insert(2, none.changed(name="a feature without successes", X=X))
        trials = np.broadcast_to(np.asarray(self.n_trials), none.X.shape)
        if trials.max() > 1:  # the number of trials cannot be read off
            X = np.minimum(none.X, np.maximum(trials - 1, 1))
            problems.insert(2, none.changed(name="no cell with successes only", X=X))
        return problems

    @override
    def near_edge(self, problem: Problem) -> list[Problem]:
        p = problem.theta["probs"]
        return [problem.changed(name="probabilities near an edge", probs=p**3 / (p**3 + (1 - p) ** 3))]

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
    def far_problems(self) -> list[Problem]:
        K, D = self.shape()
        if D is not None or self.prior is not None:
            return []
        wide = self.draw(np.random.RandomState(6), 3, K or 2, 1500)
        return [wide.changed(name="with 1500 features")]

    @override
    def estimates(self) -> tuple[Formula, ...]:
        text = "p_kd = Σ_i r_ik x_id / N_k" if self.title.startswith("the Ber") else "p_kd = Σ_i r_ik x_id / Σ_i r_ik m"
        if self.prior is not None:
            text = "p_kd = (Σ_i r_ik x_id + b - 1) / (Σ_i r_ik m + b + c - 2)"
        pseudo = () if self.prior is None else (ABOVE, BELOW)
        probs = ratio("probs", text, VALUES, lambda p: p.size("n_trials"), AFTER, pseudo)
        return weights_formula(self.prior is not None), probs


TEXTBOOK = Bernoulli
