"""Jobs for engines that need no real program."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mcucompile.run.flash.engine import Job, no_progress
from mcucompile.run.flash.image import Image
from mcucompile.target.board import load_board

PROGRAM = bytes(range(256)) * 5 + b"end"


def job(folder: Path, board: str, **named: Any) -> Job:
    """An image of 1,283 bytes at the board's vectors."""
    loaded = load_board(board)
    assert loaded.flashing is not None
    elf = folder / "built here" / "firmware.elf"
    elf.parent.mkdir()
    elf.write_bytes(b"\x7fELF of a test")
    image = Image(elf, hashlib.sha256(elf.read_bytes()).hexdigest(), ((loaded.region("vectors").origin, PROGRAM),))
    return Job(image, loaded, loaded.flashing, named.pop("progress", no_progress), **named)
