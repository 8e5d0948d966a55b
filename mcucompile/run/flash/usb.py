"""Debug probes as the operating system sees them on USB: which one is meant, and why none was found."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import CompileError
from ...target.board import Board
from ...target.flashing import UsbId

SYSFS = Path("/sys/bus/usb/devices")
NODES = Path("/dev/bus/usb")
JLINK = 0x1366
PROBES = {0x0483: "ST-Link", 0x0D28: "DAPLink", JLINK: "J-Link", 0x2E8A: "Raspberry Pi", 0xC251: "Keil"}
"""Vendors of debug probes. Others are seen by pyOCD too; only the advice is less precise for them."""


@dataclass(frozen=True)
class UsbDevice:
    """`node` is the file through which programs talk to it, `serial` its serial number, "" where it has none."""

    usb: UsbId
    product: str
    node: Path
    serial: str


def usb_devices(sysfs: Path = SYSFS, nodes: Path = NODES) -> list[UsbDevice]:
    """On Linux, all that is plugged in; elsewhere nothing."""
    return [device for folder in sorted(sysfs.glob("*")) if (device := _read(folder, nodes)) is not None]


def debug_probes(board: Board, sysfs: Path = SYSFS, nodes: Path = NODES) -> list[UsbDevice]:
    return [d for d in usb_devices(sysfs, nodes) if d.usb in board.usb or d.usb.vendor in PROBES]


def named(wanted: str, ids: Iterable[str]) -> list[str]:
    """Those that a user means who names one, or a part of one. Systems and tools show the same number in capitals or
    small letters, with leading zeros or without. A whole id comes before a part of others.
    """
    text, number, known = wanted.lower(), plain(wanted), list(filter(None, ids))
    same = [i for i in known if number and plain(i) == number]
    return same or [i for i in known if text in i.lower() or (number and plain(i).startswith(number))]


def plain(probe_id: str) -> str:
    """A J-Link's number has leading zeros on USB, and none in pyOCD."""
    return probe_id.lower().lstrip("0")


def no_probe(board: Board, sysfs: Path = SYSFS, nodes: Path = NODES) -> CompileError:
    """E0806 when there is a probe that may not be opened, else E0802, with what is there."""
    probes = debug_probes(board, sysfs, nodes)
    denied = [d for d in probes if not os.access(d.node, os.R_OK | os.W_OK)]
    if denied:
        return CompileError(
            "E0806",
            f"the debug probe {denied[0].product or denied[0].usb} may not be opened by this user",
            where=str(denied[0].node),
            fix=f"allow it with a udev rule, then plug it in again:\n{udev_rule(denied[0].usb)}",
        )
    if probes:
        names = "\n".join(f"{d.usb} {d.product}" for d in probes)
        why = f"on USB there is\n{names}\nwhich is no probe that pyOCD knows, or another program holds it"
        fix = "close other debuggers, update the probe's firmware, or take another --engine"
        if any(d.usb.vendor == JLINK for d in probes):
            fix = f"install SEGGER's J-Link software, which pyOCD needs, or take --engine openocd; else {fix}"
        return CompileError("E0802", f"no debug probe for {board.name} was found", why=why, fix=fix)
    why = "nothing that looks like one is on USB; a cable without data lines looks just the same"
    fix = f"plug {board.name} in, by another cable if it was; a board without a probe of its own needs one, on SWD"
    return CompileError("E0802", f"no debug probe for {board.name} was found", why=why, fix=fix)


def udev_rule(usb: UsbId) -> str:
    """Two commands for a terminal. The rule has a file of its own: other probes keep theirs."""
    match = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{usb.vendor:04x}", ATTR{{idProduct}}=="{usb.product:04x}"'
    path = f"/etc/udev/rules.d/60-mcucompile-{usb.vendor:04x}-{usb.product:04x}.rules"
    return f"""    echo '{match}, TAG+="uaccess", MODE="0666"' | sudo tee {path}\n    sudo udevadm control --reload"""


def _read(folder: Path, nodes: Path) -> UsbDevice | None:
    """The device of a folder of sysfs; None for hubs' interfaces, and for what was just unplugged."""
    try:
        vendor, product = (int((folder / name).read_text(), 16) for name in ("idVendor", "idProduct"))
        bus, number = (int((folder / name).read_text()) for name in ("busnum", "devnum"))
    except (OSError, ValueError):
        return None
    product_name, serial = (_text(folder / name) for name in ("product", "serial"))
    return UsbDevice(UsbId(vendor, product), product_name, nodes / f"{bus:03}" / f"{number:03}", serial)


def _text(file: Path) -> str:
    """ "" where the device does not say that."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
