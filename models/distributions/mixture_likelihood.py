"""The marginal density of a mixture in natural parameters: one matrix product, and a log-sum-exp over components."""

from typing import Any

import numpy as np
import pytensor.tensor as pt

LOG_ZERO = np.float64(-1e300)  # stands for log 0, which would make NaN in a matrix product


def mixture_log_prob(natural: Any, statistics: Any, base: Any, which: np.ndarray | None = None) -> Any:
    """Return log p(x_i | θ) = base_i + log Σ_k exp(η_k · t_i), shape (n,), in nats.

    Parameters
    ----------
    natural : tensor, shape (K, T)
        Natural parameters η, with log π_k among them, not less than ``LOG_ZERO``.
    statistics : ndarray or tensor, shape (T, m)
        Statistics t of the distinct rows.
    base : ndarray or tensor, shape (m,) or (1,)
        Base measure of the distinct rows.
    which : ndarray of int, shape (n,), or None
        Which of the distinct rows each sample is; ``None`` if n = m.
    """
    log_sum = pt.logsumexp(natural @ statistics, axis=0)
    log_prob = base + pt.switch(log_sum < LOG_ZERO / 2, -np.inf, log_sum)
    return log_prob if which is None else log_prob[which]
