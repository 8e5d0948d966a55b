"""Writing an output folder whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .errors import CompileError

REPORT = "report.json"  # its entry "files" lists everything in the folder
SHOWN = 5
EXAMPLES_BUILD = re.compile("examples/[^/]+/build")  # where the examples of exports say that they build
CBUILDS_FILE = re.compile(r"examples/[^/]+/[^/]+\.cbuild(-[a-z]+)?\.yml")  # what cbuild leaves beside its project
CMAKES_MARK = "CMakeCache.txt"  # in every folder that CMake builds in
PAGE = b'<meta name="generator" content="mcucompile'  # within the first KB of an HTML report


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` hold these files, whose names may be paths in it; one of them is the report.

    An existing folder is replaced, if it is empty or holds nothing but an earlier output and HTML reports; these stay,
    for they may be of other runs. Everything is written beside it first and then takes its place by two renamings,
    between which there is no folder of that name for a moment.
    Raises E0702, leaving everything as it was.
    """
    with failing_as_told(folder):
        place = folder.resolve()  # of a symbolic link, what it points to; the link stays
        refuse_foreign(folder, place)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as temporary:
            fresh, old = Path(temporary) / "new", Path(temporary) / "old"
            fresh.mkdir()
            for name, data in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(data)
            for name in kept_pages(place):
                if name not in files:
                    (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(place / name, fresh / name, follow_symlinks=False)
            swap(fresh, place, old)


def check_folder(folder: Path) -> None:
    """Refuse a place before much work is done for it. Raises E0702."""
    with failing_as_told(folder):
        place = folder.resolve()
        refuse_foreign(folder, place)
        above = next(p for p in place.parents if p.exists())
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=above):  # rights alone do not tell
            pass


@contextmanager
def failing_as_told(folder: Path) -> Iterator[None]:
    """What the operating system refuses becomes an E0702."""
    try:
        yield
    except (OSError, RuntimeError) as e:  # the latter for a symbolic link to itself
        reason = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise CompileError("E0702", f"cannot write {folder}: {reason}", fix="check free space and rights") from e


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


def refuse_foreign(folder: Path, place: Path) -> None:
    """Raise E0702 rather than delete what mcucompile did not write, or the folder that somebody stands in."""
    if not place.exists():
        return
    if not place.is_dir():
        raise CompileError("E0702", f"{folder} is a file", fix="give another folder with -o")
    if Path.cwd().is_relative_to(place):
        raise CompileError(
            "E0702", f"{folder} is the current folder or contains it, and cannot be replaced",
            fix="give the output a folder of its own with -o",
        )  # fmt: skip
    foreign = foreign_files(place, written_files(place))
    if foreign:
        more = [f"and {len(foreign) - SHOWN} more"] if len(foreign) > SHOWN else []
        raise CompileError(
            "E0702", f"{folder} holds files that mcucompile did not write", why="\n".join([*foreign[:SHOWN], *more]),
            fix="move them, or give an empty or new folder with -o",
        )  # fmt: skip


def foreign_files(folder: Path, written: Collection[str], inside: str = "") -> list[str]:
    """Paths `inside` the folder that are not among `written`; a folder that holds nothing of these is one of them.

    HTML reports are left out, and so is what was built of an earlier output within its folder.
    """
    found = []
    for path in sorted((folder / inside).iterdir()):
        name = path.relative_to(folder).as_posix()
        if is_own_folder(path) and any(file.startswith(f"{name}/") for file in written):
            found += foreign_files(folder, written, name)
        elif name in written and not path.is_dir():
            continue
        elif not (holds_pages(path) or (written and is_build(path, name))):
            found.append(name)
    return found


def holds_pages(path: Path) -> bool:
    """Is this an HTML report, or a folder with nothing but such?"""
    if is_own_folder(path):
        content = list(path.iterdir())
        return bool(content) and all(map(holds_pages, content))
    return is_page(path)


def is_build(path: Path, name: str) -> bool:
    """Is this where an example builds, or CMake (as west does) in the output folder, or a file of cbuild's?

    `name` is the path in the output folder.
    """
    if not is_own_folder(path):
        return path.is_file() and not path.is_symlink() and bool(CBUILDS_FILE.fullmatch(name))
    return bool(EXAMPLES_BUILD.fullmatch(name)) or (name == "build" and (path / CMAKES_MARK).is_file())


def is_own_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def kept_pages(folder: Path) -> list[str]:
    """Paths of the HTML reports in the folder, or below."""
    return [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if is_page(p)]


def written_files(folder: Path) -> set[str]:
    """What an earlier compilation wrote there, by its report; nothing where there is none."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return set()
    listed = report.get("files") if isinstance(report, dict) and "mcucompile" in report else None
    return {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()


def is_page(path: Path) -> bool:
    """Is this an HTML report of a compiled network?"""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return PAGE in stream.read(1024)
    except OSError:
        return False


def is_library_file(name: str) -> bool:
    """Whether a file of an output folder is C of the library itself, not of an example."""
    return name.endswith((".c", ".h")) and "/" not in name
