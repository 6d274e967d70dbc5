"""The categorical mixture for coursework; its terms are in :mod:`comparisons.cmm.coursework.formulas`."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, override

import numpy as np

from comparisons.cmm.coursework.formulas import (
    ANSWER,
    INTERMEDIATES,
    LEVELS,
    SUMS,
    SWAPS,
    as_cells,
    of_cells,
    one_hot,
    probs_formula,
)
from comparisons.coursework.formulas.cells import CellTextbook
from comparisons.coursework.formulas.conventions import Convention
from comparisons.coursework.formulas.estimates import weights_formula
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Formula
from models.validation import Array


class Categorical(CellTextbook):
    """Latent classes of items that have the same number of levels."""

    spellings: ClassVar = {
        "probs": "probs prob p ps theta thetas beta betas mu mus phi phis rho rhos q qs item_probs emission emissions "
        "level_probs probabilities conditional_probs eta cond_probs class_probs pk p_k",
        "levels": "levels n_levels l n_categories n_cats num_levels n_values",
        "weights": "lam lambda",
    }
    notebook = "03_em_for_bmm_coins_then_binary_vectors.ipynb"
    sections: ClassVar = dict.fromkeys("em", "Other counts: events, and answers with several levels")
    title = "the categorical mixture"
    quantities = "weights", "probs"
    cell_slots = (ANSWER,)
    swaps = SWAPS
    intermediates, sums = INTERMEDIATES, SUMS
    conventions = (
        Convention("(K, cells)", "probs", as_cells, of_cells, free=True),
        Convention(
            "a list of items",
            "probs",
            lambda a, p: list(np.swapaxes(a, 0, 1)),
            lambda a, p: np.swapaxes(a, 0, 1),
            free=True,
        ),
        Convention(
            "(D, K, L)", "probs", lambda a, p: np.swapaxes(a, 0, 1).copy(), lambda a, p: np.swapaxes(a, 0, 1), free=True
        ),
        Convention("(K, L) of one item", "probs", lambda a, p: a[:, 0], lambda a, p: np.asarray(a)[:, None], free=True),
        Convention("one-hot rows", "X", lambda a, p: one_hot(p).reshape(p.n, -1), lambda a, p: a, free=True),
        Convention("one-hot (n, D, L)", "X", lambda a, p: one_hot(p), lambda a, p: a, free=True),
        Convention("integers", "X", lambda a, p: a.astype(int), lambda a, p: a, free=True),
    )

    @override
    def optional(self, step: str) -> tuple[str, ...]:
        return (*super().optional(step), "levels")

    @override
    def shape(self) -> tuple[int | None, int | None]:
        given = 0 if self.prior is None else np.size(self.prior.pseudo_counts)
        return super().shape()[0], given // LEVELS if given > 1 else None

    @override
    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        L = LEVELS if not plain else 3
        probs = rng.dirichlet(np.full(L, 2.0), size=(K, D)) * 0.9 + 0.1 / L
        if plain:
            probs = np.round(probs, 1)
            probs[..., -1] = 1 - probs[..., :-1].sum(axis=-1)
        X: Any = rng.randint(L, size=(n, D))  # integers, which index probs
        X[-L:] = np.arange(L)[-n:, None]  # so that the levels can be read off
        return self.complete(rng, X, plain, {"levels": L}, probs=probs)

    @override
    def near_edge(self, problem: Problem) -> list[Problem]:
        probs = problem.theta["probs"] ** 3
        return [problem.changed(name="probabilities near an edge", probs=probs / probs.sum(axis=-1, keepdims=True))]

    @override
    def fit_problem(self) -> Problem:
        rng = np.random.RandomState(8)
        drawn = self.draw(rng, 150, 2, 4)
        probs = np.stack([np.tile([0.6, 0.2, 0.1, 0.1], (4, 1)), np.tile([0.1, 0.1, 0.2, 0.6], (4, 1))])
        z = (rng.uniform(size=150) < 0.4).astype(int)
        X = (rng.uniform(size=(150, 4, 1)) > np.cumsum(probs[z], axis=2)[:, :, :-1]).sum(axis=2)
        return drawn.changed(X=X, weights=np.array([0.55, 0.45]), probs=0.6 * probs + 0.1)

    @override
    def misfit(self, problem: Problem, theta: Mapping[str, Array]) -> str:
        sums = theta["weights"].sum(), theta["probs"].sum(axis=-1)
        if theta["probs"].shape != problem.theta["probs"].shape:
            return f"probs must have shape {problem.theta['probs'].shape}, got {theta['probs'].shape}"
        return (
            "" if all(np.allclose(total, 1) for total in sums) else "weights, or the probs of an item, do not sum to 1"
        )

    @override
    def without_feature_axis(self, problem: Problem) -> dict[str, Any]:
        probs = problem.theta["probs"][:, 0]
        return {"X": problem.X[:, 0], "weights": problem.theta["weights"], "probs": probs}

    @override
    def estimates(self) -> tuple[Formula, ...]:
        return weights_formula(self.prior is not None), probs_formula(self.prior is not None)

    @override
    def other_shapes(self, quantity: str, problem: Problem) -> Sequence[tuple[int, ...]]:
        if quantity != "probs":
            return super().other_shapes(quantity, problem)
        K, D, L = problem.theta["probs"].shape
        return [(K, D * L), (D, K, L)]


TEXTBOOK = Categorical
