"""From the command line's options: at which port a board is, and how it is programmed."""

from __future__ import annotations

import argparse
import os

from .errors import CompileError
from .run.flash import How, check_how, engine_of
from .run.ports import board_ports, find_port, usb_ports
from .run.serial import SerialPort
from .target.board import Board


def connection_of(args: argparse.Namespace, board: Board) -> tuple[How | None, str | None]:
    """How the board is programmed, and its port, if any; raises before anything is compiled what `how_of`, `port_of`
    and `check_port` do.
    """
    how, port = how_of(args, board), port_of(args, board)
    if port is not None:
        check_port(port)
    return how, port


def programming_of(args: argparse.Namespace, board: Board) -> How:
    """How `flash` programs the board. Raises E0609, E0610, E0701, E0810."""
    how = how_of(args, board) or How()
    if engine_of(check_how(board, how), how) == "stm32-uart":
        check_port(find_port(board) if args.port is None else args.port)
    return how


def check_port(port: str) -> None:
    """Raises E0609 for a device that is not there; what a URL names is only known when it is opened."""
    if "://" not in port and not os.path.exists(port):
        SerialPort(port).close()


def how_of(args: argparse.Namespace, board: Board) -> How | None:
    """What was said of programming; None for --no-flash. Raises E0701 and E0810 where that is not for the board."""
    how = How(args.engine, args.probe, args.drive, args.template)
    if getattr(args, "no_flash", False):
        given = asks_for_programming(args)
        if given:
            what = f"{given[0]} says how to program, which --no-flash forbids"
            raise CompileError("E0701", what, fix="leave one of them out")
        return None
    if how != How() and not board.is_virtual:
        check_how(board, how)
    return how


def asks_for_programming(args: argparse.Namespace) -> list[str]:
    """The options of programming that were given."""
    values = {"--engine": args.engine, "--probe": args.probe, "--drive": args.drive, "--command": args.template}
    return [option for option, value in values.items() if value is not None]


def port_of(args: argparse.Namespace, board: Board) -> str | None:
    """The port that was named, or found by its USB id; None for an emulator, or where no board is plugged in.

    A part that is emulated as well is the real one where an option says how that is programmed. Raises E0610 where
    several ports may be the board's, or none is and there must be one; E0701 for such an option of an emulator's.
    """
    if args.port is not None:
        return str(args.port)
    means_board = [*(["--no-flash"] if args.no_flash else []), *asks_for_programming(args)]
    if means_board and board.is_virtual:
        what = f"{means_board[0]} is for a real board; {board.name} is emulated"
        raise CompileError("E0701", what, fix="leave it out, or name another --board; `mcucompile boards` lists them")
    is_looked_for = not board.emulator and board_ports(board)
    return find_port(board) if means_board or is_looked_for else None


def not_found(board: Board) -> str:
    """What was looked for, where a board was not found, and what is there."""
    there = "; ".join(map(str, usb_ports()))
    choice = f"; --port can name one of those that are: {there}" if there else ""
    if not board.usb:
        return f"the board's file has no USB id to look for: use an adapter on its UART's pins, and --port{choice}"
    looked = f"no serial port with USB id {' or '.join(map(str, board.usb))} is here"
    return looked + (choice or "; a cable without data lines looks the same; `mcucompile flash` says more")
