"""What an engine gets and gives, and the errors that several of them raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import CompileError
from ...target.board import Board
from ...target.flashing import Flashing
from .image import Image

UNLOCKING = {
    "stm32": "STM32CubeProgrammer", "nrf": "nrfutil", "lpc17": "Flash Magic, through the bootloader in its ROM",
    "lpc55": "nxpdebugmbox of NXP's SPSDK",
}  # fmt: skip
"""How a family's name begins, and what erases a locked part of it."""
PYOCD_UNLOCKS = ("nrf52", "stm32h7")  # the mass erase of other families goes through the core, which is closed

Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class Job:
    """Program `image` into `board`. `port`, `probe`, `drive` and `command` are what the user named, if anything.

    `progress` takes how much of how much is done; (0, 0) at the start, until an engine knows how much there is.
    """

    image: Image
    board: Board
    flashing: Flashing
    progress: Progress
    port: str | None = None
    probe: str | None = None
    drive: Path | None = None
    command: str | None = None


@dataclass(frozen=True)
class Written:
    """`through` names what the board was reached through; `erased_nbytes` is None where the engine does not say.

    `is_read_back`: flash was read again and equals the image.
    """

    through: str
    erased_nbytes: int | None
    is_read_back: bool


Engine = Callable[[Job], Written]


def wrong_part(job: Job, found: str) -> CompileError:
    return CompileError(
        "E0805",
        f"the part that answers is not that of {job.board.name}",
        why=f"{found}\nnothing was erased or programmed",
        fix="connect the board that --board names, or name the one that is connected",
    )


def locked(job: Job, why: str) -> CompileError:
    return CompileError(
        "E0804",
        f"the chip on {job.board.name} is locked",
        why=why,
        fix=f"unlock it, which erases it, with {unlocking_tool(job)}",
    )


def unlocking_tool(job: Job) -> str:
    family = job.board.setup.name if job.board.setup else ""
    known = [tool for start, tool in UNLOCKING.items() if family.startswith(start)]
    tool = known[0] if known else "its vendor's tool (as STM32CubeProgrammer is ST's, and nrfutil Nordic's)"
    return f"{tool}, or `pyocd erase --mass -t {job.flashing.target}`" if family in PYOCD_UNLOCKS else tool


def failed(job: Job, engine: str, why: str, *, has_begun: bool = True) -> CompileError:
    state = "the board may hold a part of the program now" if has_begun else "nothing was erased or programmed"
    return CompileError(
        "E0807",
        f"{engine} could not program {job.board.name}",
        why=f"{why}\n{state}",
        fix="look at cable and supply, reset the board, and flash it again",
    )


def differs(job: Job, address: int, written: bytes, found: bytes) -> CompileError:
    """The first difference of a stretch of flash that was read back."""
    pairs = zip(written, found, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(written), len(found)))
    what = f"{address + at:#010x} holds {found[at : at + 1].hex() or 'nothing'}, not {written[at : at + 1].hex()}"
    return CompileError(
        "E0808",
        f"the flash of {job.board.name} is not what was written",
        why=what,
        fix="flash it again; if that does not help, look at the supply and at write protection",
    )


def check_chip_id(job: Job, word: int) -> None:
    """Holds the word at the board's chip-id address against the board file. Raises E0805.

    Words that buses give when nothing answers (all zeros, all ones) say nothing.
    """
    chip = job.flashing.chip
    if chip is None or word in (0, 0xFFFFFFFF) or word & chip.mask in chip.ids:
        return
    expected = " or ".join(f"{i:#x}" for i in chip.ids)
    raise wrong_part(job, f"its id is {word & chip.mask:#x}, not {expected}")
