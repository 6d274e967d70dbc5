"""Call a student's fit: with a start, a number of iterations, a tolerance and a seed where it takes them."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from comparisons.coursework.calling.bundle import Bundle
from comparisons.coursework.calling.outputs import (
    Expected,
    as_array,
    by_quantity,
    leaves,
    match_shape,
    matchings,
    named_parts,
    part,
)
from comparisons.coursework.calling.roles import Signature, plain_name, signature_of
from comparisons.coursework.calling.running import answer_of
from comparisons.coursework.calling.source import leaves_loops, restarts, returned_names
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.loops import same
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

MAX_ITER, TOL = 120, 1e-9  # of a fit to the end
SEED = 0
OBJECTIVE_NAMES = (
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
    """Call a student's fit, whatever the order of its arguments, and read its result.

    Parameters
    ----------
    function : callable
        The student's fit.
    book : Textbook
        The formulas of its family.
    problem : Problem
        The data, and the start if the fit takes one.
    seconds : float
        Time limit of all calls together.
    """

    def __init__(self, function: Callable[..., Any], book: Textbook, problem: Problem, seconds: float) -> None:
        self.function, self.book, self.problem = function, book, problem
        self.needed: tuple[str, ...] = ("X", "K")
        self.optional = ["max_iter", "tol", "random_state", "n_init", *book.quantities, "parameters", *book.size_names]
        self.signature = self._signature()
        if self.signature.problem.startswith("no argument for K"):
            self.needed, self.optional = ("X",), [*self.optional, "K"]
            self.signature = self._signature()
        self.until, self.seed = used_seconds() + seconds, SEED
        self.returned = returned_names(function)

    def _signature(self) -> Signature:
        book = self.book
        return signature_of(self.function, self.needed, self.optional, book.quantities, book.all_spellings)

    @property
    def seconds_left(self) -> float:
        """Seconds that are left for calls."""
        return self.until - used_seconds()

    @property
    def takes_start(self) -> bool:
        """Whether it takes all parameters as a start."""
        roles = self.signature.roles
        return "parameters" in roles or all(name in roles for name in self.book.quantities)

    @property
    def takes_iterations(self) -> bool:
        """Whether it takes a number of iterations."""
        return "max_iter" in self.signature.roles

    @property
    def restarts(self) -> bool:
        """Whether it starts several times, and has no argument for the number of starts."""
        roles = self.signature.roles
        return "n_init" not in roles and restarts(self.function, roles.get("max_iter", ""))

    @property
    def leaves_loops(self) -> bool:
        """Whether a break or a return stands in a loop."""
        return leaves_loops(self.function)

    @property
    def defaults(self) -> dict[str, Any]:
        """Defaults of the number of iterations and of the tolerance, by the names of the arguments."""
        defaults = {role: self.signature.defaults.get(role) for role in ("max_iter", "tol")}
        return {self.signature.roles[role]: value for role, value in defaults.items() if value is not None}

    def settle_start(self, other_start: Mapping[str, Array]) -> None:
        """Leave out an optional start from now on if a call with it fails, or if another start changes nothing."""
        if "parameters" not in self.signature.defaults:
            return
        name = self.signature.roles["parameters"]
        fits = [self._call(1, TOL, {name: self._start(theta)}) for theta in (self.problem.theta, other_start)]
        if any(fit.error for fit in fits) or same(fits[0].theta, fits[1].theta):
            self.optional.remove("parameters")
            self.signature = self._signature()

    def _start(self, theta: Mapping[str, Array]) -> Any:
        """Return the parameters as one argument; those of a single quantity are an array."""
        return Bundle.of(theta, self.book.all_spellings) if len(theta) > 1 else next(iter(theta.values()))

    def __call__(self, n_iter: int | None) -> Fit:
        """Fit with a number of iterations and without a test of convergence, or to the end for None."""
        if n_iter is None or "tol" not in self.signature.roles:
            return self._call(n_iter, TOL)
        fit = self._call(n_iter, -np.inf)  # no gain is smaller
        return fit if not fit.error or fit.overtime else self._call(n_iter, 0.0)

    def fit(self, n_iter: int | None = None, **given: Any) -> Fit:
        """Fit with a number of iterations, or to the end for None, and with given values of some arguments."""
        return self._call(n_iter, TOL, given)

    def for_problem(self, problem: Problem) -> "FitCaller":
        """Return a caller for another problem with the same time limit."""
        other = copy(self)
        other.problem = problem
        return other

    def is_mixture(self, fit: Fit) -> bool:
        """Whether a fit returned legal parameters, all of them."""
        shapes, right = ({name: a.shape for name, a in theta.items()} for theta in (fit.theta, self.problem.theta))
        return not fit.error and shapes == right and not self.book.misfit(self.problem, fit.theta)

    def _call(self, n_iter: int | None, tol: float, given: Mapping[str, Any] | None = None) -> Fit:
        """Call the fit with a number of iterations, a tolerance and given arguments, and read its result."""
        values: dict[str, Any] = {
            "X": self.problem.X,
            "K": self.problem.K,
            "max_iter": MAX_ITER if n_iter is None else n_iter,
            "tol": tol,
            "random_state": self.seed,
            "n_init": 1,
            "parameters": self._start(self.problem.theta),
            **self.problem.theta,
            **{name: self.problem.given.get(name) for name in self.book.size_names},
        }
        values |= {role: given[name] for role, name in self.signature.roles.items() if given and name in given}
        args = [values[role] for role, _ in self.signature.positional]
        kwargs = {name: values[role] for name, role in self.signature.keyword.items()}
        outcome = answer_of(self.function, args, kwargs, self.seconds_left)
        return Fit(error=outcome.error, overtime=outcome.overtime) if outcome.error else self._read(outcome.value)

    def _read(self, value: Any) -> Fit:
        """Read parameters and log-likelihood from the value that a fit returned."""
        expected = [
            Expected(name, (self.problem.theta[name].shape, *self.book.other_shapes(name, self.problem)))
            for name in self.book.quantities
        ]
        value = by_quantity(value)
        theta, used = self._parameters(value, expected, self.returned)
        names = self.returned
        if len(theta) < len(expected):
            flat = leaves(value, self.returned)
            value, names = [leaf for _, leaf in flat], [name for name, _ in flat]
            theta, used = self._parameters(value, expected, names)
        objective = self._objective(value, used, names)
        history = objective if objective is not None and objective.ndim == 1 and len(objective) > 1 else None
        final = float(np.ravel(objective)[-1]) if objective is not None and objective.size else None
        return Fit(theta, final, history)

    def _parameters(
        self, value: Any, expected: Sequence[Expected], names: Sequence[str]
    ) -> tuple[dict[str, Array], set[str]]:
        """Return the parameters in a value, and the keys of their parts."""
        matching = next(iter(matchings(value, expected, self.book.all_spellings, names)), {})
        theta: dict[str, Array] = {}
        for quantity in expected:
            if quantity.name in matching:
                array = as_array(part(value, matching[quantity.name]))
                if array is not None:
                    theta[quantity.name] = match_shape(array, quantity.shapes)
        return theta, set(map(str, matching.values()))

    def _objective(self, value: Any, used: set[str], names: Sequence[str]) -> Array | None:
        """Return the log-likelihood or its history: the part of such a name, else a number or a list of numbers.

        A whole number without a name is no log-likelihood: it may be a number of iterations.
        """
        by_name = named_parts(value)
        if by_name is not None:
            parts = {name: p for name, p in by_name.items() if plain_name(name) in OBJECTIVE_NAMES.split()}
        elif isinstance(value, tuple | list):
            parts = {str(i): p for i, p in enumerate(value) if str(i) not in used}
        else:
            return None
        for name, candidate in parts.items():
            array = as_array(candidate)
            label = plain_name(names[int(name)]) if name.isdigit() and len(names) > int(name) else ""
            if (
                array is None
                or array.ndim > 1
                or array.size == 0
                or label in ("k", "n_iter", "it", "i", "t", "labels", "z")
            ):
                continue
            is_whole = array.size == 1 and float(array.ravel()[0]).is_integer() and label not in OBJECTIVE_NAMES.split()
            if not is_whole and array.shape != (self.problem.n,):
                return array
        return None
