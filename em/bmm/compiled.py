"""The binomial E-step and its statistics in one compiled pass: the same sums as :class:`em.bmm.BinomialSteps`.

With x the successes, Σ_d x log p + (m - x) log(1 - p) = x · log odds + m · log(1 - p). Where p is 0 or 1 the term is
left out, and what it makes impossible is counted besides: x · [p = 0] + (m - x) · [p = 1].
"""

from collections.abc import Callable

import numpy as np

from em.bound import log_of
from em.fast.plain import plain
from em.steps import Rows, Statistics
from models.bmm import BMMParameters
from models.validation import Array

Step = Callable[[slice], tuple[float, Statistics]]


def compiled_step(rows: Rows, parameters: BMMParameters, weights: Array) -> Step:
    """Return the step on a slice of dense rows; ``weights`` is empty where each row counts once."""
    from em.fast import kernels

    probs, X, trials = parameters.probs, rows.X, rows.size
    (K, D), same_trials = probs.shape, trials.strides[0] == 0
    never, always = probs == 0, probs == 1
    log_success, log_failure = np.log(np.where(never, 1.0, probs)), np.log1p(-np.where(always, 0.0, probs))
    log_weights = log_of(parameters.weights)
    of_x = np.array([log_success - log_failure, never * 1.0 - always])
    of_m = np.array([log_failure, always * 1.0])
    base = np.array([log_weights, np.zeros(K)]) + (of_m @ trials[0] if same_trials else np.zeros((2, K)))
    if not (never.any() or always.any()):
        of_x, of_m, base = of_x[:1], of_m[:1], base[:1]  # nothing is impossible, so nothing to count
    no_trials = plain(np.empty((0, D)))

    def step(part: slice) -> tuple[float, Statistics]:
        counts, successes, expected = np.zeros(K), np.zeros((K, D)), np.zeros((K, D))
        own = no_trials if same_trials else plain(trials[part])
        log_likelihood = kernels.count_products(
            plain(X[part]), own, weights[part], of_x, of_m, base, counts, successes, expected
        )
        n_trials = counts[:, None] * trials[0] if same_trials else expected
        # rounding must not make failures negative
        return log_likelihood, Statistics(counts, (successes, np.maximum(n_trials - successes, 0.0)))

    return step
