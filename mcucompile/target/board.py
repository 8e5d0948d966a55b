"""A board: core, memory, clock, serial line, and how to run programs on it. One TOML file each, in boards/."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import CompileError
from ..resources import folder
from .cores import CORES, Core, Isa
from .flashing import Flashing, UsbId, read_flashing, read_usb
from .table import Table

HELD = ("vectors", "code", "weights", "data", "arena", "stack")
MORE_ARENA = "more_arena"  # regions that share the arena where its own is too small
UART_KINDS = ("cmsdk", "nrf51", "stm32_v1", "pl011")


@dataclass(frozen=True)
class Region:
    """A stretch of memory; `holds` lists what the linker puts there, of HELD and MORE_ARENA."""

    name: str
    origin: int
    nbytes: int
    kind: str
    holds: tuple[str, ...]


@dataclass(frozen=True)
class Uart:
    """`kind` names the driver, templates/project/uart_<kind>.c; `irq` is the number of its receive interrupt."""

    kind: str
    base: int
    irq: int
    baud: int


@dataclass(frozen=True)
class Emulator:
    """The QEMU machine that stands in for the board."""

    machine: str
    options: tuple[str, ...]
    systick_hz: int


@dataclass(frozen=True)
class Board:
    """`flashing` says how a real one is programmed, `usb` which USB devices its serial port is on, `tested` what was
    tried with it.
    """

    name: str
    description: str
    core: Core
    isa: Isa
    clock_hz: int
    regions: tuple[Region, ...]
    uart: Uart | None
    emulator: Emulator | None
    flashing: Flashing | None
    usb: tuple[UsbId, ...]
    tested: str

    def region(self, held: str) -> Region:
        """Where `held`, one of HELD, is put."""
        return next(r for r in self.regions if held in r.holds)

    @property
    def flash_nbytes(self) -> int:
        """The flash that holds code and weights."""
        return sum({r.name: r.nbytes for r in (self.region("code"), self.region("weights"))}.values())

    @property
    def arena_regions(self) -> tuple[Region, ...]:
        """Where the arena may be, the preferred region first."""
        return self.region("arena"), *(r for r in self.regions if MORE_ARENA in r.holds)

    @property
    def ram_nbytes(self) -> int:
        """The RAM that may hold the arena: what a network can use, less stack and other data."""
        return sum(r.nbytes for r in self.arena_regions)


def list_boards() -> list[str]:
    return sorted(path.stem for path in folder("boards").glob("*.toml"))


def load_board(name_or_path: str) -> Board:
    """The board of that name, or of the TOML file at that path. Raises E0301, E0302."""
    path = folder("boards") / f"{name_or_path}.toml"
    if name_or_path not in list_boards():
        path = Path(name_or_path)
        if path.suffix != ".toml" or not path.is_file():
            raise CompileError(
                "E0301",
                f"there is no board {name_or_path!r}, and no TOML file of that name",
                why="known: " + ", ".join(list_boards()),
                fix="take one of these, or give the path of your own board file",
            )
    return _board(Table(path, "", _parse(path)), path.stem)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise CompileError("E0302", f"the board file cannot be read: {e}", where=str(path)) from e


def _board(table: Table, name: str) -> Board:
    core: Core = table.choice("core", CORES)
    board = Board(
        name=name,
        description=table.text("description"),
        core=core,
        isa=table.choice("isa", {isa.name.lower(): isa for isa in Isa}, core.isa.name.lower()),
        clock_hz=table.number("clock_hz", 1),
        regions=_regions(table.table("memory")),
        uart=table.optional("uart", _uart),
        emulator=table.optional("run", _emulator),
        flashing=table.optional("flash", read_flashing),
        usb=table.optional("usb", read_usb) or (),
        tested=table.text("tested"),
    )
    if board.isa > core.isa:
        raise table.error("isa", f"is {board.isa.name.lower()}, which {core.name} does not have")
    table.finish()
    return board


def _regions(memory: Table) -> tuple[Region, ...]:
    regions = tuple(_region(memory.table(name), name) for name in list(memory.values))
    for held in HELD:
        count = sum(held in r.holds for r in regions)
        if count != 1:
            raise memory.error("*.holds", f"must name {held!r} exactly once, not {count} times")
    _check_overlap(memory, regions)
    return regions


def _region(table: Table, name: str) -> Region:
    kind = table.choice("kind", {"flash": "flash", "ram": "ram"})
    region = Region(name, table.number("origin", 0), table.number("size", 1), kind, table.texts("holds"))
    allowed = HELD[:3] if kind == "flash" else (*HELD, MORE_ARENA)
    for held in region.holds:
        if held not in allowed:
            raise table.error("holds", f"names {held!r}; {kind} can hold {', '.join(allowed)}")
    table.finish()
    return region


def _check_overlap(memory: Table, regions: tuple[Region, ...]) -> None:
    in_order = sorted(regions, key=lambda r: r.origin)
    for a, b in pairwise(in_order):
        if a.origin + a.nbytes > b.origin:
            raise memory.error(b.name, f"overlaps memory.{a.name}")


def _uart(table: Table) -> Uart:
    kind = table.choice("kind", {k: k for k in UART_KINDS})
    uart = Uart(kind, table.number("base", 0), table.number("irq", 0), table.number("baud", 1200))
    table.finish()
    return uart


def _emulator(table: Table) -> Emulator:
    table.choice("via", {"qemu": "qemu"})
    emulator = Emulator(table.text("machine"), table.texts("options"), table.number("systick_hz", 1))
    table.finish()
    return emulator
