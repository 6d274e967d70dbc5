"""The Poisson mixture for coursework; its terms are in :mod:`comparisons.pmm.coursework.formulas`."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, override

import numpy as np

from comparisons.coursework.formulas.cells import INTEGERS, CellTextbook
from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.estimates import ratio, weights_formula
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula
from comparisons.pmm.coursework.formulas import (
    ABOVE,
    AFTER,
    BELOW,
    EXPONENTIAL,
    FACTORIAL,
    INTERMEDIATES,
    OTHERS,
    POWER,
    SUMS,
    SWAPS,
    VALUES,
)


class Poisson(CellTextbook):
    """Counts with exposures."""

    spellings: ClassVar = {
        "rates": "rates rate lam lambda lambdas lams lmbda lambd lmbdas mu mus means mean theta thetas l lambda_k ls "
        "intensities intensity poisson_rates",
        "exposure": "exposure exposures e t offset offsets sizes size ei eid duration durations time times",
        "weights": "p ps",
    }
    notebook = "03_em_for_bmm_coins_then_binary_vectors.ipynb"
    sections: ClassVar = dict.fromkeys("em", "Other counts: events, and answers with several levels")
    title = "the Poisson mixture"
    quantities = "weights", "rates"
    cell_slots = POWER, EXPONENTIAL, FACTORIAL
    swaps, features = SWAPS, OTHERS
    intermediates, sums = INTERMEDIATES, SUMS
    varied = scalar = False
    conventions = (
        INTEGERS,
        Convention("one exposure for each sample", "exposure", lambda a, p: a[:, 0], lambda a, p: a, free=True),
        Convention("a column of exposures", "exposure", lambda a, p: a[:, :1], lambda a, p: a, free=True),
    )

    @override
    def note_sizes(self, roles: Collection[str], defaults: Mapping[str, Any]) -> None:
        self.varied = "exposure" in roles and "exposure" not in self.given and defaults.get("exposure") is None

    @override
    def other_problems(self, step: str) -> list[tuple[bool, str, list[Problem]]]:
        flat = super().other_problems(step)
        if not self.varied:
            return flat
        self.scalar = True
        numbers = self.problems(step)
        self.scalar = False
        return [*flat, (False, "takes one exposure for all cells", numbers)]

    @override
    def shape(self) -> tuple[int | None, int | None]:
        exposure = self.family.of_data["exposure"]
        if np.ndim(exposure) > 1:
            raise ValueError(
                "exposure must be a number, or one for each feature, where a step is checked on samples of the check's "
                f"own; got shape {np.shape(exposure)}. Leave it out if the function takes it as an argument"
            )
        return super().shape()

    @override
    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        rates = rng.uniform(0.6, 5.0, size=(K, D))
        exposure = self.family.of_data["exposure"]
        if self.scalar:
            exposure = 2.5
        elif self.varied:
            exposure = np.round(np.repeat(rng.uniform(0.5, 3.0, size=(n, 1)), D, axis=1), 1)
        X = rng.poisson(np.broadcast_to(exposure, (n, D)) * rng.uniform(1.0, 5.0, size=(n, D))).astype(float)
        if n > 2:
            X[1, 0] = 0.0
        return self.complete(rng, X, plain, {"exposure": exposure}, rates=np.round(rates, 1) if plain else rates)

    @override
    def fit_problem(self) -> Problem:
        rng, D = np.random.RandomState(8), self.shape()[1] or 2
        drawn = self.draw(rng, 90, 2, D)
        rates = np.array([np.linspace(1.0, 3.0, D), np.linspace(7.0, 5.0, D)])
        X = rng.poisson(drawn.size("exposure") * rates[(rng.uniform(size=90) < 0.4).astype(int)])
        return drawn.changed(X=X.astype(float), weights=np.array([0.55, 0.45]), rates=0.7 * rates + 1.0)

    @override
    def far_problems(self) -> list[Problem]:
        K, D = self.shape()
        if D is not None or self.prior is not None:
            return []
        problem = self.draw(np.random.RandomState(6), 3, K or 2, 2)
        return [problem.changed(name="for counts near 1000", X=problem.X + 1000)]

    @override
    def estimates(self) -> tuple[Formula, ...]:
        text = (
            "λ_kd = Σ_i r_ik x_id / Σ_i r_ik e_id"
            if self.prior is None
            else "λ_kd = (Σ_i r_ik x_id + b - 1) / (Σ_i r_ik e_id + c)"
        )
        pseudo = () if self.prior is None else (ABOVE, BELOW)
        rates = ratio("rates", text, VALUES, lambda p: p.size("exposure"), AFTER, pseudo)
        return weights_formula(self.prior is not None), rates


TEXTBOOK = Poisson
