"""A page's file: written whole or not at all, and never over what is no page of ours."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..errors import CompileError
from ..files import is_page


def check_page(path: Path) -> None:
    """Refuse a place before much work is done for it. Raises E0702."""
    if path.is_dir():
        raise CompileError("E0702", f"{path} is a folder", fix="give --html a file, such as report.html")
    if path.exists() and not is_page(path):
        raise CompileError(
            "E0702", f"{path} is no page that mcucompile wrote", fix="give --html another name, or remove the file"
        )
    place = next(p for p in path.absolute().parents if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise CompileError("E0702", f"cannot write {path}", why=f"{place} is no folder that can be written to")


def write_page(path: Path, text: str) -> None:
    """Raises E0702."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as work:
            fresh = Path(work) / path.name
            fresh.write_text(text, encoding="utf-8", newline="\n")
            os.replace(fresh, path)
    except OSError as e:
        raise CompileError("E0702", f"cannot write {path}: {e.strerror or e}", fix="check free space and rights") from e
