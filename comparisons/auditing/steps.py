"""The audit, from a fit to its lines."""

from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.auditing.given import Given
from comparisons.auditing.libraries import recognise
from comparisons.auditing.likelihood import log_likelihood_line
from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WARNING, Line
from comparisons.auditing.optimum import bound_optimum_line, components_line, differences, optimum_line
from comparisons.auditing.readings import read
from comparisons.auditing.result import Audit
from comparisons.auditing.scores import criteria_line, scores_line
from comparisons.auditing.standing import Standing
from comparisons.auditing.stationary import bound_line, regularisation_line, stationary_line
from em.status import left_to_the_status
from models.validation import check_sample_weight, count_at_least_one, random_source


def audit(
    fit: Any,
    X: Any,
    family: str | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    n_init: int = 10,
    random_state: Any = 0,
    **options: Any,
) -> Audit:
    """Audit a fitted mixture of anybody's on the data that it was fitted to.

    Parameters
    ----------
    fit : estimator, Parameters or mapping
        A mixture fitted by this project, by scikit-learn (GaussianMixture, BayesianGaussianMixture), by StepMix or by
        hmmlearn where its states are independent; parameters of this project; or plain arrays by name, such as
        ``{"weights": ..., "means": ..., "covariances": ...}``, or the ``parameters`` of R's mclust.
    X : array_like, shape (n, D)
        The samples, as they were handed to the fit: numbers of the same type, a frame with its names. NaN where a cell
        is missing; sparse where the family allows it.
    family : str or None
        Of plain arrays: "gmm", "bmm", "pmm", "cmm".
    sample_weight : array_like, shape (n,), or None
        How often each row counts.
    n_init : int, default 10
        Restarts of ours, whose best optimum the fit is held to.
    random_state : int, RandomState or None, default 0
        Seed of these restarts.
    **options
        Options of the family that the fit does not say, such as ``n_trials``, ``exposure``, ``levels``, or a
        ``covariance_type`` where shapes leave it open.

    Returns
    -------
    Audit
        Printing it shows one page; ``verdict``, ``lines``, ``to_frame()``, ``report(path)``, ``plot()``, ``best``.

    Raises
    ------
    ValueError
        If the fit is of no class that is known, is not fitted, or is no mixture, as a hidden Markov model; if X is not
        what its family takes.

    Examples
    --------
    >>> from sklearn.mixture import GaussianMixture
    >>> from comparisons import audit
    >>> from comparisons.data import load
    >>> X = load("faithful").X
    >>> audit(GaussianMixture(2, tol=0.1, random_state=0).fit(X), X)["stationary"].verdict
    'wrong'
    >>> audit(GaussianMixture(2, tol=1e-12, reg_covar=0, max_iter=1000, random_state=0).fit(X), X).verdict
    'right'
    """
    start = perf_counter()
    X = X if hasattr(X, "shape") else np.asarray(X)
    count_at_least_one("n_init", n_init)
    random_source(random_state)
    if len(X.shape) != 2:
        raise ValueError(f"X must be two-dimensional (samples, features), got shape {X.shape}")
    check_sample_weight(sample_weight, X.shape[0])
    with left_to_the_status():
        given = recognise(fit, family, options)
        reading = read(given, X, sample_weight, {"n_init": n_init, "random_state": random_state})
        here, lines = reading.standing, [*reading.lines, *given.parts]
        found = {}
        if here is not None:
            lines += _lines(here)
            found = {
                "parameters": differences(here),
                "components": here.here.summary(X, sample_weight=sample_weight).components,
                "optima": [] if here.no_maximum else here.best.starts_,
                "fitted": here.here,
                "best": None if here.top is None else here.top.parameters_,
            }
        seconds = perf_counter() - start
        return Audit(_title(given, here), tuple(lines), X=X, sample_weight=sample_weight, seconds=seconds, **found)


def _lines(here: Standing) -> list[Line]:
    """Return the lines that follow once it is known which mixture it is."""
    given = here.given
    if given.bound is not None:
        bound = given.bound(here.X)
        middle = [bound_line(here, bound), bound_optimum_line(here, bound)]
    else:
        middle = [stationary_line(here), optimum_line(here)]
    last = [components_line(here), regularisation_line(here), scores_line(here), criteria_line(here)]
    return [log_likelihood_line(here), *middle, *last, identified_line(here)]


def identified_line(here: Standing) -> Line:
    """Return whether different parameters give the same distribution."""
    if here.no_maximum:
        return Line("identified", NOT_APPLICABLE, "there is no maximum")
    found = here.limit.identifiability_
    if found.identified:
        return Line("identified", RIGHT, found.sentence)
    remedy = "fewer components, more features, or a prior: no fit of this model can be told from others"
    return Line("identified", WARNING, found.sentence, None, remedy)


def _title(given: Given, here: Standing | None) -> str:
    """Return whose fit it is, of what, on how many samples."""
    if here is None:
        return f"{given.source}, family {given.family}"
    K, D, n = here.parameters.n_components, here.parameters.n_features, here.n_samples
    mixture = f"{here.pair.title.lower()} of {K} component{'s' * (K > 1)}"
    options = "".join(f", {name}={value!r}" for name, value in here.pair.of_mixture.items() if isinstance(value, str))
    return f"{given.source}: {mixture}{options}, on {n:.10g} samples of {D} feature{'s' * (D > 1)}"
