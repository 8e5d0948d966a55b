"""Which program a real board runs, by asking it."""

from __future__ import annotations

from contextlib import closing

from ...errors import CompileError
from ...target.board import Board
from ..protocol import Command
from ..serial import Link, SerialPort

ASK_SECONDS = 3.0
_NO_ANSWER = ("E0605", "E0606", "E0607", "E0608")


def running_program(port: str, board: Board) -> bytes | None:
    """The id of the program at the serial port; None when none of mcucompile's answers. Raises E0609."""
    with closing(SerialPort(port, board.uart.baud if board.uart else 115200)) as line:
        try:
            return Link(line, patience_seconds=ASK_SECONDS).request(Command.HELLO)[:8]
        except CompileError as e:
            if e.code not in _NO_ANSWER:
                raise
            return None
