"""Run an audit: read the fit, then answer one question after the other."""

from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.auditing.audited import AuditedFit
from comparisons.auditing.libraries import recognise
from comparisons.auditing.library_fit import LibraryFit
from comparisons.auditing.likelihood import log_likelihood_line
from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WARNING, Line
from comparisons.auditing.optimum import bound_optimum_line, components_line, differences, optimum_line
from comparisons.auditing.readings import read
from comparisons.auditing.result import Audit
from comparisons.auditing.scores import criteria_line, scores_line
from comparisons.auditing.stationary import bound_line, regularisation_line, stationary_line
from em.status import left_to_the_status
from models.shown import counted, shown
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
    """Audit a mixture that any library fitted, on the data that it was fitted to.

    Parameters
    ----------
    fit : estimator, Parameters or mapping
        A mixture fitted by this project, by scikit-learn (GaussianMixture, BayesianGaussianMixture), by StepMix, or by
        hmmlearn with independent states; parameters of this project; or plain arrays by name, such as
        ``{"weights": ..., "means": ..., "covariances": ...}``, or the ``parameters`` of R's mclust.
    X : array_like, shape (n, D)
        The samples exactly as they were given to the fit: same numeric type, same column names. NaN where a cell is
        missing; sparse if the family allows it.
    family : str or None
        Name of the family of plain arrays: "gmm", "bmm", "pmm" or "cmm".
    sample_weight : array_like, shape (n,), or None
        Weight of each row.
    n_init : int, default 10
        Number of our own restarts; the fit is compared with their best optimum.
    random_state : int, RandomState or None, default 0
        Seed of these restarts.
    **options
        Options of the family that the fit does not store, such as ``n_trials``, ``exposure``, ``levels``, or a
        ``covariance_type`` that the shapes leave open.

    Returns
    -------
    Audit
        Printing it shows one page; ``verdict``, ``lines``, ``to_frame()``, ``report(path)``, ``plot()``, ``best``.

    Raises
    ------
    ValueError
        If the fit's class is not supported, if it is not fitted, or if it is no mixture, such as a hidden Markov model;
        if X is illegal for the family.

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
        raise ValueError(f"X must be two-dimensional (samples, features), got {shown(X)} of shape {X.shape}")
    check_sample_weight(sample_weight, X.shape[0])
    with left_to_the_status():
        library_fit = recognise(fit, family, options)
        audited, mixture = read(library_fit, X, sample_weight, {"n_init": n_init, "random_state": random_state})
        lines = [mixture, *library_fit.parts]
        of_fit = {}
        if audited is not None:
            lines += _lines(audited)
            of_fit = {
                "parameters": differences(audited),
                "components": audited.at_fit.summary(X, sample_weight=sample_weight).components,
                "optima": [] if audited.no_maximum else audited.best.starts_,
                "fitted": audited.at_fit,
                "best": None if audited.highest is None else audited.highest.parameters_,
            }
        title, seconds = _title(library_fit, audited), perf_counter() - start
        return Audit(title, tuple(lines), X=X, sample_weight=sample_weight, seconds=seconds, **of_fit)


def _lines(audited: AuditedFit) -> list[Line]:
    """Return the lines about a fit that was read as a mixture."""
    library_fit = audited.library_fit
    if library_fit.bound is not None:
        bound = library_fit.bound(audited.X)
        middle = [bound_line(audited, bound), bound_optimum_line(audited, bound)]
    else:
        middle = [stationary_line(audited), optimum_line(audited)]
    last = [components_line(audited), regularisation_line(audited), scores_line(audited), criteria_line(audited)]
    return [log_likelihood_line(audited), *middle, *last, identified_line(audited)]


def identified_line(audited: AuditedFit) -> Line:
    """Return whether the parameters are identified: no others give the same distribution."""
    if audited.no_maximum:
        return Line("identified", NOT_APPLICABLE, "there is no maximum")
    rank_test = audited.em_limit.identifiability_
    if rank_test.identified:
        return Line("identified", RIGHT, rank_test.sentence)
    remedy = "fewer components, more features, or a prior: other parameters of this model fit as well"
    return Line("identified", WARNING, rank_test.sentence, None, remedy)


def _title(library_fit: LibraryFit, audited: AuditedFit | None) -> str:
    """Return library, mixture and data of the fit, as text."""
    if audited is None:
        return f"{library_fit.source}, family {library_fit.family}"
    K, D, n = audited.parameters.n_components, audited.parameters.n_features, audited.n_samples
    mixture = f"{audited.pair.title} of {counted(K, 'component')}"
    options = "".join(f", {name}={kind!r}" for name, kind in audited.pair.of_mixture.items() if isinstance(kind, str))
    return f"{library_fit.source}: {mixture}{options}, on {counted(n, 'sample')} of {counted(D, 'feature')}"
