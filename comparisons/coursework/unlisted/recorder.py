"""Record the value of every expression of a function, or replace the values of one expression.

The source is rewritten: each expression becomes a call of a `Recorder`, which is given the expression's number and its
value. An expression in a loop has one value for each pass of the loop.
"""

import ast
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from comparisons.coursework.calling.source import Called, Source
from models.validation import Array

RECORDER = "_recorded_expression"
RECORDED = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.UnaryOp
MOST_PASSES = 400  # values of one expression that are recorded


@dataclass
class Recorder:
    """Record the values of all expressions, or replace those of one; it is called with each value.

    Attributes
    ----------
    values : dict
        Values by the number of the expression, in the order of computing; None for an expression without numbers.
    """

    place: int = -1
    replacements: Sequence[Array] | None = None
    n_replaced: int = 0
    values: dict[int, list[Array] | None] = field(default_factory=dict)

    def record(self) -> None:
        """Record values from now on."""
        self.replacements, self.values = None, {}

    def replace(self, place: int, replacements: Sequence[Array]) -> None:
        """Replace the values of an expression by arrays from now on, one after another."""
        self.place, self.replacements, self.n_replaced = place, replacements, 0

    def __call__(self, place: int, value: Any) -> Any:
        """Return the value of an expression, or its replacement."""
        if self.replacements is None:
            self._append(place, value)
        elif place == self.place and self.n_replaced < len(self.replacements):
            self.n_replaced += 1
            return np.array(self.replacements[self.n_replaced - 1])[()]
        return value

    def _append(self, place: int, value: Any) -> None:
        """Record a value of an expression; drop the expression if it is no number or has too many values."""
        values = self.values.setdefault(place, [])
        is_number = isinstance(value, np.ndarray | np.number | float | int) and np.asarray(value).dtype.kind in "fiub"
        if values is None or not is_number or len(values) >= MOST_PASSES:
            self.values[place] = None
        else:
            values.append(np.array(value, dtype=np.float64))


class _Instrumenter(ast.NodeTransformer):
    """Replace each expression of a tree by a call of the recorder; ``places`` are their texts and lines."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.places: list[tuple[str, int]] = []
        self.first = 1
        self.modules = {name for name, value in names.items() if isinstance(value, ModuleType)}

    def visit(self, node: Any) -> Any:
        """Return a node that records itself and its parts, except targets of assignments, indices and modules."""
        if isinstance(node, ast.JoinedStr | ast.arguments) or (isinstance(node, ast.Name) and self._is_of_module(node)):
            return node
        is_read = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        text = ast.unparse(node) if is_read and isinstance(node, RECORDED) else ""
        if isinstance(node, ast.Call):
            self._visit_call(node)
        elif isinstance(node, ast.Subscript) and is_read:
            node.value = self.visit(node.value)
        elif is_read and not isinstance(node, ast.Subscript):
            self.generic_visit(node)
        if not text or (isinstance(node, ast.Attribute) and self._is_of_module(node)):
            return node
        self.places.append((text, self.first + node.lineno - 1))
        call = ast.Call(ast.Name(RECORDER, ast.Load()), [ast.Constant(len(self.places) - 1), node], [])
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def _visit_call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit(node.func.value)
        node.args = [self.visit(arg) for arg in node.args]
        node.keywords = [word if word.arg == "axis" else self.visit(word) for word in node.keywords]

    def _is_of_module(self, node: Any) -> bool:
        """Whether a name, or the name before a point, is that of a module."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.modules


def instrument(functions: Mapping[Called, Source]) -> tuple[list[tuple[str, int]], dict[Called, Source]]:
    """Return the texts and lines of all recorded expressions, and the sources with the calls of the recorder."""
    visitor, instrumented_sources = _Instrumenter(getattr(next(iter(functions)), "__globals__", {})), {}
    for function, (tree, visitor.first) in functions.items():
        copied = deepcopy(tree)
        top: Any = copied.body[0]
        for node in top.body if isinstance(top, ast.ClassDef) else [top]:
            if isinstance(node, ast.FunctionDef):
                node.body = [visitor.visit(statement) for statement in node.body]
        instrumented_sources[function] = copied, visitor.first
    return visitor.places, instrumented_sources
