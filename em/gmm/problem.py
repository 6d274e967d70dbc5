"""The Gaussian mixture as the EM loop sees it: the E-step and the M-step of many runs at once (:mod:`em.engine`)."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from em.engine.blocks import blocks
from em.engine.problem import Arrays
from em.gmm import mode, modes, why_emptied, why_singular
from em.gmm.collapse import FLAT_DATA, flatness, scales_of, why_collapsed
from em.gmm.missing import Holed, expected_statistics, holed_blocks, holed_pass
from em.gmm.natural_form import NaturalForm
from em.gmm.passes import GaussianRows
from em.gmm.statistics import GaussianStatistics, sufficient_statistics
from em.samples import Samples, weighted
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.gmm.structures import MATRICES, covariance_support, declared_covariances, unit_covariance
from models.supports import SIMPLEX
from models.validation import Array

type EStep = Callable[[Arrays, np.ndarray], tuple[Array, Arrays]]

FLAT = (
    "X has no variance in some direction (collinear columns, or no more samples than features), so that every "
    "covariance matrix is singular"
)


@dataclass(frozen=True)
class MStep:
    """The M-step of R runs, and for each run why it has collapsed.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.
    prior : GMMPrior, GMMIndependentPrior or None
        ``None`` is maximum likelihood.
    frozen : mapping
        Arrays that keep their values, by name.
    spreads : ndarray, shape (1, D, D) or (R, D, D)
        The data's covariance that components are measured against, the same for all runs or that of each.
    sizes : ndarray of int, shape (R,), or None, default None
        How many components each run has, the first of K; the others have a weight of 0. ``None``: all have K.
    """

    covariance_type: str
    prior: GMMPrior | GMMIndependentPrior | None
    frozen: Mapping[str, Array]
    spreads: Array
    sizes: np.ndarray | None = None

    @np.errstate(divide="ignore", invalid="ignore")  # of runs that have collapsed
    def __call__(self, statistics: Arrays, runs: np.ndarray) -> tuple[Arrays, list[str]]:
        """Return weights, means and covariances by name, and sentences, "" where a run goes on."""
        kind, counts = self.covariance_type, statistics["counts"]
        theta = modes(GaussianStatistics(kind, **statistics), self.prior, self.frozen)
        flat = self._flat[runs] if len(self._flat) > 1 else self._flat.repeat(len(runs))
        if self.sizes is not None:
            unused = np.arange(counts.shape[1]) >= self.sizes[runs][:, None]
            counts = np.where(unused, np.inf, counts)
            if kind != "tied":
                unused = unused.reshape(*unused.shape, *(1,) * (theta["covariances"].ndim - 2))
                unit = unit_covariance(kind, self.spreads.shape[-1])
                theta["covariances"] = np.where(unused, unit, theta["covariances"])
        why = [FLAT if is_flat else "" for is_flat in flat.tolist()]
        for r in np.flatnonzero((counts <= 0).any(axis=1)).tolist():
            why[r] = why[r] or why_emptied(counts[r], self.prior, self.frozen)
        if self._may_collapse:  # whose eigenvalues are all positive if none has
            scales = self._scales if len(self._scales) == 1 else self._scales[runs]
            collapsed = why_collapsed(kind, theta["covariances"], counts, scales, "means" not in self.frozen)
            return theta, [one or other for one, other in zip(why, collapsed, strict=True)]
        for r in np.flatnonzero(~covariance_support(kind).holds(theta["covariances"])).tolist():
            why[r] = why[r] or why_singular(theta["covariances"][r], kind)
        return theta, why

    def inside(self, theta: dict[str, Array]) -> tuple[Arrays, np.ndarray]:
        """Return arrays that a leap has moved with weights that sum to one, and which runs' are mixtures."""
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
        """Whether data (R,) or (1,) have no variance in some direction that covariances need."""
        matters = self._may_collapse and self.covariance_type in MATRICES
        return np.array([matters and flatness(spread) < FLAT_DATA for spread in self.spreads])

    @cached_property
    def _scales(self) -> Array:
        flat = self._flat[:, None, None]
        return scales_of(self.covariance_type, np.where(flat, np.eye(self.spreads.shape[-1]), self.spreads))


