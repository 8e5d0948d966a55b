"""How a real board is programmed and found: the [flash] and [usb] tables of its file.

Each engine of run/flash/ reads its own fields; a board that lacks them cannot be programmed that way, and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .table import Table

ENGINES = ("pyocd", "openocd", "stm32-uart", "uf2", "command")
_SECTORS = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)K")
_USB_ID = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")


@dataclass(frozen=True)
class ChipId:
    """The word at `address`, and with `mask`, is one of `ids` on this board's part."""

    address: int
    mask: int
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Uf2Drive:
    """The family id that the bootloader takes, and how the Board-ID in its drive's INFO_UF2.TXT begins."""

    family: int
    board_id: str


@dataclass(frozen=True)
class Flashing:
    """`engine` is the one that is taken unless the user names another.

    `target` is pyOCD's name of the part, `openocd` the configuration files, `sectors` the bytes of each flash sector,
    `command` what is run for the engine of that name, `advice` what one must do for that to work, `recovery` what
    lets a debug probe in that gets no answer. `reset` is "pin" where pyOCD has to start the program with the reset pin,
    "" where it knows a better way.
    """

    engine: str
    target: str
    openocd: tuple[str, ...]
    chip: ChipId | None
    sectors: tuple[int, ...]
    uf2: Uf2Drive | None
    command: str
    advice: str
    recovery: str
    reset: str


@dataclass(frozen=True)
class UsbId:
    """Vendor and product of a USB device."""

    vendor: int
    product: int

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}"


def read_flashing(table: Table) -> Flashing:
    """The [flash] table. Raises E0302, also when it lacks what its own engine needs."""
    flashing = Flashing(
        engine=table.choice("engine", {name: name for name in ENGINES}),
        target=table.text("target", ""),
        openocd=table.texts("openocd"),
        chip=table.optional("chip", _chip),
        sectors=_sectors(table),
        uf2=table.optional("uf2", _uf2),
        command=table.text("command", ""),
        advice=table.text("advice", ""),
        recovery=table.text("recovery", "hold its reset button down for the start"),
        reset=table.choice("reset", {"pin": "pin"}) if "reset" in table.values else "",
    )
    table.finish()
    if flashing.engine not in engines_of(flashing):
        raise table.error("engine", f"is {flashing.engine}, for which this table does not say what it needs")
    return flashing


def engines_of(flashing: Flashing) -> tuple[str, ...]:
    """The engines for which the table has what they need."""
    told = (flashing.target, flashing.openocd, flashing.sectors and flashing.chip, flashing.uf2, flashing.command)
    return tuple(name for name, fields in zip(ENGINES, told, strict=True) if fields)


def read_usb(table: Table) -> tuple[UsbId, ...]:
    """The [usb] table. Raises E0302."""
    ids = []
    for text in table.texts("ids"):
        found = _USB_ID.fullmatch(text)
        if not found:
            raise table.error("ids", f"names {text!r}; an id is vendor:product in hexadecimal, such as 0483:374b")
        ids.append(UsbId(int(found[1], 16), int(found[2], 16)))
    table.finish()
    return tuple(ids)


def _chip(table: Table) -> ChipId:
    chip = ChipId(table.number("address", 0), table.number("mask", 1), table.numbers("ids"))
    table.finish()
    return chip


def _uf2(table: Table) -> Uf2Drive:
    uf2 = Uf2Drive(table.number("family", 0), table.text("board_id"))
    table.finish()
    return uf2


def _sectors(table: Table) -> tuple[int, ...]:
    """`["4x16K", "1x64K"]` is four sectors of 16 KB, then one of 64."""
    sizes: list[int] = []
    for text in table.texts("sectors"):
        found = _SECTORS.fullmatch(text)
        if not found:
            raise table.error("sectors", f'names {text!r}; sectors are written as "4x16K"')
        sizes += [int(found[2]) * 1024] * int(found[1])
    return tuple(sizes)
