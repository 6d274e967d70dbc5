"""The types of a family's declarations: options, data sets and standard cases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from models.labels import some_of
from models.shown import counted, shown

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Option:
    """A keyword argument with a flag on the command line, such as an option of one family.

    Attributes
    ----------
    name : str
        The keyword, in the family's constructor and in ``compare(X, family, K, **options)``.
    default : object
        The default value.
    help : str
        A short description.
    flag : str
        The flag on the command line, without dashes; by default the name with - for _.
    choices : tuple of str or None
        The legal values, if there are few.
    parse : callable or None
        Converts the text on the command line to a value; by default the type of the default, or str.
    of_data : bool
        True if the option describes the data, like a number of trials; False if it describes the mixture. Built-in data
        sets have the values of options that describe data.
    lists : bool
        True if the text on the command line is a list with commas. The lists of a flag that is repeated are joined.
    """

    name: str
    default: Any
    help: str
    flag: str = ""
    choices: tuple[str, ...] | None = None
    parse: Callable[[str], Any] | None = None
    of_data: bool = False
    lists: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "flag", self.flag or self.name.replace("_", "-"))

    def check(self, value: Any) -> Any:
        """Return the value; raise a ValueError if it is none of the choices."""
        if self.choices is not None and not (isinstance(value, str) and value in self.choices):
            raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}, got {shown(value)}")
        return value


def drawn_rows(m: int, n: int, seed: int) -> str:
    """Describe a random sample of m of n rows.

    Examples
    --------
    >>> from comparisons.declarations import drawn_rows
    >>> drawn_rows(500, 20_000, seed=0)
    '500 rows drawn at random (random_state=0) from 20,000'
    """
    return f"{m:,} rows drawn at random (random_state={seed}) from {n:,}"


@dataclass(frozen=True, eq=False)
class AllRows:
    """The rows that a random sample was drawn from.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    X : array_like, or a Dask array or DataFrame, or None
        The rows as the estimator takes them; None if EM cannot fit them.
    why : str, default ""
        Why EM cannot fit them.
    family : Family or None, default None
        The family with options for all rows; None if its options do not depend on the rows.
    """

    n_rows: int
    X: Any
    why: str = ""
    family: Any = None

    def without(self, why: str) -> "AllRows":
        """Return the description without the rows, and with the reason why EM cannot fit them."""
        return replace(self, X=None, why=why)


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data matrix with its description.

    Attributes
    ----------
    name, family, story : str
        Name on the command line, name of the family, and one line about the data.
    X : ndarray, shape (n, D), or DataFrame
        Samples; NaN where a cell is missing. A frame if features have words as levels.
    feature_names : tuple of str
        Names of the D columns, with units.
    options : mapping
        The family's options that these data need, such as ``{"n_trials": 12}``.
    truth : parameters or None
        The parameters that synthetic data were drawn from.
    row_labels : tuple of str or None
        Labels of the rows, if a file has them.
    notes : tuple of str
        Notes on what was read from a file.
    all_rows : AllRows or None
        The rows that X is a random sample of, if a file is too large for memory; None if X has all rows.
    """

    name: str
    family: str
    story: str
    X: Any
    feature_names: tuple[str, ...]
    options: Options = field(default_factory=dict)
    truth: Any = None
    row_labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    all_rows: AllRows | None = None

    @classmethod
    def published(cls, name: str, family: str, story: str, feature_names: tuple[str, ...], **options: Any) -> Self:
        """Return the data set of the file ``comparisons/data/<name>.csv``: a header line, and numbers without gaps.

        A column after those of the features holds the frequencies of the rows.
        """
        X = np.loadtxt(Path(__file__).parent / "data" / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)
        if X.shape[1] > len(feature_names):
            X = np.repeat(X[:, :-1], X[:, -1].astype(int), axis=0)
        return cls(name, family, story, X, feature_names, options)

    def __repr__(self) -> str:
        n, D = self.X.shape
        options = "".join(f", {name} {shown(value)}" for name, value in self.options.items())
        features = f"{counted(D, 'feature')}: {some_of(self.feature_names)}"
        return f"Dataset {self.name} ({self.family}{options}): {counted(n, 'sample')} of {features}"

    def to_frame(self) -> Any:
        """Return the samples as a pandas frame, with the names of the features and the labels of the rows.

        Examples
        --------
        >>> from comparisons.data import load
        >>> load("faithful").to_frame().head(2)
           eruptions (min)  waiting (min)
        0              3.6           79.0
        1              1.8           54.0
        """
        import pandas as pd

        X = self.X if hasattr(self.X, "columns") else pd.DataFrame(self.X, columns=list(self.feature_names))
        return X if self.row_labels is None else X.set_axis(list(self.row_labels), axis=0)

    def with_holes(self, name: str, share: float, seed: int) -> "Dataset":
        """Return the data set with a share of its cells removed, completely at random."""
        holes = np.random.RandomState(seed).uniform(size=self.X.shape) < share
        story = f"{self.story}; {share:.0%} of the cells removed at random"
        return replace(self, name=name, story=story, X=np.where(holes, np.nan, self.X))


@dataclass(frozen=True)
class Case:
    """A comparison with a declared verdict.

    Attributes
    ----------
    data : str
        Name of a built-in data set.
    n_components : int
        Number of components K.
    options : mapping
        The family's options that describe the mixture, if they are not the defaults.
    verdict : str
        The verdict that the comparison must reach.
    draws : int
        Posterior draws of each chain that the case needs for its R-hat and ESS.
    single_start : bool
        Whether all chains start at the MAP. This is for a posterior with many modes that chains do not leave; its R-hat
        is then about the mode at the MAP only.
    """

    data: str
    n_components: int
    options: Options = field(default_factory=dict)
    verdict: str = "agree"
    draws: int = 1000
    single_start: bool = False

    @property
    def name(self) -> str:
        """Data, K and options, joined: the name of the folder of results."""
        return "-".join([self.data, str(self.n_components), *map(str, self.options.values())])
