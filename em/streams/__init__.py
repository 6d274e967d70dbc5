"""Stepwise EM: learn a mixture from batches of rows that are not kept.

Let s̄(x; θ) be the mean sufficient statistics of a batch of m samples under its responsibilities at the parameters θ,
and M the M-step. After n samples, one step is

    s ← (1 - γ) s + γ s̄(batch; θ),    θ ← M(s),    γ = 1 - exp(- ∫_n^{n+m} (r / u)^-a dr / u)

γ is the step size (t + t0)^-a of Cappé & Moulines, with time t in units of u samples and a in (1/2, 1], integrated over
the samples of the batch. So steps depend on samples, not on calls: two batches forget as much as one batch of all their
rows, (1 - γ₁)(1 - γ₂) = 1 - γ. With a = 1, γ = m / (n + m), and s is the mean of all statistics so far. The first u
samples start the stream (t0 = 1), with restarts as in `fit`. A longer batch is cut into steps of u samples.

Estimates come from the averaged path (Polyak & Ruppert). Statistics are averaged, not parameters, with weights that
grow with time, so that the start is forgotten (Shamir & Zhang 2013):

    s̃ ← (1 - v) s̃ + v s,    v = 1 - (n / (n + m))²,    θ̃ = M(s̃)

The mean statistics of every family form a convex set, each point of which belongs to some data, and the M-step of data
is legal. So neither a step nor the average leaves the parameter space. The exception is a covariance that shrinks
towards a point; such a step is left out. EM can never leave a probability of 0 or an empty component. E-steps therefore
replace such a 0 by 1 / n, with n the number of samples that are remembered.

Each time that n has doubled, the stream looks back at a random sample of all samples. Each sample is equally likely to
be in it, even if rows repeat (:mod:`em.samples.concise`):

- EM runs on this sample from new starts and from the stream's θ̃. If a likelihood ratio test on the sample rejects θ̃,
  as when the first rows showed one component only, the stream begins anew at the best run. It also does so if the
  sample holds all rows.
- Otherwise the stream is moved to where slow EM would lead it. The sample tells how statistics depend on parameters,
  s̄₀(θ). The stream tells their level: s̄ᵥ, the mean of its batches' s̄ with the weights v of s̃. The path would end at
  the fixed point of s ← s̄₀(M(s)) + s̄ᵥ - s̄₀(θ̃). The sample is a control variate, as in Johnson & Zhang (2013), so
  its own noise cancels.

With drifting data and a half-life of h samples there is no average and no look back. Then s is the mean of all samples'
statistics with the weight 2^(-age / h), γ = (1 - 2^(-m/h)) / (1 - 2^(-(n+m)/h)), and the estimate is θ. All samples of
a step have the same age, and so have those of the start; a step has at most h / 4 rows. A prior is combined with n
samples, or, with a half-life, with the (h / log 2)(1 - 2^(-n/h)) samples that are remembered.

Statistics come from the estimator's own E-step, so nothing here knows a family. Users call
:mod:`em.streams.partial_fit`. :mod:`em.streams.learning` decides between starts, steps and looks back,
:mod:`em.streams.stepwise` computes them, :mod:`em.streams.state` is the state that is kept, and
:mod:`em.streams.merging` adds the statistics of disjoint data.

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
OF_HALF_LIFE = 1 / 4  # the longest step, as a share of the half-life
FEWEST_FIRST, ROWS_PER_CELL, MOST_CELLS_FIRST = 1000, 20, 2**22


@dataclass(frozen=True)
class StreamSettings:
    """Settings of a stream.

    Parameters
    ----------
    exponent : float, default 0.6
        Exponent a of the step size, above 1/2 and at most 1. A small a forgets a poor start soon, and averaging removes
        the noise. 1 takes the mean of all statistics so far. It is not used with a half-life.
    half_life : float or None, default None
        For drifting data: the number of samples after which a sample counts half. ``None`` forgets nothing.
    first_rows : int or None, default None
        Number of samples u that start the stream; also the longest step. ``None`` takes 20 for each cell of the K
        means, at least 1,000.

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
        """Return the number of samples u that start a stream of K components and D features."""
        if self.first_rows is not None:
            return self.first_rows
        most = max(FEWEST_FIRST, MOST_CELLS_FIRST // n_features)
        return int(np.clip(ROWS_PER_CELL * n_components * n_features, FEWEST_FIRST, most))

    def longest_step(self, unit: int) -> int:
        """Return how many rows a step may have: few compared with the half-life, because they all have the same age."""
        return unit if self.half_life is None else int(np.clip(self.half_life * OF_HALF_LIFE, 1, unit))

    def step(self, n: float, m: float, unit: float) -> float:
        """Return the step size γ of m samples after n samples.

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
        """Return v of m samples after n samples; 1 with a half-life, where the last statistics are the estimate."""
        return 1.0 if self.half_life is not None else float(1 - (n / (n + m)) ** POLYNOMIAL)

    def remembered(self, n: float) -> float:
        """Return how many of n samples are remembered."""
        return n if self.half_life is None else float(-np.expm1(-n * self._rate) / self._rate)

    @property
    def _rate(self) -> float:
        assert self.half_life is not None
        return float(np.log(2) / self.half_life)
