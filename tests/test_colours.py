"""Components have colours that colour-blind people tell apart, in one place for all figures."""

from itertools import combinations

import numpy as np
import pytest

from em.plots import component_colours

# Viénot, Brettel & Mollon (1999): what eyes without the long or the middle cones see of linear red, green and blue
CONES = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
BLIND = {
    "protanopia": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "deuteranopia": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}


@pytest.mark.parametrize("eyes", [None, *BLIND])
@pytest.mark.parametrize("K", [7, 10])
def test_colour_blind_people_tell_components_apart(eyes, K):
    """Matplotlib's own ten colours are as near as 0.04 to such eyes."""
    seen = component_colours(K)
    if eyes:
        seen = np.clip(seen**2.2 @ (np.linalg.inv(CONES) @ BLIND[eyes] @ CONES).T, 0, 1) ** (1 / 2.2)
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 0.1
