"""How many components, and of which structure? Fit every combination and rank them by an information criterion.

With log-likelihood ℓ at the estimate, p free parameters, n samples and MAP labels ẑ_i = argmax_k r_ik,

    AIC = -2 ℓ + 2 p
    BIC = -2 ℓ + p log n
    ICL = BIC - 2 Σ_i log r_{i ẑ_i}

and smaller is better for all three. AIC aims at prediction and tends to keep too many components. BIC aims at the
density. ICL penalises overlap too and aims at well separated clusters.

References
----------
Akaike (1974), A new look at the statistical model identification, IEEE Transactions on Automatic Control 19, 716-723.
Schwarz (1978), Estimating the dimension of a model, Annals of Statistics 6, 461-464.
Biernacki, Celeux & Govaert (2000), Assessing a mixture model for clustering with the integrated completed likelihood,
IEEE Transactions on Pattern Analysis and Machine Intelligence 22, 719-725.
"""

from collections.abc import Iterable
from functools import partial
from itertools import chain, product
from time import perf_counter
from typing import Any

from joblib import Parallel, delayed  # type: ignore[import-untyped]
from numpy.typing import ArrayLike
from sklearn.base import clone

from em.batches import fit_batch, fits_one_batch
from em.chunked import is_chunked
from em.chunked.shared_passes import in_shared_passes
from em.estimator import MixtureEM
from em.process.progress import track
from em.samples import Samples
from em.selection.result import CRITERIA, n_components_of, nothing_to_choose
from em.selection.result import Candidate as Candidate
from em.selection.result import Selection as Selection
from em.status import NoMaximumWarning, left_to_the_status, tell
from models.shown import shown


