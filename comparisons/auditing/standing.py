"""A mixture of anybody's in the hands of this project's own estimator: where it stands, and where EM goes on to."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from comparisons.auditing.family import FamilyAudit, audit_of_family
from comparisons.auditing.given import Given
from comparisons.family import Family
from em.engine.path import EMPath
from em.predictions import has_observed, weighted_sum
from em.samples.reading import samples_to_use
from em.uncertainty import Uncertainty
from em.uncertainty.bootstrap import nearest_order
from em.uncertainty.entries import entries_of
from em.uncertainty.louis import frequencies
from models.parameters import Parameters
from models.validation import Array

TOL, MOST_ITERATIONS = 1e-10, 20_000
MOST_WITH_ERRORS = 400  # free parameters, of which the information takes a second or so
SINGLES = 12  # restarts one by one, where the best of all is spurious


@dataclass(frozen=True, eq=False)
class Standing:
    """A mixture with its data.

    Attributes
    ----------
    parameters : Parameters
        The mixture.
    given : Given
        The fit that it was read from.
    pair : Family
        Its family, with options.
    X, sample_weight
        The data as estimators take them.
    estimator : estimator
        Ours, of the same settings, unfitted.
    """

    parameters: Any
    given: Given
    pair: Family
    X: Any
    sample_weight: Array | None
    estimator: Any

    @property
    def hooks(self) -> FamilyAudit:
        """What the family knows about audits."""
        return audit_of_family(self.given.family)

    # Where it stands ----------------------------------------------------------------------------------------------

    @cached_property
    def limit(self) -> Any:
        """The estimator where EM ends that starts at the mixture."""
        return self._fit(init=self.parameters, n_init=1, n_starts=None, tol=TOL, max_iter=MOST_ITERATIONS)

    @cached_property
    def step(self) -> Any:
        """The estimator after one iteration of plain EM."""
        one = {"tol": 0.0, "max_iter": 1, "acceleration": None}
        return self._fit(init=self.parameters, n_init=1, n_starts=None, **one)

    @cached_property
    def no_maximum(self) -> str:
        """Why EM takes no step on these data, or "": a constant column leaves a Gaussian likelihood no maximum."""
        try:
            _ = self.step
        except ValueError as error:
            return " ".join(str(error).split())
        return ""

    def at(self, parameters: Parameters) -> Any:
        """Return our estimator as if its fit had ended at these parameters."""
        return EMPath(self._known, [parameters]).at(0)

    @cached_property
    def here(self) -> Any:
        """Our estimator at the mixture."""
        return self.at(self.parameters)

    @cached_property
    def rows(self) -> Any:
        """The samples as numbers, NaN where a cell is missing."""
        return samples_to_use(self.here, self.X, missing=True)

    @cached_property
    def counted(self) -> Array:
        """How often each row counts, shape (n,)."""
        return frequencies(self.sample_weight, self.rows.shape[0]) * has_observed(self.rows)

    @property
    def n_samples(self) -> float:
        """Sum of the weights of rows with an observed cell."""
        return float(self.counted.sum())

    @cached_property
    def log_prob(self) -> Array:
        """Log p(x_i) at the mixture, shape (n,)."""
        return np.asarray(self.here.score_samples(self.X))

    @cached_property
    def responsibilities(self) -> Array:
        """Responsibilities at the mixture, shape (n, K)."""
        return np.asarray(self.here.predict_proba(self.X))

    @property
    def counts(self) -> Array:
        """Expected samples of each component N_k, shape (K,)."""
        return self.counted @ self.responsibilities

    @property
    def log_likelihood(self) -> float:
        """Log p(X) at the mixture, in nats."""
        return weighted_sum(self.log_prob, self.counted)

    def log_likelihood_at(self, parameters: Parameters) -> float:
        """Return log p(X) at other parameters, in nats; minus infinity where it is not a number."""
        found = weighted_sum(np.asarray(self.at(parameters).score_samples(self.X)), self.counted)
        return -np.inf if np.isnan(found) else found

    @property
    def objective(self) -> float:
        """Log-likelihood plus log prior at the mixture."""
        prior = self.estimator.prior
        return self.log_likelihood + (0.0 if prior is None else float(prior.log_prob(self.parameters)))

    @property
    def gain(self) -> float:
        """Nats that EM still gains from the mixture."""
        return max(float(self.limit.objective_) - self.objective, 0.0)

    def values(self, parameters: Parameters) -> Array:
        """Return the distinct entries of parameters, in the order of tables."""
        return entries_of(parameters, self.n_samples).values

    @property
    def has_errors(self) -> bool:
        """Whether standard errors are there: of few parameters, at a limit that has not collapsed."""
        is_maximum = not (self.no_maximum or self.limit.collapsed_)
        return is_maximum and bool(self.limit.n_free_parameters_ <= MOST_WITH_ERRORS)

    @cached_property
    def errors(self) -> Uncertainty | None:
        """Standard errors where EM ends."""
        return self._uncertainty(self.limit) if self.has_errors else None

    @cached_property
    def errors_here(self) -> Uncertainty | None:
        """Gradient and curvature at the mixture."""
        return self._uncertainty(self.here) if self.has_errors else None

    # The best of restarts -------------------------------------------------------------------------------------------

    @cached_property
    def best(self) -> Any:
        """The estimator at the best optimum of restarts that is not spurious, its components in the mixture's order."""
        search = self._fit()
        better = not search.collapsed_ and search.objective_ > self.limit.objective_
        if better and self.is_spurious(search.parameters_):
            singles = [self._fit(n_init=1, n_starts=None, random_state=seed) for seed in range(SINGLES)]
            regular = [fit for fit in singles if not fit.collapsed_ and not self.is_spurious(fit.parameters_)]
            search = max(regular, key=lambda fit: fit.objective_, default=search)
        if search.collapsed_:
            return search
        roots = np.sqrt(self.counted)[:, None]
        order = nearest_order(roots * np.asarray(search.predict_proba(self.X)), roots * self.responsibilities)
        return EMPath(search, [search.parameters_.permute(order)]).at(0)

    @property
    def top(self) -> Any:
        """The estimator at the highest optimum, of EM from the mixture and of restarts; None where all collapsed."""
        ends = [] if self.no_maximum else [fit for fit in (self.limit, self.best) if not fit.collapsed_]
        return max(ends, key=lambda fit: fit.objective_, default=None)

    def is_spurious(self, parameters: Any) -> bool:
        """Whether a component keeps so few samples that any few would do as well (McLachlan & Peel, section 3.10)."""
        r = np.asarray(self.at(parameters).predict_proba(self.X))
        return any(why for _, why in self.hooks.suspects(parameters, self.counted @ r, self.rows, r))

    # ----------------------------------------------------------------------------------------------------------------

    def _fit(self, **settings: Any) -> Any:
        return clone(self.estimator).set_params(**settings).fit(self.X, sample_weight=self.sample_weight)

    @cached_property
    def _known(self) -> Any:
        """A fitted estimator whose parameters may be replaced: it knows the features, their names and levels."""
        if not self.no_maximum:
            return self.step
        return self._fit(init=self.parameters, frozen=self.parameters.arrays(), max_iter=1)

    def _uncertainty(self, fit: Any) -> Uncertainty | None:
        try:
            found: Uncertainty = fit.uncertainty(self.X, sample_weight=self.sample_weight)
        except (ValueError, np.linalg.LinAlgError):  # at the edge of what has a covariance
            return None
        return found


def standing_at(
    parameters: Parameters, *, given: Given, pair: Family, X: Any, sample_weight: ArrayLike | None, **settings: Any
) -> Standing:
    """Return parameters in the hands of an estimator with the settings of the fit that they are of."""
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    shared = {"n_components": parameters.n_components, "init": "k-means++", "acceleration": "multisecant", **settings}
    if given.own is None:
        estimator = pair.estimator(frozen=dict(given.frozen) or None, **shared)
    else:
        of_fit = {option.name: getattr(given.own, f"{option.name}_", None) for option in pair.options}
        known = {name: of_fit[name] for name in given.own.get_params() if of_fit.get(name) is not None}
        estimator = clone(given.own).set_params(**shared, **known, tol=1e-8, max_iter=10_000, n_starts=None)
    return Standing(parameters, given, pair, X, weights, estimator)
