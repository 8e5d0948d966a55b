"""What was built inside an output folder does not keep a network from being compiled into it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from building import run

from mcucompile.api import Compiled
from mcucompile.errors import CompileError
from mcucompile.files import write_folder

STAND_IN = Path(__file__).parent / "zephyr"
# Tool -> the folder where its build is started, and the command: as the examples say, of west what it has CMake do.
BUILDS = {
    "make": ("examples/makefile", ["make"]),
    "example": ("examples/cmake", ["cmake", "-B", "build"]),
    "library": (".", ["cmake", "-B", "build"]),
    "west": (".", ["cmake", "-B", "build", "-S", "examples/zephyr", f"-DZephyr_DIR={STAND_IN}"]),
}
OUTPUT = {"examples/minimal/main.c": b"main", "report.json": b""}


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", BUILDS)
def test_after_a_build(kind: str, folder: Path, compiled: Compiled, tool: Callable[[str], str]) -> None:
    before, (place, command) = content(folder), BUILDS[kind]
    tool(command[0])
    run(*command, cwd=folder / place)
    assert {Path(path).relative_to(place).parts[0] for path in content(folder).keys() - before.keys()} == {"build"}
    compiled.write(folder)
    assert content(folder) == before


def output(folder: Path, *, reported: bool = True) -> dict[str, bytes]:
    """A small output, written; without its report it might be anybody's."""
    report = {"mcucompile": "0", "files": [*OUTPUT]} if reported else {}
    files = {**OUTPUT, "report.json": json.dumps(report).encode()}
    write_folder(folder, files)
    return files


def test_after_cbuild(tmp_path: Path) -> None:
    """It leaves files beside its project, as its manual lists them."""
    files = {**OUTPUT, "examples/cmsis-pack/minimal.csolution.yml": b"solution:"}
    files["report.json"] = json.dumps({"mcucompile": "0", "files": [*files]}).encode()
    write_folder(tmp_path / "out", files)
    for name in ("cbuild-idx", "cbuild-pack", "cbuild-set", "Release+ARMCM4.cbuild"):
        (tmp_path / "out" / "examples" / "cmsis-pack" / f"minimal.{name}.yml").touch()
    write_folder(tmp_path / "out", files)
    assert content(tmp_path / "out") == files
    (tmp_path / "out" / "examples" / "cmsis-pack" / "mine.clayer.yml").touch()
    with pytest.raises(CompileError, match="did not write"):
        write_folder(tmp_path / "out", files)


@pytest.mark.parametrize("name", ["build/notes.txt", "examples/build/notes.txt", "examples/minimal/built/notes.txt",
                                  "examples/mine/build/notes.txt", "minimal/build/notes.txt"])  # fmt: skip
def test_other_folders_stay(name: str, tmp_path: Path) -> None:
    files = output(tmp_path / "out")
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(CompileError, match="did not write"):
        write_folder(tmp_path / "out", files)
    assert (tmp_path / "out" / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["build", "examples/minimal/build"])
@pytest.mark.parametrize("kind", ["link", "file", "in a folder that is not an output"])
def test_what_only_has_the_name_stays(name: str, kind: str, tmp_path: Path) -> None:
    files = output(tmp_path / "out", reported=kind in ("link", "file"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "CMakeCache.txt").touch()
    if kind == "link":
        (tmp_path / "out" / name).symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        (tmp_path / "out" / name).touch()
    else:
        (tmp_path / "elsewhere").rename(tmp_path / "out" / name)
    with pytest.raises(CompileError, match="did not write"):
        write_folder(tmp_path / "out", files)
    assert (tmp_path / "out" / name).exists()
