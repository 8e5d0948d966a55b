"""The cable between this machine and an emulated board: a serial line and a debug line, that are cut together."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from machine import EmptyMachine

from mcucompile.run.protocol import Command, decode

FOREVER = 1 << 60


class Cable:
    """Cut when so many bytes have gone over one of its lines, in either direction.

    Or the serial line falls silent at the first frame of a command, as with a wire that comes off an adapter: nobody is
    told, and what is sent is lost.
    """

    def __init__(
        self, machine: EmptyMachine, *, serial: int = FOREVER, debug: int = FOREVER, silent_at: Command | None = None
    ) -> None:
        self.silent_at, self.is_silent, self._begun = silent_at, False, b""
        self.machine, self.limits, self.counts = machine, {"serial": serial, "debug": debug}, {"serial": 0, "debug": 0}
        self.is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lines: list[socket.socket] = []
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def carry(self, line: str, nbytes: int) -> None:
        self.counts[line] += nbytes
        if self.counts[line] > self.limits[line]:
            self.cut()

    def listen(self, data: bytes) -> None:
        """To what goes to the board: a frame ends with a zero, and may come in pieces."""
        *wires, self._begun = (self._begun + data).split(b"\0")
        frames = [frame for wire in wires if (frame := decode(wire)) is not None]
        self.is_silent |= any(frame.command == self.silent_at for frame in frames)

    def cut(self) -> None:
        self.is_cut = True
        for line in (self._listener, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def connect(self) -> DebugLine:
        """The debug line, as pyOCD's probe opens it."""
        if self.is_cut:
            raise ConnectionRefusedError("the cable is cut")
        line = self.machine.connect()
        self._lines.append(line)
        return DebugLine(self, line)

    def end(self) -> None:
        self.cut()
        self._thread.join(10)
        assert not self._thread.is_alive()
        for line in self._lines:
            line.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((urlsplit(self.machine.url).hostname, urlsplit(self.machine.url).port))
                self._lines += [near, far]
                self._forward(near, far)

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with contextlib.suppress(OSError):
            while True:
                for line in select.select(list(other), [], [])[0]:
                    data = line.recv(4096)
                    if not data:
                        for end in other:
                            end.shutdown(socket.SHUT_RDWR)
                        return
                    self.carry("serial", len(data))
                    if line is near:
                        self.listen(data)
                    if not self.is_silent:
                        other[line].sendall(data)


class DebugLine:
    """A socket whose traffic the cable counts."""

    def __init__(self, cable: Cable, line: socket.socket) -> None:
        self.cable, self.line = cable, line
        self.settimeout, self.fileno, self.close = line.settimeout, line.fileno, line.close

    def sendall(self, data: bytes) -> None:
        self.cable.carry("debug", len(data))
        self.line.sendall(data)

    def recv(self, nbytes: int) -> bytes:
        data = self.line.recv(nbytes)
        self.cable.carry("debug", len(data))
        return data


@contextlib.contextmanager
def plugged_in(machine: EmptyMachine, **cut: Any) -> Iterator[Cable]:
    cable = Cable(machine, **cut)
    try:
        yield cable
    finally:
        cable.end()
