"""McLachlan's parametric bootstrap likelihood-ratio test of K components against K + 1.

With maximised log-likelihoods ℓ_K and ℓ_{K+1} the statistic is

    λ = 2 (ℓ_{K+1} - ℓ_K)

Its distribution under K components is not chi-squared, because there a weight lies on the boundary or two components
coincide. So it is simulated: for b = 1..B, X*_b of n samples is drawn from the fit with K components, and λ*_b is
computed from X*_b as λ is from X, with the same estimator and as many restarts. Then

    p-value = (1 + #{b: λ*_b >= λ}) / (B + 1)

because under K components λ and the λ*_b are (nearly) B + 1 draws from one distribution, so λ takes each rank among
them with equal probability. The p-value is at least 1 / (B + 1).

References
----------
McLachlan (1987), On bootstrapping the likelihood ratio test statistic for the number of components in a normal mixture,
JRSS C 36, 318-324.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state

from em.batches import best_runs
from em.engine import Run
from em.engine.blocks import batches
from em.estimator import MixtureEM
from em.process.progress import track
from em.samples.reading import encoded
from em.selection import check_mixture
from em.status import left_to_the_status
from em.uncertainty.bootstrap import repeated_rows
from models.tables import Tabular
from models.validation import Array, count_at_least_one, data_matrix, random_source


@dataclass(frozen=True, eq=False)
class LikelihoodRatioTest(Tabular):
    """Result of `likelihood_ratio_test`.

    Attributes
    ----------
    null, alternative : MixtureEM
        The fits to X with K and with K + 1 components.
    statistic : float
        λ = 2 (ℓ_{K+1} - ℓ_K), in twice nats.
    bootstrap_statistics : ndarray, shape (B,)
        λ*_b of the simulated samples on which neither fit collapsed.
    n_collapsed : int
        Number of simulated samples left out because every restart of a fit collapsed.
    """

    null: MixtureEM[Any]
    alternative: MixtureEM[Any]
    statistic: float
    bootstrap_statistics: Array
    n_collapsed: int

    @property
    def p_value(self) -> float:
        """(1 + #{b: λ*_b >= λ}) / (B + 1)."""
        return float((1 + np.sum(self.bootstrap_statistics >= self.statistic)) / (len(self.bootstrap_statistics) + 1))

    @property
    def table(self) -> list[dict[str, Any]]:
        """The result as one row."""
        numbers: dict[str, Any] = {"n_components": self.null.n_components, "alternative": self.alternative.n_components}
        numbers |= {"statistic": self.statistic, "p_value": self.p_value}
        return [numbers | {"n_bootstrap": len(self.bootstrap_statistics), "n_collapsed": self.n_collapsed}]

    def __repr__(self) -> str:
        """The result as a sentence."""
        K, B = self.null.n_components, len(self.bootstrap_statistics)
        return (
            f"K = {K} against {K + 1}: statistic {self.statistic:.4g}, p = {self.p_value:.3g} ({B} bootstrap samples; "
            f"{self.n_collapsed} more collapsed)"
        )


def likelihood_ratio_test(
    X: ArrayLike,
    estimator: MixtureEM[Any],
    n_components: int,
    *,
    n_bootstrap: int = 99,
    sample_weight: ArrayLike | None = None,
    random_state: Any = None,
    progress: bool = True,
) -> LikelihoodRatioTest:
    """Test K components against K + 1 by the parametric bootstrap.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples. Where cells are missing (NaN), each simulated sample misses the same cells.
    estimator : MixtureEM
        The estimator, which is cloned: maximum likelihood (``prior=None``) from random starts. Its ``n_init`` restarts
        are made 2 (B + 1) times.
    n_components : int
        K of the null hypothesis.
    n_bootstrap : int, default 99
        Number B of simulated samples.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs, in whole numbers; a simulated sample has as many rows as they add up to.
    random_state : int, RandomState or None, default None
        Seed or source of randomness of simulations and restarts; None takes the estimator's.
    progress : bool, default True
        Whether to show a progress bar on a terminal or in a notebook.

    Returns
    -------
    LikelihoodRatioTest
        ``statistic``, ``bootstrap_statistics``, ``p_value``, ``n_collapsed`` and the two fits.

    Raises
    ------
    ValueError
        If an argument is not legal, before any fit; or if a fit to X has no maximum.

    Notes
    -----
    A simulated sample on which a fit collapses has no statistic. It is left out and counted: since the fits to X have a
    maximum, λ is compared with samples that have one too.

    All restarts may miss the highest maximum, or stop at ``max_iter``, so a statistic may be too small, even negative.
    It is kept as it is, for X and for the simulated samples alike; this costs power but keeps the level.

    EM is slowest with a component too many, and λ need not be more accurate than its own spread of several nats:
    ``tol=1e-2`` saves most of the time.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM, likelihood_ratio_test
    >>> X = np.random.RandomState(0).normal(size=(40, 1)) + np.repeat([[0.0], [8.0]], 20, axis=0)
    >>> estimator = GaussianMixtureEM(n_init=2, tol=1e-2)
    >>> likelihood_ratio_test(X, estimator, n_components=1, n_bootstrap=9, random_state=0).p_value
    0.1
    """
    estimators = _null_and_alternative(estimator, n_components)
    for one in estimators:
        one.check(X, sample_weight)
    matrix = data_matrix(encoded(estimators[0], X), missing=True)
    holes, rows = np.isnan(matrix), repeated_rows(sample_weight, matrix)
    B = count_at_least_one("n_bootstrap", n_bootstrap)
    rng = random_source(estimator.random_state if random_state is None else random_state)
    first, *seeds = rng.randint(2**31 - 1, size=B + 1).tolist()
    rng = check_random_state(first)
    seeded = [clone(one).set_params(random_state=rng.randint(2**31 - 1)) for one in estimators]
    with left_to_the_status():
        null, alternative = (one.fit(X, sample_weight=sample_weight) for one in seeded)
    simulated = [one.for_rows(rows) for one in estimators]
    statistic = 2 * (alternative.log_likelihood_ - null.log_likelihood_)
    for fit in (null, alternative):
        if fit.collapsed_:
            raise ValueError(
                f"n_components={n_components} cannot be tested against {n_components + 1} on this X: the fit with "
                f"{fit.n_components} has no log-likelihood to compare ({fit.status_})"
            )

    gains, sampler = list[float](), null.at_estimate(rows)
    for some in track(batches(B, len(rows) * holes.shape[1]), f"{B} bootstrap samples", progress):
        drawn, sources = [], []
        for rng in map(check_random_state, seeds[some]):
            X_b = np.where(holes[rows], np.nan, sampler.sample(len(rows), rng)[0])
            drawn.append(simulated[0]._samples(X_b, None))
            sources.append([copy(one).set_params(random_state=rng.randint(2**31 - 1)) for one in simulated])
        pairs = [best_runs([pair[j] for pair in sources], drawn) for j in (0, 1)]
        gains += [_gain(*pair) for pair in zip(*pairs, strict=True)]
    kept = np.array([gain for gain in gains if not np.isnan(gain)])
    return LikelihoodRatioTest(null, alternative, statistic, kept, B - len(kept))


def _null_and_alternative(estimator: MixtureEM[Any], n_components: int) -> list[MixtureEM[Any]]:
    """Return the unfitted estimators with K and K + 1 components."""
    check_mixture(estimator)
    if estimator.prior is not None:
        raise ValueError(f"estimator.prior must be None (maximum likelihood), got {type(estimator.prior).__name__}")
    if not isinstance(estimator.init, str):
        wanted = "the name of a random start, which every simulated sample can be fitted from"
        raise ValueError(f"estimator.init must be {wanted}, got {type(estimator.init).__name__}")
    K = count_at_least_one("n_components", n_components)
    return [clone(estimator).set_params(n_components=count) for count in (K, K + 1)]


def _gain(null: Run[Any], alternative: Run[Any]) -> float:
    """Return λ of two runs on the same sample, in the same units; NaN if one collapsed."""
    if null.collapsed or alternative.collapsed:
        return float("nan")
    return 2 * (alternative.log_likelihood - null.log_likelihood)
