"""The result of a test of identifiability: whether other parameters give the same distribution of the data.

Mixtures of independent features have a rank test (:mod:`em.identifiability.rank_test`). Gaussian mixtures with missing
cells have a test of which features were observed together (:mod:`em.gmm.coverage`).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Identifiability:
    """The result of a test of identifiability.

    Attributes
    ----------
    identified : bool
        Whether the rank equals the number of free parameters.
    rank, n_free_parameters : int
        Rank of the Jacobian and its number of columns. Estimates on the boundary are held fixed and not counted.
    sentence : str
        The result in words, with a free direction if there is one.
    free_direction : dict
        Parameter name -> entry of a unit vector at the estimate, along which the distribution stays the same to first
        order; empty if there is none.
    """

    identified: bool
    rank: int
    n_free_parameters: int
    sentence: str
    free_direction: dict[str, float] = field(default_factory=dict)
