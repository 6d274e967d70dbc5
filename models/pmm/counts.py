"""What counts as data for a Poisson mixture: whole numbers x >= 0, and exposures e > 0."""

from models.counts import Counts


class _Events(Counts):
    """Counts of events, and the exposure that each was counted over."""

    size_name = "exposure"


_EVENTS = _Events()
count_matrix, sparse_count_matrix = _EVENTS.dense, _EVENTS.sparse
exposure_matrix, common_exposure = _EVENTS.sizes, _EVENTS.common
