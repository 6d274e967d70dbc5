"""Rows that come one batch after the other and are not kept: stepwise EM on sufficient statistics.

With s̄(x; θ) the mean statistics of a batch of m samples under its responsibilities at the current parameters, and M the
M-step, one step after n samples is

    s ← (1 - γ) s + γ s̄(batch; θ),    θ ← M(s),    γ = 1 - exp(- ∫_n^{n+m} (r / u)^-a dr / u)

so that γ is the usual (t + t0)^-a of Cappé & Moulines with time t in units of u samples, a in (1/2, 1], integrated over
the samples of the batch. Samples weigh, not calls: two batches forget what one batch of their rows forgets,
(1 - γ₁)(1 - γ₂) = 1 - γ, and with a = 1 it is γ = m / (n + m), the mean of all statistics so far. The first u samples
start the stream (t0 = 1), with restarts as in `fit`; a longer batch is cut into steps of u.

Estimates are those of the averaged path (Polyak & Ruppert), of statistics and not of parameters, with weights that grow
with time so that the start is forgotten (Shamir & Zhang 2013):

    s̃ ← (1 - v) s̃ + v s,    v = 1 - (n / (n + m))²,    θ̃ = M(s̃)

Statistics of every family form a convex set of which each point is one of some data, and the M-step of data is legal:
that is why neither step nor average leaves the parameter space, but for a covariance that shrinks towards a point; such
a step is left out. A probability of 0 or an empty component, which EM could never leave, is taken for 1 / n in E-steps,
with n the number of samples that are remembered.

Each time that n has doubled the stream looks back at a sample of all samples, each of which is as likely to be in it as
another, whatever repeats (:mod:`em.streams.row_sample`):

- Restarts, and a run from the stream's θ̃, are made on the sample. Where a likelihood ratio test on it rejects θ̃, as
  after first rows that showed one component only, or where it holds all rows, the stream begins anew at the best run.
- Else what slow EM has left is made up for. The sample says how statistics answer to parameters, s̄₀(θ), and the stream
  what they are, s̄ᵥ, the mean of its batches' s̄ with the weights v of s̃. The fixed point of s ← s̄₀(M(s)) + s̄ᵥ - s̄₀(θ̃)
  is where the path would end: the sample is a control variate, as in Johnson & Zhang (2013), and its own noise cancels.

With drifting data and a half-life h in samples there is no average and no look: s is the mean of all samples'
statistics with the weight 2^(-age / h), γ = (1 - 2^(-m/h)) / (1 - 2^(-(n+m)/h)), and θ the estimate. Samples of one
step are of one age, those of the start too; a step has at most h / 4 rows. A prior is set beside n samples, under
forgetting beside the (h / log 2)(1 - 2^(-n/h)) that are left.

Statistics are those of the estimator's own E-step; nothing here knows a family. :mod:`em.streams.partial_fit` is what a
user calls, :mod:`em.streams.learning` tells starts, steps and looks apart, :mod:`em.streams.stepwise` makes them,
:mod:`em.streams.state` is what is kept, :mod:`em.streams.row_sample` the sample of the rows, and
:mod:`em.streams.merging` adds statistics of disjoint data.

References
----------
Cappé & Moulines (2009), On-line expectation-maximization algorithm for latent data models, Journal of the Royal
Statistical Society B 71, 593-613.
Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging, SIAM Journal on Control and
Optimization 30, 838-855.
Johnson & Zhang (2013), Accelerating stochastic gradient descent using predictive variance reduction, NeurIPS.
Shamir & Zhang (2013), Stochastic gradient descent for non-smooth optimization, ICML.
"""

from dataclasses import dataclass

import numpy as np

from models.validation import count_at_least, number_above

POLYNOMIAL = 2  # 1 more than the power of time with which the path is averaged
OF_HALF_LIFE = 1 / 4  # the longest step
FEWEST_FIRST, ROWS_PER_CELL, MOST_CELLS_FIRST = 1000, 20, 2**22


@dataclass(frozen=True)
class StreamSettings:
    """How a stream is learned from.

    Parameters
    ----------
    exponent : float, default 0.6
        a of the step size, above 1/2 and at most 1: small forgets a poor start soon, and the average takes out the
        noise; 1 is the mean of all statistics so far. It does not count where there is a half-life.
    half_life : float or None, default None
        Of drifting data: after how many samples a sample counts half. ``None`` forgets nothing for good.
    first_rows : int or None, default None
        How many samples u start the stream, and are the longest step. ``None``: 20 for each cell of the K means, at
        least 1,000.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> from em import StreamSettings
    >>> StreamSettings(half_life=50_000).half_life
    50000.0
    """

    exponent: float = 0.6
    half_life: float | None = None
    first_rows: int | None = None

    def __post_init__(self) -> None:
        exponent = number_above("exponent", self.exponent, 0.5)
        if exponent > 1:
            raise ValueError(f"exponent must be above 0.5 and at most 1, got {exponent:g}")
        object.__setattr__(self, "exponent", exponent)
        if self.half_life is not None:
            object.__setattr__(self, "half_life", number_above("half_life", self.half_life, 0))
        if self.first_rows is not None:
            count_at_least("first_rows", self.first_rows, 2)

    def unit(self, n_components: int, n_features: int) -> int:
        """Return how many samples u start a stream of K components and D features."""
        if self.first_rows is not None:
            return self.first_rows
        most = max(FEWEST_FIRST, MOST_CELLS_FIRST // n_features)
        return int(np.clip(ROWS_PER_CELL * n_components * n_features, FEWEST_FIRST, most))

    def longest_step(self, unit: int) -> int:
        """Return how many rows a step has at most: few beside the half-life, as they count the same."""
        return unit if self.half_life is None else int(np.clip(self.half_life * OF_HALF_LIFE, 1, unit))

    def step(self, n: float, m: float, unit: float) -> float:
        """Return γ of m samples after n.

        Examples
        --------
        >>> from em import StreamSettings
        >>> StreamSettings(exponent=1).step(900, 100, unit=1000)
        0.1
        """
        if self.half_life is not None:
            return float(np.expm1(-m * self._rate) / np.expm1(-(n + m) * self._rate))
        if self.exponent == 1:
            return m / (n + m)
        power, before, after = 1 - self.exponent, n / unit, (n + m) / unit
        return float(-np.expm1((before**power - after**power) / power))

    def share_of_average(self, n: float, m: float) -> float:
        """Return v of m samples after n: 1 under forgetting, where the last statistics are the estimate."""
        return 1.0 if self.half_life is not None else float(1 - (n / (n + m)) ** POLYNOMIAL)

    def remembered(self, n: float) -> float:
        """Return how many of n samples the statistics stand for."""
        return n if self.half_life is None else float(-np.expm1(-n * self._rate) / self._rate)

    @property
    def _rate(self) -> float:
        assert self.half_life is not None
        return float(np.log(2) / self.half_life)
