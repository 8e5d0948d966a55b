"""The serial ports of this machine, and which of them is a board's: by USB id, and never by guess."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from serial.tools import list_ports

from ..errors import CompileError
from ..target.board import Board
from ..target.flashing import UsbId


@dataclass(frozen=True)
class UsbPort:
    """A serial port on a USB device; `serial` is the device's serial number, "" where it has none."""

    device: str
    usb: UsbId
    serial: str
    description: str

    def __str__(self) -> str:
        """Two boards of one kind differ in nothing but their serial numbers."""
        number = f", serial number {self.serial}" if self.serial else ""
        return f"{self.device} ({self.usb} {self.description}{number})"


def usb_ports() -> list[UsbPort]:
    """Those that are on USB, by name."""
    found = [
        UsbPort(p.device, UsbId(p.vid, p.pid), p.serial_number or "", p.description or "")
        for p in list_ports.comports()
        if p.vid is not None and p.pid is not None
    ]
    return sorted(found, key=lambda port: port.device)


def board_ports(board: Board) -> list[UsbPort]:
    """Those on a USB device that this board's serial port is on."""
    return [port for port in usb_ports() if port.usb in board.usb]


def find_port(board: Board) -> str:
    """The board's serial port. Raises E0610 unless exactly one can be it."""
    found = board_ports(board)
    if len(found) == 1:
        return found[0].device
    if found:
        raise _unclear(f"{len(found)} serial ports may be that of {board.name}", found, "name one of them with --port")
    there = usb_ports()
    if there:
        adapter = "its own USB has none: use an adapter on its UART's pins, and " if not board.usb else ""
        raise _unclear(f"no serial port is that of {board.name}", there, f"{adapter}name a port with --port")
    raise CompileError(
        "E0610",
        "no serial port is connected by USB",
        why="a cable without data lines, or a board without power, looks just the same",
        fix="try another cable, look whether the board's power light is on, or name the port with --port",
    )


def serial_number_of(device: str) -> str:
    """Of the USB device that a serial port is on; "" when there is none. Links as in /dev/serial/by-id will do, too."""
    path = os.path.realpath(device)
    return next((port.serial for port in usb_ports() if os.path.realpath(port.device) == path), "")


def _unclear(what: str, ports: Sequence[UsbPort], fix: str) -> CompileError:
    return CompileError("E0610", what, why="\n".join(map(str, ports)), fix=fix)
