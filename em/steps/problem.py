"""The E-step and the M-step of many runs at once, as the EM loop takes them (:mod:`em.engine`)."""

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
    """Return the E-step of many runs: log-likelihoods (R,) in nats, and sufficient statistics by name.

    Rows are read in chunks, so no array of size n x K is needed.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    rows : Rows
        Checked samples; sparse ones are never made dense.
    weights : ndarray, shape (n,) or (R, n), or None
        Frequencies, the same for all runs or one set for each run.

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
    """Return statistics as arrays by name: "counts", and S_j under the name of its number."""
    return {"counts": statistics.counts, **{str(j): S for j, S in enumerate(statistics.sums)}}


def statistics_of(arrays: Mapping[str, Array]) -> Statistics:
    """Return the statistics that have these arrays: the inverse of `statistics_arrays`."""
    return Statistics(arrays["counts"], tuple(arrays[str(j)] for j in range(len(arrays) - 1)))


@dataclass(frozen=True)
class MStep:
    """The M-step of R runs, with the checks of their parameters that the EM loop makes.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    prior : MixturePrior or None
        ``None`` is maximum likelihood.
    frozen : mapping
        Values of the arrays that are not estimated, by name.
    """

    steps: Steps[Any]
    prior: Any
    frozen: Theta

    def __call__(self, statistics: Arrays, runs: np.ndarray) -> tuple[Arrays, list[str]]:
        """Return the arrays by name, and for each run why it has collapsed, or ""."""
        theta = self.steps.modes(statistics_of(statistics), self.prior, self.frozen)
        fallen = self.steps.falls_onto_a_point(theta)
        if not fallen.any():
            return theta, [""] * len(runs)
        return theta, [f"component {own.argmax()} falls onto a point" if own.any() else "" for own in fallen]

    def inside(self, theta: dict[str, Array]) -> tuple[Arrays, np.ndarray]:
        """Return the arrays after a leap, with probabilities that sum to one, and which runs are in the support."""
        legal = np.ones(len(theta["weights"]), dtype=bool)
        for quantity in self.steps.quantities:
            if quantity.name not in self.frozen:
                theta[quantity.name] = quantity.support.normalised(theta[quantity.name])
            legal &= quantity.support.holds(theta[quantity.name])
        return theta, legal

    def released(self, theta: Arrays, objective: float, run: np.ndarray, problem: Problem[Any]) -> Arrays | None:
        """Return arrays off the boundary if the objective rises inwards there (Karush-Kuhn-Tucker fails), else None.

        A prob of 0 is a fixed point of EM whatever the slope, so a run may be trapped on the boundary. One M-step from
        just inside the boundary shows which of these values increase the objective when they move inwards.

        Parameters
        ----------
        theta, objective, run
            Arrays of one run that converged, its objective, and its number (:class:`em.engine.problem.Problem`).
        problem : Problem
            The problem of the run.
        """
        supports = {q.name: q.support for q in self.steps.quantities[1:] if q.name not in self.frozen}
        at_edge = {name: support.at_edge(theta[name][0]) for name, support in supports.items()}
        if not any(edge.any() for edge in at_edge.values()):
            return None
        inside = {
            name: support.normalised(
                np.where(at_edge[name], support.moved_inside(theta[name][0], INWARD_STEP), theta[name][0])
            )
            for name, support in supports.items()
        }
        statistics = problem.expect({**theta, **one_run(inside)}, run)[1]
        after = problem.maximise(statistics, run)[0]
        released = dict(theta)
        for name, support in supports.items():
            inwards = at_edge[name] & support.goes_inside(after[name][0], inside[name])
            released[name] = support.normalised(np.where(inwards, inside[name], theta[name][0]))[None]
        gain = float(problem.expect(released, run)[0][0] + problem.log_prior(released)[0]) - objective
        return released if gain > 1e3 * EPS * abs(objective) else None
