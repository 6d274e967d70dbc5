"""The table that contract tests run over: the rows of every `tests/family_*.py`, found by their names."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from em import CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning

FAILINGS = (CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning)
FILES = sorted(Path(__file__).parent.glob("family_*.py"))
FAMILIES = [row for file in FILES for row in import_module(file.stem).ROWS]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)

# For claims about names, files, order and batches, in which a conjugate prior has no part of its own: each family by
# maximum likelihood or by MAP, in turn, and every further kind of prior.
BY_BOTH = [row.name.removesuffix("-ML") for row in FAMILIES if row.name.endswith("-ML")]
LEFT_OUT = {f"{name}-{('ML', 'MAP')[i % 2]}" for i, name in enumerate(BY_BOTH)}
each_family_once = pytest.mark.parametrize(
    "family", [row for row in FAMILIES if row.name not in LEFT_OUT], ids=lambda family: family.name
)

seeds = st.integers(0, 2**32 - 1)
component_counts = st.integers(1, 4)
feature_counts = st.integers(1, 3)
sample_counts = st.integers(20, 60)


def largest_relative_gap(actual, expected):
    """Return max |actual - expected| over all arrays, each relative to the largest entry of its kind."""
    gaps = [np.abs(actual[name] - expected[name]).max() / np.abs(expected[name]).max() for name in expected]
    return max(gaps)
