"""Put a mixture's two halves side by side: EM's estimates, PyMC's density, mode and posterior, and a verdict."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.comparison.result import Comparison
from comparisons.comparison.steps import Steps
from comparisons.family import family_of
from comparisons.output.progress import Progress, Silent
from em.process.blas import one_blas_thread
from models.shown import shown
from models.validation import Array, column_names, count_at_least_one, data_matrix, number_between, real_numbers


def compare(
    X: ArrayLike,
    family: str,
    n_components: int,
    prior: Any = None,
    *,
    n_trials: ArrayLike = 1,
    covariance_type: str = "full",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float = 0.8,
    n_init: int = 10,
    starts: str = "restarts",
    random_state: int = 0,
    advi: bool = False,
    regular: bool = False,
    truth: Any = None,
    title: str = "data",
    feature_names: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Fit a mixture by EM and by PyMC and check that the two agree.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples. NaN is a missing cell: EM and PyMC alike take the likelihood of the observed ones. Rows that are all
        missing are left out.
    family : {"gmm", "bmm"}
        Gaussian, or Bernoulli/binomial mixture.
    n_components : int
        Number of components K.
    prior : GMMPrior, GMMIndependentPrior, BMMPrior or None
        Prior shared by MAP-EM and the PyMC models; ``None`` takes the family's weakly informative one. What MAP-EM
        refuses, a GMMIndependentPrior with correlations, cannot be compared.
    n_trials : int or array_like, shape (D,) or (n, D)
        Trials per cell, for "bmm".
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances, for "gmm".
    draws, tune, chains : int
        NUTS draws and warm-up draws of each chain, and number of chains (at least 2).
    target_accept : float
        Acceptance that NUTS adapts its steps to, between 0 and 1; 0.9 is for divergent transitions.
    n_init : int
        Restarts of maximum likelihood.
    starts : {"restarts", "single"}
        Where the chains start: each at MAP-EM's best of restarts of its own, with labels in random order, so that
        R-hat can tell of other modes; or all about the one MAP.
    random_state : int
        Seed; the same seed gives the same comparison.
    advi : bool
        Whether to run ADVI too, for its column in the table of spreads; it compiles for some seconds.
    regular : bool
        Whether the case is declared regular (identified, n large for the overlap), so that the distances between MLE,
        MAP and posterior mean are judged and not only reported.
    truth : GMMParameters, BMMParameters or None
        Parameters that synthetic data were drawn from.
    title, feature_names
        For tables, figures and messages; without ``feature_names``, those of a frame X.
    progress : Progress or None
        Where to report progress; ``None`` is silent.

    Returns
    -------
    Comparison
        Verdict, checks, estimates, posterior; ``save(folder)`` writes what the command line writes.

    Raises
    ------
    ValueError
        If an argument is not legal; nothing has been computed or written then.
    UnfitPriorError
        A ValueError before any draw: the posterior of these data under this prior cannot be computed in float64. The
        message names the number of the prior that is extreme, or the scale of X.
    NoModeError
        An UnfitPriorError: every restart of MAP-EM collapsed, as it may under half-normal scales on repeated rows.

    Examples
    --------
    >>> from comparisons import compare
    >>> from comparisons.data import load
    >>> compare(load("coins-ten-flips").X, family="bmm", n_components=2, n_trials=10, draws=500, tune=500).verdict
    'agree'
    """
    found = prepare(
        X,
        family,
        n_components,
        prior,
        n_trials=n_trials,
        covariance_type=covariance_type,
        draws=draws,
        tune=tune,
        chains=chains,
        target_accept=target_accept,
        n_init=n_init,
        starts=starts,
        random_state=random_state,
        advi=advi,
        regular=regular,
        truth=truth,
        title=title,
        feature_names=feature_names,
    )
    return run(found, progress)


