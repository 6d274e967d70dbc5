"""The E-step and the M-step of many runs at once, as the EM loop takes them (:mod:`em.engine`)."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from em.engine.blocks import blocks
from em.engine.problem import Arrays
from em.gmm import mode, modes, why_emptied, why_singular
from em.gmm.collapse import FLAT_DATA, scales_of, smallest_eigenvalues_of_correlations, why_collapsed
from em.gmm.missing import IncompleteRows, expected_statistics, incomplete_blocks, incomplete_pass
from em.gmm.natural_form import NaturalForm
from em.gmm.passes import GaussianRows
from em.gmm.statistics import GaussianStatistics, sufficient_statistics
from em.samples import Samples, weighted
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.gmm.structures import MATRICES, covariance_support, declared_covariances
from models.supports import SIMPLEX
from models.validation import Array

type EStep = Callable[[Arrays, np.ndarray], tuple[Array, Arrays]]

FLAT = (
    "X has no variance in some direction (collinear columns, or no more samples than features), so that every "
    "covariance matrix would be singular"
)


@dataclass(frozen=True)
class MStep:
    """The M-step of R runs, which also says which runs have collapsed, and why.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.
    prior : GMMPrior, GMMIndependentPrior or None
        ``None`` is maximum likelihood.
    frozen : mapping
        Values of the arrays that are not estimated, by name.
    spreads : ndarray, shape (1, D, D) or (R, D, D)
        The data's covariance, one for all runs or one for each. A covariance is nearly singular relative to it.
    sizes : ndarray of int, shape (R,), or None, default None
        Number of components of each run. The other components, up to K, come last and have weight 0. ``None``: every
        run has K.
    """

    covariance_type: str
    prior: GMMPrior | GMMIndependentPrior | None
    frozen: Mapping[str, Array]
    spreads: Array
    sizes: np.ndarray | None = None

    @np.errstate(divide="ignore", invalid="ignore")  # in runs that have collapsed
    def __call__(self, statistics: Arrays, runs: np.ndarray) -> tuple[Arrays, list[str]]:
        """Return weights, means and covariances by name, and for each run why it has collapsed, or ""."""
        kind, counts = self.covariance_type, statistics["counts"]
        theta = modes(GaussianStatistics(kind, **statistics), self.prior, self.frozen)
        flat = self._flat[runs] if len(self._flat) > 1 else self._flat.repeat(len(runs))
        if self.sizes is not None:
            unused = np.arange(counts.shape[1]) >= self.sizes[runs][:, None]
            counts = np.where(unused, np.inf, counts)
            if kind != "tied":
                unused = unused.reshape(*unused.shape, *(1,) * (theta["covariances"].ndim - 2))
                unit = np.eye(self.spreads.shape[-1]) if kind in MATRICES else 1.0
                theta["covariances"] = np.where(unused, unit, theta["covariances"])
        why = [FLAT if is_flat else "" for is_flat in flat.tolist()]
        for r in np.flatnonzero((counts <= 0).any(axis=1)).tolist():
            why[r] = why[r] or why_emptied(counts[r], self.prior, self.frozen)
        if self._may_collapse:
            scales = self._scales if len(self._scales) == 1 else self._scales[runs]
            collapsed = why_collapsed(kind, theta["covariances"], counts, scales, "means" not in self.frozen)
            return theta, [one or other for one, other in zip(why, collapsed, strict=True)]
        for r in np.flatnonzero(~covariance_support(kind).holds(theta["covariances"])).tolist():
            why[r] = why[r] or why_singular(theta["covariances"][r], kind)
        return theta, why

    def inside(self, theta: dict[str, Array]) -> tuple[Arrays, np.ndarray]:
        """Return the arrays after a leap with weights that sum to one, and which runs are in the parameter space."""
        if "weights" not in self.frozen:
            theta["weights"] = SIMPLEX.normalised(theta["weights"])
        support = covariance_support(self.covariance_type)
        return theta, SIMPLEX.holds(theta["weights"]) & support.holds(theta["covariances"])

    @cached_property
    def _may_collapse(self) -> bool:
        """Whether the objective grows without bound where a covariance becomes singular."""
        return (self.prior is None or not self.prior.avoids_collapse) and "covariances" not in self.frozen

    @cached_property
    def _flat(self) -> np.ndarray:
        """Whether the data, shape (R,) or (1,), are collinear and the covariances are matrices."""
        if not self._may_collapse or self.covariance_type not in MATRICES:
            return np.zeros(len(self.spreads), dtype=bool)
        return smallest_eigenvalues_of_correlations(self.spreads) < FLAT_DATA

    @cached_property
    def _scales(self) -> Array:
        flat = self._flat[:, None, None]
        return scales_of(self.covariance_type, np.where(flat, np.eye(self.spreads.shape[-1]), self.spreads))


def e_step(samples: Samples, covariance_type: str, n_components: int, *, with_missing: bool = False) -> EStep:
    """Return the E-step of many runs: one matrix product for complete rows, a loop over runs if cells are missing.

    With ``with_missing``, complete rows too are taken run by run, with moments about the means, so that these can be
    added to the moments of rows with missing cells.
    """
    complete_rows, incomplete = complete_and_incomplete(samples, n_components)
    complete = samples if samples.complete else samples.part(complete_rows)
    form = NaturalForm(covariance_type, samples.X.shape[1])
    rows = GaussianRows(complete.X, form, complete.weights, keep=samples.lasting) if len(complete.X) else None
    if rows is not None and not incomplete and not with_missing:
        return rows.expect

    def expect(theta: Arrays, runs: np.ndarray) -> tuple[Array, Arrays]:
        log_likelihoods, of_runs = [], []
        for r in range(len(runs)):
            parameters = GMMParameters(**{n: array[r] for n, array in theta.items()}, covariance_type=covariance_type)
            passes = [incomplete_pass(block, parameters) for block in incomplete]
            if rows is not None:
                passes.append(rows.centred(parameters))
            parts, statistics = zip(*passes, strict=True)
            log_likelihoods.append(sum(parts))
            of_runs.append(reduce(operator.add, statistics).arrays())
        return np.array(log_likelihoods), {name: np.stack([one[name] for one in of_runs]) for name in of_runs[0]}

    return expect


def e_step_at(
    theta: Arrays, runs: np.ndarray, covariance_type: str
) -> Callable[[Samples], tuple[Array, dict[str, Array]]]:
    """Return the E-step of many runs at these parameters, a function of one part of the samples, which is complete."""
    form = NaturalForm(covariance_type, theta["means"].shape[-1])
    at = form.at(theta)

    def expect(part: Samples) -> tuple[Array, dict[str, Array]]:
        return GaussianRows(part.X, form, part.weights, keep=False).expect(theta, runs, at)

    return expect


def joint_e_step(samples: Sequence[Samples], covariance_type: str) -> EStep | None:
    """Return the E-step of runs on several samples, run r on the r-th; None if shapes differ or cells are missing."""
    if not all(own.complete and own.X.shape == samples[0].X.shape for own in samples):
        return None
    weights = np.stack([own.frequencies for own in samples])
    X = np.stack([own.X for own in samples])
    form = NaturalForm(covariance_type, X.shape[2])
    return GaussianRows(X, form, None if (weights == 1).all() else weights).expect


def complete_and_incomplete(samples: Samples, n_components: int) -> tuple[np.ndarray | slice, list[IncompleteRows]]:
    """Return the numbers of the complete rows, and the other rows in blocks."""
    if samples.complete:
        return slice(None), []
    complete = np.flatnonzero(~np.isnan(samples.X).any(axis=1))
    return complete, list(incomplete_blocks(samples.X, samples.weights, n_components))


def first_step(
    samples: Samples,
    responsibilities: Array,
    covariance_type: str,
    prior: GMMPrior | GMMIndependentPrior | None,
    frozen: Mapping[str, Array],
) -> GMMParameters:
    """Return the M-step's parameters under responsibilities (n, K); a missing cell has its column's moments."""
    r, K = weighted(responsibilities, samples.weights), responsibilities.shape[1]
    complete, incomplete = complete_and_incomplete(samples, K)
    if not incomplete:
        X, counts = samples.X, r.sum(axis=0)
        centers = r.T @ X / np.where(counts > 0, counts, 1.0)[:, None]
        of_blocks = (sufficient_statistics(X[rows], r[rows], centers, covariance_type) for rows in blocks(len(r)))
        return mode(reduce(operator.add, of_blocks), prior, frozen)
    alike = components_alike(samples, K, covariance_type)
    parts = [sufficient_statistics(samples.X[complete], r[complete], alike.means, covariance_type)]
    parts += [expected_statistics(block, r[block.rows], alike) for block in incomplete]
    return mode(reduce(operator.add, parts), prior, frozen)


def components_alike(samples: Samples, K: int, covariance_type: str) -> GMMParameters:
    """Return K equal components, with the means and the variances of the columns and covariances 0."""
    D = samples.X.shape[1]
    variances = np.where(samples.deviation > 0, samples.deviation, 1.0) ** 2
    covariances = declared_covariances(covariance_type, np.tile(np.diag(variances), (K, 1, 1)))
    return GMMParameters(np.full(K, 1 / K), np.broadcast_to(samples.mean, (K, D)), covariances, covariance_type)
