"""A fit under audit: its parameters in this project's estimator, EM continued from there, and the best of restarts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import clone

from comparisons.auditing.family import FamilyAudit, audit_of_family
from comparisons.auditing.library_fit import LibraryFit
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
MOST_WITH_ERRORS = 400  # free parameters; their information matrix takes about a second
SINGLES = 12  # restarts fitted one by one, if the best of all is spurious


@dataclass(frozen=True, eq=False)
class AuditedFit:
    """The parameters of a fit with its data. What takes time is computed once, when it is first asked for.

    Attributes
    ----------
    parameters : Parameters
        The parameters of the fit.
    library_fit : LibraryFit
        The fit as its library describes it.
    pair : Family
        Its family, with options.
    X, sample_weight
        The data as estimators take them.
    estimator : estimator
        Our unfitted estimator, with the settings of the fit.
    """

    parameters: Any
    library_fit: LibraryFit
    pair: Family
    X: Any
    sample_weight: Array | None
    estimator: Any

    @property
    def family_audit(self) -> FamilyAudit:
        """The parts of the audit that depend on the family."""
        return audit_of_family(self.library_fit.family)

    # At the fit, and EM continued from it -------------------------------------------------------------------------

    @cached_property
    def em_limit(self) -> Any:
        """Our estimator after EM that starts at the fit."""
        return self._fit(init=self.parameters, n_init=1, n_starts=None, tol=TOL, max_iter=MOST_ITERATIONS)

    @cached_property
    def after_one_step(self) -> Any:
        """Our estimator after one iteration of plain EM from the fit."""
        settings = {"tol": 0.0, "max_iter": 1, "acceleration": None}
        return self._fit(init=self.parameters, n_init=1, n_starts=None, **settings)

    @cached_property
    def no_maximum(self) -> str:
        """Why the likelihood has no maximum on these data, such as a constant column; "" if EM can take a step."""
        try:
            _ = self.after_one_step
        except ValueError as error:
            return " ".join(str(error).split())
        return ""

    def at(self, parameters: Parameters) -> Any:
        """Return our estimator as if its fit had ended at these parameters."""
        return EMPath(self._fitted_template, [parameters]).at(0)

    @cached_property
    def at_fit(self) -> Any:
        """Our estimator at the parameters of the fit."""
        return self.at(self.parameters)

    @cached_property
    def rows(self) -> Any:
        """The samples as numbers, NaN where a cell is missing."""
        return samples_to_use(self.at_fit, self.X, missing=True)

    @cached_property
    def row_weights(self) -> Array:
        """Weight of each row, shape (n,); 0 for rows without an observed cell."""
        return frequencies(self.sample_weight, self.rows.shape[0]) * has_observed(self.rows)

    @property
    def n_samples(self) -> float:
        """Sum of the row weights."""
        return float(self.row_weights.sum())

    @cached_property
    def log_prob(self) -> Array:
        """Log p(x_i) at the fit, shape (n,)."""
        return np.asarray(self.at_fit.score_samples(self.X))

    @cached_property
    def responsibilities(self) -> Array:
        """Responsibilities at the fit, shape (n, K)."""
        return np.asarray(self.at_fit.predict_proba(self.X))

    @property
    def counts(self) -> Array:
        """Expected samples of each component N_k, shape (K,)."""
        return self.row_weights @ self.responsibilities

    @property
    def log_likelihood(self) -> float:
        """Log p(X) at the fit, in nats."""
        return weighted_sum(self.log_prob, self.row_weights)

    def log_likelihood_at(self, parameters: Parameters) -> float:
        """Return log p(X) at other parameters, in nats; minus infinity if it is NaN."""
        log_likelihood = weighted_sum(np.asarray(self.at(parameters).score_samples(self.X)), self.row_weights)
        return -np.inf if np.isnan(log_likelihood) else log_likelihood

    @property
    def objective(self) -> float:
        """Log-likelihood plus log prior at the fit."""
        prior = self.estimator.prior
        return self.log_likelihood + (0.0 if prior is None else float(prior.log_prob(self.parameters)))

    @property
    def gain(self) -> float:
        """Nats that EM gains when it continues from the fit."""
        return max(float(self.em_limit.objective_) - self.objective, 0.0)

    def entries(self, parameters: Parameters) -> Array:
        """Return the distinct entries of parameters (p,), in the order of tables."""
        return entries_of(parameters, self.n_samples).values

    def moves_to(self, parameters: Parameters) -> Array:
        """Return how far each entry (p,) of other parameters lies from that of the fit, in standard errors."""
        assert self.errors is not None
        return np.abs(self.entries(parameters) - self.entries(self.parameters)) / self.errors.standard_errors

    @cached_property
    def errors(self) -> Uncertainty | None:
        """Standard errors where EM ends that starts at the fit; None if there are none."""
        return None if self.no_maximum else self._uncertainty(self.em_limit)

    @cached_property
    def errors_at_fit(self) -> Uncertainty | None:
        """Gradient and curvature at the fit; None if there are none."""
        return None if self.no_maximum else self._uncertainty(self.at_fit)

    # The best of restarts -------------------------------------------------------------------------------------------

    @cached_property
    def best(self) -> Any:
        """Our estimator at the best optimum of restarts that is not spurious, with components in the fit's order."""
        search = self._fit()
        better = not search.collapsed_ and search.objective_ > self.em_limit.objective_
        if better and self.is_spurious(search.parameters_):
            singles = [self._fit(n_init=1, n_starts=None, random_state=seed) for seed in range(SINGLES)]
            regular = [fit for fit in singles if not fit.collapsed_ and not self.is_spurious(fit.parameters_)]
            search = max(regular, key=lambda fit: fit.objective_, default=search)
        if search.collapsed_:
            return search
        roots = np.sqrt(self.row_weights)[:, None]
        order = nearest_order(roots * np.asarray(search.predict_proba(self.X)), roots * self.responsibilities)
        return EMPath(search, [search.parameters_.permute(order)]).at(0)

    @property
    def highest(self) -> Any:
        """Our estimator at the highest optimum, by EM from the fit or by restarts; None if all collapsed."""
        ends = [] if self.no_maximum else [fit for fit in (self.em_limit, self.best) if not fit.collapsed_]
        return max(ends, key=lambda fit: fit.objective_, default=None)

    def is_spurious(self, parameters: Any) -> bool:
        """Whether the maximum is spurious: one component fits a few samples that happen to lie close together.

        Reference: McLachlan & Peel (2000), Finite Mixture Models, section 3.10.
        """
        r = np.asarray(self.at(parameters).predict_proba(self.X))
        return any(why for _, why in self.family_audit.suspects(parameters, self.row_weights @ r, self.rows, r))

    # ----------------------------------------------------------------------------------------------------------------

    def _fit(self, **settings: Any) -> Any:
        return clone(self.estimator).set_params(**settings).fit(self.X, sample_weight=self.sample_weight)

    @cached_property
    def _fitted_template(self) -> Any:
        """A fitted estimator whose parameters may be replaced; it stores the features, their names and levels."""
        if not self.no_maximum:
            return self.after_one_step
        return self._fit(init=self.parameters, frozen=self.parameters.arrays(), max_iter=1)

    def _uncertainty(self, fit: Any) -> Uncertainty | None:
        """Return standard errors of few parameters, if the limit of EM has not collapsed."""
        if self.em_limit.collapsed_ or self.em_limit.n_free_parameters_ > MOST_WITH_ERRORS:
            return None
        try:
            uncertainty: Uncertainty = fit.uncertainty(self.X, sample_weight=self.sample_weight)
        except (ValueError, np.linalg.LinAlgError):  # a nearly singular covariance
            return None
        return uncertainty


def audited_fit(
    parameters: Parameters, *, library_fit: LibraryFit, pair: Family, X: Any, sample_weight: Any, **settings: Any
) -> AuditedFit:
    """Return parameters with an estimator that has the settings of their fit."""
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    shared = {"n_components": parameters.n_components, "init": "k-means++", "acceleration": "multisecant", **settings}
    if library_fit.ours is None:
        estimator = pair.estimator(frozen=dict(library_fit.frozen) or None, **shared)
    else:
        of_fit = {option.name: getattr(library_fit.ours, f"{option.name}_", None) for option in pair.options}
        stored = {name: of_fit[name] for name in library_fit.ours.get_params() if of_fit.get(name) is not None}
        estimator = clone(library_fit.ours).set_params(**shared, **stored, tol=1e-8, max_iter=10_000, n_starts=None)
    return AuditedFit(parameters, library_fit, pair, X, weights, estimator)
