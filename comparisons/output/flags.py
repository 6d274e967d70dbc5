"""Flags of a command line that follow from declared options."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from comparisons.declarations import Option


def takes(*options: Option) -> Callable[[Any], Any]:
    """Return a decorator that turns the parameter ``**options`` of a typer command into one flag for each option."""

    def decorate(command: Any) -> Any:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        command.__signature__ = signature.replace(parameters=[*own, *map(_parameter, options)])
        return command

    return decorate


def _parameter(option: Option) -> inspect.Parameter:
    kind: Any = option.parse if isinstance(option.parse, type) else Any
    if option.choices is not None:
        kind = Literal.__getitem__(option.choices)
    parser = None if kind is not Any else option.parse
    kind = kind if option.default is not None else kind | None
    annotation: Any = Annotated[kind, typer.Option(f"--{option.flag}", help=f"{option.help}.", parser=parser)]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=annotation)
