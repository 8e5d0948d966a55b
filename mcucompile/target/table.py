"""A table of a board file, read field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import CompileError

_T = TypeVar("_T")


class Table:
    """A TOML table that is consumed field by field; what is left over at the end is an error."""

    def __init__(self, path: Path, prefix: str, values: Mapping[str, Any]) -> None:
        self.path, self.prefix, self.values = path, prefix, dict(values)

    def error(self, key: str, problem: str) -> CompileError:
        fix = "boards/qemu-m4.toml and boards/nucleo-f446re.toml show every field"
        return CompileError("E0302", f"field {self.prefix}{key} {problem}", where=str(self.path), fix=fix)

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.values.pop(key, default)
        if value is None:
            raise self.error(key, "is missing")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(key, f"must be {_TYPE_NAMES[kind]}, not {value!r}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        return str(self.take(key, str, default))

    def choice(self, key: str, among: Mapping[str, Any], default: str | None = None) -> Any:
        name = self.text(key, default)
        if name not in among:
            raise self.error(key, f"is {name!r}; it must be one of {', '.join(among)}")
        return among[name]

    def number(self, key: str, least: int) -> int:
        value = int(self.take(key, int))
        if not least <= value < 2**32:
            raise self.error(key, f"is {value}; it must be at least {least} and less than 2^32")
        return value

    def numbers(self, key: str) -> tuple[int, ...]:
        values = self.take(key, list)
        if not values or not all(type(v) is int and 0 <= v < 2**32 for v in values):
            raise self.error(key, "must be a list of integers from 0 to 2^32 - 1")
        return tuple(values)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.take(key, list, [])
        if not all(isinstance(v, str) for v in values):
            raise self.error(key, "must be a list of strings")
        return tuple(values)

    def table(self, key: str) -> Table:
        return Table(self.path, f"{self.prefix}{key}.", self.take(key, dict))

    def optional(self, key: str, read: Callable[[Table], _T]) -> _T | None:
        return read(self.table(key)) if key in self.values else None

    def finish(self) -> None:
        for key in self.values:
            raise self.error(key, "is not known")


_TYPE_NAMES: dict[type, str] = {str: "a string", int: "an integer", list: "a list", dict: "a table"}
