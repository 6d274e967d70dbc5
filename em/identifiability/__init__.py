"""Whether different parameters would give the same distribution of the data: what a family's own test found.

The tests are :mod:`em.identifiability.rank_test`, by the rank of a Jacobian, and :mod:`em.gmm.coverage`, by what
was observed together.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Identifiability:
    """What the rank test found.

    Attributes
    ----------
    identified : bool
        Whether the rank equals the number of free parameters.
    rank, n_free_parameters : int
        Rank of the Jacobian and its number of columns (estimates on the boundary are held there and not counted).
    sentence : str
        The finding in words; names a free direction if there is one.
    free_direction : dict
        Parameter name -> part of a unit vector along which the distribution stays the same, to first order, at the
        estimate; empty if there is none.
    """

    identified: bool
    rank: int
    n_free_parameters: int
    sentence: str
    free_direction: dict[str, float] = field(default_factory=dict)