def select(
    X: ArrayLike,
    estimator: MixtureEM[Any],
    n_components: Iterable[int] = range(1, 7),
    *,
    criterion: str = "bic",
    sample_weight: ArrayLike | None = None,
    progress: bool = True,
    n_jobs: int | None = None,
    **grid: Iterable[Any],
) -> Selection:
    """Fit every combination of settings and rank the fits by an information criterion.

    Parameters
    ----------
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        Samples.
    estimator : MixtureEM
        The estimator to fit; it is cloned and not changed. If its ``random_state`` is an int, each fit equals, up to
        rounding, the fit of the estimator with these settings alone.
    n_components : iterable of int, default range(1, 7)
        Numbers of components to try.
    criterion : {"aic", "bic", "icl"}, default "bic"
        The criterion to rank by; smaller is better.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs, in the fits and in the criteria.
    progress : bool, default True
        Whether to show a progress bar on a terminal or in a notebook.
    n_jobs : int or None, default None
        Number of processes, as in scikit-learn; ``None`` is one, and -1 is one for each processor. Processes take a
        second or two to start. It is ignored if X is in chunks.
    **grid : iterable
        Values to try for any other parameter of the estimator, such as ``covariance_type=["full", "diag"]``.

    Returns
    -------
    Selection
        ``best``, ``estimator`` (the best, fitted), ``table``, ``plot()``.

    Raises
    ------
    ValueError
        If an argument or one of the combinations is not legal, before any fit.

    Notes
    -----
    If the fits are maximum likelihood on complete rows that are not too many (:func:`em.batches.fits_one_batch`), all
    numbers of components of one structure are fitted as one batch of runs. If X is in chunks, each chunk is read once
    for all fits together (:mod:`em.chunked.shared_passes`).

    A fit that collapsed or stopped at ``max_iter`` is shown and never chosen. If there is no other fit, ``best`` is
    None and a ``NoMaximumWarning`` is given. Warnings of single fits are not shown; the column ``status`` has them. p
    counts every parameter, although a model that is not identified has fewer: see its ``status``.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM, select
    >>> X = np.random.RandomState(0).normal(size=(60, 1)) + np.repeat([[0.0], [8.0]], 30, axis=0)
    >>> selection = select(X, GaussianMixtureEM(n_init=3, random_state=0), range(1, 4), covariance_type=["full"])
    >>> selection.best.settings
    {'n_components': 2, 'covariance_type': 'full'}
    >>> selection.estimator.means_.shape
    (2, 1)
    """
    check_mixture(estimator)
    if n_jobs is not None and (not isinstance(n_jobs, int) or n_jobs == 0):
        raise ValueError(f"n_jobs must be None, a number of processes, or -1 for all processors, got {shown(n_jobs)}")
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {shown(criterion)}")
    values = {name: _values(name, given, estimator) for name, given in {"n_components": n_components, **grid}.items()}
    combinations = [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
    estimators = [clone(estimator).set_params(**settings) for settings in combinations]
    description = f"Fitting {len(estimators)} mixtures"
    if is_chunked(X):  # chunks are checked in the first pass
        groups, n_jobs = [list(range(len(estimators)))], None
    else:
        for candidate in estimators:
            candidate.check(X, sample_weight)
        groups = _groups(combinations, estimators, estimators[0]._samples(X, sample_weight))
    jobs = (delayed(_fitted)(X, [estimators[i] for i in group], sample_weight) for group in groups)
    total = None if is_chunked(X) else len(groups)  # of fits that share their passes only the end is known
    done = track(Parallel(n_jobs, return_as="generator")(jobs), description, progress, total)
    fits = dict(zip([i for group in groups for i in group], chain.from_iterable(done), strict=True))
    candidates = tuple(
        Candidate(settings, fit, fit.log_likelihood_, fit.n_free_parameters_, **criteria, seconds=seconds)
        for settings, (fit, criteria, seconds) in zip(combinations, (fits[i] for i in range(len(fits))), strict=True)
    )
    selection = Selection(candidates, criterion)
    if selection.best is None:
        tell(f"{nothing_to_choose(candidates)}; {_advice(candidates)}", NoMaximumWarning)
    return selection


def check_mixture(estimator: Any) -> None:
    """Raise a ValueError unless the estimator is a mixture."""
    if not isinstance(estimator, MixtureEM):
        raise ValueError(f"estimator must be a mixture such as GaussianMixtureEM(), got {shown(estimator)}")


def _values(name: str, given: Iterable[Any], estimator: MixtureEM[Any]) -> list[Any]:
    known = estimator.get_params(deep=False)
    if name not in known:
        raise ValueError(f"{type(estimator).__name__} has no parameter {name} to vary, only {', '.join(known)}")
    if isinstance(given, str) or not isinstance(given, Iterable) or not (values := list(given)):
        raise ValueError(f"{name} must be a list of values to try, got {shown(given)}")
    return values


def _groups(combinations: list[dict[str, Any]], estimators: list[MixtureEM[Any]], samples: Samples) -> list[list[int]]:
    """Return the indices of combinations in groups that are fitted together: they differ in ``n_components`` only.

    A single component is a group of its own, and so is every fit that cannot share a batch with others
    (:func:`em.batches.fits_one_batch`).
    """
    alike: dict[tuple[Any, ...], list[int]] = {}
    for i, settings in enumerate(combinations):
        others = tuple(id(value) for name, value in settings.items() if name != "n_components")
        alike.setdefault(("alone", i) if settings["n_components"] == 1 else others, []).append(i)
    groups: list[list[int]] = []
    for members in alike.values():
        if len(members) > 1 and fits_one_batch([estimators[i] for i in members], samples):
            groups.append(members)
        else:
            groups += [[i] for i in members]
    return groups


def _fitted(
    X: ArrayLike, estimators: list[MixtureEM[Any]], sample_weight: ArrayLike | None
) -> list[tuple[MixtureEM[Any], dict[str, float], float]]:
    """Fit the estimators of one group, and return each with its criteria and its seconds."""
    start = perf_counter()
    with left_to_the_status():
        if is_chunked(X):
            in_shared_passes([partial(estimator.fit, X, sample_weight=sample_weight) for estimator in estimators], X)
        else:
            fit_batch(estimators, X, sample_weight)
    seconds = (perf_counter() - start) / len(estimators)
    criteria = in_shared_passes([partial(estimator._criteria, X, sample_weight) for estimator in estimators], X)
    return [(estimator, of_fit, seconds) for estimator, of_fit in zip(estimators, criteria, strict=True)]


def _advice(candidates: tuple[Candidate, ...]) -> str:
    """Return what would help the candidate with the fewest components: a prior, or a larger max_iter."""
    simplest = min(candidates, key=n_components_of).estimator
    if simplest.collapsed_:
        return simplest._remedy
    return f"n_components={simplest.n_components} was still gaining: raise max_iter={simplest.max_iter}"
