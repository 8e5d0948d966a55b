"""A board: core, memory, clock, serial line, and how to run programs on it. One TOML file each, in boards/."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import CompileError
from ..reading import read_text
from ..resources import folder
from .cores import CORES, Core, Isa
from .flashing import Flashing, UsbId, read_flashing, read_usb
from .setup import Pin, Setup, read_pin, read_setup
from .table import Table

HELD = ("vectors", "code", "weights", "data", "arena", "stack")
MORE_ARENA = "more_arena"  # regions that share the arena where its own is too small
BOOT = "boot"  # the region before the program that the chip's boot ROM reads, where it wants one
UART_KINDS = ("16550", "cmsdk", "flexcomm", "nrf51", "nxp_lpuart", "pl011", "stm32_lpuart", "stm32_v1", "stm32_v2")


@dataclass(frozen=True)
class Region:
    """A stretch of memory; `holds` lists what the linker puts there, of HELD, MORE_ARENA and BOOT."""

    name: str
    origin: int
    nbytes: int
    kind: str
    holds: tuple[str, ...]


@dataclass(frozen=True)
class Uart:
    """`kind` names the driver, templates/project/uart_<kind>.c; `irq` is the number of its receive interrupt.

    `clock_hz` is what drives it, `alternate` the number of its function at the pins; an emulator has no pins.
    """

    kind: str
    base: int
    irq: int
    baud: int
    clock_hz: int
    tx: Pin | None = None
    rx: Pin | None = None
    alternate: int = 0

    @property
    def defines(self) -> tuple[str, ...]:
        """For the C compiler."""
        numbers = {"BASE": self.base, "IRQ": self.irq, "BAUD": self.baud, "CLOCK_HZ": self.clock_hz}
        if self.tx and self.rx:
            numbers |= {"TX_PORT": self.tx.port, "TX_PIN": self.tx.number, "ALTERNATE": self.alternate}
            numbers |= {"RX_PORT": self.rx.port, "RX_PIN": self.rx.number}
        return tuple(f"-DUART_{name}={value:#x}u" for name, value in numbers.items())


@dataclass(frozen=True)
class Emulator:
    """The QEMU machine that stands in for the board; `serial` says which of its serial ports is the board's [uart]."""

    machine: str
    options: tuple[str, ...]
    systick_hz: int
    serial: int = 0


@dataclass(frozen=True)
class Board:
    """`flashing` says how a real one is programmed, `usb` which USB devices its serial port is on, `setup` how its part
    is set up, `tested` what was tried with it.
    """

    name: str
    description: str
    core: Core
    isa: Isa
    clock_hz: int
    regions: tuple[Region, ...]
    uart: Uart | None
    emulator: Emulator | None
    setup: Setup | None
    flashing: Flashing | None
    usb: tuple[UsbId, ...]
    tested: str

    @property
    def is_virtual(self) -> bool:
        """There is nothing but an emulator: the firmware may use its services. An emulated part gets none of them."""
        return self.emulator is not None and self.setup is None

    @property
    def boot_region(self) -> Region | None:
        return next((r for r in self.regions if BOOT in r.holds), None)

    def region(self, held: str) -> Region:
        """Where `held`, one of HELD, is put."""
        return next(r for r in self.regions if held in r.holds)

    @property
    def flash_nbytes(self) -> int:
        """The flash that holds code and weights."""
        return sum({r.name: r.nbytes for r in (self.region("code"), self.region("weights"))}.values())

    @property
    def all_flash_nbytes(self) -> int:
        """With what holds neither: the whole chip, where the program's flash is one of its own."""
        return sum(r.nbytes for r in self.regions if r.kind == "flash")

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
    path, known = folder("boards") / f"{name_or_path}.toml", list_boards()
    if name_or_path not in known:
        path = Path(name_or_path)
        if path.suffix != ".toml" or not path.is_file():
            raise CompileError(
                "E0301",
                f"there is no board {name_or_path!r}, and no TOML file of that name",
                why="\n".join([*did_you_mean(name_or_path, known), f"known: {', '.join(known)}"]),
                fix="take one of these, or give the path of your own board file",
            )
    return _board(Table(path, "", _parse(path)), path.stem)


def did_you_mean(given: str, known: Sequence[str]) -> list[str]:
    """A line with the names that contain what was given, or are spelled much like it; none where nothing comes near."""
    wanted = Path(given.lower().replace("_", "-").replace(" ", "-")).name.removesuffix(".toml")
    parts = [name for name in known if wanted and wanted in name]
    near = list(dict.fromkeys([*parts, *get_close_matches(wanted, known)]))[:3]
    return [f"did you mean {' or '.join(near)}?"] if near else []


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
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
        uart=None,
        emulator=table.optional("run", _emulator),
        setup=table.optional("setup", read_setup),
        flashing=table.optional("flash", read_flashing),
        usb=table.optional("usb", read_usb) or (),
        tested=table.text("tested"),
    )
    board = replace(board, uart=table.optional("uart", lambda t: _uart(t, board)))
    if board.setup and board.setup.clock_hz != board.clock_hz:
        raise table.error("clock_hz", f"is {board.clock_hz}, but what [setup] says makes {board.setup.clock_hz}")
    if bool(board.boot_region) != bool(board.setup and board.setup.family.has_boot):
        raise table.error("memory.*.holds", f"must name {BOOT!r} for an rp2040 or imxrt, and for no other part")
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
    allowed = (*HELD[:3], BOOT) if kind == "flash" else (*HELD, MORE_ARENA)
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


def _uart(table: Table, board: Board) -> Uart:
    """A real part's serial line needs its pins; its clock is the processor's where nothing else is said."""
    kind = table.choice("kind", {k: k for k in UART_KINDS})
    base, irq, baud = table.number("base", 0), table.number("irq", 0), table.number("baud", 1200)
    clock_hz = table.number("clock_hz", 1) if "clock_hz" in table.values else board.clock_hz
    alternate = table.number("alternate", 0) if "alternate" in table.values else 0
    uart = Uart(kind, base, irq, baud, clock_hz, read_pin(table, "tx"), read_pin(table, "rx"), alternate)
    for key, pin in (("tx", uart.tx), ("rx", uart.rx)):
        if board.setup and pin is None:
            raise table.error(key, "is missing")
    table.finish()
    return uart


def _emulator(table: Table) -> Emulator:
    table.choice("via", {"qemu": "qemu"})
    machine, options, systick_hz = table.text("machine"), table.texts("options"), table.number("systick_hz", 1)
    serial = table.number("serial", 0) if "serial" in table.values else 0
    emulator = Emulator(machine, options, systick_hz, serial)
    table.finish()
    return emulator
