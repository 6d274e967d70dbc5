"""The published data sets that lie in this folder: a header line and numbers, without missing cells."""

from pathlib import Path
from typing import Any

import numpy as np

from comparisons.declarations import Dataset

FOLDER = Path(__file__).parent


def published(name: str, family: str, story: str, feature_names: tuple[str, ...], **options: Any) -> Dataset:
    """Return the data set of the file ``<name>.csv`` of this folder.

    A column after those of the features is how often each row was observed.
    """
    X = np.loadtxt(FOLDER / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)
    if X.shape[1] > len(feature_names):
        X = np.repeat(X[:, :-1], X[:, -1].astype(int), axis=0)
    return Dataset(name, family, story, X, feature_names, options)
