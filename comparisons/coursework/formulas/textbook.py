"""What a family brings to coursework: its formulas term by term, inputs to try them on, and its usual spellings.

A family states it as ``TEXTBOOK`` in ``comparisons/<family>/coursework.py``. One that does not is checked all the same
against its steps: weights, normalisation and sums have known mistakes, and its own terms are located.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from itertools import permutations
from typing import Any, ClassVar

import numpy as np

from comparisons.coursework.calling.outputs import Expected
from comparisons.coursework.calling.roles import spellings_of
from comparisons.coursework.formulas.estimates import weights_formula
from comparisons.coursework.formulas.objectives import AGGREGATE, AVERAGE, ELL, Q
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import NORMALISE, WEIGHTS, R
from comparisons.coursework.formulas.slots import Formula, Slot
from comparisons.family import Family
from models.validation import Array

STEPS = {"e": "E-step", "m": "M-step", "log_likelihood": "log-likelihood", "q": "Q"}
WEIGHTS_OF = {1: (1.0,), 2: (0.7, 0.3), 3: (0.5, 0.2, 0.3), 4: (0.4, 0.1, 0.3, 0.2)}
Encode = Callable[[Array, Problem], Any]


@dataclass(frozen=True)
class Convention:
    """Another way to write a quantity down, such as precisions for covariances.

    Attributes
    ----------
    name : str
        As ``takes`` and ``returns`` declare it.
    quantity : str
        Which quantity it concerns.
    encode, decode : callable
        From the textbook's array and the problem to the other way, and back.
    words : tuple of str
        Parts of names of variables that declare it.
    free : bool
        Whether it needs no declaration.
    maybe : tuple of str
        Names of arguments that may mean it.
    """

    name: str
    quantity: str
    encode: Encode
    decode: Encode
    words: tuple[str, ...] = ()
    free: bool = False
    maybe: tuple[str, ...] = ()

    def fits(self, array: Array, problem: Problem, shape: tuple[int, ...]) -> bool:
        """Whether an array in this way has the textbook's shape once it is decoded."""
        try:
            return np.shape(self.decode(array, problem)) == shape
        except (ValueError, IndexError, np.linalg.LinAlgError):
            return False


def _transposed(a: Array, p: Problem) -> Array:
    return np.ascontiguousarray(np.asarray(a).T)


TRANSPOSED = Convention("(K, n)", "responsibilities", _transposed, _transposed, free=True)
LOGS = Convention(
    "log responsibilities",
    "responsibilities",
    lambda a, p: np.log(a),
    lambda a, p: np.exp(a),
    ("log_r", "logr", "log_gamma", "log_post", "log_tau"),
)


