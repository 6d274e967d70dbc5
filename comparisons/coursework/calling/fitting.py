"""Call a student's fit: with a start, a number of iterations, a tolerance and a seed where it takes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from comparisons.coursework.calling.bundle import Bundle
from comparisons.coursework.calling.outputs import Expected, fitted, named_parts, numbers, part, sortings
from comparisons.coursework.calling.roles import plain_name, returned_names, signature_of
from comparisons.coursework.calling.running import run
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

MANY, TINY = 120, 1e-9
SEED = 0
OF_OBJECTIVE = (
    "log_likelihood loglik ll logl lls llh loss history hist log_likelihoods lower_bound bound objective inertia trace"
)


@dataclass(frozen=True)
class Fit:
    """What a fit returned: parameters by name, and what it says of the log-likelihood."""

    theta: dict[str, Array] = field(default_factory=dict)
    log_likelihood: float | None = None
    history: Array | None = None
    error: str = ""
    overtime: bool = False


class FitCaller:
    """A student's fit with its arguments in order."""

    def __init__(self, function: Callable[..., Any], book: Textbook, problem: Problem, seconds: float) -> None:
        self.function, self.book, self.problem = function, book, problem
        optional = ("max_iter", "tol", "random_state", *book.quantities, "parameters", *book.size_names)
        self.signature = signature_of(function, ("X", "K"), optional, book.all_spellings)
        if self.signature.problem.startswith("no argument for K"):
            self.signature = signature_of(function, ("X",), (*optional, "K"), book.all_spellings)
        self.until = perf_counter() + seconds
        self.returned = returned_names(function)

    @property
    def start(self) -> Mapping[str, Array]:
        """The parameters that it starts from, if it takes them."""
        return self.problem.theta

    @property
    def takes_start(self) -> bool:
        """Whether it takes all parameters as a start."""
        roles = self.signature.roles
        return "parameters" in roles or all(name in roles for name in self.book.quantities)

    @property
    def takes_iterations(self) -> bool:
        """Whether it takes a number of iterations."""
        return "max_iter" in self.signature.roles

    def __call__(self, n_iter: int | None) -> Fit:
        """Fit with so many iterations, or to the end."""
        left = self.until - perf_counter()
        if left <= 0:
            return Fit(error="no answer within the time limit", overtime=True)
        values = {
            "X": self.problem.X,
            "K": self.problem.K,
            "max_iter": MANY if n_iter is None else n_iter,
            "tol": TINY if n_iter is None else 0.0,
            "random_state": SEED,
            "parameters": Bundle.of(self.problem.theta, self.book.all_spellings),
            **self.problem.theta,
            **{name: self.problem.given.get(name) for name in self.book.size_names},
        }
        args = [values[role] for role, _ in self.signature.positional]
        kwargs = {name: values[role] for name, role in self.signature.keyword.items()}
        outcome = run(self.function, args, kwargs, left)
        if outcome.error:
            return Fit(error=outcome.error, overtime=outcome.overtime)
        value = getattr(self.function, "__self__", None) if outcome.value is None else outcome.value
        if value is None:
            return Fit(error="returned None: is a return missing?")
        return self._read(value)

    def _read(self, value: Any) -> Fit:
        """Return the parts of what a fit returned."""
        expected = [
            Expected(name, (self.problem.theta[name].shape, *self.book.other_shapes(name, self.problem)))
            for name in self.book.quantities
        ]
        sorting = next(iter(sortings(value, expected, self.book.all_spellings, self.returned)), {})
        theta: dict[str, Array] = {}
        for quantity in expected:
            if quantity.name in sorting:
                array = numbers(part(value, sorting[quantity.name]))
                if array is not None:
                    theta[quantity.name] = fitted(array, quantity.shapes)
        said = self._objective(value, set(map(str, sorting.values())))
        history = said if said is not None and said.ndim == 1 and len(said) > 1 else None
        single = float(np.ravel(said)[-1]) if said is not None and said.size else None
        return Fit(theta, single, history)

    def _objective(self, value: Any, used: set[str]) -> Array | None:
        """Return the log-likelihood or its history: by its name, else what is a number or a list of numbers."""
        by_name = named_parts(value)
        if by_name is not None:
            parts = {name: p for name, p in by_name.items() if plain_name(name) in OF_OBJECTIVE.split()}
        elif isinstance(value, tuple | list):
            parts = {str(i): p for i, p in enumerate(value) if str(i) not in used}
        else:
            return None
        for name, candidate in parts.items():
            array = numbers(candidate)
            named = plain_name(self.returned[int(name)]) if name.isdigit() and len(self.returned) > int(name) else ""
            if (
                array is None
                or array.ndim > 1
                or array.size == 0
                or named in ("k", "n_iter", "it", "i", "t", "labels", "z")
            ):
                continue
            whole = array.size == 1 and float(array.ravel()[0]).is_integer() and named not in OF_OBJECTIVE.split()
            if not whole and array.shape != (self.problem.n,):
                return array
        return None
