"""Find the role of each argument of a student's function: by its name, else by the textbook's order."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.shown import listed

DATA = "X"
OLD_ENDINGS = "_old", "_prev", "_previous", "_t", "_cur", "_current", "_prime"
OLD_SET = "old parameters"  # role of a second set of parameters, from which Q takes the responsibilities
OLD_BEGINNINGS = "old_", "prev_", "previous_", "current_"
SPELLINGS: dict[str, str] = {
    "X": "x xs data dataset samples sample points point obs observations observed features y ys counts values df",
    "responsibilities": "responsibilities responsibility resp resps respons r rs rik rnk r_nk r_ik gamma gammas g z "
    "zs q post posterior posteriors posterior_probs tau h membership memberships soft soft_assignments proba t w_ik "
    "wik p_z pz gamma_nk gamma_znk assignments log_resp log_r log_responsibilities log_gamma ric",
    "weights": "weights weight w ws pi pis pi_k phi phis mix mixing mix_weights mixing_weights mixture_weights "
    "mixing_coefs mixing_coefficients coefs alpha alphas tau proportions props prop mixing_proportions priors "
    "class_priors p_k omega eta lam_k pks pk log_weights log_pi",
    "K": "k n_components n_component num_components n_clusters num_clusters n_comp n_classes num_classes ncomp "
    "nb_clusters n_groups clusters number_of_components number_of_clusters",
    "max_iter": "max_iter n_iter iterations num_iter maxiter niter n_iters num_iters n_steps steps iters "
    "max_iterations n_iterations num_iterations t_max it maxit nsteps epochs n_epochs max_iters max_steps",
    "tol": "tol eps epsilon tolerance atol rtol threshold convergence",
    "n_init": "n_init n_inits inits n_restarts restarts num_restarts n_starts starts num_starts n_tries tries nstart",
    "random_state": "seed random_state rng generator random_seed rs",
    "parameters": "theta thetas params param parameters par model state pars new old init start initial guess",
    "old_log_likelihood": "old_ll ll_old",
}


@dataclass(frozen=True)
class Signature:
    """A function's arguments by role.

    Attributes
    ----------
    positional : tuple of (str, str)
        Role and name of each argument that is passed by position.
    keyword : dict
        Role by the name of each argument that is passed by name.
    bundled : bool
        Whether all parameters come as one argument.
    object_of : object or None
        The object whose method it is, if the method reads parameters from its attributes.
    problem : str
        Why it cannot be called; "" if it can.
    defaults : mapping
        Defaults by role, of the arguments that have one.
    """

    positional: tuple[tuple[str, str], ...]
    keyword: Mapping[str, str]
    bundled: bool = False
    object_of: Any = None
    problem: str = ""
    defaults: Mapping[str, Any] = MappingProxyType({})

    @property
    def roles(self) -> dict[str, str]:
        """Name of the argument by role."""
        return dict(self.positional) | {role: name for name, role in self.keyword.items()}


def plain_name(name: str) -> str:
    """Return a name in lower case without underscores at its ends; symbols of Greek letters by their names."""
    greek = {"π": "pi", "μ": "mu", "σ": "sigma", "Σ": "sigma", "γ": "gamma", "λ": "lambda", "θ": "theta", "τ": "tau"}
    name = "".join(greek.get(letter, letter) for letter in name)
    name = name.lower().strip("_")
    for ending in (*OLD_ENDINGS, "_new", "_next", "_init", "_0", "0", "_start", "_hat", "_list", "_arr", "_vec"):
        if name.endswith(ending) and len(name) > len(ending):
            name = name.removesuffix(ending)
    for beginning in (*OLD_BEGINNINGS, "init_", "initial_", "new_", "next_", "start_", "the_", "my_"):
        name = name.removeprefix(beginning)
    return name.strip("_")


def roles_of(name: str, spellings: Mapping[str, Iterable[str]], roles: Sequence[str]) -> list[str]:
    """Return the roles, of those asked for, that a name may stand for."""
    plain = {plain_name(name), name.lower()}
    return [role for role in roles if plain & {*spellings.get(role, ()), role.lower()}]


def spellings_of(extra: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the usual names of each role, with those that a family adds."""
    names_of = {role: f"{SPELLINGS.get(role, '')} {extra.get(role, '')}" for role in {*SPELLINGS, *extra}}
    return {role: frozenset(names.lower().split()) for role, names in names_of.items()}


