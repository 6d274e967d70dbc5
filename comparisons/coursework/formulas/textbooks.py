"""Find the textbook of a family by name: its own, or else one that follows from its steps in `em`."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from comparisons.coursework.formulas.textbook import Textbook
from comparisons.families import family_names, family_of
from models.shown import shown

ALSO = {"kmeans": "comparisons.coursework.kmeans"}


def textbook_of(family: str, prior: Any = None, **options: Any) -> Textbook:
    """Return the formulas of a family with these options.

    Raises
    ------
    ValueError
        If there is no such family.
    """
    if family in ALSO:
        textbook: Textbook = import_module(ALSO[family]).TEXTBOOK(**options)
        return textbook
    if family not in family_names():
        raise ValueError(f"family must be one of {', '.join((*family_names(), *ALSO))}, got {shown(family)}")
    chosen = family_of(family, **options)
    module = f"comparisons.{family}.coursework"
    kind = import_module(module).TEXTBOOK if find_spec(module) is not None else Textbook
    book: Textbook = kind(chosen, prior, options)
    _ = book.quantities  # which may import the family's steps, before any clock runs
    return book
