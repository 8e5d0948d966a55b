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

FIGURE = re.compile(r"[-−–+]?[\d,.]*(e[-+]\d+)?( %| dB)?")
UNIT = re.compile(r"(?<=\d) (?=%|dB\b|s\b|ms\b|µs\b)")  # the blank between a number and its unit, where no line ends
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
        words = max((cell_len(word) for text in (self.name, *self.cells) for word in words_of(text)), default=1)
        return min(self.natural, max(min(words, WORD), min(-(-longest // 2), WORD)))


@dataclass(frozen=True)
class Table:
    """`less` are columns that may be left out, those that matter least first."""

    title: str
    columns: tuple[Column, ...]
    less: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fitting = self.fitting(options.max_width)
        if self.title:
            yield Text(self.title, "bold")  # not rich's title, which is no wider than the table
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
        has_names = any(c.name for c in self.columns)
        result = RichTable(
            box=box.SIMPLE_HEAD, show_header=has_names, pad_edge=False, collapse_padding=True,
            show_edge=False,
        )  # fmt: skip
        for c, width in zip(self.columns, letters, strict=True):
            justify = "right" if c.is_figures else "left"
            result.add_column(Text(folded(c.name, width)), justify=justify, overflow="fold", width=width)  # type: ignore[arg-type]
        for row in zip(*(c.cells for c in self.columns), strict=True):
            result.add_row(*(Text(folded(cell, width)) for cell, width in zip(row, letters, strict=True)))
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


def words_of(text: str) -> list[str]:
    """What stays in one line; a number and its unit are one word."""
    return [word.replace("\0", " ") for word in UNIT.sub("\0", text).split()]


def folded(text: str, width: int) -> str:
    """In lines of at most so many letters, where longer words lose their middle."""
    lines = [""]
    for word in words_of(text):
        cut = cut_middle(word, width)
        longer = f"{lines[-1]} {cut}" if lines[-1] else cut
        lines = [*lines[:-1], longer] if cell_len(longer) <= width else [*lines, cut]
    return "\n".join(lines)


def shortened(text: str, width: int) -> str:
    """In one line of at most so many letters: the longest words lose their middle, until that is enough."""
    words = text.split()
    letters = [len(word) for word in words]
    while sum(letters) + len(letters) - 1 > width and max(letters) > WORD // 2:
        letters[letters.index(max(letters))] -= 1
    return cut_middle(" ".join(map(cut_middle, words, letters)), width)
