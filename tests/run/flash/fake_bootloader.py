"""A part with ST's bootloader in its ROM, behind a pseudo terminal; written from ST's application note AN3155.

It knows the bytes, their checksums, flash that only goes to zeros without erasing, and readout protection.
"""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate, pairwise
from operator import xor

SYNC, ACK, NACK, BUSY = 0x7F, 0x79, 0x1F, 0x76
ORIGIN = 0x08000000


class Unplugged(Exception):
    pass


@dataclass(eq=False)
class FakeBootloader:
    """`sectors` in bytes; `is_weak`: a bit of what is written is lost; `silent_after` many commands are answered; the
    port goes away when `unplugged_after` many bytes came.
    """

    chip_id: int = 0x421
    sectors: tuple[int, ...] = (*[16384] * 4, 65536, *[131072] * 3)
    is_extended: bool = True
    is_protected: bool = False
    is_weak: bool = False
    is_busy: bool = False
    silent_after: int = 1 << 60
    unplugged_after: int = 1 << 60
    received: int = 0
    erased: list[int] = field(default_factory=list)
    started_at: int | None = None
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flash = bytearray(b"\x5a" * sum(self.sectors))  # something else is in it
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self._stop, self._wake = os.pipe()
        self._commands = 0

    def serve(self) -> None:
        try:
            while self._byte() != SYNC:
                pass
            self._answer(ACK)
            while True:
                self._command(self._byte(), self._byte())
        except (Unplugged, OSError):
            pass
        finally:
            os.close(self.master)
            os.close(self.slave)

    def unplug(self) -> None:
        """The port goes away, whatever is going on."""
        os.write(self._wake, b"x")

    def _command(self, code: int, complement: int) -> None:
        self._commands += 1
        if self._commands > self.silent_after:
            while True:
                self._byte()
        handlers = {0x00: self._get, 0x02: self._get_id, 0x11: self._read, 0x21: self._go, 0x31: self._write}
        handlers[0x44 if self.is_extended else 0x43] = self._erase
        guarded = (0x11, 0x21, 0x31, 0x43, 0x44)
        if code ^ complement != 0xFF or code not in handlers or (self.is_protected and code in guarded):
            if not self.is_protected:
                self.problems.append(f"command {code:#x} {complement:#x}")
            self._answer(NACK)
            return
        self._answer(ACK)
        handlers[code]()

    def _get(self) -> None:
        known = bytes([0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44 if self.is_extended else 0x43])
        self._send(bytes([len(known), 0x31]) + known)
        self._answer(ACK)

    def _get_id(self) -> None:
        self._send(bytes([1]) + self.chip_id.to_bytes(2, "big"))
        self._answer(ACK)

    def _read(self) -> None:
        address = self._address()
        if address is None:
            return
        count, complement = self._byte(), self._byte()
        self._answer(ACK if count ^ complement == 0xFF else NACK)
        self._send(bytes(self.flash[address : address + count + 1]))

    def _write(self) -> None:
        address = self._address()
        if address is None:
            return
        count = self._byte()
        data = bytes(self._byte() for _ in range(count + 1))
        if self._byte() != reduce(xor, data, count) or address % 4 or len(data) % 4:
            self.problems.append(f"write of {len(data)} bytes at {address:#x}")
            self._answer(NACK)
            return
        for i, byte in enumerate(data):
            self.flash[address + i] &= byte  # without erasing, ones do not come back
        if self.is_weak and address == 256:
            self.flash[address + 7] ^= 0x10
        self._answer(ACK)

    def _erase(self) -> None:
        size = 2 if self.is_extended else 1
        head = bytes(self._byte() for _ in range(size))
        numbers = [bytes(self._byte() for _ in range(size)) for _ in range(int.from_bytes(head, "big") + 1)]
        if self._byte() != reduce(xor, head + b"".join(numbers)):
            self.problems.append("checksum of an erase")
            self._answer(NACK)
            return
        if self.is_busy:
            self._answer(BUSY)
        borders = list(pairwise(accumulate(self.sectors, initial=0)))
        for number in (int.from_bytes(n, "big") for n in numbers):
            first, end = borders[number]
            self.flash[first:end] = b"\xff" * (end - first)
            self.erased.append(number)
        self._answer(ACK)

    def _go(self) -> None:
        self.started_at = self._address()

    def _address(self) -> int | None:
        """Within flash, acknowledged; None when it was refused."""
        data = bytes(self._byte() for _ in range(4))
        address = int.from_bytes(data, "big")
        good = self._byte() == reduce(xor, data) and ORIGIN <= address < ORIGIN + len(self.flash)
        self._answer(ACK if good else NACK)
        if not good:
            self.problems.append(f"address {address:#x}")
        return address - ORIGIN if good else None

    def _byte(self) -> int:
        ready, _, _ = select.select([self.master, self._stop], [], [], 30)
        if self.master not in ready:
            raise Unplugged
        data = os.read(self.master, 1)
        if not data or self.received == self.unplugged_after:
            raise Unplugged
        self.received += 1
        return data[0]

    def _answer(self, code: int) -> None:
        self._send(bytes([code]))

    def _send(self, data: bytes) -> None:
        os.write(self.master, data)


@contextmanager
def connected(part: FakeBootloader) -> Iterator[FakeBootloader]:
    thread = threading.Thread(target=part.serve, daemon=True)
    thread.start()
    try:
        yield part
    finally:
        part.unplug()
        thread.join(10)
        assert not thread.is_alive()
