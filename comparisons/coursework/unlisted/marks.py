"""Marks around the expressions of a source: what each has as its values, and other values in the place of one."""

import ast
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from comparisons.coursework.calling.source import Called, Source
from models.validation import Array

MARK = "_marked_expression"
MARKED = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.UnaryOp
MOST_TURNS = 400  # values of one expression that are recorded


@dataclass
class Watch:
    """What is called with the value of every marked expression: it records all, or puts others in the place of one.

    Attributes
    ----------
    seen : dict
        Values by the number of the expression, in the order of computing; None where they are no numbers.
    """

    place: int = -1
    others: Sequence[Array] | None = None
    turn: int = 0
    seen: dict[int, list[Array] | None] = field(default_factory=dict)

    def record(self) -> None:
        """Record values from now on."""
        self.others, self.seen = None, {}

    def put(self, place: int, others: Sequence[Array]) -> None:
        """Put arrays in the place of an expression's values from now on, one after another."""
        self.place, self.others, self.turn = place, others, 0

    def __call__(self, place: int, value: Any) -> Any:
        """Return the value of an expression, or what stands for it."""
        if self.others is None:
            self._note(place, value)
        elif place == self.place and self.turn < len(self.others):
            self.turn += 1
            return np.array(self.others[self.turn - 1])[()]
        return value

    def _note(self, place: int, value: Any) -> None:
        values = self.seen.setdefault(place, [])
        is_number = isinstance(value, np.ndarray | np.number | float | int) and np.asarray(value).dtype.kind in "fiub"
        if values is None or not is_number or len(values) >= MOST_TURNS:
            self.seen[place] = None
        else:
            values.append(np.array(value, dtype=np.float64))


class _Marker(ast.NodeTransformer):
    """Puts a mark around the expressions of a tree; ``places`` are their texts and lines."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.places: list[tuple[str, int]] = []
        self.first = 1
        self.modules = {name for name, value in names.items() if isinstance(value, ModuleType)}

    def visit(self, node: Any) -> Any:
        """Return a node with marks in it and around it; what is assigned to, an index, a module have none."""
        if isinstance(node, ast.JoinedStr | ast.arguments) or (isinstance(node, ast.Name) and self._is_of_module(node)):
            return node
        is_read = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        text = ast.unparse(node) if is_read and isinstance(node, MARKED) else ""
        if isinstance(node, ast.Call):
            self._visit_call(node)
        elif isinstance(node, ast.Subscript) and is_read:
            node.value = self.visit(node.value)
        elif is_read and not isinstance(node, ast.Subscript):
            self.generic_visit(node)
        if not text or (isinstance(node, ast.Attribute) and self._is_of_module(node)):
            return node
        self.places.append((text, self.first + node.lineno - 1))
        made = ast.Call(ast.Name(MARK, ast.Load()), [ast.Constant(len(self.places) - 1), node], [])
        return ast.fix_missing_locations(ast.copy_location(made, node))

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


def marked(functions: Mapping[Called, Source]) -> tuple[list[tuple[str, int]], dict[Called, Source]]:
    """Return the texts and lines of all marked expressions, and the sources with the marks."""
    marker, found = _Marker(getattr(next(iter(functions)), "__globals__", {})), {}
    for one, (tree, marker.first) in functions.items():
        whole = deepcopy(tree)
        top: Any = whole.body[0]
        for node in top.body if isinstance(top, ast.ClassDef) else [top]:
            if isinstance(node, ast.FunctionDef):
                node.body = [marker.visit(statement) for statement in node.body]
        found[one] = whole, marker.first
    return marker.places, found
