"""The data sets of comparisons: those of every family, ``comparisons/<family>/data.py``, and users' files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from comparisons.data.csv_files import read_rows
from comparisons.declarations import Dataset
from comparisons.families import family_class, family_classes, family_names, family_of
from models.shown import shown

__all__ = ["Dataset", "find", "load", "read_csv"]


def built_in(family: str | None = None) -> dict[str, Callable[[], Dataset]]:
    """Return what makes each built-in data set, of one family or of all, by name."""
    classes = family_classes() if family is None else [family_class(family)]
    return {name: make for of_family in classes for name, make in of_family.datasets.items()}


def load(name: str) -> Dataset:
    """Return a built-in data set by its name; synthetic ones are the same each time.

    Raises
    ------
    ValueError
        If there is none of this name; the message lists them.

    Examples
    --------
    >>> from comparisons.data import load
    >>> load("faithful").X.shape
    (272, 2)
    """
    if name not in (known := built_in()):
        raise ValueError(f"data must be one of {', '.join(sorted(known))}, got {name!r}")
    return known[name]()


def find(data: str, family: str | None = None, **options: Any) -> Dataset:
    """Return what a command line calls its data: a built-in set by its name, or a user's CSV file.

    Parameters
    ----------
    data : str
        A built-in name, or a path; see :func:`read_csv`.
    family : str or None
        The family that is wanted; ``None`` takes a built-in set of any.
    **options
        Options of the family, which the data set then holds. Of those that describe the data, built-in sets know their
        own.

    Raises
    ------
    ValueError
        If there are no such data, or a built-in set is of another family or has other trials.

    Examples
    --------
    >>> from comparisons.data import find
    >>> find("saxony").options
    {'n_trials': 12}
    """
    if data in built_in():
        dataset = load(data)
        if family not in (None, dataset.family):
            own = f"family {dataset.family}, python -m comparisons.{dataset.family}"
            raise ValueError(f"data {data!r} belongs to {own}, got {family}")
        asked, known = family_of(dataset.family, **options), family_of(dataset.family, **dataset.options).of_data
        for name in known.keys() & options:
            if asked.of_data[name] != known[name]:
                given = f"{name} of data {data!r} is {known[name]}, got {shown(options[name])}"
                raise ValueError(f"{given}; it is for your own files")
        return replace(dataset, options={**dataset.options, **options})
    if data.endswith(".csv") or Path(data).exists():
        if family is None:
            raise ValueError(f"family must be {' or '.join(family_names())} for a file of your own, {data}; got none")
        return read_csv(data, family, **options)
    raise ValueError(f"data must be a CSV file or one of {', '.join(built_in(family))}, got {shown(data)}")


def read_csv(path: str | Path, family: str, **options: Any) -> Dataset:
    """Return a user's file as a data set of a family; see :func:`comparisons.data.csv_files.read_rows`."""
    path = Path(path)
    if not path.exists():
        raise ValueError(f"data file {path} does not exist; built-in data are {', '.join(sorted(built_in()))}")
    family_of(family, **options)  # raises where these are none of its options
    X, names = read_rows(path)
    return Dataset(path.stem, family, path.name, X, names, options)
