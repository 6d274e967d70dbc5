"""The standard cases: each built-in data set with its number of components and the verdict it must reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A comparison with a declared outcome.

    Attributes
    ----------
    data : str
        Name of a built-in data set.
    n_components : int
        Number of components K.
    covariance_type : str
        Structure of the covariances of a Gaussian mixture.
    verdict : str
        The verdict that it must reach.
    draws : int
        Posterior draws of each chain that the case needs for its R-hat and ESS.
    regular : bool
        Whether MLE, MAP and posterior mean must lie within the arithmetic's distance: identified, interior, and
        n large for the overlap. Elsewhere the distances are shown and not judged.
    single_start : bool
        Whether all chains start about MAP: for a posterior of many modes, none of which a chain leaves in time. Its
        R-hat then tells of the mode at MAP only; the report says how chains started.
    """

    data: str
    n_components: int
    covariance_type: str = "full"
    verdict: str = "agree"
    draws: int = 1000
    regular: bool = False
    single_start: bool = False

    @property
    def name(self) -> str:
        """Data, K and, where it is not the default, the structure: the folder of its results."""
        structure = "" if self.covariance_type == "full" else f"-{self.covariance_type}"
        return f"{self.data}-{self.n_components}{structure}"


STANDARD = {
    "gmm": (
        Case("faithful", 2, regular=True),
        # A second mode (weights about .1 .3 .6) holds 1 % of the posterior and keeps a chain for about 100 draws.
        Case("galaxies", 3, draws=4000),
        Case("iris", 2),  # its posterior at K = 3 has several modes of like mass
        Case("separated", 3, regular=True),
        Case("overlapping", 2),
        Case("unequal-weights", 2, regular=True),
        Case("ten-dimensions", 3, regular=True),
        Case("collapsing", 2, verdict="no maximum"),
        Case("faithful", 2, "tied", regular=True),
        Case("faithful-missing", 2, regular=True),
        Case("separated", 3, "diag", regular=True),
        Case("unequal-weights", 2, "spherical", regular=True),
    ),
    "bmm": (
        Case("lsat7", 2),
        Case("lsat7-missing", 2),
        Case("saxony", 2, draws=4000),
        Case("binary-vectors", 2, regular=True),
        Case("coins-ten-flips", 2, regular=True),
        Case("coins", 2, verdict="not identified"),
        Case("digits-binary", 10, single_start=True),
        Case("digits-counts", 2),  # from K = 3 on, one restart in ten finds the best maximum; at 10 one in hundreds
    ),
}


def standard_case(family: str, data: str, n_components: int | None, covariance_type: str = "full") -> Case:
    """Return the declared case of a built-in data set; with another K or structure only agreement is declared."""
    for case in STANDARD[family]:
        asked = (data, case.n_components if n_components is None else n_components, covariance_type)
        if asked == (case.data, case.n_components, case.covariance_type):
            return case
    return Case(data, 2 if n_components is None else n_components, covariance_type)
