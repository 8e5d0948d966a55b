"""The bootloader in the ROM of every STM32, over a serial port: ST's application note AN3155.

Own code, since the one library for it (stm32loader) is under the GPL, which a program under Apache-2.0 cannot import.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from functools import reduce
from itertools import accumulate, pairwise
from operator import xor

from ...errors import CompileError
from ..ports import find_port
from ..serial import Port, SerialPort
from .engine import Job, Written, check_chip_id, differs, failed, locked

BAUD = 115200  # the bootloader measures it; the highest that all parts take
SYNC, ACK, NACK, BUSY = 0x7F, 0x79, 0x1F, 0x76
GET, GET_ID, READ, GO, WRITE, ERASE, EXTENDED_ERASE = 0x00, 0x02, 0x11, 0x21, 0x31, 0x43, 0x44
BLOCK_NBYTES = 256
SYNC_SECONDS = 0.5
SYNC_ATTEMPTS = 3
ANSWER_SECONDS = 2.0
ERASE_SECONDS = 10.0  # one sector; 256 KB take up to 4 s by the data sheets


class Refused(Exception):
    """The bootloader answered NACK to what belongs to a command."""


class Protected(Exception):
    """The bootloader answered NACK to a command that it knows: readout protection is on."""


class Bootloader:
    """The bootloader at the other end of `line`. Numbers go over it with the highest byte first, checksums are xors.

    Methods raise Refused, Protected, TimeoutError when the right answer does not come, and what `line` raises.
    """

    def __init__(
        self, line: Port, *, sync_seconds: float = SYNC_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._line, self._pending = line, b""
        self._sync_seconds, self._answer_seconds = sync_seconds, answer_seconds

    def sync(self) -> None:
        """The first byte shows the baud rate. A bootloader that knows it waits for more, then refuses; both will do."""
        self._line.read(0.0)  # what came before does not count
        if not self._takes_byte(SYNC_ATTEMPTS):
            raise TimeoutError("neither ACK nor NACK came")

    def commands(self) -> bytes:
        """The codes of what it can do; of a protected part, too.

        Where its first answer was only late, a byte of `sync` that was sent again is half a command now, which makes
        one that is refused of the next byte.
        """
        for _ in range(SYNC_ATTEMPTS - 1):
            try:
                return self._answer(GET)[1:]
            except (Protected, TimeoutError):
                self._end_command()
        try:
            return self._answer(GET)[1:]
        except Protected as e:
            raise Refused from e

    def _end_command(self) -> None:
        """Makes it wait for a command, whatever it waits for."""
        deadline = time.monotonic() + 4 * self._sync_seconds
        while self._line.read(self._sync_seconds) and time.monotonic() < deadline:
            pass
        self._pending = b""
        self._takes_byte(2)

    def _takes_byte(self, attempts: int) -> bool:
        """Whether ACK or NACK comes after so many bytes at most, each of which is its own wrong complement."""
        for _ in range(attempts):
            self._line.write(bytes([SYNC]))
            try:
                self._acknowledged(self._sync_seconds)
                return True
            except Refused:
                return True
            except TimeoutError:
                continue
        return False

    def chip_id(self) -> int:
        return int.from_bytes(self._answer(GET_ID), "big")

    def erase(self, sector: int, *, is_extended: bool) -> None:
        nbytes = 2 if is_extended else 1
        self._command(EXTENDED_ERASE if is_extended else ERASE)
        self._send(bytes(nbytes) + sector.to_bytes(nbytes, "big"), ERASE_SECONDS)

    def write(self, address: int, data: bytes) -> None:
        self._command(WRITE)
        self._send(address.to_bytes(4, "big"))
        self._send(bytes([len(data) - 1]) + data)

    def read(self, address: int, nbytes: int) -> bytes:
        self._command(READ)
        self._send(address.to_bytes(4, "big"))
        self._line.write(bytes([nbytes - 1, (nbytes - 1) ^ 0xFF]))
        self._acknowledged()
        return self._read(nbytes)

    def go(self, address: int) -> None:
        """Starts the program whose vectors are there."""
        self._command(GO)
        self._send(address.to_bytes(4, "big"))

    def _answer(self, code: int) -> bytes:
        self._command(code)
        content = self._read(self._read(1)[0] + 1)
        self._acknowledged()
        return content

    def _command(self, code: int) -> None:
        self._line.write(bytes([code, code ^ 0xFF]))
        try:
            self._acknowledged()
        except Refused:
            raise Protected from None

    def _send(self, data: bytes, seconds: float | None = None) -> None:
        self._line.write(data + bytes([reduce(xor, data)]))
        self._acknowledged(seconds)

    def _acknowledged(self, seconds: float | None = None) -> None:
        seconds = seconds or self._answer_seconds
        deadline = time.monotonic() + seconds
        while (answer := self._read(1, seconds)[0]) == BUSY:
            if time.monotonic() > deadline:
                raise TimeoutError(f"busy for {seconds:g} s")
        if answer == NACK:
            raise Refused
        if answer != ACK:
            raise TimeoutError(f"{answer:#04x} came instead")

    def _read(self, nbytes: int, seconds: float | None = None) -> bytes:
        seconds = seconds or self._answer_seconds
        deadline, left = time.monotonic() + seconds, seconds
        while len(self._pending) < nbytes:
            received = self._line.read(max(0.0, left))
            self._pending += received
            if left <= 0 and not received:
                raise TimeoutError(f"{len(self._pending)} of {nbytes} bytes came within {seconds:g} s")
            left = deadline - time.monotonic()
        data, self._pending = self._pending[:nbytes], self._pending[nbytes:]
        return data


def program(job: Job) -> Written:
    """Erases the sectors that the program needs, writes, reads back, starts it.

    Raises E0609 and E0610 for the port, E0802 without an answer, E0804, E0805, E0807, E0808.
    """
    port = job.port or find_port(job.board)
    with closing(SerialPort(port, BAUD, parity="E")) as line:
        boot = Bootloader(line)
        try:
            boot.sync()
        except TimeoutError as e:
            raise _no_answer(job, port) from e
        try:
            return _program(job, boot, port)
        except Protected as e:
            raise locked(job, "readout protection is on: the bootloader refuses to read, write and erase") from e
        except Refused as e:
            raise failed(job, "the bootloader", "it refused what it was sent (NACK)") from e
        except TimeoutError as e:
            raise failed(job, "the bootloader", f"no right answer: {e}") from e
        except CompileError as e:
            raise failed(job, "the bootloader", e.what) if e.code == "E0605" else e from e


def _program(job: Job, boot: Bootloader, port: str) -> Written:
    is_extended = EXTENDED_ERASE in boot.commands()
    check_chip_id(job, boot.chip_id())
    pages = list(job.image.pages(BLOCK_NBYTES))
    erased = 0
    for sector, nbytes in _sectors(job, [address for address, _ in pages]):
        boot.erase(sector, is_extended=is_extended)
        erased += nbytes
    for i, (address, data) in enumerate(pages):
        boot.write(address, data)
        job.progress(i + 1, 2 * len(pages))
    for i, (address, data) in enumerate(pages):
        found = boot.read(address, len(data))
        if found != data:
            raise differs(job, address, data, found)
        job.progress(len(pages) + i + 1, 2 * len(pages))
    boot.go(job.board.region("vectors").origin)
    return Written(f"the bootloader at {port}", erased, True)


def _sectors(job: Job, pages: list[int]) -> Iterator[tuple[int, int]]:
    """(number, bytes) of the sectors that these pages are in. No sector is smaller than a page."""
    origin = job.board.region("vectors").origin
    borders = accumulate(job.flashing.sectors, initial=origin)
    for number, (first, end) in enumerate(pairwise(borders)):
        if any(first <= page < end for page in pages):
            yield number, end - first


def _no_answer(job: Job, port: str) -> CompileError:
    return CompileError(
        "E0802",
        f"no bootloader answers at {port}",
        why="it runs when the part is reset while BOOT0 is high, and listens on certain pins only (ST's AN2606)",
        fix="set BOOT0 high, reset the board, and flash it again; after that set BOOT0 low",
    )
