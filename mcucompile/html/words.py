"""Figures and names as a page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..show import printable

SHORT, NODES, LONG = 66, 90, 300  # letters of a name in a table, of several nodes, and of what hovering shows
DASH = "–"


@dataclass(frozen=True)
class Name:
    """A name from a model file or of the user's: what is shown, and what hovering shows."""

    short: str
    full: str


def name_of(text: str, letters: int = SHORT) -> Name:
    """In one line of printable characters, without its beginning where it is long: names differ at the end."""
    line = " ".join(printable(text.replace("\n", " ")).split())
    return Name(cut(line, letters), cut(line, LONG))


def cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"…{text[1 - letters :]}"


@dataclass(frozen=True)
class Nodes:
    """How a network's nodes are called: without the `folder` in which nearly all of them are."""

    folder: str

    def name(self, source: Iterable[str], otherwise: str = "") -> Name:
        """The ONNX nodes that a layer computes, with all of their paths on hovering."""
        names = list(source)
        inner = [n.removeprefix(self.folder).lstrip("/") or n for n in names]
        own = commonpath(inner) if len(inner) > 1 else ""
        short = f"{own}: {' + '.join(n.removeprefix(own)[1:] for n in inner)}" if own else " + ".join(inner)
        return Name(name_of(short or otherwise, NODES).short, name_of(" + ".join(names) or otherwise).full)


def commonpath(names: Sequence[str]) -> str:
    """The folder in which all of the names are, without the slash behind it."""
    parts = [n.split("/")[:-1] for n in names]
    same = list(takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False)))
    return "/".join(column[0] for column in same)


def nodes_of(sources: Iterable[Iterable[str]]) -> Nodes:
    """The longest folder that holds at least three quarters of the names."""
    names = [name for source in sources for name in source]
    folders = Counter(n[: i + 1] for n in names for i, letter in enumerate(n[:LONG]) if letter == "/")
    common = [folder for folder, count in folders.items() if 4 * count >= 3 * len(names)]
    return Nodes(max(common, key=len, default=""))


def count(value: float | None) -> str:
    return DASH if value is None else f"{value:,.0f}"


def figure(value: float | None) -> str:
    return DASH if value is None else f"{value:.4g}"


def percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f} %"


def size(nbytes: float) -> str:
    """Bytes in the largest unit of which there is at least one; 1 KB = 1,024 bytes."""
    for unit, factor in (("MB", 1 << 20), ("KB", 1 << 10)):
        if nbytes >= factor:
            return f"{nbytes / factor:,.1f} {unit}"
    return f"{nbytes:,.0f} bytes"


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= factor:
            return f"{seconds / factor:,.1f} {unit}"
    return f"{seconds / 1e-6:,.0f} µs"


def frequency(hertz: float) -> str:
    return f"{hertz / 1e6:,.4g} MHz"


def signed(value: float) -> str:
    return f"{value:+,.0f}".replace("-", "\N{MINUS SIGN}")


def change(value: float, first: float) -> str:
    """By how much a value is above another one, relative to it."""
    if value == first or not first:
        return "" if value == first else "new"
    return f"{100 * (value / first - 1):+.1f} %".replace("-", "\N{MINUS SIGN}")


def width(part: float, whole: float) -> str:
    """The length of a bar in percent."""
    return f"{min(100.0, 100 * part / whole) if whole else 0:.2f}".rstrip("0").rstrip(".")
