"""The shipped data sets as plain arrays, read from the repository itself."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

FOLDER = Path(__file__).parents[1] / "comparisons" / "data"


def read(name):
    return np.loadtxt(FOLDER / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)


def expanded(table):
    """One row for each person or family: the last column of the table counts them."""
    return np.repeat(table[:, :-1], table[:, -1].astype(int), axis=0)


def faithful():
    return read("faithful")


def waiting():
    return read("faithful")[:, 1:]


def galaxies():
    return read("galaxies") / 1000


def iris():
    return load_iris().data


def lsat7():
    return expanded(read("lsat7"))


def saxony():
    return expanded(read("saxony"))
