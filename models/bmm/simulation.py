"""Ancestral simulation of Bernoulli and binomial mixtures: parameters from their prior; the label, then the sample."""

import numpy as np
from numpy.typing import ArrayLike

from models.bmm.counts import trials_matrix
from models.bmm.parameters import BMMParameters
from models.bmm.prior import BMMPrior
from models.dirichlet import draw_weights
from models.validation import Array, count_at_least_one, random_source


def simulate(
    parameters: BMMParameters,
    n_samples: int,
    n_trials: ArrayLike = 1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Array, np.ndarray]:
    """Draw z_i ~ Categorical(π), then x_id | z_i ~ Binomial(m_id, p_{z_i d}), which is Bernoulli when m = 1.

    Parameters
    ----------
    parameters : BMMParameters
        The mixture.
    n_samples : int
        Number of samples n.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials m of each cell.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Returns
    -------
    X : ndarray, shape (n, D)
        Counts of successes, as float64.
    z : ndarray of int, shape (n,)
        The label of each sample.

    Examples
    --------
    >>> from models.bmm import BMMParameters, simulate
    >>> X, z = simulate(BMMParameters([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]]), 3, random_state=0)
    >>> bool((X[:, 0] == z).all())
    True
    """
    n = count_at_least_one("n_samples", n_samples)
    trials = trials_matrix(n_trials, (n, parameters.n_features)).astype(int)
    rng = random_source(random_state)
    z = rng.choice(parameters.n_components, size=n, p=parameters.weights / parameters.weights.sum())
    return rng.binomial(trials, parameters.probs[z]).astype(np.float64), z


def draw_parameters(
    prior: BMMPrior, n_components: int, n_features: int, random_state: int | np.random.RandomState | None = None
) -> BMMParameters:
    """Draw π ~ Dirichlet(a) and p_kd ~ Beta(b_d, c_d).

    Parameters
    ----------
    prior : BMMPrior
        The prior.
    n_components, n_features : int
        Numbers of components K and of features D.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Raises
    ------
    ValueError
        If the prior does not fit K components and D features.

    Examples
    --------
    >>> from models.bmm import BMMPrior, draw_parameters
    >>> draw_parameters(BMMPrior(), n_components=3, n_features=2, random_state=0).probs.shape
    (3, 2)
    """
    if not isinstance(prior, BMMPrior):
        raise ValueError(f"prior must be a BMMPrior, got {type(prior).__name__}")
    K, D = count_at_least_one("n_components", n_components), count_at_least_one("n_features", n_features)
    prior.check_fits(K, D)
    rng = random_source(random_state)
    return BMMParameters(
        draw_weights(np.asarray(prior.concentration), K, rng), rng.beta(prior.successes, prior.failures, size=(K, D))
    )
