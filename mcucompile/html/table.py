"""A table of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .words import Name

ROWS = 200  # of a table, at most


@dataclass(frozen=True)
class Column:
    text: str
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """Cells are texts or names; the first of a row is the row's heading. `more` says what was left out."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Name, ...], ...]
    more: str = ""

    @property
    def texts(self) -> list[list[str]]:
        return [[c.short if isinstance(c, Name) else c for c in row] for row in self.rows]


def table(caption: str, texts: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str | Name]]) -> Table:
    """With the columns of texts before those of numbers; cut where it is too long for a page."""
    lines = [tuple(row) for row in rows]
    columns = (*(Column(t, False) for t in texts), *map(Column, numbers))
    rest = len(lines) - ROWS
    more = f"and {rest:,} more, which report.json lists" if rest > 0 else ""
    return Table(caption, columns, tuple(lines[:ROWS]), more)
