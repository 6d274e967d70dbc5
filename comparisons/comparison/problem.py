"""The input of a comparison: data, family, prior and settings, checked before any computation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.declarations import AllRows, Option
from comparisons.families import family_of, family_of_fit
from comparisons.family import Family
from models.frames import is_dask
from models.parameters import Labels
from models.shown import shown
from models.validation import Array, column_names, count_at_least, count_at_least_one, number_above, number_between


def _setting(default: Any, flag: str, help_text: str, parse: type | None = None) -> Any:
    return field(default=default, metadata={"flag": flag, "help": help_text, "parse": parse})


@dataclass(frozen=True)
class Settings:
    """The settings of a comparison.

    Attributes
    ----------
    draws, chains : int
        NUTS draws of each chain, and number of chains (at least 2).
    tune : int or None
        Warm-up draws of each chain. ``None`` takes 150 if the posterior is nearly normal, else 1,000.
    max_depth : int or None
        Largest depth of NUTS's trees, of at most 2^depth - 1 steps. ``None`` takes 10, but if the posterior is nearly
        normal 2, or 3 with more than 60 parameters or a ``target_accept`` above 0.8.
    target_accept : float
        Mean acceptance probability that NUTS adapts to, between 0 and 1. Try 0.9 if transitions diverge.
    n_init : int
        Number of restarts of EM.
    starts : {"restarts", "single"}
        "restarts" starts each chain at the best of its own restarts of MAP-EM, with labels in random order, so that
        R-hat can detect other modes. "single" starts all chains at the MAP.
    random_state : int
        Seed; the same seed gives the same comparison.
    minutes : float
        Time limit. If the pace of the first draws predicts a longer time, the comparison stops with a
        :class:`comparisons.comparison.size.TooLongError`.
    advi : bool
        Whether to run ADVI too, as a column of the table of spreads; it compiles for some seconds.
    rows : int
        Largest number of rows to compare. Of more rows a random sample is compared, and EM fits all rows beside it.

    Raises
    ------
    ValueError
        If a value is not legal.
    """

    draws: int = _setting(1000, "draws", "Posterior draws of each chain")
    tune: int | None = _setting(None, "tune", "Warm-up draws of each chain; default: as the posterior needs", int)
    chains: int = _setting(4, "chains", "Number of chains")
    max_depth: int | None = _setting(None, "max-depth", "Depth of NUTS's trees; default: as the posterior needs", int)
    target_accept: float = _setting(0.8, "target-accept", "Acceptance that NUTS adapts to; 0.9 against divergences")
    n_init: int = _setting(10, "restarts", "Restarts of EM; the best one is kept")
    starts: str = "restarts"
    random_state: int = _setting(0, "seed", "Seed of everything random; the same seed gives the same results")
    minutes: float = _setting(5.0, "minutes", "Time limit; it stops if the first draws predict a longer time")
    advi: bool = _setting(False, "advi", "Run ADVI too, for the table of spreads")
    rows: int = _setting(20_000, "rows", "Most rows to compare; of more, a random sample, beside EM of all rows")

    def __post_init__(self) -> None:
        least_of = {"draws": 100, "tune": 100, "max_depth": 1, "chains": 2, "rows": 100}  # R-hat and ESS need these
        for name, least in least_of.items():
            if getattr(self, name) is not None:
                count_at_least(name, getattr(self, name), least)
        if self.draws * self.chains < 1000:
            asked = f"{self.draws} x {self.chains}: the checks need an ESS of 400"
            raise ValueError(f"draws x chains must be at least 1000, got {asked}")
        if count_at_least("random_state (seed)", self.random_state, 0) >= 2**32:
            raise ValueError(f"random_state (seed) must be less than 2**32, got {self.random_state}")
        if self.starts not in ("restarts", "single"):
            raise ValueError(f"starts must be 'restarts' or 'single', got {shown(self.starts)}")
        number_between("target_accept", self.target_accept, 0, 1)
        if self.minutes != np.inf:
            number_above("minutes", self.minutes, 0)


FLAGS = {f.name: Option(f.name, f.default, **f.metadata) for f in fields(Settings) if f.metadata}
DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(Settings)}
OF_PROBLEM: dict[str, Any] = {
    "truth": None,
    "title": "data",
    "feature_names": (),
    "all_rows": None,
    "notes": (),
    "row_labels": None,
}


def split(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split arguments into settings, completed by defaults, and the rest, such as a family's options."""
    settings = {name: given.get(name, default) for name, default in defaults.items()}
    return settings, {name: value for name, value in given.items() if name not in defaults}


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """The checked input of a comparison.

    Attributes
    ----------
    family : Family
        The pair of a PyMC model and an EM estimator.
    X : ndarray, shape (n, D)
        The rows with an observed cell; NaN where a cell is missing.
    n_components : int
        Number of components K.
    prior : prior of the family
        Prior of MAP-EM and of the PyMC models.
    settings : Settings
        Settings of the comparison.
    title : str
        Name of the data in tables and figures.
    feature_names : tuple of str
        Names of the columns of X in tables and figures.
    truth : parameters or None
        The parameters that the data were drawn from.
    all_rows : AllRows or None
        The rows that X is a random sample of; None if X has all rows.
    notes : sequence of str
        Notes on what was read from a file, for the report.
    row_labels : sequence
        For each row of X the label of its row in the data: from the file or the frame, else its number from 0.
    """

    family: Family
    X: Array
    n_components: int
    prior: Any
    settings: Settings = Settings()
    title: str = "data"
    feature_names: tuple[str, ...] = ()
    truth: Any = None
    all_rows: AllRows | None = None
    notes: Sequence[str] = ()
    row_labels: Sequence[Any] = ()

    @property
    def _names(self) -> tuple[str, ...] | None:
        return None if self.feature_names == unnamed(self.X.shape[1]) else self.feature_names

    @property
    def labels(self) -> Labels:
        """Labels of the entries of parameters in tables, by dim; features without names have numbers."""
        return self.family.labels(self._names)

    @property
    def named_samples(self) -> Any:
        """X as estimators take it: a frame if its features have names, else an array."""
        return self.family.frame(self.X, self._names)

    @property
    def n_missing(self) -> int:
        """Number of missing cells."""
        return int(np.isnan(self.X).sum())

    @property
    def conjugate(self) -> bool:
        """Whether the posterior of the parameters, given the labels, has a closed form."""
        return self.family.is_conjugate(self.prior, missing=self.n_missing > 0)

    @property
    def caution(self) -> str:
        """A warning about the posterior, such as that it is improper; or ""."""
        return self.family.caution(self.X, self.prior, self.n_components, self.feature_names)

    def fit_by_em(self, **settings: Any) -> Any:
        """Fit the family's estimator with K components and these settings to the data, by EM."""
        return self.family.named_estimator(n_components=self.n_components, **settings).fit(self.named_samples)


