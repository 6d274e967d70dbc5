"""Data by student number: own numbers for everybody, the same difficulty for all, the same numbers each time."""

import numpy as np
from scipy.special import comb

from models.validation import Array


def random_state_of(student_number: int, name: str = "") -> np.random.RandomState:
    """Return a random state that a student number, and the name of what is drawn, determine.

    Raises
    ------
    ValueError
        If the number is no whole number from 0 to 2^63 - 1.
    """
    if (
        isinstance(student_number, bool)
        or not isinstance(student_number, int | np.integer)
        or not 0 <= student_number < 2**63
    ):
        raise ValueError(f"student_number must be a whole number without quotes, at least 0; got {student_number!r}")
    seeds = np.random.SeedSequence([int(student_number), *name.encode()])
    return np.random.RandomState(np.random.MT19937(seeds))


def clouds_of(
    student_number: int, n_samples: int = 240, separation: float = 4.0, weights: tuple[float, ...] = (0.5, 0.3, 0.2)
) -> tuple[Array, np.ndarray, tuple[Array, Array, Array]]:
    """Return Gaussian clouds in the plane: samples, their labels, and weights, means and covariances.

    Sizes, shapes and distances are those of every student; noise, direction, place, order and unit are this student's
    own. In each cloud the mean and the covariance of the samples are exactly those of the mixture, so that chance makes
    nobody's clouds harder to part.

    Parameters
    ----------
    student_number : int
        Whose data.
    n_samples : int
        n.
    separation : float
        Distance of any two means, in standard deviations of a typical cloud.
    weights : tuple of float
        Shares of the clouds, of two or three.

    Examples
    --------
    >>> from comparisons.coursework.students import clouds_of
    >>> X, z, (weights, means, covariances) = clouds_of(1234567)
    >>> X.shape, means.shape, bool((X == clouds_of(1234567)[0]).all())
    ((240, 2), (3, 2), True)
    """
    rng, K = random_state_of(student_number, "clouds"), len(weights)
    sizes = np.round(np.array(weights) * n_samples).astype(int)
    sizes[0] += n_samples - sizes.sum()
    angles = 2 * np.pi * np.arange(K) / K
    corners = separation / (2 * np.sin(np.pi / K)) * np.column_stack([np.cos(angles), np.sin(angles)])
    spreads = np.array([[1.3, 0.7], [0.7, 1.2], [1.0, 0.8]])[:K]  # standard deviations along two axes

    angle, unit, place = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2.0), rng.uniform(-20, 20, size=2)
    transform = unit * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    parts = [
        corner + _exact_noise(size, rng) * spread for corner, size, spread in zip(corners, sizes, spreads, strict=True)
    ]
    order, names = rng.permutation(n_samples), rng.permutation(K)
    X = (np.concatenate(parts) @ transform.T + place)[order]
    z = np.repeat(names, sizes)[order]
    covariances = np.array([transform @ np.diag(spread**2) @ transform.T for spread in spreads])
    k = np.argsort(names)  # the cloud that is called 0, 1, ...
    return X, z, (sizes[k] / n_samples, (corners @ transform.T + place)[k], covariances[k])


def _exact_noise(size: int, rng: np.random.RandomState) -> Array:
    """Return samples of two features whose mean is 0 and whose covariance is the identity, exactly."""
    noise = rng.normal(size=(size, 2))
    noise -= noise.mean(axis=0)
    return np.linalg.solve(np.linalg.cholesky(noise.T @ noise / size), noise.T).T


def coins_of(
    student_number: int, n_samples: int = 200, n_trials: int = 10, gap: float = 1.8, weight: float = 0.4
) -> tuple[Array, tuple[Array, Array]]:
    """Return heads of two coins, flipped so often per pick, and weights and probabilities.

    The distance of the coins in log odds is that of every student; where they lie, which is rarer, and the order are
    this student's own. Every number of heads occurs as often as expected, to rounding.

    Parameters
    ----------
    student_number : int
        Whose data.
    n_samples : int
        Picks n.
    n_trials : int
        Flips m per pick.
    gap : float
        Distance of the two coins in log odds.
    weight : float
        Share of the coin with fewer heads; for half of the students of the one with more.

    Examples
    --------
    >>> from comparisons.coursework.students import coins_of
    >>> heads, (weights, probs) = coins_of(1234567)
    >>> heads.shape, probs.shape, bool(heads.max() <= 10)
    ((200, 1), (2, 1), True)
    """
    rng = random_state_of(student_number, "coins")
    centre = rng.uniform(-0.2, 0.2)
    probs = 1 / (1 + np.exp(-centre - gap * np.array([-0.5, 0.5])))
    share = weight if rng.uniform() < 0.5 else 1 - weight
    counts = np.arange(n_trials + 1)
    pmf = comb(n_trials, counts) * probs[:, None] ** counts * (1 - probs[:, None]) ** (n_trials - counts)
    mixture = np.array([share, 1 - share]) @ pmf
    levels = (np.arange(n_samples) + 0.5) / n_samples
    heads = np.searchsorted(np.cumsum(mixture), levels).clip(max=n_trials).astype(np.float64)
    return rng.permutation(heads)[:, None], (np.array([share, 1 - share]), probs[:, None])