def e_step(samples: Samples, covariance_type: str, n_components: int, *, with_missing: bool = False) -> EStep:
    """Return the E-step of many runs: one product for the whole rows, and run after run where cells are missing.

    With ``with_missing``, run after run also where none is: moments about the same centres as those of other rows.
    """
    whole, holed = complete_and_holed(samples, n_components)
    complete = samples if samples.complete else samples.part(whole)
    form = NaturalForm(covariance_type, samples.X.shape[1])
    rows = GaussianRows(complete.X, form, complete.weights, keep=samples.lasting) if len(complete.X) else None
    if rows is not None and not holed and not with_missing:
        return rows.expect

    def expect(theta: Arrays, runs: np.ndarray) -> tuple[Array, Arrays]:
        found = []
        for r in range(len(runs)):
            parameters = GMMParameters(**{n: array[r] for n, array in theta.items()}, covariance_type=covariance_type)
            passes = [holed_pass(block, parameters) for block in holed]
            if rows is not None:
                passes.append(rows.centred(parameters))
            found.append((sum(one[0] for one in passes), reduce(operator.add, (one[1] for one in passes)).arrays()))
        statistics = {name: np.stack([of_run[name] for _, of_run in found]) for name in found[0][1]}
        return np.array([log_likelihood for log_likelihood, _ in found]), statistics

    return expect


def e_step_at(
    theta: Arrays, runs: np.ndarray, covariance_type: str
) -> Callable[[Samples], tuple[Array, dict[str, Array]]]:
    """Return the E-step of many runs at these parameters, for one part of complete samples after the other."""
    form = NaturalForm(covariance_type, theta["means"].shape[-1])
    at = form.at(theta)

    def expect(part: Samples) -> tuple[Array, dict[str, Array]]:
        return GaussianRows(part.X, form, part.weights, keep=False).expect(theta, runs, at)

    return expect


def joint_e_step(samples: Sequence[Samples], covariance_type: str) -> EStep | None:
    """Return the E-step of runs on several samples, run r on the r-th; None unless complete and of one shape."""
    if not all(own.complete and own.X.shape == samples[0].X.shape for own in samples):
        return None
    weights = np.stack([own.frequencies for own in samples])
    X = np.stack([own.X for own in samples])
    form = NaturalForm(covariance_type, X.shape[2])
    return GaussianRows(X, form, None if (weights == 1).all() else weights).expect


def complete_and_holed(samples: Samples, n_components: int) -> tuple[np.ndarray | slice, list[Holed]]:
    """Return which rows are complete, and the others in blocks."""
    if samples.complete:
        return slice(None), []
    whole = np.flatnonzero(~np.isnan(samples.X).any(axis=1))
    return whole, list(holed_blocks(samples.X, samples.weights, n_components))


def first_step(
    samples: Samples,
    responsibilities: Array,
    covariance_type: str,
    prior: GMMPrior | GMMIndependentPrior | None,
    frozen: Mapping[str, Array],
) -> GMMParameters:
    """Return the parameters at the mode under responsibilities (n, K); missing cells are expected at column means."""
    r, K = weighted(responsibilities, samples.weights), responsibilities.shape[1]
    whole, holed = complete_and_holed(samples, K)
    if not holed:
        X, counts = samples.X, r.sum(axis=0)
        centers = r.T @ X / np.where(counts > 0, counts, 1.0)[:, None]
        of_blocks = (sufficient_statistics(X[rows], r[rows], centers, covariance_type) for rows in blocks(len(r)))
        return mode(reduce(operator.add, of_blocks), prior, frozen)
    alike = components_alike(samples, K, covariance_type)
    parts = [sufficient_statistics(samples.X[whole], r[whole], alike.means, covariance_type)]
    parts += [expected_statistics(block, r[block.rows], alike) for block in holed]
    return mode(reduce(operator.add, parts), prior, frozen)


def components_alike(samples: Samples, K: int, covariance_type: str) -> GMMParameters:
    """Return K components alike: the columns' means and variances, no covariances."""
    D = samples.X.shape[1]
    variances = np.where(samples.deviation > 0, samples.deviation, 1.0) ** 2
    covariances = declared_covariances(covariance_type, np.tile(np.diag(variances), (K, 1, 1)))
    return GMMParameters(np.full(K, 1 / K), np.broadcast_to(samples.mean, (K, D)), covariances, covariance_type)
