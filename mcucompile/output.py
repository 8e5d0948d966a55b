"""The command line's streams: where results, errors and progress go, and what happens where these cannot be written."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from . import show
from .errors import is_out_of_space
from .passes.base import Tell, silent

PIPE_WIDTH = 160  # columns of tables that go to a file or a pipe, where COLUMNS says nothing
Tally = Callable[[int, int], None]


class OutputConsole(Console):
    """Of what a reader may have enough of, which is then no failed comparison: rich exits with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console_on(stream: TextIO) -> Console:
    """For tables and text as they are: nothing in them is markup."""
    width = None if stream.isatty() else columns()
    return OutputConsole(file=stream, highlight=False, markup=False, emoji=False, width=width)


def columns() -> int:
    """Of a file or a pipe: what the environment says, as for other programs."""
    told = os.environ.get("COLUMNS", "")
    return int(told) if re.fullmatch("[1-9][0-9]{0,4}", told) else PIPE_WIDTH


def prepare_output() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this, as by `>&-`
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8", errors="replace"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a name still shows the rest


def discard(*streams: TextIO) -> None:
    """What they still hold, and whatever comes."""
    for stream in streams:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(text: str) -> None:
    """On stderr; where that is full, what is on stdout is all that there is."""
    try:
        print(show.printable(text), file=sys.stderr, flush=True)
    except OSError as e:
        if not is_out_of_space(e):
            raise
        discard(sys.stderr)


@contextmanager
def spinner(console: Console, text: str) -> Iterator[Tell]:
    """A sign of life on stderr, when that is a terminal; the yielded function takes what begins now."""
    if not sys.stderr.isatty():
        yield silent
        return
    with Console(stderr=True).status(text) as status:
        yield lambda now: status.update(Text(show.printable(f"{text}: {now}")))


@contextmanager
def progress_bars(console: Console, text: str) -> Iterator[Callable[[str], Tally]]:
    """A line on stderr, when that is a terminal, that moves however long a step takes; at first for what `text` names.

    The yielded function gives one for another name, which takes how many of how many are done, if it is known (else
    0 of 0), and then stands in the place of the one before.
    """
    counts = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), *counts)
    stderr = Console(stderr=True)
    with Progress(*columns, console=stderr, transient=True, disable=not sys.stderr.isatty()) as progress:
        rows = {text: progress.add_task(text, total=None)}

        def show_step(name: str, done: int, total: int) -> None:
            if name not in rows:
                progress.remove_task(rows.popitem()[1])
                rows[name] = progress.add_task(name, total=None)
            progress.update(rows[name], completed=done, total=total or None)

        yield lambda name: lambda done, total: show_step(name, done, total)
