"""UF2: a file of 512-byte blocks, copied onto the drive that a bootloader shows. Microsoft's UF2 specification.

The drive takes the blocks, but shows no flash: nothing can be read back. That the bootloader starts the program, and so
lets the drive go, tells that all blocks arrived; that they are right, only `verify` can tell.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import sys
import time
from collections.abc import Sequence
from glob import glob
from pathlib import Path

from ...errors import CompileError
from .engine import Job, Written
from .image import Image

MAGIC = (0x0A324655, 0x9E5D5157)
MAGIC_END = 0x0AB16F30
HAS_FAMILY = 0x2000
PAGE_NBYTES = 256
BLOCK_NBYTES = 512
RESTART_SECONDS = 15.0
INFO = "INFO_UF2.TXT"
_CHUNK_NBYTES = 64 * BLOCK_NBYTES


def program(job: Job) -> Written:
    """Raises E0802 and E0803 for the drive, E0805, E0807, E0809."""
    assert job.flashing.uf2 is not None
    drive = find_drive(job, mount_places() if job.drive is None else [job.drive])
    content = encode(job.image, job.flashing.uf2.family)
    _copy(job, drive, content)
    _wait_for_restart(job, drive)
    _tell(job, len(content) + BLOCK_NBYTES, len(content))
    return Written(f"the drive {drive}", None, False)


def encode(image: Image, family: int) -> bytes:
    """The image as UF2 blocks of 256 bytes each."""
    pages = list(image.pages(PAGE_NBYTES))
    return b"".join(_block(i, len(pages), address, data, family) for i, (address, data) in enumerate(pages))


def _block(index: int, count: int, address: int, data: bytes, family: int) -> bytes:
    head = struct.pack("<8I", *MAGIC, HAS_FAMILY, address, len(data), index, count, family)
    return head + data.ljust(BLOCK_NBYTES - len(head) - 4, b"\0") + struct.pack("<I", MAGIC_END)


def mount_patterns() -> tuple[str, ...]:
    """Where this platform shows drives."""
    return ("/Volumes/*",) if sys.platform == "darwin" else ("/media/*", "/media/*/*", "/run/media/*/*", "/mnt/*")


def mount_places() -> list[Path]:
    """The folders that are there; those that may not be looked into have none."""
    return sorted(Path(place) for pattern in mount_patterns() for place in glob(pattern) if os.path.isdir(place))


def find_drive(job: Job, places: Sequence[Path]) -> Path:
    """The only drive among these folders whose Board-ID is the board's. Raises E0802, E0803, E0805."""
    assert job.flashing.uf2 is not None
    found = {place: board_id for place in places if (board_id := read_board_id(place)) is not None}
    right = [place for place, board_id in found.items() if board_id.startswith(job.flashing.uf2.board_id)]
    if len(right) == 1:
        return right[0]
    names = "\n".join(f"{place}  {board_id}" for place, board_id in found.items())
    if right:
        raise CompileError("E0803", f"{len(right)} UF2 drives are there", why=names, fix="name one with --drive")
    if found:
        raise CompileError(
            "E0805",
            f"the UF2 drive is not that of {job.board.name}",
            why=f"its Board-ID should begin with {job.flashing.uf2.board_id}; there is\n{names}",
            fix="connect the board that --board names, or name the one that is connected",
        )
    raise CompileError(
        "E0802",
        f"the UF2 drive of {job.board.name} was not found",
        why=f"{_nowhere(job)}; a cable without data lines looks just the same",
        fix="hold the BOOTSEL button (elsewhere: press reset twice) while plugging it in; if the drive is mounted"
        " in another place, and on Windows in any case, name it with --drive",
    )


def read_board_id(drive: Path) -> str | None:
    """None where there is no UF2 bootloader, or none any more."""
    try:
        found = re.search(r"^Board-ID:[ \t]*(\S+)", (drive / INFO).read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else ""


def _nowhere(job: Job) -> str:
    """Not every folder in which was looked: the drives that are mounted are no business of a board's."""
    if job.drive is not None:
        return f"{job.drive} has no {INFO}, or is not there"
    return f"no {INFO} is in {', '.join(mount_patterns())}"


def _copy(job: Job, drive: Path, content: bytes) -> None:
    """Chunk by chunk, each forced out of this machine's memory; the last block by itself.

    With that one the bootloader may be gone before the system has closed the file, which is no error.
    """
    last, sent = len(content) - BLOCK_NBYTES, 0
    try:
        with open(drive / f"{job.board.name}.uf2", "wb", buffering=0) as file:
            while sent < len(content):
                end = min(sent + _CHUNK_NBYTES, last) if sent < last else len(content)
                sent += file.write(content[sent:end])
                os.fsync(file.fileno())
                _tell(job, sent, len(content))
    except OSError as e:
        if sent < len(content) or e.errno == errno.ENOSPC or read_board_id(drive) is not None:
            raise _not_written(drive, e, sent, len(content)) from e


def _tell(job: Job, nbytes: int, total: int) -> None:
    """Progress in blocks. That the bootloader starts the program counts as one, which may take seconds."""
    job.progress(nbytes // BLOCK_NBYTES, total // BLOCK_NBYTES + 1)


def _not_written(drive: Path, error: OSError, sent: int, nbytes: int) -> CompileError:
    is_full = error.errno == errno.ENOSPC
    return CompileError(
        "E0809",
        f"the UF2 drive {drive} {'is full' if is_full else 'went away, or does not take data'}",
        why=f"{error.strerror} after {sent:,} of {nbytes:,} bytes",
        fix="delete files from the drive" if is_full else "look at the cable, start the bootloader again, and repeat",
    )


def _wait_for_restart(job: Job, drive: Path) -> None:
    """A bootloader that has every block starts the program, and its drive is gone. Raises E0807 when it is not."""
    deadline = time.monotonic() + RESTART_SECONDS
    while read_board_id(drive) is not None:
        if time.monotonic() > deadline:
            raise CompileError(
                "E0807",
                f"the bootloader on {drive} did not start the program",
                why=f"its drive was still there after {RESTART_SECONDS:g} s: it did not take all blocks",
                fix="start the bootloader again, and repeat",
            )
        time.sleep(0.05)
