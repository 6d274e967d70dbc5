"""Gibbs sampling, EM's stochastic twin: where EM averages and maximises, this draws.

One sweep, from parameters θ::

    E-step, then draw     z_i ~ Categorical(r_i),   r_ik = p(z_i = k | x_i, θ)
    M-step's statistics   N_k, x̄_k, S_k (or successes and trials) of the samples with label k
    draw                  θ ~ p(θ | X, z), the conjugate posterior of :mod:`em.gmm.conjugate` or :mod:`em.bmm.conjugate`

All chains take a sweep together: arrays have the chain as their first axis.

References
----------
Diebolt & Robert (1994), Estimation of finite mixture distributions through Bayesian sampling, JRSS B 56, 363-375.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from em.bmm import conjugate as bmm_conjugate
from em.bound import normalise
from em.gmm import conjugate as gmm_conjugate
from em.kmeans import kmeans_plusplus, nearest
from em.process.progress import track
from em.samples.distinct import distinct_rows
from models.bmm import BMMPrior
from models.bmm.counts import count_matrix, is_bernoulli
from models.gmm import GMMPrior
from models.gmm.structures import full_matrices
from models.shown import shown
from models.validation import (
    Array,
    column_names,
    count_at_least,
    count_at_least_one,
    data_matrix,
    random_source,
    real_numbers,
    refuse_cell,
)

Draw = dict[str, Array]


def gibbs(
    X: ArrayLike,
    n_components: int,
    prior: GMMPrior | BMMPrior,
    *,
    n_trials: ArrayLike = 1,
    draws: int = 1000,
    tune: int = 500,
    chains: int = 4,
    starts: ArrayLike | None = None,
    random_state: Any = None,
    progress: bool = False,
) -> dict[str, Array]:
    """Draw from the posterior of parameters and labels.

    Labels switch within and between chains as they please: align them before averaging over a component.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples. A missing count (NaN) is legal; a missing Gaussian cell is not.
    n_components : int
        Number of components K.
    prior : GMMPrior or BMMPrior
        A conjugate prior; it says which family, and of which covariance structure.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell, for counts.
    draws, tune, chains : int
        Sweeps kept, sweeps before them that are not, and chains, which run at the same time.
    starts : array_like of int, shape (chains, n), or None
        Labels that each chain starts from; ``None`` takes the nearest of K samples chosen by k-means++, afresh for
        each chain.
    random_state : int, RandomState or None
        Seed or source of randomness.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    dict of ndarray, shapes (chains, draws, ...)
        The parameters by name; ``z``, small unsigned integers drawn from each draw's responsibilities; and
        ``log_likelihood``, the sum over samples in nats.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gibbs import gibbs
    >>> from models.gmm import GMMPrior
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> found = gibbs(X, 2, GMMPrior.weakly_informative(X, 2), draws=200, random_state=0)
    >>> found["means"].shape, found["z"].shape
    ((4, 200, 2, 1), (4, 200, 50))
    """
    K = count_at_least_one("n_components", n_components)
    family = family_of_prior(X, prior, n_trials, GaussianGibbs, CountGibbs)
    family.check_fits(K)
    draws, chains = count_at_least_one("draws", draws), count_at_least_one("chains", chains)
    tune = count_at_least("tune", tune, 0)
    rng = random_source(random_state)
    if starts is None:
        z = np.stack([start_labels(family.X, K, rng) for _ in range(chains)])
    else:
        z = _check_starts(starts, (chains, len(family.X)), K)
    kept: dict[str, Array] = {}
    walk = sweeps(family, z, K, rng)
    for sweep in track(range(-tune, draws), "Gibbs sampling", progress):
        for name, value in next(walk).items():
            if sweep == 0:
                kept[name] = np.empty((chains, draws, *value.shape[1:]), dtype=value.dtype)
            if sweep >= 0:
                kept[name][:, sweep] = value
    return kept


def sweeps(family: Any, z: np.ndarray, n_components: int, rng: np.random.RandomState) -> Iterator[Draw]:
    """Yield one sweep of all chains after another: parameters, labels z and log-likelihood.

    Parameters
    ----------
    family : GaussianGibbs or CountGibbs
        Data and prior.
    z : ndarray of int, shape (chains, n)
        Labels to start from.
    n_components : int
        Number of components K.
    rng : RandomState
        Source of randomness.
    """
    while True:
        try:
            parameters = family.draw_parameters(z, n_components, rng)
            z, log_likelihood = draw_labels(family.log_joint(parameters), rng)
        except np.linalg.LinAlgError:
            raise ValueError(
                "prior.scale or prior.degrees_of_freedom must be larger: a covariance was singular to rounding, which "
                f"without samples comes from the prior, got {family.prior}"
            ) from None
        yield parameters | {"z": z, "log_likelihood": log_likelihood}


def draw_labels(log_joint: Array, rng: np.random.RandomState) -> tuple[np.ndarray, Array]:
    """Draw z (chains, n) from the responsibilities, and return it with the log-likelihood of each chain (chains,)."""
    chains, n, K = log_joint.shape
    responsibilities, log_prob = normalise(log_joint.reshape(-1, K))
    below = responsibilities.cumsum(axis=1)[:, :-1] < rng.uniform(size=(chains * n, 1))
    return below.sum(axis=1, dtype=np.min_scalar_type(K)).reshape(chains, n), log_prob.reshape(chains, n).sum(axis=1)


@dataclass(frozen=True)
class GaussianGibbs:
    """The two draws of a sweep for Gaussian samples X, shape (n, D), or (chains, n, D) where each chain has its own."""

    X: Array
    prior: GMMPrior

    def check_fits(self, n_components: int) -> None:
        """Raise a ValueError unless the prior is one for K components and these features."""
        self.prior.check_fits(n_components, self.X.shape[-1], self.prior.covariance_type)

    def log_joint(self, parameters: Draw) -> Array:
        """Return log p(x_i, z_i = k), shape (chains, n, K): whitened by the inverse Cholesky factor of each Σ_k."""
        means, kind = parameters["means"], self.prior.covariance_type
        matrices = full_matrices(kind, parameters["covariances"], *means.shape[-2:])
        inverse_root = np.linalg.inv(np.linalg.cholesky(matrices))
        half_log_det = -np.log(np.diagonal(inverse_root, axis1=-2, axis2=-1)).sum(axis=-1)
        constant = _log(parameters["weights"]) - half_log_det - self.X.shape[-1] / 2 * np.log(2 * np.pi)
        distances = [self._distances(means[:, k], inverse_root[:, k]) for k in range(means.shape[-2])]
        return constant[:, None, :] - np.stack(distances, axis=-1) / 2

    def _distances(self, mean: Array, inverse_root: Array) -> Array:
        whitened = (self.X - mean[:, None, :]) @ np.swapaxes(inverse_root, -1, -2)
        return np.einsum("cnd,cnd->cn", whitened, whitened)

    def draw_parameters(self, z: np.ndarray, n_components: int, rng: np.random.RandomState) -> Draw:
        """Draw weights, means and covariances given labels z (chains, n)."""
        r = one_hot(z, n_components)
        counts = r.sum(axis=1)
        averages = np.swapaxes(r, 1, 2) @ self.X / np.maximum(counts, 1)[:, :, None]
        gap = self.X - np.take_along_axis(averages, z[:, :, None].astype(int), axis=1)
        scatter = _scatter(gap, r, self.prior.covariance_type)
        return gmm_conjugate.conjugate_posterior(self.prior, counts, averages, scatter).draw(rng)


@dataclass(frozen=True)
class CountGibbs:
    """The two draws of a sweep for counts X of so many trials, shape (n, D), or X (chains, n, D)."""

    X: Array
    trials: Array
    prior: BMMPrior

    def check_fits(self, n_components: int) -> None:
        """Raise a ValueError unless the prior is one for K components and these features."""
        self.prior.check_fits(n_components, self.X.shape[-1])

    def log_joint(self, parameters: Draw) -> Array:
        """Return log p(x_i, z_i = k), shape (chains, n, K)."""
        probs = np.swapaxes(parameters["probs"], 1, 2)
        kernel = self.X @ np.log(probs) + (self.trials - self.X) @ np.log1p(-probs)
        log_choose = gammaln(self.trials + 1) - gammaln(self.X + 1) - gammaln(self.trials - self.X + 1)
        return _log(parameters["weights"])[:, None, :] + kernel + log_choose.sum(axis=-1)[..., None]

    def draw_parameters(self, z: np.ndarray, n_components: int, rng: np.random.RandomState) -> Draw:
        """Draw weights and probs given labels z (chains, n)."""
        r = one_hot(z, n_components)
        rows = np.swapaxes(r, 1, 2)
        return bmm_conjugate.conjugate_posterior(self.prior, r.sum(axis=1), rows @ self.X, rows @ self.trials).draw(rng)


def one_hot(z: np.ndarray, n_components: int) -> Array:
    """Return labels (..., n) as responsibilities of 0 and 1, shape (..., n, K)."""
    return (z[..., None] == np.arange(n_components)).astype(np.float64)


def start_labels(X: Array, n_components: int, rng: np.random.RandomState) -> np.ndarray:
    """Return labels (n,): the nearest of K samples chosen by k-means++, on features scaled to unit variance."""
    deviation = X.std(axis=0)
    scaled = (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    rows, counts = distinct_rows(scaled)
    return nearest(scaled, kmeans_plusplus(scaled[rows], n_components, rng, counts))[0]


def _scatter(gap: Array, r: Array, covariance_type: str) -> Array:
    """Return the part that the structure needs of S_k, gaps (chains, n, D) being to the average of the own label."""
    transposed = np.swapaxes(gap, 1, 2)
    match covariance_type:
        case "full":
            return np.stack([transposed @ (r[:, :, k, None] * gap) for k in range(r.shape[-1])], axis=1)
        case "tied":
            return transposed @ gap
        case _:
            squares = np.swapaxes(r, 1, 2) @ gap**2
            return squares if covariance_type == "diag" else squares.sum(axis=-1)


def family_of_prior(X: ArrayLike, prior: GMMPrior | BMMPrior, n_trials: ArrayLike, gaussian: Any, counts: Any) -> Any:
    """Return ``gaussian(X, prior)`` or ``counts(X, n_trials, prior)``, as the conjugate prior says, of checked data."""
    if isinstance(prior, GMMPrior):
        if not is_bernoulli(n_trials):
            raise ValueError(
                f"n_trials must be left at 1 under a GMMPrior, whose data are no counts, got {shown(n_trials)}"
            )
        names, X = column_names(X), data_matrix(X, missing=True)
        if np.isnan(X).any():
            wanted, advice = "X must have no missing cell under a GMMPrior", ": EM and the PyMC models take them"
            refuse_cell(wanted, "X", X, np.isnan(X), names, advice)
        return gaussian(X, prior)
    if not isinstance(prior, BMMPrior):
        raise ValueError(f"prior must be a GMMPrior or a BMMPrior, got {type(prior).__name__}: it must be conjugate")
    return counts(*count_matrix(X, n_trials), prior)


def _check_starts(starts: ArrayLike, shape: tuple[int, int], n_components: int) -> np.ndarray:
    z, wanted = real_numbers("starts", starts), f"starts must be integer labels from 0 to {n_components - 1}"
    if z.shape != shape or z.dtype.kind not in "iu":
        raise ValueError(f"{wanted} of shape {shape} (chains, samples), got shape {z.shape} of {z.dtype}")
    if z.min() < 0 or z.max() >= n_components:
        raise ValueError(f"{wanted}, got labels from {z.min()} to {z.max()}")
    return z


def _log(weights: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(weights)
