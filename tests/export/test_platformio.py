"""PlatformIO packs it, where it is installed; and what it would compile are the library's sources alone."""

from __future__ import annotations

import configparser
import fnmatch
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from building import run, runs_right

from mcucompile.api import Compiled
from mcucompile.export.platformio import BOARDS
from mcucompile.target.board import list_boards

CORE = Path(__file__).parent / "arduino" / "own" / "native" / "cores" / "own"

KEYS = {
    "name",
    "version",
    "description",
    "keywords",
    "frameworks",
    "platforms",
    "headers",
    "build",
    "examples",
    "export",
}


def manifest(folder: Path) -> dict[str, object]:
    found = json.loads((folder / "library.json").read_text())
    assert isinstance(found, dict)
    return found


def test_manifest(folder: Path) -> None:
    found = manifest(folder)
    assert found.keys() == KEYS, "with a licence, packing would need the network"
    assert found["name"] == "net"
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(found["version"]))
    assert (folder / str(found["headers"])).is_file()


def test_only_the_library_is_compiled(folder: Path) -> None:
    build = manifest(folder)["build"]
    assert isinstance(build, dict)
    assert (build["srcDir"], build["includeDir"]) == (".", ".")
    patterns = [re.fullmatch(r"\+<(.+)>", rule)[1] for rule in build["srcFilter"]]  # type: ignore[index]
    paths = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".c", ".cpp", ".ino")]
    chosen = {path for path in paths for pattern in patterns if fnmatch.fnmatch(path, pattern)}
    assert chosen == {"net.c", "net_kernels.c", "net_weights.c"}


def test_package(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    home = {**os.environ, "PLATFORMIO_CORE_DIR": str(tmp_path / "home"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    (tmp_path / "packed").mkdir()
    run(tool("pio"), "pkg", "pack", folder, "-o", str(tmp_path / "packed") + os.sep, env=home)
    (package,) = (tmp_path / "packed").iterdir()
    assert package.name.startswith("net-") and package.name.endswith(".tar.gz")
    with tarfile.open(package) as archive:
        names = set(archive.getnames())
    sources = {f"net{part}.{kind}" for part in ("", "_kernels", "_weights") for kind in "ch"}
    assert names - {"library.properties"} == {*sources, "library.json", "examples/minimal/main.c", "README.md"}


def project(folder: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    assert found.read(folder / "examples" / "platformio" / "platformio.ini")
    return found


def test_project_of_the_example(folder: Path, compiled: Compiled, tmp_path: Path) -> None:
    board_folder = tmp_path / "board"
    compiled.for_board("nucleo-l4r5zi").write(board_folder)
    for output, default in ((folder, "native"), (board_folder, "board")):
        found, place = project(output), output / "examples" / "platformio"
        assert found["platformio"]["default_envs"] == default and f"env:{default}" in found
        assert found["platformio"]["workspace_dir"] == "build"
        name, _, path = found["env"]["lib_deps"].partition("=symlink://")
        assert manifest(place / path)["name"] == name
    assert (place / "src" / "main.cpp").is_file()
    (source,) = re.findall(r"\+<(.+)>", project(folder)["env:native"]["build_src_filter"])
    assert (folder / "examples" / "platformio" / "src" / source).is_file()
    assert "env:native" not in project(board_folder), "this machine has none of its instructions"


@pytest.mark.parametrize(
    ("board", "platform", "name"),
    [
        ("nucleo-l4r5zi", "ststm32", "nucleo_l4r5zi"),
        ("microbit-v1", "nordicnrf51", "bbcmicrobit"),
        ("arduino-nano-33-ble", "nordicnrf52", "nano33ble"),
        ("raspberry-pi-pico", "raspberrypi", "pico"),
        ("nucleo-h743zi", "ststm32", "nucleo_h743zi"),
    ],
)
def test_project_is_for_the_board_that_it_was_compiled_for(
    board: str, platform: str, name: str, compiled: Compiled, tmp_path: Path
) -> None:
    compiled.for_board(board).write(tmp_path / "out")
    found = project(tmp_path / "out")["env:board"]
    assert (found["platform"], found["board"]) == (platform, name)


def test_boards_are_known() -> None:
    assert set(BOARDS) <= set(list_boards())


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m0", "qemu-m55"])
def test_no_other_board_is_programmed_in_place_of_an_unknown_one(
    board: str, compiled: Compiled, tmp_path: Path
) -> None:  # fmt: skip
    """One of the same core is another part."""
    compiled.for_board(board).write(tmp_path / "out")
    assert "env:board" not in project(tmp_path / "out")
    assert project(tmp_path / "out")["platformio"].get("default_envs") == ("native" if board == "qemu-m0" else None)
    assert f"no name for {board}" in (tmp_path / "out" / "examples" / "platformio" / "platformio.ini").read_text()


def test_program_for_boards(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    run(tool("gcc"), "-c", *sorted(folder.glob("*.c")), cwd=tmp_path)
    sources = (folder / "examples" / "platformio" / "src" / "main.cpp", CORE / "main.cpp", *tmp_path.glob("*.o"))
    run(tool("g++"), "-Wall", "-Wextra", "-Werror", f"-I{folder}", f"-I{CORE}", *sources, "-o", tmp_path / "program")
    runs_right(tmp_path / "program")


def test_example(folder: Path, compiled: Compiled, tool: Callable[[str], str]) -> None:
    if "MCUCOMPILE_PLATFORMIO" not in os.environ:
        pytest.skip("set MCUCOMPILE_PLATFORMIO to PlatformIO's core folder with the platform native in it")
    place = folder / "examples" / "platformio"
    home = {**os.environ, "PLATFORMIO_CORE_DIR": os.environ["MCUCOMPILE_PLATFORMIO"]}
    run(tool("pio"), "run", env={**home, "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}, cwd=place)
    runs_right(place / "build" / "build" / "native" / "program")
    compiled.write(folder)
