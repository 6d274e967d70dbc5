"""What counts as data for a Poisson mixture: whole numbers x >= 0, and exposures e > 0."""

from models.cells import Counts


class Events(Counts):
    """Counts of events, and the exposure that each was counted over."""

    size_name = "exposure"


EVENTS = Events()
