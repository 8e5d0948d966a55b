"""Tables for terminals of any width.

With too little room texts are folded between words, long words lose their middle, and columns that matter least are
left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from .node_names import cut_middle

FIGURE = re.compile(r"[-–+]?[\d,.]*(e[-+]\d+)?( %| dB)?")
WORD = 24  # letters of a word that stays whole as long as there is any room
TEXT = 40  # letters of a text that is in one line as long as columns can be left out instead
LEAST = 4  # letters of a column, at least
BETWEEN = 2  # blanks between columns


@dataclass(frozen=True)
class Column:
    """A column of texts, aligned on the left, or of figures."""

    name: str
    cells: tuple[str, ...]

    @cached_property
    def is_figures(self) -> bool:
        return all(FIGURE.fullmatch(cell) for cell in self.cells)

    @cached_property
    def natural(self) -> int:
        """Letters that it takes with every cell in one line."""
        return max(map(cell_len, (self.name, *self.cells)))

    @cached_property
    def wanted(self) -> int:
        """With which it is easy to read."""
        return self.natural if self.is_figures else min(self.natural, TEXT)

    @cached_property
    def least(self) -> int:
        """A figure stays in one line; of texts the words stay whole, short ones in two lines."""
        name = max(map(cell_len, self.name.split()), default=1)
        longest = max(map(cell_len, self.cells), default=1)
        if self.is_figures:
            return max(longest, min(name, WORD))
        words = max((cell_len(word) for text in (self.name, *self.cells) for word in text.split()), default=1)
        return min(self.natural, max(min(words, WORD), min(-(-longest // 2), WORD)))


@dataclass(frozen=True)
class Table:
    """`less` are columns that may be left out, those that matter least first."""

    title: str
    columns: tuple[Column, ...]
    less: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fitting = self.fitting(options.max_width)
        yield fitting.drawn(widths(fitting.columns, options.max_width))
        yield Text()
        gone = [c.name for c in self.columns if c not in fitting.columns]
        if gone:
            yield Text(f"(no room for: {', '.join(gone)}; a wider terminal shows more)")

    def fitting(self, room: int) -> Table:
        """Without columns for which there is no room."""
        columns, less = self.columns, self.less
        while less and sum(c.wanted + BETWEEN for c in columns) - BETWEEN > room:
            columns, less = tuple(c for c in columns if c.name != less[0]), less[1:]
        return replace(self, columns=columns)

    def drawn(self, letters: Sequence[int]) -> RichTable:
        """With as many letters in each column."""
        title = Text(self.title) if self.title else None
        has_names = any(c.name for c in self.columns)
        result = RichTable(
            title=title, box=box.SIMPLE_HEAD, show_header=has_names, pad_edge=False, collapse_padding=True,
            show_edge=False, title_justify="left", title_style="bold",
        )  # fmt: skip
        for c, width in zip(self.columns, letters, strict=True):
            justify = "right" if c.is_figures else "left"
            result.add_column(Text(cut_words(c.name, width)), justify=justify, overflow="fold", width=width)  # type: ignore[arg-type]
        for row in zip(*(c.cells for c in self.columns), strict=True):
            result.add_row(*(Text(cut_words(cell, width)) for cell, width in zip(row, letters, strict=True)))
        return result


def widths(columns: Sequence[Column], room: int) -> list[int]:
    """Letters of each column: what it needs, what is left going to those that lack least; else what there is."""
    found = [c.least for c in columns]
    spare = room - sum(found) - BETWEEN * (len(columns) - 1)
    for i in sorted(range(len(found)), key=lambda i: columns[i].natural - found[i]):
        more = min(max(spare, 0), columns[i].natural - found[i])
        found[i], spare = found[i] + more, spare - more
    while spare < 0 and max(found) > LEAST:
        i = max(range(len(found)), key=lambda i: (not columns[i].is_figures and found[i] > LEAST, found[i]))
        found[i], spare = found[i] - 1, spare + 1
    return found


def cut_words(text: str, width: int) -> str:
    """Each word no longer than that."""
    return " ".join(cut_middle(word, width) for word in text.split(" "))