def prepare(
    X: ArrayLike,
    family: str,
    n_components: int,
    prior: Any = None,
    *,
    n_trials: ArrayLike = 1,
    covariance_type: str = "full",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float = 0.8,
    n_init: int = 10,
    starts: str = "restarts",
    random_state: int = 0,
    advi: bool = False,
    regular: bool = False,
    truth: Any = None,
    title: str = "data",
    feature_names: tuple[str, ...] = (),
    needs_map: bool = True,
) -> Comparison:
    """Check every argument of :func:`compare` and return a comparison that has not begun.

    Where no MAP is needed, the prior may be one whose posterior has no mode, such as a concentration below 1.

    Raises
    ------
    ValueError
        If an argument is not legal.
    """
    K = count_at_least_one("n_components", n_components)
    for name, value, least in [("draws", draws, 100), ("tune", tune, 100), ("chains", chains, 2)]:
        if count_at_least_one(name, value) < least:
            raise ValueError(f"{name} must be at least {least}, got {value}: R-hat and ESS need that many")
    if draws * chains < 1000:
        raise ValueError(f"draws x chains must be at least 1000, got {draws} x {chains}: the checks want an ESS of 400")
    if not isinstance(random_state, int | np.integer) or not 0 <= random_state < 2**32:
        raise ValueError(f"random_state (seed) must be a whole number from 0 to 2**32 - 1, got {shown(random_state)}")
    if starts not in ("restarts", "single"):
        raise ValueError(f"starts must be 'restarts' or 'single', got {shown(starts)}")
    named = _feature_names(X, feature_names)
    X, n_trials = _with_observed_cells(X, n_trials, named)
    half = family_of(family, n_trials, covariance_type)
    samples: Array = half.estimator(n_components=K, n_init=n_init).check(X, names=named)
    prior = half.default_prior(samples, K) if prior is None else prior
    if not isinstance(prior, half.prior_types):
        known = " or ".join(prior_type.__name__ for prior_type in half.prior_types)
        raise ValueError(f"prior must be None or a {known}, got {type(prior).__name__}")
    if not prior.exchangeable:
        raise ValueError("prior must treat all components alike (equal concentration), so that labels may be aligned")
    if needs_map:
        half.estimator(n_components=K, prior=prior).check(samples)
    else:
        half.check_prior(prior, K, samples.shape[1])
    names = named or tuple(f"feature {d}" for d in range(samples.shape[1]))
    if truth is not None and not (
        isinstance(truth, half.parameters_type)
        and (truth.n_components, truth.n_features) == (K, samples.shape[1])
        and getattr(truth, "covariance_type", covariance_type) == covariance_type
    ):
        wanted = f"{K} components and {samples.shape[1]} features, of the structure that is fitted"
        raise ValueError(f"truth must be a {half.parameters_type.__name__} of {wanted}, got {truth!r}")
    found = Comparison(half, samples, K, prior, regular, title, names, truth)
    found.settings = {
        "n_init": n_init,
        "starts": starts,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "target_accept": number_between("target_accept", target_accept, 0, 1),
        "random_state": random_state,
        "advi": bool(advi),
        "n_trials": np.asarray(n_trials).tolist(),
        "covariance_type": covariance_type,
    }
    return found


def _feature_names(X: ArrayLike, feature_names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the names that were given, or else those that a frame has, or None; a ValueError if they are no D."""
    names, shape = tuple(feature_names) or column_names(X), real_numbers("X", X).shape
    if names and len(shape) == 2 and len(names) != shape[1]:
        raise ValueError(f"feature_names must have {shape[1]} entries, one per column of X, got {len(names)}")
    return names


def _with_observed_cells(X: ArrayLike, n_trials: ArrayLike, names: tuple[str, ...] | None) -> tuple[Array, ArrayLike]:
    """Return the rows of X with an observed cell, and the trials of these rows where each row has its own."""
    X = data_matrix(X, missing=True, names=names)
    observed = ~np.isnan(X).all(axis=1)
    return X[observed], np.asarray(n_trials)[observed] if np.shape(n_trials) == X.shape else n_trials


def run(found: Comparison, progress: Progress | None = None) -> Comparison:
    """Take the steps of a prepared comparison."""
    with one_blas_thread():
        Steps(found, progress or Silent()).run()
    return found
