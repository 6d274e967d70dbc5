"""Right intermediate results of a step, by their names in formulas, such as N_k.

Their formulas are in the TOML file beside this module. A family adds those of its density as a table "intermediates".
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

CATALOGUE = Catalogue(__file__)
OF_RESPONSIBILITIES = CATALOGUE.formulas("of responsibilities")
OF_DENSITIES = CATALOGUE.formulas("of densities", ["lp", "lw"])
OF_Q = CATALOGUE.formulas("of Q", ["lp", "lw"])


@np.errstate(all="ignore")
def intermediates(book: Textbook, step: str, problem: Problem) -> dict[str, Array]:
    """Return the intermediate results of a step on a problem, by name."""
    results: dict[str, Array] = {}
    if step in ("m", "q"):
        results |= _values(OF_RESPONSIBILITIES, problem)
    if step == "m":
        new = book.truth("m", problem)
        results |= {f"the new {name}": value for name, value in new.items()}
        problem = problem.changed(**new)
    else:
        results |= problem.theta
    if "weights" in problem.theta and step != "m":
        lp, lw = book.log_density_of(problem), np.log(problem.theta["weights"])
        results |= _values({**OF_DENSITIES, **(OF_Q if step == "q" else {})}, lp, lw, problem)
        results |= {f"the term {name}": value for name, value in book.terms(problem).items()}
        cells = book.cells(problem)
        if cells is not None and cells.shape[2] == problem.D > 1:
            results |= {"log p(x_id|k)": cells, "p(x_id|k)": np.exp(cells)}
    results |= _values({**book.intermediates, **(book.sums if step in ("m", "q") else {})}, problem)
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in results.items()}
    return {name: a for name, a in arrays.items() if np.isfinite(a).all()}


def _values(formulas: Mapping[str, Callable[..., Any]], *given: Any) -> dict[str, Array]:
    """Return the values of formulas by name, without those whose matrices have no inverse or root."""
    values = {}
    for name, formula in formulas.items():
        with suppress(np.linalg.LinAlgError):
            values[name] = formula(*given)
    return values
