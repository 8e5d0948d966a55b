"""The host's end of the line: one request at a time, repeated until its reply arrives or patience ends."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import select
import struct
import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import serial
from serial.urlhandler import protocol_socket

from ..errors import CompileError
from .ports import usb_ports
from .protocol import DAMAGED, REPLY, VERSION, Command, Frame, Status, decode, encode

_NOT_OPENED: tuple[type[Exception], ...] = (serial.SerialException, ValueError, OSError)
with contextlib.suppress(ImportError):  # only Unix has it
    import termios

    _NOT_OPENED += (termios.error,)

RETRY_SECONDS = 1.0
RETRY_SECONDS_MAX = 8.0
PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.001
DAMAGED_MAX = 50
_SLOW = (Command.RUN, Command.CONTINUE, Command.BATCH)


class Port(Protocol):
    """A line of bytes. `read` waits up to `seconds` for the first byte and returns what there is, or nothing."""

    def read(self, seconds: float) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class _TcpPort(protocol_socket.Serial):  # type: ignore[misc]
    """pyserial's port over TCP, less the 0.3 s that it sleeps when it is closed."""

    is_open: bool

    def close(self) -> None:
        if self.is_open:
            self._socket.close()
            self.is_open = False


_OPEN_FIXES = {
    errno.ENOENT: "look at the cable (some have no data lines) and at the port's name; `--port` takes another",
    errno.EACCES: "join the group that may open it (sudo usermod -aG dialout $USER), then log in again",
    errno.EBUSY: "close the other program that holds it: a terminal, or another mcucompile",
    errno.EAGAIN: "close the other program that holds it: a terminal, or another mcucompile",
}

_CUT_FIX = "look at the cable and its plugs, then try it again"
_WIRES_FIX = "look at the cable and the wires (TX, RX, ground), reset the device, and try it again"
SILENT_PORT = (
    "it may not be the board's port, TX and RX may be swapped, the ground not connected, or the baud rate another one"
)
_SILENT_PROGRAM = "or the board runs a program that does not answer mcucompile, as that of `flash --mlperf`"
REPROGRAM = "program the device again: `mcucompile flash`, or leave out --no-flash"


class SerialPort:
    """A pyserial port or URL; `parity` is N, E or O. Raises E0609 when it cannot be opened, E0605 when it goes away."""

    def __init__(self, url: str, baud: int = 115200, *, parity: str = "N") -> None:
        try:
            options = {"baudrate": baud, "timeout": 0, "write_timeout": PATIENCE_SECONDS, "parity": parity}
            if url.startswith("socket://"):
                self._port = _TcpPort(url, **options)
            else:
                # Two programs on one port would each take some of the other's bytes.
                exclusive = {} if "://" in url else {"exclusive": True}
                self._port = serial.serial_for_url(url, **options, **exclusive)
        except _NOT_OPENED as e:
            raise _not_opened(url, e) from e

    def read(self, seconds: float) -> bytes:
        try:
            self._wait(max(0.0, seconds))
            return bytes(self._port.read(4096))
        except (serial.SerialException, OSError) as e:
            raise CompileError("E0605", f"the serial line was cut: {e}", fix=_CUT_FIX) from e

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as e:
            raise CompileError("E0605", f"the serial line does not take data: {e}", fix=_CUT_FIX) from e

    def close(self) -> None:
        self._port.close()

    def _wait(self, seconds: float) -> None:
        """Ports that are no file, as all on Windows, have a `fileno` as well: it says that there is none."""
        try:
            number = self._port.fileno()
        except io.UnsupportedOperation:
            self._poll(seconds)
        else:
            select.select([number], [], [], seconds)

    def _poll(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._port.in_waiting and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))


def _not_opened(url: str, e: Exception) -> CompileError:
    """By the error's number, where it has one: pyserial's text repeats the system's and the port's name."""
    number = getattr(e, "errno", None) or 0
    reason, why = os.strerror(number) if number else str(e), ""
    fix = _OPEN_FIXES.get(number, "look at the cable, and at the port's name")
    if url.startswith("socket://") and not _names_a_port(url):  # of which pyserial's text says nothing
        reason, fix = "it lacks a host or a number", "give both: --port socket://HOST:NUMBER"
    if number == errno.ENOENT:
        there = [str(port) for port in usb_ports()]
        why = "\n".join(["on USB there are:", *there]) if there else "on USB there is no serial port"
    return CompileError("E0609", f"the serial port {url} cannot be opened: {reason}", why=why, fix=fix)


def _names_a_port(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and parts.port)
    except ValueError:
        return False


