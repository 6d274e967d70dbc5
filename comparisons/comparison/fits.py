"""Fit by EM: maximum likelihood, and MAP."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from comparisons.alignment.relabelling import assign
from comparisons.comparison.estimates import distinct_entries
from comparisons.comparison.problem import Problem
from comparisons.family import PRECISE
from em import CollapseWarning, NoMaximumWarning, NotIdentifiableWarning
from em.status import left_to_the_status
from models.tables import rows_of

PLAIN = 1000  # most iterations of plain EM to estimate its rate
CLEAR = 1e-9  # share of the log-likelihood below which a gain may be rounding


class NoModeError(ValueError):
    """Every restart of MAP-EM collapsed under this prior on these data."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits(Problem):
    """A problem with EM's estimates.

    Attributes
    ----------
    mle, map : estimators
        Fits without and with the prior. ``mle`` is an estimator even if it found no maximum.
    of_all_rows : estimator or None
        Maximum likelihood of ``all_rows``, started at ``mle``; None if X has all rows.
    """

    mle: Any
    map: Any
    of_all_rows: Any = None

    @property
    def has_maximum(self) -> bool:
        """Whether maximum likelihood found a maximum."""
        return not self.mle.collapsed_

    @property
    def identified(self) -> bool:
        """Whether the model passed the rank test at the estimates."""
        return bool(self.mle.identifiability_.identified and self.map.identifiability_.identified)

    @cached_property
    def labelled(self) -> float:
        """The number of complete samples with known labels that carry as much information as the data.

        It is n times the smallest share of the complete-data information that the data have, at the MLE (Louis'
        identity); n if there is no MLE. If cells are missing, the share is at most 1 minus EM's rate of convergence.
        """
        if not (self.has_maximum and self.identified):
            return float(len(self.X))
        share = self.errors_of_mle.share_observed
        return float(len(self.X) * (min(share, 1 - self._rate()) if np.isnan(self.X).any() else share))

    def _rate(self) -> float:
        """Return the rate of convergence of plain EM from MAP to MLE: the square root of the ratio of two gains.

        It is the largest share of missing information (Dempster, Laird and Rubin 1977, section 3).
        """
        least = CLEAR * max(1.0, abs(self.mle.log_likelihood_))
        with left_to_the_status():
            plain = self.fit_by_em(init=self.map.parameters_, acceleration=None, tol=least, max_iter=PLAIN)
        gains = np.diff(plain.history_)
        gains = gains[gains > least]
        return float(np.sqrt(min(1.0, gains[-1] / gains[-2]))) if len(gains) > 1 else 0.0

    @cached_property
    def errors_of_mle(self) -> Any:
        """Standard errors of the MLE, from the observed information."""
        return self.mle.uncertainty(self.named_samples)

    @property
    def all_rows_estimates(self) -> list[dict[str, Any]]:
        """One row per parameter: MLE of the sample, its standard error, MLE of all rows, distance in standard errors.

        Empty if X has all rows, or if EM did not fit them.
        """
        if self.of_all_rows is None:
            return []
        errors = self.errors_of_mle
        of_all = distinct_entries(self.of_all_rows.parameters_.arrays(), self.family)
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = (of_all - errors.estimates) / errors.standard_errors
        columns = {"parameter": errors.names, "sample": errors.estimates, "standard_error": errors.standard_errors}
        return rows_of(columns | {"all_rows": of_all, "distance": distance}, unknown=None)

    @property
    def reference(self) -> Any:
        """The parameters whose order of components the draws have: EM's MLE, or its MAP if there is no MLE."""
        return self.mle.parameters_ if self.has_maximum and self.identified else self.map.parameters_

    @cached_property
    def mode(self) -> Any:
        """The MAP parameters with components in the order of `reference`; draws are aligned to them.

        Components are matched by their responsibilities.
        """
        mode = self.map.parameters_
        if mode is self.reference:
            return mode
        of_mode, of_reference = (self.family.e_step(self.X, theta)[0] for theta in (mode, self.reference))
        return mode.permute(assign(-of_mode.T @ of_reference))


def fit(problem: Problem) -> Fits:
    """Fit maximum likelihood and MAP by EM."""
    settings = {"random_state": problem.settings.random_state, **PRECISE}
    with left_to_the_status(CollapseWarning, NoMaximumWarning, NotIdentifiableWarning):  # status and verdict say it
        mle = problem.fit_by_em(n_init=problem.settings.n_init, **settings)
        mode = fit_map(problem, near=None if mle.collapsed_ else mle.parameters_, **settings)
    return Fits(**vars(problem), mle=mle, map=mode)


def fit_from(fits: Fits, most_probable: Any, likeliest: Any) -> Fits:
    """Start EM at two posterior draws; replace MAP and MLE if EM finds better ones.

    Parameters
    ----------
    fits : Fits
        EM's estimates by restarts.
    most_probable : parameters
        The draw of the greatest posterior density.
    likeliest : parameters or None
        The draw of the greatest likelihood; ``None`` if the MLE's is greater.
    """
    mode, mle = fits.map, fits.mle
    with left_to_the_status(NoMaximumWarning, NotIdentifiableWarning):
        refit = fits.fit_by_em(init=most_probable, prior=fits.prior, **PRECISE)
        mode = refit if refit.objective_ > mode.objective_ and not refit.collapsed_ else mode
        if likeliest is not None:
            refit = fits.fit_by_em(init=likeliest, **PRECISE)
            mle = refit if refit.objective_ > mle.objective_ else mle
    return replace(fits, map=mode, mle=mle)


def fit_map(problem: Problem, near: Any = None, **settings: Any) -> Any:
    """Fit the MAP by restarts, and once from parameters ``near`` it, such as the MLE; return the better fit.

    Raises
    ------
    NoModeError
        If every restart collapsed.
    """
    settings |= {"prior": problem.prior}
    mode = problem.fit_by_em(n_init=problem.settings.n_init, **settings)
    if near is not None:  # the MAP near the MLE may be better than the best of the restarts
        nearby = problem.fit_by_em(init=near, **settings)
        better = nearby.objective_ >= mode.objective_ - 1e-9 * abs(mode.objective_)
        if mode.collapsed_ or (better and not nearby.collapsed_):
            mode = nearby
    if mode.collapsed_:
        raise NoModeError(
            "prior must keep variances from 0 on these data, as inverse gammas do, with numbers not too far from those "
            f"of weakly_informative(): {mode.status_}"
        )
    return mode
