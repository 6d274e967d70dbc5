"""Check a plain script: the steps that it has, by name."""

import ast
import runpy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from comparisons import coursework

CHECKS: dict[str, Callable[..., Any]] = {
    "e_step": coursework.check_e_step,
    "m_step": coursework.check_m_step,
    "log_likelihood": coursework.check_log_likelihood,
    "q": coursework.check_q,
    "q_function": coursework.check_q,
    "fit": coursework.check_fit,
}
KMEANS_CHECKS: dict[str, Callable[..., Any]] = {"assign": coursework.check_e_step, "update": coursework.check_m_step}


def options_of(given: Iterable[str]) -> dict[str, Any]:
    """Return options by name from texts ``name=value``; a value is a Python literal or else a text.

    Raises
    ------
    ValueError
        If a text has no equals sign.
    """
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"option must be name=value, such as n_trials=10, got {text!r}")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


def checks_of(path: Path, family: str, **options: Any) -> Iterator[tuple[str, Any]]:
    """Run a script and check the functions that it defines: e_step, m_step, log_likelihood, q or q_function, fit.

    Parameters
    ----------
    path : path
        A Python file. It is run as it stands, but for what is below ``if __name__ == "__main__"``.
    family : str
        Name of the mixture; with ``"kmeans"`` the functions are assign and update.
    **options
        Options of the checks.

    Yields
    ------
    name, check
        A function's name, and the result of its check.

    Raises
    ------
    ValueError
        If the script cannot be run, or has none of these functions.
    """
    try:
        names = runpy.run_path(str(path), run_name="coursework")
    except (Exception, SystemExit) as error:
        raise ValueError(f"script {path} cannot be run: {type(error).__name__}: {error}") from None
    available = CHECKS | KMEANS_CHECKS if family == "kmeans" else CHECKS
    checks = {name: check for name, check in available.items() if callable(names.get(name))}
    if not checks:
        raise ValueError(f"script must define at least one of {', '.join(available)}; {path} defines none of them")
    for name, check in checks.items():
        yield name, check(names[name], family=family, **options)
