"""Compute from posterior draws the responsibilities, the co-clustering of samples, and posterior predictive checks.

With S draws θ_s and r_sik = p(z_i = k | x_i, θ_s),

    p(z_i = k | X)   ≈ 1/S Σ_s r_sik                   meaningful only for aligned draws
    p(z_i = z_j | X) ≈ 1/S Σ_s Σ_k r_sik r_sjk         needs no alignment, because labels are summed over

A posterior predictive check simulates a replicate of X from each of many draws, and compares statistics of X with those
of the replicates (Rubin 1984; Gelman, Meng & Stern 1996): p = P(T(X_rep) > T(X)) + 1/2 P(T(X_rep) = T(X)). Because the
posterior depends on the same data, p is nearer to 1/2 than a uniform number would be. Values near 0 or 1 are a warning.

References
----------
Rubin (1984), Bayesianly justifiable and relevant frequency calculations, Annals of Statistics 12, 1151-1172.
Gelman, Meng & Stern (1996), Posterior predictive assessment of model fitness, Statistica Sinica 6, 733-807.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from comparisons.alignment.component_draws import Arrays, as_tree, posterior_of
from comparisons.alignment.responsibilities import BLOCK_CELLS, LogJoint
from comparisons.families import family_of
from comparisons.family import Family
from comparisons.posterior.predictive_result import PredictiveCheck
from models.labels import plain
from models.shown import shown
from models.validation import Array, check_columns, column_names, count_at_least, data_matrix, random_source

MOST_ROWS = 5000  # of a co-clustering matrix, which then has 200 MB


def posterior_responsibilities(
    draws: xr.DataTree | xr.Dataset, log_joint: LogJoint, *, component: str = "component"
) -> Array:
    """Return p(z_i = k | X), shape (n, K): responsibilities averaged over draws.

    Parameters
    ----------
    draws : DataTree or Dataset
        Draws whose labels are aligned; see :func:`comparisons.align`. If labels switch, the averages are meaningless.
    log_joint : LogJoint
        Of the samples; see :func:`comparisons.log_joint`.
    component : str, default "component"
        Name of the components' dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons import log_joint
    >>> from comparisons.posterior.gibbs import as_datatree
    >>> from comparisons.posterior.predictive import posterior_responsibilities
    >>> from em.gibbs import gibbs
    >>> from models.gmm import GMMPrior
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> prior = GMMPrior.weakly_informative(X, 2)
    >>> draws = as_datatree(gibbs(X, 2, prior, draws=100, chains=1, random_state=0), prior)
    >>> np.sort(posterior_responsibilities(draws, log_joint(X, "gmm")).sum(axis=0)).round(3)
    array([20., 30.])
    """
    blocks = log_joint.responsibilities(_arrays(draws, component))
    return np.concatenate([p.mean(axis=0).T for p in blocks])


def co_clustering(
    draws: xr.DataTree | xr.Dataset, log_joint: LogJoint, *, rows: ArrayLike | None = None, component: str = "component"
) -> Array:
    """Return p(z_i = z_j | X) of pairs of samples, shape (m, m); the labels of the draws may switch.

    Parameters
    ----------
    draws : DataTree or Dataset
        Draws, aligned or not.
    log_joint : LogJoint
        Of the samples; see :func:`comparisons.log_joint`.
    rows : array_like of int, shape (m,), or None
        The samples to pair, at most 5000; ``None`` takes all n.
    component : str, default "component"
        Name of the components' dimension.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from comparisons import log_joint
    >>> from comparisons.posterior.predictive import co_clustering
    >>> switched = np.array([[[[0.9], [0.1]], [[0.1], [0.9]]]])  # chain, draw, component, feature
    >>> probs = ("chain", "draw", "component", "feature"), switched
    >>> draws = xr.Dataset({"weights": (("chain", "draw", "component"), np.full((1, 2, 2), 0.5)), "probs": probs})
    >>> co_clustering(draws, log_joint([[0], [0], [1]], "bmm")).round(2)
    array([[1.  , 0.82, 0.18],
           [0.82, 1.  , 0.18],
           [0.18, 0.18, 1.  ]])
    """
    n = log_joint.n_samples
    chosen = np.arange(n) if rows is None else np.asarray(rows)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not ((chosen >= 0) & (chosen < n)).all():
        raise ValueError(f"rows must be a list of whole numbers from 0 to {n - 1}, got {shown(rows)}")
    if not 1 <= len(chosen) <= MOST_ROWS:
        raise ValueError(f"rows must name 1 to {MOST_ROWS} samples to pair, got {len(chosen)}: choose some of them")
    arrays = _arrays(draws, component)
    size = max(1, BLOCK_CELLS // (arrays.n_components * len(chosen)))
    together = np.zeros((len(chosen), len(chosen)))
    for _, part in arrays.parts(size):
        p = log_joint.at(part, chosen)[0].reshape(-1, len(chosen))
        together += p.T @ p
    together /= arrays.n_draws
    together[chosen[:, None] == chosen] = 1.0
    return together


def _arrays(draws: xr.DataTree | xr.Dataset, component: str) -> Arrays:
    return Arrays(posterior_of(as_tree(draws), component), component)


def predictive_check(
    X: ArrayLike,
    draws: xr.DataTree | xr.Dataset,
    family: str | Family,
    *,
    n_replicates: int = 500,
    component: str = "component",
    random_state: Any = None,
    **options: Any,
) -> PredictiveCheck:
    """Simulate replicates of X from posterior draws, and compare statistics of X with those of the replicates.

    The statistics are mean, variance, minimum, maximum and skewness of each feature, and the correlation of each pair.
    For 0/1 data they are the share of ones of each feature, the share of rows with ones in both features of a pair
    (these shares determine the 2 x 2 table), and the variance of the number of ones in a row.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples. Replicates miss the cells that X misses.
    draws : DataTree or Dataset
        Posterior draws, aligned or not, from any sampler.
    family : str or Family
        Name of the family, such as "gmm" or "bmm", or a family with its options.
    n_replicates : int, default 500
        Number of replicates, at least 2, from draws spread evenly; with fewer than 99 there are no suspects.
    component : str, default "component"
        Name of the components' dimension.
    random_state : int, RandomState or None
        Seed or source of randomness.
    **options
        The family's options: ``covariance_type`` of "gmm", ``n_trials`` of "bmm".

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.posterior.gibbs import as_datatree
    >>> from comparisons.posterior.predictive import predictive_check
    >>> from em.gibbs import gibbs
    >>> from models.gmm import GMMPrior
    >>> X = np.random.default_rng(0).normal(size=(100, 1)) ** 2  # skewed, and one component is not enough
    >>> prior = GMMPrior.weakly_informative(X, 1)
    >>> draws = as_datatree(gibbs(X, 1, prior, draws=200, chains=1, random_state=0), prior)
    >>> predictive_check(X, draws, "gmm", n_replicates=200, random_state=0).suspects
    ('minimum[0]', 'skewness[0]')
    """
    pair, names, X = family_of(family, **options), column_names(X), data_matrix(X, missing=True)
    pair.log_joint(X)  # raises an error if data are illegal, such as counts above their trials
    R, rng = count_at_least("n_replicates", n_replicates, 2), random_source(random_state)
    check_columns(~np.isnan(X).all(axis=0), names)
    arrays = _arrays(draws, component)
    points = pair.shaped(arrays)
    located = pair.parameter_names[1]
    if (D := points[located].shape[2]) != X.shape[1]:
        raise ValueError(f"X must have {D} columns like the {located} of the draws, got {X.shape[1]}")
    binary, missing = pair.is_binary(), np.isnan(X)
    observed, replicated = _statistics(X, binary, names), []
    for s in np.linspace(0, arrays.n_draws - 1, R).astype(int):
        replicate = pair.simulate({name: array[s] for name, array in points.items()}, len(X), rng)
        replicated.append([*_statistics(np.where(missing, np.nan, replicate), binary).values()])
    return PredictiveCheck(tuple(observed), np.array([*observed.values()]), np.array(replicated))


def _statistics(X: Array, binary: bool, names: Sequence[str] | None = None) -> dict[str, float]:
    """Return statistics of the observed cells by name; features without names are numbered."""
    called = list(map(plain, range(X.shape[1]) if names is None else names))
    seen = ~np.isnan(X)
    filled, n_seen = np.where(seen, X, 0.0), seen.sum(axis=0)
    mean = filled.sum(axis=0) / n_seen
    of_features, of_pairs, cells = {"mean": mean}, "both", filled
    if not binary:
        centred = np.where(seen, X - mean, 0.0)
        variance = (centred**2).sum(axis=0) / n_seen
        cells = centred / np.where(variance > 0, np.sqrt(variance), 1.0)
        of_features |= {"variance": variance, "minimum": np.nanmin(X, axis=0), "maximum": np.nanmax(X, axis=0)}
        of_features["skewness"], of_pairs = (cells**3).sum(axis=0) / n_seen, "correlation"
    products = cells.T @ cells / np.maximum(seen.T.astype(float) @ seen, 1)
    statistics = {
        f"{name}[{d}]": float(v) for name, values in of_features.items() for d, v in zip(called, values, strict=True)
    }
    pairs = [(e, d) for d in range(len(mean)) for e in range(d)]
    statistics |= {f"{of_pairs}[{called[e]}, {called[d]}]": float(products[d, e]) for e, d in pairs}
    if binary and len(mean) > 1:
        statistics["variance of row sums"] = float(filled.sum(axis=1).var())
    return statistics
