"""Writing an output folder whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .errors import CompileError

REPORT = "report.json"


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` hold exactly these files. An existing folder is replaced in one step, and only if it is an earlier
    output or empty. Raises E0702, leaving everything as it was.
    """
    refuse_foreign(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            fresh, old = Path(temporary) / "new", Path(temporary) / "old"
            fresh.mkdir()
            for name, data in files.items():
                (fresh / name).write_bytes(data)
            swap(fresh, folder, old)
    except OSError as e:
        raise CompileError(
            "E0702", f"cannot write {folder}: {e.strerror or e}", fix="check free space and rights"
        ) from e


def swap(fresh: Path, folder: Path, old: Path) -> None:
    """Put `fresh` where `folder` is; `folder` comes back if that fails."""
    existed = folder.exists()
    if existed:
        os.rename(folder, old)
    try:
        os.rename(fresh, folder)
    except OSError:
        if existed:
            os.rename(old, folder)
        raise


def refuse_foreign(folder: Path) -> None:
    """Raise E0702 rather than delete what mcucompile did not write."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CompileError("E0702", f"{folder} is a file", fix="give another folder with -o")
    if any(folder.iterdir()) and not is_output(folder):
        raise CompileError(
            "E0702", f"{folder} holds files that mcucompile did not write", fix="give an empty or new folder with -o"
        )


def is_output(folder: Path) -> bool:
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and "mcucompile" in report


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises E0702."""
    try:
        return path.read_bytes()
    except OSError as e:
        raise CompileError("E0702", f"cannot read {path}: {e.strerror}", fix="check the path") from e
