"""A mixture of independent exponential features as the EM loop sees it, for many runs at once (:mod:`em.engine`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from em.bound import log_of, normalise
from em.engine.blocks import sum_over_chunks
from em.engine.problem import EPS, Arrays, Problem, one_run
from em.steps import Steps
from em.steps.rows import Rows, Statistics, Theta
from models.validation import Array

INWARD_STEP = 1e-6


def e_step(
    steps: Steps[Any], rows: Rows, weights: Array | None = None
) -> Callable[[Arrays, np.ndarray], tuple[Array, dict[str, Array]]]:
    """Return the E-step of many runs: log-likelihoods (R,) in nats, and statistics by number.

    The definition is that of :mod:`em.steps`; rows are taken in chunks, and nothing of size n x K is held.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    rows : Rows
        Checked samples; sparse ones are never made dense.
    weights : ndarray, shape (n,) or (R, n), or None
        Frequencies, the same for all runs or those of each.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm import BINOMIAL
    >>> from em.steps.problem import e_step
    >>> theta = {"weights": np.array([[0.5, 0.5]]), "probs": np.array([[[0.9, 0.9], [0.1, 0.1]]])}
    >>> expect = e_step(BINOMIAL, BINOMIAL.rows([[1.0, 1.0], [0.0, 0.0]]))
    >>> expect(theta, np.zeros(1, dtype=int))[1]["counts"]
    array([[1., 1.]])
    """
    log_base = np.asarray(rows.log_base.sum() if weights is None else weights @ rows.log_base)

    def expect(theta: Arrays, runs: np.ndarray) -> tuple[Array, dict[str, Array]]:
        log_weights = log_of(theta["weights"])[:, None, :]
        of_runs = weights[runs] if weights is not None and weights.ndim == 2 else weights

        def step(part: slice) -> tuple[Array, dict[str, Array]]:
            block = rows[part]
            responsibilities, log_prob = normalise(log_weights + steps.log_kernel(block, theta), overwrite=True)
            if of_runs is not None:
                w = of_runs[..., part]
                responsibilities, log_prob = responsibilities * w[..., None], np.where(w > 0, log_prob, 0.0) * w
            return log_prob.sum(axis=1), statistics_arrays(steps.sums(block, responsibilities))

        R, K = theta["weights"].shape
        log_likelihood, statistics = sum_over_chunks(len(rows), R * K + rows.X.shape[1], step)
        return log_likelihood + (log_base[runs] if log_base.ndim else log_base), statistics

    return expect


def statistics_arrays(statistics: Statistics) -> dict[str, Array]:
    """Return statistics as arrays by name: "counts", and S_j by its number."""
    return {"counts": statistics.counts, **{str(j): S for j, S in enumerate(statistics.sums)}}


def statistics_of(arrays: Mapping[str, Array]) -> Statistics:
    """Return the statistics of arrays by name."""
    return Statistics(arrays["counts"], tuple(arrays[str(j)] for j in range(len(arrays) - 1)))


@dataclass(frozen=True)
class MStep:
    """The M-step of R runs, and what else the loop asks of their parameters.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    prior : MixturePrior or None
        ``None`` is maximum likelihood.
    frozen : mapping
        Arrays that keep their values, by name.
    """

    steps: Steps[Any]
    prior: Any
    frozen: Theta

    def __call__(self, statistics: Arrays, runs: np.ndarray) -> tuple[Arrays, list[str]]:
        """Return the arrays by name, and for each run why it has collapsed, or "" where it goes on."""
        theta = self.steps.modes(statistics_of(statistics), self.prior, self.frozen)
        fallen = self.steps.falls_onto_a_point(theta)
        if not fallen.any():
            return theta, [""] * len(runs)
        return theta, [f"component {own.argmax()} falls onto a point" if own.any() else "" for own in fallen]

    def inside(self, theta: dict[str, Array]) -> tuple[Arrays, np.ndarray]:
        """Return arrays that a leap has moved with what must sum to one doing so, and which runs' are mixtures."""
        legal = np.ones(len(theta["weights"]), dtype=bool)
        for quantity in self.steps.quantities:
            if quantity.name not in self.frozen:
                theta[quantity.name] = quantity.support.normalised(theta[quantity.name])
            legal &= quantity.support.holds(theta[quantity.name])
        return theta, legal

    def released(self, theta: Arrays, objective: float, run: np.ndarray, problem: Problem[Any]) -> Arrays | None:
        """Release values that EM holds on the boundary although the objective rises inwards (Karush-Kuhn-Tucker fails).

        A prob of 0 is a fixed point of EM whatever its slope, so a run may be trapped. From just inside the boundary
        one M-step tells which way each such value wants to go.

        Parameters
        ----------
        theta, objective, run
            Arrays of one run, where it converged to, and its number (:class:`em.engine.problem.Problem`).
        problem : Problem
            That of the run.
        """
        supports = {q.name: q.support for q in self.steps.quantities[1:] if q.name not in self.frozen}
        held = {name: support.at_edge(theta[name][0]) for name, support in supports.items()}
        if not any(edge.any() for edge in held.values()):
            return None
        inside = {
            name: support.normalised(
                np.where(held[name], support.moved_inside(theta[name][0], INWARD_STEP), theta[name][0])
            )
            for name, support in supports.items()
        }
        statistics = problem.expect({**theta, **one_run(inside)}, run)[1]
        after = problem.maximise(statistics, run)[0]
        moved = dict(theta)
        for name, support in supports.items():
            inwards = held[name] & support.goes_inside(after[name][0], inside[name])
            moved[name] = support.normalised(np.where(inwards, inside[name], theta[name][0]))[None]
        gain = float(problem.expect(moved, run)[0][0] + problem.log_prior(moved)[0]) - objective
        return moved if gain > 1e3 * EPS * abs(objective) else None
