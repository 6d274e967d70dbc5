"""What gives a Gaussian mixture a maximum on data where every restart collapsed. Nothing is advised that was not tried.

Each candidate is a short fit of these very samples: a structure with fewer variances, fewer components, a prior that
keeps covariances from 0.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from em.samples import Samples
from em.status import left_to_the_status
from models.gmm import GMMIndependentPrior, GMMPrior
from models.shown import listed

MOST_ROWS, RESTARTS, ITERATIONS = 20_000, 3, 500
SIMPLER = {"full": ("tied", "diag", "spherical"), "tied": ("diag", "spherical"), "diag": ("spherical",)}


def refuse_constant_columns(estimator: Any, samples: Samples, constant: list[int]) -> None:
    """Raise a ValueError, with what helps, if the maximum-likelihood variance of some columns would be 0."""
    if constant:
        raise ValueError(
            f"X must not have constant columns for maximum likelihood, got constant column(s) "
            f"{listed(constant, samples.names)}: their "
            f"variance would be 0. What helps here: {without_columns(estimator, samples, constant)}"
        )


def remedies(estimator: Any, samples: Samples) -> str:
    """Return in words which changes of the settings end in a maximum on these samples.

    Parameters
    ----------
    estimator : GaussianMixtureEM
        The estimator whose restarts all collapsed.
    samples : Samples
        What it was fitted to.
    """
    samples = samples.some(MOST_ROWS, np.random.RandomState(0))
    groups = (_structures(estimator), _fewer_components(estimator), _priors(estimator, samples))
    found = [next((text for text, trial in group if works(trial, samples)), "") for group in groups]
    if not any(found):
        return "no other structure, number of components or prior that was tried has a maximum on these samples"
    return f"on these samples a maximum is found with {', or '.join(filter(None, found))}"


def without_columns(estimator: Any, samples: Samples, constant: list[int]) -> str:
    """Return in words what to do about constant columns: what was tried and works."""
    samples, found = samples.at_hand, []
    rest = [d for d in range(samples.X.shape[1]) if d not in constant]
    if rest and not estimator.frozen and isinstance(estimator.init, str):
        part = replace(samples, X=np.ascontiguousarray(samples.X[:, rest]))
        seen = ~np.isnan(part.X).all(axis=1)
        if seen.all() and works(_changed(estimator), part):
            found.append("drop them")
    trial = next((text for text, trial in _priors(estimator, samples) if works(trial, samples)), "")
    if trial:
        found.append(f"pass {trial}")
    return ", or ".join(found) or "no prior that was tried helps"


def works(estimator: Any, samples: Samples) -> bool:
    """Whether a fit of the samples ends in a maximum."""
    try:
        with left_to_the_status():
            estimator._check_settings(samples)
            estimator._check_data(samples)
            best = estimator._search(estimator._distinct(samples)).best
    except ValueError:
        return False
    return not best.collapsed


def _structures(estimator: Any) -> Iterator[tuple[str, Any]]:
    if estimator.prior is None and "covariances" not in (estimator.frozen or {}):
        for kind in SIMPLER.get(estimator.covariance_type, ()):
            yield f"covariance_type={kind!r}", _changed(estimator, covariance_type=kind)


def _fewer_components(estimator: Any) -> Iterator[tuple[str, Any]]:
    K = estimator.n_components
    if not estimator.frozen:
        prior = estimator.prior
        for fewer in dict.fromkeys(k for k in (K - 1, (K + 1) // 2, 1) if 1 <= k < K):
            if prior is None or prior.concentration.ndim == 0:
                yield f"n_components={fewer}", _changed(estimator, n_components=fewer)


def _priors(estimator: Any, samples: Samples) -> Iterator[tuple[str, Any]]:
    K, kind, weighted = estimator.n_components, estimator.covariance_type, samples.weights is not None
    more = ", sample_weight=sample_weight" if weighted else ""
    try:
        if isinstance(estimator.prior, GMMIndependentPrior):
            scales = 'scales="inverse-gamma"'
            prior: Any = GMMIndependentPrior.weakly_informative(
                samples.X, K, kind, "inverse-gamma", sample_weight=samples.weights
            )
            text = f"prior=GMMIndependentPrior.weakly_informative(X, {K}, {kind!r}, {scales}{more})"
        else:
            prior = GMMPrior.weakly_informative(samples.X, K, kind, sample_weight=samples.weights)
            text = f"prior=GMMPrior.weakly_informative(X, {K}, {kind!r}{more})"
    except ValueError:
        return
    yield text, _changed(estimator, prior=prior)


def _changed(estimator: Any, **settings: Any) -> Any:
    """Return an estimator of changed settings that makes a few restarts of some iterations."""
    other = copy(estimator)
    init = estimator.init if isinstance(estimator.init, str) else "k-means++"
    limits = {"init": init, "n_init": RESTARTS, "n_starts": None, "max_iter": min(estimator.max_iter, ITERATIONS)}
    for name, value in {**limits, **settings}.items():
        setattr(other, name, value)
    return other
