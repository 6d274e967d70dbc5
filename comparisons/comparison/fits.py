"""EM's part of a comparison: maximum likelihood, and MAP next to it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from comparisons.alignment.relabelling import assign
from comparisons.comparison.problem import Problem
from comparisons.family import PRECISE
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import left_to_the_status

PLAIN = 1000  # iterations of EM that tell its rate
CLEAR = 1e-9  # share of the log-likelihood from which on a gain is no rounding


class NoModeError(ValueError):
    """Under the prior every restart of MAP-EM collapsed on these data, which only the fit can tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits(Problem):
    """A problem with EM's answers.

    Attributes
    ----------
    mle, map : estimators
        Fits without and with the prior. ``mle`` is an estimator even when it found no maximum.
    of_all_rows : estimator or None
        Maximum likelihood of ``all_rows``, from ``mle``; None where X has all rows.
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
        """How many whole samples with known labels the data are worth: n times the least share of the information.

        That is the share that the data hold without labels (Louis' identity), at the MLE; n itself where there is no
        MLE. Where cells are missing, EM converges at a rate of 1 minus the share that is held without labels and cells.
        """
        if not (self.has_maximum and self.identified):
            return float(len(self.X))
        share = self.errors_of_mle.share_observed
        return float(len(self.X) * (min(share, 1 - self._rate()) if np.isnan(self.X).any() else share))

    def _rate(self) -> float:
        """Return the rate of convergence of plain EM on its way from MAP to MLE, the root of the ratio of two gains.

        It is the largest share of the information that is missing (Dempster, Laird and Rubin 1977, section 3).
        """
        least = CLEAR * max(1.0, abs(self.mle.log_likelihood_))
        with left_to_the_status():
            plain = self.estimator(init=self.map.parameters_, acceleration=None, tol=least, max_iter=PLAIN).fit(self.X)
        gains = np.diff(plain.history_)
        gains = gains[gains > least]
        return float(np.sqrt(min(1.0, gains[-1] / gains[-2]))) if len(gains) > 1 else 0.0

    @cached_property
    def errors_of_mle(self) -> Any:
        """Standard errors of the MLE, from the observed information."""
        return self.mle.uncertainty(self.named_samples)

    @property
    def reference(self) -> Any:
        """The parameters whose labels the draws have: EM's MLE, or its MAP where there is no MLE."""
        return self.mle.parameters_ if self.has_maximum and self.identified else self.map.parameters_

    @cached_property
    def mode(self) -> Any:
        """The MAP parameters with the labels of `reference`, by shared responsibilities: what draws are aligned to."""
        found = self.map.parameters_
        of_mode, of_reference = (self.family.e_step(self.X, theta)[0] for theta in (found, self.reference))
        return found if found is self.reference else found.permute(assign(-of_mode.T @ of_reference))


def fit(problem: Problem) -> Fits:
    """Fit by EM: maximum likelihood, and MAP, next to it where that is a maximum too."""
    settings = {"random_state": problem.settings.random_state, **PRECISE}
    with left_to_the_status(NoMaximumWarning, NotIdentifiableWarning):  # these two are verdicts here
        mle = problem.named_estimator(n_init=problem.settings.n_init, **settings).fit(problem.named_samples)
        mode = fit_map(problem, near=None if mle.collapsed_ else mle.parameters_, **settings)
    return Fits(**vars(problem), mle=mle, map=mode)


def fit_from(fits: Fits, most_probable: Any, likeliest: Any) -> Fits:
    """Return the fits with what EM finds from two draws in the places of MAP and MLE where that is better.

    Parameters
    ----------
    fits : Fits
        EM's answers by restarts.
    most_probable : parameters
        The draw of the greatest posterior density.
    likeliest : parameters or None
        The draw of the greatest likelihood; ``None`` where MLE's is greater.
    """
    mode, mle = fits.map, fits.mle
    with left_to_the_status(NoMaximumWarning, NotIdentifiableWarning):
        found = fits.named_estimator(init=most_probable, prior=fits.prior, **PRECISE).fit(fits.named_samples)
        mode = found if found.objective_ > mode.objective_ and not found.collapsed_ else mode
        if likeliest is not None:
            found = fits.named_estimator(init=likeliest, **PRECISE).fit(fits.named_samples)
            mle = found if found.objective_ > mle.objective_ else mle
    return replace(fits, map=mode, mle=mle)


def fit_map(problem: Problem, near: Any = None, **settings: Any) -> Any:
    """Fit MAP by restarts, and from parameters ``near`` it; return the better fit.

    Raises
    ------
    NoModeError
        If every restart collapsed.
    """
    settings |= {"prior": problem.prior}
    mode = problem.named_estimator(n_init=problem.settings.n_init, **settings).fit(problem.named_samples)
    if near is not None:  # the MAP next to the MLE may be better than the restarts' best
        nearby = problem.named_estimator(init=near, **settings).fit(problem.named_samples)
        better = nearby.objective_ >= mode.objective_ - 1e-9 * abs(mode.objective_)
        if mode.collapsed_ or (better and not nearby.collapsed_):
            mode = nearby
    if mode.collapsed_:
        raise NoModeError(
            "prior must keep variances from 0 on these data, as inverse gammas do, with numbers not too far from those "
            f"of weakly_informative(): {mode.status_}"
        )
    return mode
