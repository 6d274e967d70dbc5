"""Load the data set of a comparison: a built-in one (``comparisons/<family>/data.py``) or a user's file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from comparisons.data.files import KINDS
from comparisons.data.options import Reading, did_you_mean, split_reading
from comparisons.declarations import Dataset
from comparisons.families import family_class, family_classes, family_names, family_of
from models.shown import shown

__all__ = ["Dataset", "find", "load", "read", "read_csv"]


def built_in(family: str | None = None) -> dict[str, Callable[[], Dataset]]:
    """Return a function that makes each built-in data set, by name: those of one family, or of all families."""
    classes = family_classes() if family is None else [family_class(family)]
    return {name: make for of_family in classes for name, make in of_family.datasets.items()}


def load(name: str) -> Dataset:
    """Return a built-in data set by its name. Synthetic data have a fixed seed.

    Raises
    ------
    ValueError
        If no built-in data set has this name; the message lists the names.

    Examples
    --------
    >>> from comparisons.data import load
    >>> load("faithful").X.shape
    (272, 2)
    """
    if name not in (known := built_in()):
        listed = ", ".join(sorted(known))
        raise ValueError(f"data must be one of {listed}, got {shown(name)}{did_you_mean(f'{name}', known)}")
    return known[name]()


def find(
    data: str, family: str | None = None, *, most_rows: int | None = None, seed: int = 0, **options: Any
) -> Dataset:
    """Return the data set that a command's ``--data`` names: a built-in one, or a user's file.

    Parameters
    ----------
    data : str
        Name of a built-in data set, or path of a file; see :func:`read`.
    family : str or None
        Name of the family; ``None`` takes the family of the built-in data set.
    most_rows, seed
        See :func:`read`; used for a file only.
    **options
        Options of the family, stored in the data set. For a file, the options of :func:`read` too.

    Raises
    ------
    ValueError
        If the data do not exist; or if a built-in data set belongs to another family, has another value of an option
        that describes data (such as ``n_trials``), or is given an option of :func:`read`.

    Examples
    --------
    >>> from comparisons.data import find
    >>> find("saxony").options
    {'n_trials': 12}
    """
    if data in built_in():
        reading, options = split_reading(options)
        if reading:
            given = ", ".join(f"{name} = {shown(value)}" for name, value in reading.items())
            raise ValueError(f"data {data!r} are built in, got {given}: it is for files of your own")
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
    _check_exists(Path(data))
    if family is None:
        raise ValueError(f"family must be {' or '.join(family_names())} for a file of your own, {data}; got none")
    return read(data, family, most_rows=most_rows, seed=seed, **options)


def read(path: str | Path, family: str, *, most_rows: int | None = None, seed: int = 0, **options: Any) -> Dataset:
    r"""Return a user's file as a data set of a family; its ``notes`` say what was read.

    The reader detects separator, decimal mark, encoding and quotation mark of a text file. It removes a unit that all
    values of a column share. A column of two words, such as yes and no, becomes 0 and 1; a categorical mixture takes
    any words as levels. A column ``count`` holds frequencies of the rows. Columns that number or label the rows are
    left out.

    Parameters
    ----------
    path : str or Path
        A text file (.csv, .tsv, .txt) with a header line, gzipped or not; a .parquet file; or a folder of such files.
    family : str
        Name of the family.
    most_rows : int or None, default None
        Size of the random sample that is read from Parquet of more than 2^24 cells; ``all_rows`` of the data set then
        holds all rows as chunks. None reads every row into memory.
    seed : int, default 0
        Seed of this random sample.
    **options
        The family's options, of which ``exposure`` and ``n_trials`` may name a column that has them for each row, and
        the following. Lists are sequences, or text such as ``"a,b"``:

        - ``columns``, names of the features; every other column is left out;
        - ``drop``, names of columns to leave out;
        - ``weights``, the column of frequencies, by which rows are repeated;
        - ``index``, the column of the rows' labels;
        - ``missing``, marks of missing cells, text or numbers, in addition to the usual ones such as NA;
        - ``decimal``, "." or ",", if the file leaves it open;
        - ``encoding``, such as "cp1251", if it is detected wrongly or not at all.

    Raises
    ------
    ValueError
        If the file cannot be read or is ambiguous. The message names line, column and value, says what would be
        accepted, and what to do.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from comparisons.data import read
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "mine.csv"
    ...     size = file.write_text("id;height;smoker\n1;1,5;no\n2;NA;yes\n3;1,25;yes\n")
    ...     dataset = read(file, "gmm")
    >>> dataset.X.tolist()
    [[1.5, 0.0], [nan, 1.0], [1.25, 1.0]]
    >>> print("\n".join(dataset.notes[:3]))
    Read mine.csv: 3 rows, 2 features: height, smoker
    missing: 1 of 6 cells (1 NA), by column: height 1
    left out: column 'id' (it numbers the rows, 1 to 3); --columns id,height,smoker keeps it
    """
    reading, options = split_reading(options)
    if isinstance(options.get(size := family_class(family).parameters_type.cells.size_name), str):
        reading["sizes"] = size, options.pop(size)
    pair, asked = family_of(family, **options), Reading.of(reading)  # raise for illegal options before the file is read
    _check_exists(Path(path))
    from comparisons.data.reading import read_file  # imports pandas

    dataset = read_file(Path(path), pair, asked, most_rows, seed)
    return replace(dataset, options={**options, **dataset.options})


read_csv = read


def _check_exists(path: Path) -> None:
    if not path.exists():
        known = sorted(built_in())
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        near = did_you_mean(path.name, [file.name for file in beside]) or did_you_mean(path.stem, known)
        place = "" if path.is_absolute() else f", looked for in {Path.cwd()},"
        kinds = f"; accepted are {', '.join(KINDS)}; built-in data are {', '.join(known)}"
        raise ValueError(f"data file {path}{place} does not exist{near or kinds}")
