"""Files from anywhere, read with a bound: what a path names may be a device, or grow."""

from __future__ import annotations

import errno
from pathlib import Path

MAX_TEXT_NBYTES = 4 << 20  # of a board file or a recipe


def read_bytes(path: Path, most: int) -> bytes:
    """The content, read once, so that a pipe will do. Raises OSError, with EFBIG for more than `most` bytes."""
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def read_text(path: Path) -> str:
    """Raises OSError as `read_bytes`, UnicodeDecodeError."""
    return read_bytes(path, MAX_TEXT_NBYTES).decode("utf-8")
