"""What a program ran on: an emulator, or a real board."""

from __future__ import annotations

from dataclasses import dataclass

from ..target.board import Board


@dataclass(frozen=True)
class RanOn:
    """`text` is for people. Of a real board `port` is its serial port, `clock_hz` what its processor runs with."""

    text: str
    emulator: str | None = None
    port: str | None = None
    clock_hz: int | None = None


def emulated(board: Board) -> RanOn:
    """A qemu-* board is nothing but the emulator; another one has a model in it."""
    return RanOn(f"{board.name} (emulated)" if board.is_virtual else f"QEMU's model of {board.name}", "qemu")


def at_port(board: Board, port: str, clock_hz: int) -> RanOn:
    return RanOn(f"the board {board.name} at {port}", port=port, clock_hz=clock_hz)


def clock_note(board: Board, ran_on: RanOn) -> str:
    """Says so where a real board's processor does not run with the clock of its file; "" otherwise."""
    if ran_on.clock_hz in (None, board.clock_hz):
        return ""
    found, wanted = (f"{hz / 1e6:g} MHz" for hz in (ran_on.clock_hz or 0, board.clock_hz))
    return f"the board runs at {found}, not at the {wanted} of its file: its oscillator or PLL did not start"
