"""Figures and names as a page shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .. import node_names
from ..node_names import cut_middle
from ..show import printable

SHORT, NODES = 66, 90  # letters of a name, and of those of several nodes, in a table
LONG, WHOLE = 300, 1000  # of what hovering shows
DASH = "–"


@dataclass(frozen=True)
class Name:
    """A name from a model file or of the user's: what is shown, and what hovering shows."""

    short: str
    full: str


def name_of(text: str, letters: int = SHORT) -> Name:
    """In one line of printable characters, without its middle where it is long."""
    line = " ".join(printable(text.replace("\n", " ")).split())
    return Name(cut_middle(line, letters), cut_middle(line, LONG))


@dataclass(frozen=True)
class Nodes:
    """How a network's nodes are called on a page."""

    nodes: node_names.Nodes

    def name(self, source: Iterable[str], otherwise: str = "") -> Name:
        """The ONNX nodes that a layer computes, with all of their paths on hovering."""
        names = list(source)
        whole = " + ".join(name_of(n).full for n in names)
        return Name(name_of(self.nodes.text(names) or otherwise, NODES).short, name_of(whole or otherwise, WHOLE).short)


def nodes_of(sources: Iterable[Iterable[str]]) -> Nodes:
    return Nodes(node_names.nodes_of(sources))


def count(value: float | None) -> str:
    return DASH if value is None else f"{value:,.0f}"


def figure(value: float | None) -> str:
    return DASH if value is None else f"{value:.4g}"


def percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f} %"


def hundredths(value: float | None) -> str:
    """A percentage with two digits behind the point, as small errors need them."""
    return DASH if value is None else f"{100 * value:.2f} %"


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
