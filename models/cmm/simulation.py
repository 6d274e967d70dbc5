"""Ancestral simulation of categorical mixtures: parameters from their prior; the label, then the sample."""

from collections.abc import Sequence

import numpy as np

from models import simulation
from models.cmm.parameters import CMMParameters
from models.cmm.prior import CMMPrior
from models.prior import draw_weights
from models.validation import Array, count_at_least_one, random_source


def simulate(
    parameters: CMMParameters, n_samples: int, random_state: int | np.random.RandomState | None = None
) -> tuple[Array, np.ndarray]:
    """Draw z_i ~ Categorical(π), then x_id | z_i ~ Categorical(p_{z_i d}).

    Parameters
    ----------
    parameters : CMMParameters
        The mixture.
    n_samples : int
        Number of samples n.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Returns
    -------
    X : ndarray, shape (n, D)
        Codes 0 to L_d - 1 of the levels, as float64.
    z : ndarray of int, shape (n,)
        The label of each sample.

    Examples
    --------
    >>> from models.cmm import CMMParameters, simulate
    >>> X, z = simulate(CMMParameters([0.5, 0.5], [[1, 0, 0], [0, 0, 1]], levels=(3,)), 3, random_state=0)
    >>> bool((X[:, 0] == 2 * z).all())
    True
    """
    return simulation.simulate(parameters, n_samples, random_state=random_state)


def draw_parameters(
    prior: CMMPrior, n_components: int, levels: Sequence[int], random_state: int | np.random.RandomState | None = None
) -> CMMParameters:
    """Draw π ~ Dirichlet(a) and p_kd ~ Dirichlet(b_d).

    Parameters
    ----------
    prior : CMMPrior
        The prior.
    n_components : int
        Number of components K.
    levels : sequence of int, length D
        Number of levels of each item.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Raises
    ------
    ValueError
        If the prior does not fit K components and these levels.

    Examples
    --------
    >>> from models.cmm import CMMPrior, draw_parameters
    >>> draw_parameters(CMMPrior(), n_components=3, levels=(4, 2), random_state=0).probs.shape
    (3, 6)
    """
    if not isinstance(prior, CMMPrior):
        raise ValueError(f"prior must be a CMMPrior, got {type(prior).__name__}")
    K, levels = count_at_least_one("n_components", n_components), tuple(levels)
    prior.check_fits(K, len(levels), levels)
    rng = random_source(random_state)
    weights = draw_weights(np.asarray(prior.concentration), K, rng)
    return CMMParameters(weights, prior.draw_components((K, levels), rng), levels)
