"""All parameters as one value: a tuple with names, read as ``theta[0]``, ``theta["weights"]`` or ``theta.weights``."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from comparisons.coursework.calling.roles import roles_of


class Bundle(tuple[Any, ...]):
    """Parameters in the textbook's order, which any usual name finds."""

    _names: tuple[str, ...]
    _spellings: Mapping[str, Iterable[str]]

    @classmethod
    def of(cls, values: Mapping[str, Any], spellings: Mapping[str, Iterable[str]]) -> "Bundle":
        """Return a bundle of values by name; ``spellings`` are the usual names of each."""
        bundle = cls(values.values())
        bundle._names, bundle._spellings = tuple(values), spellings
        return bundle

    def _position(self, name: str) -> int:
        roles = roles_of(name, self._spellings, self._names)
        if not roles:
            raise KeyError(name)
        return self._names.index(roles[0])

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self._position(key) if isinstance(key, str) else key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def keys(self) -> tuple[str, ...]:
        """Return the names, as a dictionary does."""
        return self._names

    def values(self) -> Iterator[Any]:
        """Return the arrays, as a dictionary does."""
        return iter(self)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Return names and arrays, as a dictionary does."""
        return zip(self._names, self, strict=True)

    def get(self, key: str, default: Any = None) -> Any:
        """Return an array by name."""
        try:
            return self[key]
        except KeyError:
            return default