def signature_of(
    function: Callable[..., Any],
    needed: Sequence[str],
    optional: Sequence[str],
    arrays: Sequence[str],
    spellings: Mapping[str, Iterable[str]],
) -> Signature:
    """Return which argument of a function has which role.

    Parameters
    ----------
    function : callable
        The student's function.
    needed : sequence of str
        Roles that it should have, in the textbook's order.
    optional : sequence of str
        Roles that it may have, if an argument has such a name.
    arrays : sequence of str
        Roles that no optional argument has whose default is a number.
    spellings : mapping
        Usual names by role.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return Signature(tuple((role, role) for role in needed), {})
    scalars = [roles_of(p.name, spellings, arrays) for p in parameters if isinstance(p.default, int | float)]
    optional = [role for role in optional if [role] not in scalars]
    kinds = inspect.Parameter
    arguments = [p for p in parameters if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
    if not arguments and parameters:
        if any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
            return Signature(tuple((role, role) for role in needed), {})
        return Signature((), {role: role for role in needed})
    twin_of = _old_names([p.name for p in arguments]) if OLD_SET in optional else {}
    named_now = [p for p in arguments if p.name not in twin_of]
    if twin_of:
        needed = [role for role in needed if role != "responsibilities"]
    role_of, missing, superfluous = _assign_roles(named_now, needed, optional, spellings)
    role_of |= {name: f"old {role_of[twin]}" for name, twin in twin_of.items() if twin in role_of}
    positional, by_name = _split_arguments(arguments, role_of)
    owner, problem = getattr(function, "__self__", None), ""
    if superfluous:
        problem = f"this step has no {listed(superfluous, noun='argument')}: it takes {', '.join(needed)}"
    elif missing and owner is None:
        problem = f"no argument for {', '.join(missing)}: this step takes {', '.join(needed)}"
    bundled = "parameters" in role_of.values()
    defaults = {role_of[p.name]: p.default for p in arguments if p.name in role_of and p.default is not p.empty}
    return Signature(positional, by_name, bundled, owner if missing else None, problem, defaults)


def _old_names(names: Sequence[str]) -> dict[str, str]:
    """Return the names of old parameters, each with the name of the new parameter of the same role."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault("parameters" if name.lower() in ("old", "new") else plain_name(name), []).append(name)
    twin_of = {}
    for twins in groups.values():
        if len(twins) == 2:
            marked = [n for n in twins if n.lower() == "old" or n.endswith(OLD_ENDINGS) or n.startswith(OLD_BEGINNINGS)]
            new = [n for n in twins if "new" in n.lower() or n.endswith("_next")]
            old = marked[0] if len(marked) == 1 else next((n for n in twins if new and n not in new), twins[1])
            twin_of[old] = next(n for n in twins if n != old)
    return twin_of


def _assign_roles(
    arguments: list[inspect.Parameter],
    needed: Sequence[str],
    optional: Sequence[str],
    spellings: Mapping[str, Iterable[str]],
) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the role of each argument, the needed roles without an argument, and the arguments without a role.

    A single argument that may hold all parameters has the role "parameters".
    """
    role_of, free = _roles_by_name(arguments, needed, optional, spellings)
    required = [p for p in arguments if p.default is inspect.Parameter.empty]
    unnamed = [p.name for p in free if p in required]
    rest = [role for role in needed if role not in role_of.values()]
    if len(unnamed) == 1 and len(rest) > 1 and DATA not in rest:
        return {**role_of, unnamed[0]: "parameters"}, [], []
    role_of |= dict(zip(unnamed, rest, strict=False))
    missing = [role for role in rest[len(unnamed) :] if role == DATA or "parameters" not in role_of.values()]
    if missing and len(required) == len(needed) and all(len(p.name) == 1 for p in required):
        return {p.name: role for p, role in zip(required, needed, strict=True)}, [], []  # by order: names mislead
    parameter_like = [
        p.name
        for p in required
        if role_of.get(p.name, "parameters") in {"parameters", *needed} - {DATA, "responsibilities"}
    ]
    if missing and len(parameter_like) == 1 and DATA in role_of.values() and len(needed) > 2:
        return {**role_of, parameter_like[0]: "parameters"}, [], []
    return role_of, missing, unnamed[len(rest) :]


def _split_arguments(
    arguments: list[inspect.Parameter], role_of: Mapping[str, str]
) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    """Split the arguments into those passed by position, up to the first without a role, and those passed by name."""
    ordered = [p.name for p in arguments if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    leading = ordered[: next((i for i, name in enumerate(ordered) if name not in role_of), len(ordered))]
    positional = tuple((role_of[name], name) for name in leading)
    return positional, {p.name: role_of[p.name] for p in arguments if p.name in role_of and p.name not in leading}


def _roles_by_name(
    arguments: list[inspect.Parameter],
    needed: Sequence[str],
    optional: Sequence[str],
    spellings: Mapping[str, Iterable[str]],
) -> tuple[dict[str, str], list[inspect.Parameter]]:
    """Return the role of each argument whose name is usual for it, and the other arguments."""
    roles = [*needed, *optional]
    role_of: dict[str, str] = {}
    candidates_of = {p.name: roles_of(p.name, spellings, roles) for p in arguments if not isinstance(p.default, str)}
    for only_one in (True, False):  # names that leave no choice first
        for name, candidates in candidates_of.items():
            free = [role for role in candidates if role not in role_of.values()]
            if name not in role_of and free and (len(free) == 1 or not only_one):
                role_of[name] = free[0]
    return role_of, [p for p in arguments if p.name not in role_of]