def unnamed(n_features: int) -> tuple[str, ...]:
    """Return names for features without names, as figures show them."""
    return tuple(f"feature {d}" for d in range(n_features))


def prepare(
    X: ArrayLike,
    family: Any,
    n_components: int | None = None,
    prior: Any = None,
    *,
    needs_map: bool = True,
    sampled: bool = False,
    **given: Any,
) -> Problem:
    """Check every argument of :func:`comparisons.compare` and return the problem.

    With ``needs_map=False``, priors without a posterior mode are allowed, such as a concentration below 1. With
    ``sampled=True``, more than ``rows`` rows are replaced by a random sample; otherwise the problem has all rows.

    Raises
    ------
    ValueError
        If an argument is not legal.
    """
    of_settings, rest = split(given, DEFAULTS)
    of_problem, options = split(rest, OF_PROBLEM)
    if not isinstance(family, str | Family):
        family, n_components, prior = _of_fit(family, n_components, prior)
    K, settings = count_at_least_one("n_components", n_components), Settings(**of_settings)
    from comparisons.comparison.all_rows import sample_of, sample_of_chunks  # imports em

    if sampled and is_dask(X):
        X, of_problem["all_rows"] = sample_of_chunks(X, settings, family_of(family).categorical)
    named = tuple(map(str, of_problem.pop("feature_names"))) or column_names(X)
    if named and len(shape := np.shape(X)) == 2 and len(named) != shape[1]:
        raise ValueError(f"feature_names must have {shape[1]} entries, one per column of X, got {len(named)}")
    if named and len(set(named)) < len(named):
        raise ValueError(f"feature_names must differ, or tables could not tell features apart, got {shown(named)}")
    of_frame: Any = getattr(X, "index", None) if hasattr(X, "columns") else None
    pair, X = family_of(family, **options).of_samples(X, named)
    labels = next(one for one in (of_problem.pop("row_labels"), of_frame, range(len(X))) if one is not None)
    if len(labels) != len(X):
        raise ValueError(f"row_labels must have {len(X)} entries, one per row of X, got {len(labels)}")
    kept = ~np.isnan(X).all(axis=1)
    if sampled and kept.sum() > settings.rows:
        kept, of_problem["all_rows"] = sample_of(X, kept, pair, settings)
    pair = pair.of_rows(kept)
    samples: Array = pair.estimator(n_components=K, n_init=settings.n_init).check(X[kept], names=named)
    D = samples.shape[1]
    prior = pair.default_prior(samples, K) if prior is None else prior
    _check_prior(prior, pair)
    if needs_map:
        pair.estimator(n_components=K, prior=prior).check(samples)
    else:
        prior.check_fits(K, D, *pair.of_mixture.values())
    if of_problem["truth"] is not None:
        _check_truth(of_problem["truth"], pair, K, D)
    known = {"family": pair, "X": samples, "n_components": K, "prior": prior, "settings": settings}
    known["row_labels"] = tuple(label for label, keep in zip(labels, kept, strict=True) if keep)
    return Problem(**known, **of_problem, feature_names=named or unnamed(D))


def _of_fit(fit: Any, n_components: int | None, prior: Any) -> tuple[Family, int, Any]:
    """Return family, number of components and prior of a fitted estimator, or of the best fit of a selection."""
    if hasattr(fit, "candidates"):
        if fit.best is None:
            raise ValueError("family must be a selection that chose a fit, got one in which no fit has a maximum")
        fit = fit.estimator
    family = family_of_fit(fit)
    if n_components not in (None, fit.n_components):
        raise ValueError(f"n_components must be None or that of the fit, {fit.n_components}, got {n_components}")
    return family, fit.n_components, fit.prior if prior is None else prior


def _check_prior(prior: Any, family: Family) -> None:
    if not isinstance(prior, family.prior_types):
        known = " or ".join(prior_type.__name__ for prior_type in family.prior_types)
        raise ValueError(f"prior must be None or a {known}, got {type(prior).__name__}")
    if not prior.exchangeable:
        raise ValueError("prior must treat all components alike (equal concentration), so that labels may be aligned")


def _check_truth(truth: Any, family: Family, K: int, D: int) -> None:
    alike = isinstance(truth, family.parameters_type) and (truth.n_components, truth.n_features) == (K, D)
    if not alike or any(getattr(truth, name) != value for name, value in family.of_mixture.items()):
        wanted = f"{K} components and {D} features, of the structure that is fitted"
        raise ValueError(f"truth must be a {family.parameters_type.__name__} of {wanted}, got {truth!r}")
