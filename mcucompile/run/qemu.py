"""Start and stop QEMU, with the board's serial line on a TCP port of this machine."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import CompileError
from ..target.board import Board
from .tools import find_qemu

START_SECONDS = 20.0
STOP_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1


class Qemu:
    """A context in which the firmware runs; `url` is its serial line for pyserial.

    `icount`: every instruction takes 2**icount ns of the board's time, so that its timers count instructions; without
    it they follow the host's clock. `options`: further ones of QEMU, such as a plugin's. QEMU ends with the context,
    and on Linux also with the thread that started it, however that ends. Raises E0602 when QEMU is missing, E0604 when
    it does not start.
    """

    def __init__(self, board: Board, elf: Path, *, icount: int | None = None, options: Sequence[str] = ()) -> None:
        if board.emulator is None:
            raise CompileError(
                "E0303", f"{board.name} is not emulated", fix="give the serial port of a real one: --port"
            )
        self._command = [find_qemu(), "-M", board.emulator.machine, *board.emulator.options, *_OPTIONS]
        self._command += _line_options(board)
        self._command += ["-kernel", str(elf), *options]
        self._command += [] if icount is None else ["-icount", f"shift={icount}"]
        self.url = ""

    def __enter__(self) -> Qemu:
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            preexec_fn=_die_with_parent(),
        )
        try:
            self._answers = _Lines(self._process.stdout.fileno() if self._process.stdout else -1)
            self._send("qmp_capabilities")
            self.url = "socket://" + self._ask_for_line(r"tcp:(127\.0\.0\.1:\d+)")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError, CompileError):
            self._send("quit")
        self._stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def check_alive(self) -> None:
        """Raises E0604 when QEMU has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        if self._process.returncode is not None:
            raise self._ended()

    def _ended(self) -> CompileError:
        code = self._process.wait()
        self._stderr.seek(0)
        text = self._stderr.read().decode(errors="replace")
        return CompileError("E0604", f"QEMU ended with exit code {code}", why=text[-4000:])

    def resume(self) -> None:
        """Starts the processor. To be called when `url` has been opened, so that the firmware's first byte is seen."""
        self._ask_for_line(r"tcp:(127\.0\.0\.1:\d+),server=on <->")
        self._send("cont")

    def wake(self) -> None:
        """Makes QEMU look for bytes on the line. It does not by itself when the firmware has just enabled its UART."""
        self._send("query-status")

    def _ask_for_line(self, pattern: str) -> str:
        """Asks for the serial line's state until it matches; the match's group."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self._send("query-chardev")
            while (line := self._answers.next(deadline)) is not None and '"return": [' not in line:
                pass
            if line is None:
                break
            if found := re.search(pattern, line):
                return found[1]
        self.check_alive()
        raise CompileError("E0604", f"QEMU did not start within {START_SECONDS:g} s")

    def _send(self, command: str) -> None:
        if not self._process.stdin:
            return
        try:
            self._process.stdin.write(json.dumps({"execute": command}).encode() + b"\n")
        except BrokenPipeError:
            self.check_alive()
            raise CompileError("E0604", "QEMU takes no commands any more") from None

    def _stop(self) -> None:
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream:
                stream.close()


_OPTIONS = (
    *("-nodefaults", "-display", "none", "-monitor", "none", "-S", "-qmp", "stdio"),
    *("-semihosting-config", "enable=on,target=native"),
)


def _line_options(board: Board) -> tuple[str, ...]:
    """The serial line on a free TCP port.

    A UART without a FIFO gets one byte per turn of QEMU's main loop. A multiplexer in front of it keeps 32 at hand,
    which is several times faster. It needs an escape character: 256 is none.
    """
    has_fifo = board.uart is not None and board.uart.kind in ("nrf51", "pl011")
    line = "socket,id=uart,host=127.0.0.1,port=0,server=on,wait=off,nodelay=on"
    multiplexer = () if has_fifo else ("-echr", "256")
    others = ("-serial", "null") * (board.emulator.serial if board.emulator else 0)
    return (*multiplexer, "-chardev", line if has_fifo else f"{line},mux=on", *others, "-serial", "chardev:uart")


class _Lines:
    """The lines of a pipe, each waited for with a deadline."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._pending = pipe, b""

    def next(self, deadline: float) -> str | None:
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self._pipe, 65536) if ready else b""
            if not data:
                return None
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode(errors="replace")


def _die_with_parent() -> Callable[[], Any] | None:
    """What the child does before it becomes QEMU: ask Linux to kill it when this thread is gone."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return bind
