"""The table of layers, with bars for cycles, flash and RAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..figures import Figures, Layer
from ..show import counted, share
from .words import Name, nodes_of, width


@dataclass(frozen=True)
class Cell:
    """A figure with the pieces of its bar: kinds, and lengths in percent of the largest; `share` is of the total."""

    value: int
    text: str
    pieces: tuple[tuple[str, str], ...]
    tip: str = ""
    share: str = ""


@dataclass(frozen=True)
class Row:
    index: int
    name: Name
    kernel: str
    shapes: str
    macs: str
    cycles: Cell
    flash: Cell
    ram: Cell


@dataclass(frozen=True)
class Layers:
    """`speed` is what the first bars are of."""

    speed: str
    rows: tuple[Row, ...]

    @property
    def caption(self) -> str:
        return f"{counted(len(self.rows), 'layer')}: speed, flash and RAM"


def layers(f: Figures) -> Layers:
    """In the order in which they run."""
    nodes, largest = nodes_of(layer.source for layer in f.layers), max((a.flash for a in f.layers), default=0)
    times = [time_of(layer, f) for layer in f.layers]
    cells = [time_cell(layer, time, times) for layer, time in zip(f.layers, times, strict=True)]
    rows = tuple(
        Row(layer.index, nodes.name(layer.source, layer.op), f"{layer.op} {layer.kernel}", layer.shapes,
            f"{layer.macs:,}", cell, flash_cell(layer, largest), ram_cell(layer, f))
        for layer, cell in zip(f.layers, cells, strict=True)
    )  # fmt: skip
    cycles = "Cycles, measured" if f.is_measured else "Cycles, estimated"
    return Layers("Instructions" if f.cycles is None else cycles, rows)


def time_of(layer: Layer, f: Figures) -> int:
    """Cycles, or instructions where the emulator could only count them."""
    return layer.instructions or 0 if f.cycles is None else layer.cycles


def time_cell(layer: Layer, time: int, times: Sequence[int]) -> Cell:
    instructions = "" if layer.instructions is None else f"{layer.instructions:,} instructions"
    return Cell(time, f"{time:,}", (("cycles", width(time, max(times))),), instructions, share(time, sum(times)))


def flash_cell(layer: Layer, largest: int) -> Cell:
    """What layers share is divided among them."""
    tip = f"{layer.constants:,} bytes of constants, {layer.code:,} of code"
    pieces = (("constants", width(layer.constants, largest)), ("code", width(layer.code, largest)))
    return Cell(layer.flash, f"{layer.flash:,}", pieces, tip)


def ram_cell(layer: Layer, f: Figures) -> Cell:
    pieces = (("arena", width(layer.ram, f.arena)),)
    return Cell(layer.ram, f"{layer.ram:,}", pieces, f"{share(layer.ram, f.arena)} of the arena")
