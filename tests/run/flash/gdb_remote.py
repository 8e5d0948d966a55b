"""A client of GDB's remote serial protocol, as far as QEMU's stub needs it. Every wait is bounded."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

ANSWER_SECONDS = 10.0
BLOCK_NBYTES = 1024
REGISTERS = {16: 25}  # XPSR; the others are numbered as in DCRSR


class Disconnected(Exception):
    """The other end went away, or does not answer."""


class MemoryFault(Exception):
    """There is nothing at this address."""


class GdbRemote:
    def __init__(self, connect: Callable[[], socket.socket], seconds: float = ANSWER_SECONDS) -> None:
        self._seconds, self._pending = seconds, b""
        try:
            self._socket = connect()
            answer = self.command("qSupported")
            while not answer.startswith(b"PacketSize"):
                answer = self.answer()  # that the processor was stopped, since somebody came
            self.command("?")  # removes all breakpoints
            self.command("qXfer:features:read:target.xml:0,ffb")  # without it QEMU does not answer p and P
        except OSError as e:
            raise Disconnected(str(e)) from e

    def command(self, text: str) -> bytes:
        self.send(text)
        return self.answer()

    def send(self, text: str) -> None:
        data = text.encode()
        self._write(b"$" + data + b"#%02x" % (sum(data) & 255))

    def interrupt(self) -> bytes:
        """Stops the processor, if it still runs; how it was stopped."""
        self._write(b"\x03")
        return self.answer()

    def answer(self) -> bytes:
        deadline = time.monotonic() + self._seconds
        while (packet := self._packet()) is None:
            self._receive(max(0.0, deadline - time.monotonic()))
        self._write(b"+")
        return packet

    def poll(self) -> bytes | None:
        """An answer that has come by now."""
        while select.select([self._socket], [], [], 0)[0]:
            self._receive(0)
        return self.answer() if b"#" in self._pending else None

    def read(self, address: int, nbytes: int) -> bytes:
        data = b""
        while len(data) < nbytes:
            count = min(BLOCK_NBYTES, nbytes - len(data))
            data += bytes.fromhex(self._memory(f"m{address + len(data):x},{count:x}").decode())
        return data

    def write(self, address: int, data: bytes) -> None:
        for at in range(0, len(data), BLOCK_NBYTES):
            part = data[at : at + BLOCK_NBYTES]
            self._memory(f"M{address + at:x},{len(part):x}:{part.hex()}")

    def read_register(self, number: int) -> int:
        return int.from_bytes(bytes.fromhex(self.command(f"p{REGISTERS.get(number, number):x}").decode()), "little")

    def write_register(self, number: int, value: int) -> None:
        self.command(f"P{REGISTERS.get(number, number):x}={value.to_bytes(4, 'little').hex()}")

    def monitor(self, text: str) -> None:
        """A command of QEMU's monitor; its output does not count."""
        answer = self.command(f"qRcmd,{text.encode().hex()}")
        while answer[:1] == b"O" and answer != b"OK":
            answer = self.answer()

    def close(self) -> None:
        self._socket.close()

    def _memory(self, text: str) -> bytes:
        answer = self.command(text)
        if answer[:1] == b"E":
            raise MemoryFault(text)
        return answer

    def _packet(self) -> bytes | None:
        begin = self._pending.find(b"$")
        end = self._pending.find(b"#", begin + 1)
        if begin < 0 or end < 0 or len(self._pending) < end + 3:
            return None
        packet, self._pending = self._pending[begin + 1 : end], self._pending[end + 3 :]
        return packet

    def _receive(self, seconds: float) -> None:
        self._socket.settimeout(seconds or None)
        try:
            data = self._socket.recv(65536)
        except OSError as e:
            raise Disconnected(str(e)) from e
        if not data:
            raise Disconnected("the other end closed")
        self._pending += data

    def _write(self, data: bytes) -> None:
        self._socket.settimeout(self._seconds)
        try:
            self._socket.sendall(data)
        except OSError as e:
            raise Disconnected(str(e)) from e
