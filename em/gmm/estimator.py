"""The estimator of Gaussian mixtures by EM, with scikit-learn's interface; the steps are in :mod:`em.gmm`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np

from em.engine.problem import Arrays, Collapse, Problem, log_prior_size
from em.estimator import MixtureEM
from em.gmm import log_joint
from em.gmm.collapse import check_range, refuse_constant_columns
from em.gmm.coverage import identify
from em.gmm.information import information_of, whitened
from em.gmm.missing import conditional_means, incomplete_blocks
from em.gmm.problem import EStep, MStep, components_alike, e_step, e_step_at, first_step, joint_e_step
from em.gmm.statistics import GaussianStatistics
from em.gmm.units import as_collapsed, standardised, units_of
from em.samples import Samples
from em.starts.restarts import SearchResult
from em.uncertainty.louis import Information
from models.gmm import GMMIndependentPrior, GMMParameters, simulate
from models.gmm.prior import GaussianPrior
from models.gmm.structures import check_covariance_type, covariance_support, covariances_shape
from models.validation import Array


@dataclass(eq=False, repr=False, kw_only=True)
class GaussianMixtureEM(MixtureEM[GMMParameters]):
    """Gaussian mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Structure of the covariances: one matrix for each component, one for all, variances of each feature in each
        component, or one variance for each component.
    prior : GMMPrior, GMMIndependentPrior or None, default None
        ``None`` is maximum likelihood, with no hidden regularisation. A GMMIndependentPrior needs "diag" or
        "spherical" covariances, or a single feature (:mod:`em.gmm.conditional_modes`).
    n_init : int, default 10
        Number of restarts. Each runs until it ends or cannot win any more (:mod:`em.engine.race`); the best one that
        did not collapse is kept.
    n_starts : int or None, default None
        Number of starts to try in short runs of 10 iterations; the best ``n_init`` of them go on. ``None`` is
        ``n_init``, without short runs. Both numbers are ignored if ``init`` gives one start.
    init : str, GMMParameters or array_like, default "k-means++"
        "k-means++", "kmeans" or "random" (see :mod:`em.starts`), or one start: parameters, labels (n,) for a first
        M-step, or means (K, D), of which each sample is given to the nearest for a first M-step.
    tol : float, default 1e-8
        Bound on the gain still to come, in nats of the whole objective (Aitken's extrapolation).
    max_iter : int, default 10000
        Largest number of iterations of each restart.
    frozen : dict or None, default None
        Values of "weights", "means" or "covariances" that are given and not estimated.
    acceleration : {"multisecant", "squarem", None}, default "multisecant"
        How to accelerate EM by leaps (:mod:`em.engine.leaps`); ``None`` is plain EM.
    random_state : int, RandomState or None, default None
        Seed or source of randomness of the restarts.

    Attributes
    ----------
    weights_, means_, covariances_ : ndarray, shapes (K,), (K, D), and (K, D, D), (D, D), (K, D) or (K,)
        Estimates. The shape of the covariances depends on ``covariance_type``.
    parameters_ : GMMParameters
        All estimates in one immutable object.
    log_likelihood_, objective_ : float
        Sums over samples in nats, of the returned parameters; the objective adds the log prior.
    history_ : ndarray, shape (``n_iter_`` + 1,)
        Objective at the start and after each iteration of the best restart. An iteration is a plain EM step or a leap;
        Newton steps that end a fit belong to the last iteration.
    n_iter_, n_e_steps_, n_collapsed_ : int
        Iterations and E-steps of the best restart, and the number of starts that collapsed. A rejected leap costs an
        E-step and is no iteration.
    starts_ : list of dict
        The optima at which restarts on all rows ended, the best first: objective, times found, nats below the best.
    converged_, collapsed_ : bool
        Whether the best restart converged, and whether it collapsed. It is kept only if all restarts collapsed.
    status_ : str
        A sentence that says how the fit ended, and what to do if that is needed.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    Notes
    -----
    A Gaussian likelihood is unbounded, and a prior with half-normal scales does not bound it. A restart has collapsed
    if a component keeps too few samples for its covariance (at most D for a matrix, at most 1 for variances), or if a
    covariance has an eigenvalue below 1e-8 relative to the data's. It is counted and never ranked. If all restarts
    collapse, the fit gives a ``NoMaximumWarning``, and the attributes hold the last parameters before a collapse.

    References
    ----------
    McLachlan & Peel (2000), Finite Mixture Models, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> GaussianMixtureEM(n_components=2, random_state=0).fit(X).weights_.round(3).tolist() in ([0.4, 0.6], [0.6, 0.4])
    True
    """

    covariance_type: str = "full"

    _parameters_type = GMMParameters
    _fixed = ("centers",)

    @property
    def precisions_(self) -> Array:
        """Inverses of ``covariances_``, of the same shape."""
        return self.parameters_.precisions

    def _check_model(self, n_features: int) -> None:
        kind = check_covariance_type(self.covariance_type)
        if isinstance(self.init, GMMParameters) and self.init.covariance_type != kind:
            raise ValueError(f"init must have covariance_type {kind!r}, got {self.init.covariance_type!r}")
        if self.prior is not None and not isinstance(self.prior, GaussianPrior):
            raise ValueError(
                f"prior must be None, a GMMPrior or a GMMIndependentPrior, got {type(self.prior).__name__}"
            )
        if self.prior is not None:
            self.prior.check_fits(self.n_components, n_features, kind)
            self.prior.check_mode()

    def _check_data(self, samples: Samples) -> None:
        kind, D = self.covariance_type, samples.X.shape[1]
        self._check_model(D)
        check_range(samples)
        if "covariances" in (self.frozen or {}):
            covariance_support(kind).check("covariances", self._frozen(D)["covariances"])
        elif "means" not in (self.frozen or {}) and (self.prior is None or not self.prior.avoids_collapse):
            refuse_constant_columns(samples, kind, self._bounded)

    @property
    def _remedy(self) -> str:
        return f"pass {self._bounded}; fewer components or a simpler covariance_type may help too"

    @property
    def _bounded(self) -> str:
        """Python code of a prior under which no variance goes to 0."""
        K, kind = self.n_components, self.covariance_type
        if isinstance(self.prior, GMMIndependentPrior):
            return f'prior=GMMIndependentPrior.weakly_informative(X, {K}, {kind!r}, scales="inverse-gamma")'
        return f"prior=GMMPrior.weakly_informative(X, {K}, {kind!r})"

    def _shapes(self, K: int, D: int) -> dict[str, tuple[int, ...]]:
        kind = check_covariance_type(self.covariance_type)
        return {"weights": (K,), "means": (K, D), "covariances": covariances_shape(kind, K, D)}

    def _result_in_units_of_data(
        self, scaled: Self, result: SearchResult[GMMParameters], standard: Samples, samples: Samples
    ) -> SearchResult[GMMParameters]:
        units = scaled._units
        log_data = units.log_data(samples)
        log_prior = 0.0 if self.prior is None else units.log_prior(self.n_components)
        try:
            best = units.run(result.best, log_data, log_prior)
        except ValueError:  # a covariance is singular up to rounding
            collapsed = as_collapsed(result.best, scaled._problem(standard))
            best = units.run(collapsed, log_data, log_prior)
        parameters = replace(best.parameters, **self._frozen(len(units.scale)))  # frozen values without rounding
        for row in result.optima:
            row["objective"] += best.objective - result.best.objective
        n_collapsed = max(result.n_collapsed, int(best.collapsed))
        return result._replace(best=replace(best, parameters=parameters), n_collapsed=n_collapsed)

    def _in_standard_units(self, like: Samples) -> Self:
        """Return the estimator of the samples in standard units (:mod:`em.gmm.units`)."""
        units = units_of(like, self.covariance_type, self.prior)
        return standardised(self, units)

    def _standardised(self, samples: Samples) -> Samples:
        return samples.in_units(self._units)

    def _in_units_of_data(self, parameters: GMMParameters) -> GMMParameters:
        return self._units.back(parameters)

    def _joint_problem(self, samples: Sequence[Samples]) -> Problem[GMMParameters] | None:
        expect = joint_e_step(samples, self.covariance_type)
        spreads = np.stack([self._spread(own) for own in samples])
        return None if expect is None else self._problem_of(samples[0], expect, spreads)

    def _problem(self, samples: Samples) -> Problem[GMMParameters]:
        return self._sized_problem(samples, None)

    def _sized_problem(self, samples: Samples, sizes: np.ndarray | None) -> Problem[GMMParameters]:
        return self._problem_of(samples, samples.e_step(self), self._spread(samples)[None], sizes)

    def _e_step_of(self, samples: Samples, *, with_missing: bool = False) -> EStep:
        return e_step(samples, self.covariance_type, self.n_components, with_missing=with_missing)

    def _e_step_at(self, theta: Arrays, runs: np.ndarray, *, with_missing: bool) -> Callable[[Samples], Any]:
        if with_missing:
            return super()._e_step_at(theta, runs, with_missing=True)
        return e_step_at(theta, runs, self.covariance_type)  # no part of the samples has a missing cell

    def _centred_at(self, statistics: Arrays, arrays: Arrays) -> dict[str, Array]:
        return GaussianStatistics(self.covariance_type, **statistics).about(arrays["means"]).arrays()

    def _in_own_units(self, statistics: Arrays, other: Self) -> dict[str, Array]:
        return other._units.statistics(statistics, self._units)

    @property
    def _shared(self) -> tuple[str, ...]:
        return ("second",) if self.covariance_type == "tied" else ()

    def _spread(self, samples: Samples) -> Array:
        """Return the data's covariance (D, D), relative to which a covariance is nearly singular."""
        spread, frozen = samples.covariance, self._frozen(samples.X.shape[1])
        if "means" in frozen:  # covariances are taken about these means
            gaps = samples.mean - frozen["means"]
            spread = spread + gaps.T @ gaps / len(gaps)
        return spread

    def _problem_of(
        self, samples: Samples, expect: EStep, spreads: Array, sizes: np.ndarray | None = None
    ) -> Problem[GMMParameters]:
        """Return the problem with this E-step; ``spreads`` and ``sizes`` are those of :class:`MStep`."""
        kind, (K, D) = self.covariance_type, (self.n_components, samples.X.shape[1])
        m_step = MStep(kind, self.prior, self._frozen(D), spreads, sizes)
        deviation = np.where(samples.deviation > 0, samples.deviation, 1.0)
        return Problem(
            self._shapes(K, D),
            expect,
            m_step,
            self._log_priors,
            m_step.inside,
            self._built,
            {"weights": 1.0, "means": deviation, "covariances": 1.0},
            {"weights": (0.0, 1.0)},
            whitened=partial(whitened, covariance_type=kind),
            n_samples=samples.total,
            log_prior_size=log_prior_size(self.prior, K, D),
        )

    def _built(self, arrays: Arrays) -> GMMParameters:
        return GMMParameters(arrays["weights"], arrays["means"], arrays["covariances"], self.covariance_type)

    def _log_joint_at(self, samples: Samples, parameters: GMMParameters) -> Array:
        return log_joint(samples.X[:], parameters)

    def _m_step(self, samples: Samples, responsibilities: Array) -> GMMParameters:
        return first_step(samples, responsibilities, self.covariance_type, self.prior, self._frozen(samples.X.shape[1]))

    def _centers(self, samples: Samples, known: Arrays) -> Array | None:
        return known.get("means")

    def _start(self, samples: Samples, view: str, rng: np.random.RandomState) -> GMMParameters:
        try:
            return super()._start(samples, view, rng)
        except Collapse:
            alike = components_alike(samples, self.n_components, self.covariance_type)
            return replace(alike, **self._frozen(samples.X.shape[1]))  # type: ignore[arg-type]

    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        return lambda rows: log_joint(X[rows], self.parameters_)

    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        return simulate(self.parameters_, n_samples, random_state)

    def _conditional_means(self, X: Array, responsibilities: Array) -> Array:
        means = X.copy()
        for block in incomplete_blocks(X, None, self.n_components):
            given = conditional_means(block, self.parameters_)
            means[block.rows] = np.einsum("nk,nkd->nd", responsibilities[block.rows], given)
        return means

    def _information_of(self, samples: Samples) -> Information:
        return information_of(samples, self.parameters_, self.prior, self.frozen or (), self._labels)

    def _remarks(self, samples: Samples) -> list[str]:
        self.identifiability_ = identify(samples, self.parameters_, self._labels, self.frozen or ())
        return []
