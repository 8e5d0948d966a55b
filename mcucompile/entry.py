"""JSON from outside, read with the type of every value checked."""

from __future__ import annotations

from collections.abc import Iterator

from .report import Json

LIMIT = 1 << 62


class Misread(ValueError):
    """An entry that is missing or of another type; the text says which."""


class Entry:
    """A JSON value and its place in the document."""

    def __init__(self, value: object, place: str = "") -> None:
        self.value, self.place = value, place

    def __getitem__(self, key: str) -> Entry:
        if not isinstance(self.value, dict):
            raise Misread(f"{self.place or 'it'} is no object")
        return Entry(self.value.get(key), f"{self.place}.{key}" if self.place else key)

    def __iter__(self) -> Iterator[Entry]:
        if not isinstance(self.value, list):
            raise Misread(f"{self.place} is no list")
        yield from (Entry(v, f"{self.place}[{i}]") for i, v in enumerate(self.value))

    def __bool__(self) -> bool:
        """Is there anything?"""
        return bool(self.value)

    @property
    def text(self) -> str:
        if not isinstance(self.value, str):
            raise Misread(f"{self.place} is no text")
        return self.value

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(e.text for e in self)

    @property
    def number(self) -> float:
        if type(self.value) not in (int, float):
            raise Misread(f"{self.place} is no number")
        return float(self.within_limits)

    @property
    def integer(self) -> int:
        if type(self.value) is not int:
            raise Misread(f"{self.place} is no integer")
        return int(self.within_limits)

    @property
    def within_limits(self) -> int | float:
        """Neither infinite nor NaN, which JSON has no words for but Python reads."""
        assert isinstance(self.value, int | float)
        if not -LIMIT < self.value < LIMIT:
            raise Misread(f"{self.place} is out of range")
        return self.value

    @property
    def number_or_none(self) -> float | None:
        return None if self.value is None else self.number

    @property
    def integer_or_none(self) -> int | None:
        return None if self.value is None else self.integer

    @property
    def object(self) -> Json:
        if not isinstance(self.value, dict):
            raise Misread(f"{self.place} is no object")
        return self.value

    @property
    def flag(self) -> bool:
        if type(self.value) is not bool:
            raise Misread(f"{self.place} is neither true nor false")
        return self.value