class Link:
    """A session with the device at the other end of `port`.

    `retry_seconds`: how long to wait for a reply before asking again. A `lossless` line is not asked again for what
    takes the device its time, for that would interrupt what is measured there. `check_alive` may raise a better error
    than "no answer" when there is nobody to answer. `reprogram` says what can be done about another program there.
    """

    def __init__(
        self,
        port: Port,
        *,
        retry_seconds: float = RETRY_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        lossless: bool = False,
        check_alive: Callable[[], None] = lambda: None,
        reprogram: str = REPROGRAM,
    ) -> None:
        self._port, self._retry, self._patience, self._check_alive = port, retry_seconds, patience_seconds, check_alive
        self._lossless, self.reprogram = lossless, reprogram
        self._session = secrets.randbelow(2**32 - 1) + 1
        self._sequence = -1
        self._pending = bytearray()

    def request(
        self,
        command: Command,
        payload: bytes = b"",
        *,
        patience: float | None = None,
        progress: Callable[[], int] = lambda: 0,
    ) -> bytes:
        """The data of the device's reply. `patience` (seconds) begins anew whenever `progress()` has changed.

        The first request must be HELLO. Raises E0605 without a reply, E0606 when only damaged frames arrive, E0607
        when the device speaks another version of the protocol, E0608 when it reports an error.
        """
        self._sequence = (self._sequence + 1) & 0xFFFF
        frame = Frame(command, self._session, self._sequence, payload)
        reply = self._exchange(frame, _Patience(self._patience if patience is None else patience, progress))
        if reply.version != VERSION or reply.payload[:1] == bytes([Status.VERSION]):
            what = "the device's firmware speaks another version of the protocol"
            raise CompileError("E0607", what, fix=self.reprogram)
        if reply.payload[:1] != bytes([Status.OK]):
            raise _refusal(command, reply.payload)
        return reply.payload[1:]

    def _exchange(self, frame: Frame, patience: _Patience) -> Frame:
        wire, retry, damaged = encode(frame), self._retry, 0
        if self._lossless and frame.command in _SLOW:
            retry = patience.seconds
        self._write(wire)
        while damaged < DAMAGED_MAX and not patience.is_over():
            received = self._next_frame(min(time.monotonic() + retry, patience.deadline))
            if isinstance(received, Frame) and _answers(received, frame):
                return received
            if isinstance(received, Frame) and received.command != DAMAGED:
                continue  # the late reply to an earlier request
            damaged += received is not None
            # The delimiter in front ends whatever is left of a frame whose own one was lost.
            self._write(b"\0" + wire)
            retry = max(retry, min(2 * retry, RETRY_SECONDS_MAX)) if received is None else retry
        self._check_alive()
        raise self._no_answer(frame.command, damaged, patience.seconds)

    def _no_answer(self, command: int, damaged: int, seconds: float) -> CompileError:
        """E0606 or E0605, with what is likely at this command."""
        is_first, limit = command == Command.HELLO, f"within {seconds:g} s"
        if damaged:
            what = f"{damaged} frames arrived damaged and no intact one among them"
            fix = "look at the baud rate, the cable and the ground; a lower baud rate may help"
            fix += f"; if another program sends them, {self.reprogram}" if is_first else ""
            return CompileError("E0606", what, fix=fix)
        if command in _SLOW:
            fix = "raise the time limit (--timeout) if the network is that slow"
            fix += "" if self._lossless else f"; if not, {_WIRES_FIX}"
            return CompileError("E0605", f"the network did not end {limit}", fix=fix)
        if is_first and not self._lossless:
            why, fix = f"{SILENT_PORT};\n{_SILENT_PROGRAM}", f"look at these in turn; else {self.reprogram}"
            return CompileError("E0605", f"nothing answers at the serial port {limit}", why=why, fix=fix)
        what = f"the device did not answer {limit}, at {Command(command).name}"
        return CompileError("E0605", what, fix="try it again" if self._lossless else _WIRES_FIX)

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except CompileError:
            self._check_alive()
            raise

    def _next_frame(self, until: float) -> Frame | bytes | None:
        """The next frame, the bytes of a damaged one, or None when the time is up."""
        while b"\0" not in self._pending:
            remaining = until - time.monotonic()
            if remaining <= 0:
                return None
            try:
                self._pending += self._port.read(remaining)
            except CompileError:
                self._check_alive()
                raise
        wire, _, rest = bytes(self._pending).partition(b"\0")
        self._pending = bytearray(rest)
        return decode(wire) or wire


class _Patience:
    def __init__(self, seconds: float, progress: Callable[[], int]) -> None:
        self.seconds, self._progress = seconds, progress
        self._seen, self.deadline = progress(), time.monotonic() + seconds

    def is_over(self) -> bool:
        if time.monotonic() < self.deadline:
            return False
        seen = self._progress()
        if seen == self._seen:
            return True
        self._seen, self.deadline = seen, time.monotonic() + self.seconds
        return False


def _answers(reply: Frame, request: Frame) -> bool:
    expected = (request.command | REPLY, request.session, request.sequence)
    return (reply.command, reply.session, reply.sequence) == expected and reply.payload != b""


_REFUSALS: dict[int, str] = {
    Status.UNKNOWN: "does not know this command, or not now",
    Status.RANGE: "has no such port, or not of that length",
    Status.NO_SESSION: "was restarted, or another program talks to it",
    Status.INIT: "could not initialize the network",
    Status.RUN: "could not run the network",
    Status.STACK: "ran out of stack",
    Status.FILE: "could not read or write a file of the host",
}
_EXCEPTIONS = {2: "NMI", 3: "HardFault", 4: "MemManage fault", 5: "BusFault", 6: "UsageFault", 7: "SecureFault"}


def _refusal(command: Command, payload: bytes) -> CompileError:
    status, data = payload[0], payload[1:]
    if status == Status.FAULT and len(data) == 20:
        return _fault(data)
    what = _REFUSALS.get(status, f"reported status {status}")
    why = f"code {struct.unpack('<i', data[:4])[0]}" if status in (Status.INIT, Status.RUN) and len(data) >= 4 else ""
    return CompileError("E0608", f"{command.name}: the device {what}", why=why)


def _fault(data: bytes) -> CompileError:
    exception, pc, lr, cfsr, bfar = struct.unpack("<5I", data)
    name = _EXCEPTIONS.get(exception, f"exception {exception}")
    return CompileError(
        "E0608",
        f"the program on the device was stopped by a {name}",
        where=f"pc {pc:#010x}, called from {lr:#010x}",
        why=f"CFSR {cfsr:#010x}, BFAR {bfar:#010x}",
    )
