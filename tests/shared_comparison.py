"""Comparisons that several tests and a notebook ask for: each is made once in a process."""

from types import SimpleNamespace

import pytest

import comparisons.comparison.steps
from comparisons.comparison import draws
from comparisons.comparison.problem import prepare
from comparisons.comparison.steps import run
from comparisons.data import load

MADE = {}


def compared(*args, **settings):
    """Compare as `comparisons.compare` does, and return the ``result`` with what led to it.

    That is ``problem``, ``fits``, ``densities`` and ``draws``. Arguments are checked in any case. Equal ones have one
    answer, as the same seed gives the same draws.
    """
    problem = prepare(*args, **settings)
    given = vars(problem) | {"X": problem.X.tolist(), "family": vars(problem.family), "prior": vars(problem.prior)}
    if (key := repr(given)) not in MADE:
        kept = SimpleNamespace(problem=problem)

        def draw(fits, densities, advance_to):
            kept.fits, kept.densities, kept.draws = fits, densities, draws.draw(fits, densities, advance_to)
            return kept.draws

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(comparisons.comparison.steps, "draw", draw)
            kept.result = run(problem)
        MADE[key] = kept
    return MADE[key]


def compare(*args, **settings):
    """Stand in for `comparisons.compare`."""
    return compared(*args, **settings).result


def of_faithful():
    """Return the comparison of Old Faithful that notebook 05 shows."""
    dataset = load("faithful")
    settings = {"draws": 500, "tune": 500, "feature_names": dataset.feature_names}
    return compared(dataset.X, "gmm", 2, title="Old Faithful", **settings)
