"""A page's file: written whole or not at all, and never over what is no page of ours."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import CompileError
from ..files import failing_as_told, is_page


def check_page(path: Path) -> None:
    """Refuse a place before much work is done for it. Raises E0702."""
    try:
        if path.is_dir():
            raise CompileError("E0702", f"{path} is a folder", fix="give --html a file, such as report.html")
        if path.exists() and not is_page(path):
            raise CompileError(
                "E0702", f"{path} is no page that mcucompile wrote", fix="give --html another name, or remove the file"
            )
        try_place(path.parent.resolve() / path.name)
    except (OSError, RuntimeError) as e:  # the latter for a symbolic link to itself
        reason = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise CompileError("E0702", f"cannot write {path}: {reason}", fix="give --html another place") from e


def try_place(path: Path) -> None:
    """Write a file of that name, with the folders that are missing, in a temporary folder where the page will be.

    Rights alone do not tell: a full disk, a read-only one and /proc have them, too. Raises OSError.
    """
    place = next(p for p in path.parents if p.exists())
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=place) as work:
        trial = Path(work) / path.relative_to(place)
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")


def check_beside(path: Path, folder: Path, names: Iterable[str]) -> None:
    """Refuse a page in the place of an output folder or of one of its files. Raises E0702."""
    page, place = path.resolve(), folder.resolve()
    files = [place / name for name in names]
    if place.is_relative_to(page) or any(f.is_relative_to(page) or page.is_relative_to(f) for f in files):
        raise CompileError(
            "E0702", f"{path} is where the output folder {folder} or a file of it goes",
            fix="give --html another name, such as report.html",
        )  # fmt: skip


def write_page(path: Path, text: str) -> None:
    """Raises E0702."""
    with fresh_page(path, text):
        pass


@contextmanager
def fresh_page(path: Path, text: str, folder: Path | None = None) -> Iterator[None]:
    """The page is on the disk before what is done with this, and takes its place after that, unless it fails.

    A `folder` is what is written meanwhile: a page in it waits beside it. Raises E0702.
    """
    place = path.parent.resolve()
    if folder is not None and place.is_relative_to(folder.resolve()):
        place = folder.resolve().parent
    with ExitStack() as stack:
        with failing_as_told(path):
            place.mkdir(parents=True, exist_ok=True)
            work = stack.enter_context(tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=place))
            fresh = Path(work) / path.name
            fresh.write_text(text, encoding="utf-8", newline="\n")
        yield
        with failing_as_told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(fresh, path)
