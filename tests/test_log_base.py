"""log h of rows by a table of counts is log h of their cells, summed; what no table holds is computed cell by cell."""

import numpy as np
import pytest

from em.bmm import BINOMIAL
from em.pmm import POISSON
from em.steps.stated import log_base_of_rows

SIZES = {
    "exposure": (POISSON, [0.5, 3.0, 1e-3]),
    "trials": (BINOMIAL, [9.0, 12.0, 30.0]),
    "many trials": (BINOMIAL, [4e6, 5e6, 6e6]),
}


def counts(seed, n=200):
    return np.minimum(np.random.RandomState(seed).poisson([1.0, 4.0, 0.1], size=(n, 3)), 9).astype(float)


@pytest.mark.parametrize("name", SIZES)
def test_looked_up_values_are_those_of_the_cells(name):
    steps, sizes = SIZES[name]
    X, asked = counts(0), []

    def of_cells(x, size):
        asked.append(x.size)
        return steps.log_base_of_cells(x, size)

    size = np.broadcast_to(sizes, X.shape)
    np.testing.assert_allclose(log_base_of_rows(of_cells, X, size), of_cells(X, np.array(size)).sum(axis=1), rtol=1e-13)
    assert asked[0] <= 30 < asked[1] == X.size


@pytest.mark.parametrize(
    ("X", "size"),
    [
        (counts(1) + 0.5, np.broadcast_to(1.0, (200, 3))),
        (counts(1) - 3.0, np.broadcast_to(1.0, (200, 3))),
        (counts(1) * 1e6, np.broadcast_to(1.0, (200, 3))),
        (counts(1), np.arange(600.0).reshape(200, 3)),
        (counts(1, n=4), np.broadcast_to(1.0, (4, 3))),
    ],
    ids=["no whole numbers", "negative", "large", "sizes of their own", "few rows"],
)
def test_other_rows_are_computed_cell_by_cell(X, size):
    np.testing.assert_array_equal(log_base_of_rows(lambda x, m: x**2 + m, X, size), (X**2 + size).sum(axis=1))


def test_impossible_counts_are_not_asked_for():
    """Of one trial the table of another feature's counts holds cells that no binomial has."""
    X = counts(2)
    X[:, 2] = 1.0

    def of_cells(x, m):
        assert (x <= m).all()
        return np.zeros(x.shape)

    log_base_of_rows(of_cells, X, np.broadcast_to([9.0, 12.0, 1.0], X.shape))
