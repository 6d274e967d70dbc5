"""Gibbs sampling, the stochastic counterpart of EM: it draws where EM averages and maximises.

One sweep, from parameters θ::

    E-step, then draw     z_i ~ Categorical(r_i),   r_ik = p(z_i = k | x_i, θ)
    M-step's statistics   N_k, and the sums over the samples with label k
    draw                  θ ~ p(θ | X, z), the conjugate posterior (:mod:`em.steps.conjugate`, :mod:`em.gmm.posterior`)

All chains run as one batch: arrays have the chain as their first axis.

References
----------
Diebolt & Robert (1994), Estimation of finite mixture distributions through Bayesian sampling, JRSS B 56, 363-375.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.bound import normalise
from em.families import conjugate_mixture
from em.kmeans.lloyd import nearest
from em.kmeans.plusplus import kmeans_plusplus
from em.process.progress import track
from em.samples import mean_and_deviation
from em.samples.distinct import distinct_rows
from models.validation import Array, count_at_least, count_at_least_one, random_source, real_numbers

Draw = dict[str, Array]


def gibbs(
    X: ArrayLike,
    n_components: int,
    prior: Any,
    *,
    draws: int = 1000,
    tune: int = 500,
    chains: int = 4,
    starts: ArrayLike | None = None,
    random_state: Any = None,
    progress: bool = False,
    **size: Any,
) -> dict[str, Array]:
    """Draw from the posterior of parameters and labels.

    Labels may switch within and between chains: align them before averaging over a component.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples. A missing count (NaN) is legal; a missing Gaussian cell is not.
    n_components : int
        Number of components K.
    prior : MixturePrior
        A conjugate prior; it determines the family and the structure of the covariances.
    draws, tune, chains : int
        Number of sweeps that are kept, of sweeps dropped before them, and of chains.
    starts : array_like of int, shape (chains, n), or None
        Labels at which each chain starts; ``None`` takes the nearest of K samples chosen by k-means++, anew for each
        chain.
    random_state : int, RandomState or None
        Seed or source of randomness.
    progress : bool
        Whether to show a progress bar.
    **size
        Sizes of the cells where the family has some, such as ``n_trials`` for counts: a number, (D,) or (n, D).

    Returns
    -------
    dict of ndarray, shapes (chains, draws, ...)
        The parameters by name; ``z``, the labels, as small unsigned integers; and
        ``log_likelihood``, the sum over samples in nats.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gibbs import gibbs
    >>> from models.gmm import GMMPrior
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> draws = gibbs(X, 2, GMMPrior.weakly_informative(X, 2), draws=200, random_state=0)
    >>> draws["means"].shape, draws["z"].shape
    ((4, 200, 2, 1), (4, 200, 50))
    """
    K = count_at_least_one("n_components", n_components)
    mixture = conjugate_mixture(X, prior, **size)
    mixture.check_fits(K)
    draws, chains = count_at_least_one("draws", draws), count_at_least_one("chains", chains)
    tune = count_at_least("tune", tune, 0)
    rng = random_source(random_state)
    if starts is None:
        z = np.stack([start_labels(mixture.X, K, rng) for _ in range(chains)])
    else:
        z = check_labels("starts", starts, (chains, len(mixture.X)), K)
    kept: dict[str, Array] = {}
    walk = sweeps(mixture, z, K, rng)
    for sweep in track(range(-tune, draws), "Gibbs sampling", progress):
        drawn = next(walk)
        if sweep == 0:
            kept = {name: np.empty((chains, draws, *v.shape[1:]), dtype=v.dtype) for name, v in drawn.items()}
        for name, values in kept.items():
            values[:, sweep] = drawn[name]
    return kept


def sweeps(mixture: Any, z: np.ndarray, n_components: int, rng: np.random.RandomState) -> Iterator[Draw]:
    """Yield one sweep of all chains after another: parameters, labels z and log-likelihood.

    Parameters
    ----------
    mixture : ConjugateMixture or GaussianConjugate
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
            parameters = mixture.posterior(one_hot(z, n_components)).draw(rng)
            z, log_likelihood = draw_labels(mixture.log_joint(parameters), rng)
        except np.linalg.LinAlgError:
            wanted = "prior.scale or prior.degrees_of_freedom must be larger: a covariance was singular up to rounding"
            raise ValueError(f"{wanted} (the prior draws those of empty components), got {mixture.prior}") from None
        yield parameters | {"z": z, "log_likelihood": log_likelihood}


def draw_labels(log_joint: Array, rng: np.random.RandomState) -> tuple[np.ndarray, Array]:
    """Draw z (chains, n) from the responsibilities, and return it with the log-likelihood of each chain (chains,)."""
    chains, n, K = log_joint.shape
    responsibilities, log_prob = normalise(log_joint.reshape(-1, K))
    below = responsibilities.cumsum(axis=1)[:, :-1] < rng.uniform(size=(chains * n, 1))
    return below.sum(axis=1, dtype=np.min_scalar_type(K)).reshape(chains, n), log_prob.reshape(chains, n).sum(axis=1)


def one_hot(z: np.ndarray, n_components: int) -> Array:
    """Return labels (..., n) as responsibilities of 0 and 1, shape (..., n, K)."""
    return (z[..., None] == np.arange(n_components)).astype(np.float64)


def start_labels(X: Array, n_components: int, rng: np.random.RandomState, weights: Array | None = None) -> np.ndarray:
    """Return labels (n,): the nearest of K samples chosen by k-means++, on features scaled to unit variance."""
    mean, deviation = mean_and_deviation(X, weights)
    scaled = (X - mean) / np.where(deviation > 0, deviation, 1.0)
    rows, counts = distinct_rows(scaled, weights)
    return nearest(scaled, kmeans_plusplus(scaled[rows], n_components, rng, counts))[0]


def check_labels(name: str, labels: ArrayLike, shape: tuple[int | None, int], n_components: int) -> np.ndarray:
    """Return label vectors, checked to be whole numbers from 0 to K - 1; None in ``shape`` leaves a length free."""
    z, wanted = real_numbers(name, labels), f"{name} must be integer labels from 0 to {n_components - 1}"
    if z.ndim != 2 or z.shape != (shape[0] or len(z), shape[1]) or z.dtype.kind not in "iu":
        sizes = f"({'any' if shape[0] is None else shape[0]}, {shape[1]})"
        raise ValueError(f"{wanted} of shape {sizes}, got shape {z.shape} of {z.dtype}")
    if z.size and (z.min() < 0 or z.max() >= n_components):
        raise ValueError(f"{wanted}, got labels from {z.min()} to {z.max()}")
    return z