class Textbook:
    """The formulas of a family, term by term; as it stands, of any family by its steps in `em`.

    Parameters
    ----------
    family : Family
        With its options.
    prior : prior or None
        Of MAP; ``None`` is maximum likelihood.
    given : mapping
        Options that the caller gave himself.
    """

    spellings: ClassVar[Mapping[str, str]] = {}
    sections: ClassVar[Mapping[str, str]] = {}
    notebook: ClassVar[str] = "02_em_for_gmm.ipynb"
    texts: ClassVar[Mapping[str, str]] = {}
    formulas_know_priors: ClassVar[bool] = True
    density_slots: tuple[Slot, ...] = ()
    swaps: Slot | None = None
    conventions: tuple[Convention, ...] = ()
    n_samples: ClassVar[tuple[int, int]] = (7, 8)

    def __init__(self, family: Family, prior: Any = None, given: Mapping[str, Any] | None = None) -> None:
        self.family, self.prior, self.given = family, prior, dict(given or {})

    # Names ------------------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What the mixture is called in a sentence."""
        title = self.family.title
        return title[:1].lower() + title[1:] if title.split()[0] not in ("Gaussian", "Bernoulli", "Poisson") else title

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the parameters in the textbook's order."""
        return self.family.parameter_names

    @property
    def size_names(self) -> tuple[str, ...]:
        """Options that are sizes of cells."""
        return tuple(option.name for option in self.family.options if option.of_data)

    @cached_property
    def all_spellings(self) -> dict[str, frozenset[str]]:
        """Usual names of arguments and results by role."""
        return spellings_of(self.spellings)

    def section(self, step: str) -> str:
        """Return file and heading of the notebook that derives a step."""
        heading = self.sections.get(step, STEPS.get(step, step))
        return f'notebooks/{self.notebook}, "{heading}"'

    def step_title(self, step: str) -> str:
        """Return what a step is called."""
        return STEPS[step]

    def first_quantity(self, step: str) -> str:
        """Return the first quantity that a step returns."""
        return {"e": "responsibilities", "m": self.quantities[0]}.get(step, step)

    def sized(self, roles: Collection[str], default: Callable[[str], Any]) -> None:
        """Take note of which sizes of cells a function has as arguments, and of their defaults."""

    # Inputs -----------------------------------------------------------------------------------------------------------

    def draw(self, rng: np.random.RandomState, n: int, K: int, D: int, *, plain: bool = False) -> Problem:
        """Return random samples, parameters and responsibilities; ``plain`` ones have few digits."""
        prior = self.family.default_prior(np.ones((4, D)) + np.eye(4, D), K) if self.prior is None else self.prior
        drawn = self.family.draw_parameters(prior, K, D, rng).arrays()
        theta = {**drawn, "weights": self.draw_weights(rng, K, plain)}
        X = self.family.simulate(theta, n, rng)
        return self.problem("", X, theta, self.draw_responsibilities(rng, n, K, plain))

    def problem(self, name: str, X: Array, theta: Mapping[str, Array], r: Array) -> Problem:
        """Return a problem with the family's options."""
        return Problem(name, X, theta, r, dict(self.family.of_data), self.prior)

    def draw_weights(self, rng: np.random.RandomState, K: int, plain: bool = False) -> Array:
        """Return unequal weights in no order; ``plain`` ones have one digit."""
        if plain and K in WEIGHTS_OF:
            return np.array(WEIGHTS_OF[K])
        weights = np.asarray(WEIGHTS_OF.get(K, np.arange(1.0, K + 1))) + rng.uniform(-0.05, 0.05, size=K)
        return np.asarray(weights / weights.sum())

    def draw_responsibilities(self, rng: np.random.RandomState, n: int, K: int, plain: bool = False) -> Array:
        """Return responsibilities, none of them 0."""
        r = rng.dirichlet(0.8 + np.roll(np.arange(K), 1), size=n) * 0.96 + 0.04 / K
        if plain:
            r = np.round(r, 1)
            r[:, -1] = 1 - r[:, :-1].sum(axis=1)
        return np.asarray(r / r.sum(axis=1, keepdims=True))

    def shape(self) -> tuple[int | None, int | None]:
        """Return numbers of components and of features that options or prior fix."""
        D = next((len(np.atleast_1d(v).T) for v in self.family.of_data.values() if np.ndim(v) > 0), None)
        return None, D

    def sizes(self, step: str) -> list[tuple[str, int, int, int]]:
        """Return name, n, K and D of the problems; those with a name are special."""
        K, D = self.shape()
        n, more = self.n_samples if step == "m" else (7, 8)
        few = more if step == "m" else 1
        wanted = [("", n, 3, 2), ("", more, 2 if step == "m" else 4, 3), ("one component", 5 + few, 1, 2), ("one feature", n, 2, 1)]
        if step != "m":
            wanted.append(("one sample", 1, 3, 2))
        fixed = [(name, n, K or k, D or d) for name, n, k, d in wanted]
        return [row for row, plain in zip(fixed, wanted, strict=True) if row == plain or not row[0]]

    def problems(self, step: str) -> list[Problem]:
        """Return the inputs that decide whether a step is right."""
        rng = np.random.RandomState(20)
        return [self.draw(rng, n, K, D).changed(name=name) for name, n, K, D in self.sizes(step)]

    def small(self, step: str) -> list[Problem]:
        """Return small inputs with few digits, the smallest first."""
        rng, (K, D) = np.random.RandomState(3), self.shape()
        sizes = [(1, 1, 1), (1, 2, 1), (2, 2, 1), (1, 1, 2), (1, 2, 2), (2, 2, 2), (3, 3, 2)]
        if step == "m":
            sizes = [(n + 2, k, d) for n, k, d in sizes]
        fixed = list(dict.fromkeys((n, K or k, D or d) for n, k, d in sizes))
        return [self.draw(rng, n, k, d, plain=True) for n, k, d in fixed]

    def flat_problems(self, step: str) -> list[Problem]:
        """Return inputs of one feature, for functions of arrays without its axis."""
        rng = np.random.RandomState(21)
        n, more = self.n_samples
        sizes = [("", n, 3), ("", more, 2), ("one component", n, 1)]
        return [self.draw(rng, n, K, 1).changed(name=name) for name, n, K in sizes]

    def other_problems(self, step: str) -> list[tuple[bool, str, list[Problem]]]:
        """Return problems for functions that take no others: whether they are flat, a note that says so, and they."""
        return [(True, "takes one feature, as arrays without its axis", self.flat_problems(step))]

    def far(self) -> list[Problem]:
        """Return inputs far out, where plain densities underflow."""
        return []

    far_out = "densities underflow there; add their logarithms instead, and subtract the largest before exp"

    def probes(self, step: str) -> list[Problem]:
        """Return inputs without something that may matter; the name of each says without what."""
        rng = np.random.RandomState(22)
        K, D = self.shape()
        plain = self.draw(rng, self.n_samples[0], K or 3, D or 2)
        probes = [plain.changed(name="equal weights", weights=np.full(plain.K, 1 / plain.K))]
        if step in ("m", "q"):
            probes.append(plain.changed(name="equal responsibilities", r=np.full(plain.r.shape, 1 / plain.K)))
            probes.append(plain.changed(name="hard responsibilities", r=np.eye(plain.K)[np.arange(plain.n) % plain.K]))
        return probes

    def basis(self, problem: Problem) -> dict[str, tuple[float, Array]]:
        """Return the terms of the log joint density (n, K), each with its right factor."""
        log_weights = np.broadcast_to(np.log(problem.theta["weights"]), (problem.n, problem.K))
        return {"log π_k": (1.0, log_weights), "log p(x|k)": (1.0, self.log_density(problem))}

    def flat(self, problem: Problem) -> dict[str, Any]:
        """Return samples and parameters without the axis of a single feature, as one writes them for numbers."""
        arrays = {"X": problem.X, **problem.theta, **{name: problem.given[name] for name in self.size_names}}
        one = {name: a[..., 0] for name, a in arrays.items() if np.ndim(a) > 1 and np.shape(a)[-1] == 1}
        return {**arrays, **one}

    # Formulas ---------------------------------------------------------------------------------------------------------

    def parameters(self, problem: Problem) -> Any:
        """Return the current parameters as the family's own class."""
        return self.family.parameters_type(**problem.theta, **self.family.of_mixture)

    def sizes_of(self, problem: Problem) -> dict[str, Any]:
        """Return the sizes of the cells by name."""
        return {name: problem.given[name] for name in self.size_names}

    def log_density(self, problem: Problem) -> Array:
        """Return log p(x_i | z_i = k) by the family's step in `em`, shape (n, K)."""
        steps = import_module(f"em.{self.family.name}")
        return np.asarray(steps.component_log_prob(problem.X, self.parameters(problem), **self.sizes_of(problem)))

    def combine_density(self, problem: Problem, values: Mapping[str, Any]) -> Array:
        """Return log p(x_i | z_i = k) from the values of `density_slots`, shape (n, K)."""
        return self.log_density(problem)

    def m_step(self, problem: Problem) -> dict[str, Array]:
        """Return the M-step by quantity: by the formulas with slots where they are all there, else by `em`."""
        if (problem.prior is None or self.formulas_know_priors) and {*self.quantities} <= {*self.formulas}:
            return {name: self.formulas[name].value(problem) for name in self.quantities}
        steps = import_module(f"em.{self.family.name}")
        found = steps.m_step(problem.X, problem.r, problem.prior, **self.sizes_of(problem), **self.family.of_mixture)
        return dict(found.arrays())

    def objective(self, quantity: str, text: str, last: Slot) -> Formula:
        """Return a formula of log densities and log weights."""

        def combine(p: Problem, v: Mapping[str, Any]) -> Array:
            return np.asarray(v[last.name](self.combine_density(p, v), v["weights"], p))

        return Formula(quantity, text, (*self.density_slots, WEIGHTS, last), combine, self.swaps)

    @cached_property
    def formulas(self) -> dict[str, Formula]:
        """The formulas by quantity."""
        objectives = (
            self.objective("responsibilities", R, NORMALISE),
            self.objective("log_likelihood", ELL, AGGREGATE),
            self.objective("q", Q, AVERAGE),
        )
        return {formula.quantity: formula for formula in (*objectives, *self.estimates())}

    def estimates(self) -> tuple[Formula, ...]:
        """Return the formulas of the M-step that have slots."""
        return (weights_formula(self.texts.get("weights", "π_k = N_k / n,  N_k = Σ_i r_ik")),)

    def truth(self, step: str, problem: Problem) -> dict[str, Array]:
        """Return the right answer of a step, by quantity."""
        if step == "m":
            return self.m_step(problem)
        names = {"e": ("responsibilities", "log_likelihood"), "log_likelihood": ("log_likelihood",), "q": ("q",)}[step]
        return {name: self.formulas[name].value(problem) for name in names}

    # Fits -------------------------------------------------------------------------------------------------------------

    falls_with_fit = False
    shared: tuple[str, ...] = ()

    def fit_problem(self) -> Problem:
        """Return samples of two components that are apart, and a start that is no fixed point."""
        rng = np.random.RandomState(8)
        drawn = self.draw(rng, 90, 2, 3)
        X = self.family.simulate(dict(drawn.theta), 90, rng)
        near = self.draw(rng, 90, 2, 3).theta
        start = {name: 0.8 * drawn.theta[name] + 0.2 * near[name] for name in drawn.theta}
        return drawn.changed(X=X, **start)

    def responsibilities(self, problem: Problem) -> Array:
        """Return the E-step's responsibilities at the current parameters."""
        return self.formulas["responsibilities"].value(problem)

    def as_responsibilities(self, answer: Array, problem: Problem) -> Array:
        """Return what an E-step gave as responsibilities (n, K), or raise a ValueError."""
        if answer.shape != (problem.n, problem.K):
            raise ValueError("no responsibilities")
        return answer

    def iterate(self, problem: Problem) -> dict[str, Array]:
        """Return M(E(θ))."""
        soft = problem.changed(r=self.responsibilities(problem))
        return {name: self.formulas[name].value(soft) for name in self.quantities}

    def permuted(self, theta: Mapping[str, Array], order: Sequence[int]) -> dict[str, Array]:
        """Return parameters with their components in another order."""
        K = len(order)
        return {name: a[list(order)] if len(a) == K and name not in self.shared else a for name, a in theta.items()}

    def aligned(self, theta: Mapping[str, Array], like: Mapping[str, Array]) -> dict[str, Array]:
        """Return parameters with their components in the order in which they are most like others."""
        K = len(like[self.quantities[0]])
        orders = [self.permuted(theta, order) for order in permutations(range(K))]
        return min(orders, key=lambda other: sum(float(np.abs(other[name] - like[name]).max()) for name in like))

    def objective_at(self, problem: Problem) -> float:
        """Return what EM climbs, in nats."""
        return float(self.formulas["log_likelihood"].value(problem))

    def limit_from(self, problem: Problem, n_iter: int = 400) -> dict[str, Array]:
        """Return where EM goes from the current parameters."""
        theta = dict(problem.theta)
        for _ in range(n_iter):
            before, theta = theta, self.iterate(problem.changed(**theta))
            if all(np.allclose(theta[name], before[name], rtol=1e-7, atol=1e-10) for name in theta):
                break
        return theta

    def misfit(self, problem: Problem, theta: Mapping[str, Array]) -> str:
        """Return why arrays are no parameters of this mixture, or nothing."""
        try:
            self.family.parameters_type(**theta, **self.family.of_mixture)
        except ValueError as misfit:
            return str(misfit)
        return ""

    def expected(self, step: str, problem: Problem) -> list[Expected]:
        """Return what a step must return, with shapes."""
        right = self.truth(step, problem)
        return [
            Expected(name, (value.shape, *self.other_shapes(name, problem)), name != "log_likelihood" or step != "e")
            for name, value in right.items()
        ]

    def other_shapes(self, quantity: str, problem: Problem) -> Sequence[tuple[int, ...]]:
        """Return shapes that a quantity may also have."""
        return [(problem.K, problem.n)] if quantity == "responsibilities" else []

    def needed(self, step: str) -> tuple[str, ...]:
        """Return the roles of a step's arguments in the textbook's order."""
        if step == "m":
            return ("X", "responsibilities")
        return ("X", *self.quantities) if step != "q" else ("X", "responsibilities", *self.quantities)

    def optional(self, step: str) -> tuple[str, ...]:
        """Return roles that are passed where an argument has such a name."""
        own = (*self.quantities, "parameters") if step == "m" else ("parameters", "responsibilities")
        return (*own, *self.size_names, "K", "D", "n")

    def value_of(self, role: str, problem: Problem) -> Any:
        """Return what is passed for a role, in the textbook's way."""
        if role in problem.theta:
            return problem.theta[role]
        plain = {"X": problem.X, "responsibilities": problem.r, "K": problem.K, "D": problem.D, "n": problem.n}
        return plain[role] if role in plain else problem.given.get(role)

    def all_conventions(self) -> tuple[Convention, ...]:
        """Return the family's conventions and those of responsibilities."""
        return (*self.conventions, TRANSPOSED, LOGS)
