"""Program a real board: one engine a file. Which ones a board can take says the [flash] table of its file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CompileError
from ...target.board import Board
from ...target.flashing import ENGINES, Flashing, engines_of
from ..build import Firmware
from ..serial import SILENT_PORT
from . import command, openocd, pyocd, stm32_uart, uf2
from .engine import Engine, Job, Progress, Written, no_progress
from .image import elf_sha256, read_image
from .running import running_program

__all__ = ["Flashed", "How", "check_how", "elf_sha256", "ensure_programmed", "flash", "no_progress"]

PROGRAM: Mapping[str, Engine] = dict(
    zip(
        ENGINES,
        (pyocd.program, openocd.program, stm32_uart.program, uf2.program, command.program),
        strict=True,
    )
)
USERS: Mapping[str, tuple[str, ...]] = {"probe": ("pyocd", "openocd"), "drive": ("uf2",), "command": ("command",)}
"""Which engines use a field of How. A serial port is the board's, whatever programs it."""
START_SECONDS = 10.0


@dataclass(frozen=True)
class How:
    """What the user named of how to program a board; the rest is the board file's, or found. `engine` is of ENGINES.

    `probe` is a part of a debug probe's id, `drive` a mounted UF2 drive, `command` a command line with {elf}, {bin},
    {hex} and {port} in it. A command or a drive names its engine, too; a probe, of which two know, does not.
    """

    engine: str | None = None
    probe: str | None = None
    drive: Path | None = None
    command: str | None = None


@dataclass(frozen=True)
class Flashed:
    """What was programmed, and how. `sha256` is of the ELF file, `nbytes` of the program in flash."""

    board: str
    engine: str
    through: str
    sha256: str
    program_id: str
    nbytes: int
    erased_nbytes: int | None
    is_read_back: bool
    seconds: float


def flash(
    firmware: Firmware, board: Board, how: How, port: str | None = None, progress: Progress = no_progress
) -> Flashed:
    """Program `firmware` into the board. Raises E0609, E0610, E0701, E0702, E08xx."""
    flashing = check_how(board, how)
    engine = engine_of(flashing, how)
    job = Job(
        read_image(firmware.elf, board), board, flashing, progress,
        port=port, probe=how.probe, drive=how.drive, command=how.command,
    )  # fmt: skip
    start = time.monotonic()
    progress(0, 0)
    written = PROGRAM[engine](job)
    return _flashed(job, firmware, engine, written, time.monotonic() - start)


def ensure_programmed(
    firmware: Firmware, board: Board, how: How | None, port: str, progress: Progress = no_progress
) -> Flashed | None:
    """Programs the board unless it runs this very program already; None then. Raises as `flash`, and E0607 when the
    board runs something else even after that.

    A board that is not to be programmed (`how` is None), or whose file does not say how, is left as it is, and what it
    runs is seen when it is opened.
    """
    if how is None or board.flashing is None:
        return None
    is_asked_first = engine_of(board.flashing, how) != "stm32-uart"
    if is_asked_first and running_program(port, board) == firmware.program_id:
        return None
    try:
        flashed = flash(firmware, board, how, port, progress)
    except CompileError as e:
        # The STM32's bootloader would take the question for its first byte, and a wrong baud rate from it.
        if is_asked_first or e.code != "E0802" or running_program(port, board) != firmware.program_id:
            raise
        return None
    _wait_for_program(firmware, board, port)
    return flashed


def engine_of(flashing: Flashing, how: How) -> str:
    """The one that was named, or that a named command or drive is for; else the board's."""
    return how.engine or ("command" if how.command else "uf2" if how.drive else flashing.engine)


def _wait_for_program(firmware: Firmware, board: Board, port: str) -> None:
    """A port on the board's own USB may be gone for a moment after a reset, and a program takes time to start."""
    deadline = time.monotonic() + START_SECONDS
    while (found := _asked(port, board, deadline)) is None and time.monotonic() < deadline:
        time.sleep(0.2)
    if found != firmware.program_id:
        fix = "look whether --port is this board's" + ("" if found else ", and at the wires from and to its UART")
        raise CompileError(
            "E0607",
            "the board does not run the program that was just written to it",
            why=f"it runs {found.hex()}" if found else f"nothing answers at {port}: {SILENT_PORT}",
            fix=f"{fix}; reset the board, and look whether its BOOT pins are set to flash",
        )


def _asked(port: str, board: Board, deadline: float) -> bytes | None:
    """As running_program; None also where the port cannot be opened yet."""
    try:
        return running_program(port, board)
    except CompileError:
        if time.monotonic() >= deadline:
            raise
        return None


def check_how(board: Board, how: How) -> Flashing:
    """The board's [flash] table, with the user's command in it. Raises E0701 and E0810 when `how` is not for it."""
    if board.flashing is None:
        fix = "`mcucompile verify` runs the program on the emulator" if board.emulator else "add it to the board file"
        raise CompileError("E0810", f"the file of {board.name} has no [flash] table", fix=fix)
    flashing = replace(board.flashing, command=how.command or board.flashing.command)
    engine = engine_of(flashing, how)
    if engine not in engines_of(flashing):
        raise CompileError(
            "E0810",
            f"the file of {board.name} does not say what the engine {engine} needs",
            why=f"it does for: {', '.join(engines_of(flashing))}",
            fix="take one of these, or give --command" if engine == "command" else "take one of these",
        )
    for option, users in USERS.items():
        if getattr(how, option) is not None and engine not in users:
            raise _unused(option, engine, board, how)
    if engine == "command":
        command.split(flashing.command)
    return flashing


def _unused(option: str, engine: str, board: Board, how: How) -> CompileError:
    """Rather than dropping what the user said."""
    assert board.flashing is not None
    known = (*engines_of(board.flashing), "command")
    others = "".join(f", or take --engine {name}" for name in USERS[option] if name in known)
    chooser = "command" if how.command else "drive" if how.drive else ""
    if how.engine:
        chosen, fix = "", f"leave it out{others}"
    elif chooser:
        chosen, fix = f", which --{chooser} chooses", f"leave --{option} or --{chooser} out"
    else:
        chosen = f", which is taken for {board.name} unless --engine names another"
        fix = f"leave it out{others}"
    return CompileError("E0701", f"--{option} is not for the engine {engine}{chosen}", fix=fix)


def _flashed(job: Job, firmware: Firmware, engine: str, written: Written, seconds: float) -> Flashed:
    return Flashed(
        job.board.name, engine, written.through, job.image.sha256, firmware.program_id.hex(), job.image.nbytes,
        written.erased_nbytes, written.is_read_back, seconds,
    )  # fmt: skip
