"""The categorical mixture as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike

from models.cmm.levels import Codes
from models.cmm.parameters import labels_of_cells, quantities
from models.cmm.prior import CMMPrior
from models.distributions.simplexes import dirichlets
from models.parameters import Labels
from models.story import Distribution, ExponentialStory, Theta
from models.validation import Array


class CategoricalStory(ExponentialStory):
    """x_d ~ Categorical(p_kd), with Dirichlet priors.

    Parameters
    ----------
    levels : sequence of int, length D
        Number of levels of each item.
    """

    prior_types = (CMMPrior,)

    def __init__(self, levels: Sequence[int]) -> None:
        self.cells = Codes(levels)
        self.levels, self.lengths = tuple(levels), {"cell": sum(levels)}
        self.quantities, self.options = quantities(self.levels), (self.levels,)

    def labels(self, names: Sequence[str] | None) -> Labels:
        """Return the names of items and of cells, which are an item's name and a code."""
        return labels_of_cells(names, map(range, self.levels))

    def declare(self, prior: CMMPrior, like: Mapping[str, dict[str, Any]]) -> None:
        """p_kd ~ Dirichlet(b_d)."""
        concentration = np.broadcast_to(prior.pseudo_counts, sum(self.levels))
        dirichlets("probs", concentration, self.levels, **like["probs"])

    def given_label(self, own: Theta, size: Array) -> Distribution:
        """Return the levels' probabilities (n, D, max L), with zeros after an item's last level."""
        starts, most = np.cumsum((0, *self.levels[:-1])), np.arange(max(self.levels))
        cells = np.where(most < np.array(self.levels)[:, None], starts[:, None] + most, sum(self.levels))
        zero = pt.zeros_like(own["probs"][..., :1])
        return pm.Categorical, {"p": pt.concatenate([own["probs"], zero], axis=-1)[..., cells]}

    def natural(self, theta: Theta) -> tuple[Any, ...]:
        """η = log p."""
        return (pt.log(theta["probs"]),)

    def statistics(self, x: Any, size: Array) -> tuple[Any, ...]:
        """T_dl = [x_d = l], and 0 where an answer is missing."""
        item = np.repeat(np.arange(len(self.levels)), self.levels)
        level = np.concatenate([np.arange(L) for L in self.levels])
        equal = np.equal if isinstance(x, np.ndarray) else pt.eq
        return (equal(x[:, item], level) * size[:, item],)


def build_model(X: ArrayLike, n_components: int, prior: CMMPrior | None, levels: Sequence[int]) -> pm.Model:
    """Build the model with labels: a label for each sample, then its answers given the label.

    ::

        z_i ~ Categorical(π),    x_id | z_i ~ Categorical(p_{z_i d})

    Parameters
    ----------
    X : array_like, shape (n, D)
        Codes 0 to L_d - 1 of the answers; NaN where one is missing.
    n_components : int
        Number of components K.
    prior : CMMPrior or None
        Prior of weights and probs; ``None`` makes them flat, for maximum likelihood only.
    levels : sequence of int, length D
        Number of levels L of each item.

    Returns
    -------
    pymc.Model
        Random variables ``weights`` (component), ``probs`` (component, cell), ``z`` (obs) and the observed ``x``
        (obs, feature); the cells are the levels of the first item, then those of the second, and so on.

    Raises
    ------
    ValueError
        If X does not hold codes of these levels, or the prior is no CMMPrior that fits K and the levels.

    Examples
    --------
    >>> from models.cmm import CMMPrior, build_model
    >>> model = build_model([[0, 1], [2, 0]], n_components=2, prior=CMMPrior(), levels=(3, 2))
    >>> sorted(model.named_vars)
    ['probs', 'weights', 'x', 'z']
    """
    return CategoricalStory(levels).model(X, n_components, prior, marginal=False)


def build_marginal_model(X: ArrayLike, n_components: int, prior: CMMPrior | None, levels: Sequence[int]) -> pm.Model:
    """Build the same model with z summed out, as NUTS, `find_MAP` and LOO need.

    ::

        log p(x_i | θ) = logsumexp_k { log π_k + Σ_d log p_k,d,x_id }

    Parameters, returned model (which has no ``z``) and errors are those of :func:`build_model`.

    Examples
    --------
    >>> from models.cmm import CMMPrior, build_marginal_model
    >>> model = build_marginal_model([[0, 1], [2, 0]], n_components=2, prior=CMMPrior(), levels=(3, 2))
    >>> sorted(model.named_vars)
    ['probs', 'weights', 'x']
    """
    return CategoricalStory(levels).model(X, n_components, prior, marginal=True)
