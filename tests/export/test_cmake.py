"""CMake configures, builds, installs and finds it, for the host and for a board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from building import WARNINGS, machine, run, runs_right

from mcucompile.export import FORMATS

PROJECT = """
cmake_minimum_required(VERSION 3.14)
project(mine {language})
{library}
add_executable(mine "{main}")
target_link_libraries(mine PRIVATE net::net)
"""
FOUND = """
find_package(net 7 QUIET)
if(net_FOUND)
  message(FATAL_ERROR "another major version was taken")
endif()
find_package(net 0.1 REQUIRED)
"""
FETCHED = """
include(FetchContent)
FetchContent_Declare(net SOURCE_DIR "{folder}")
FetchContent_MakeAvailable(net)
"""


def build(source: Path, place: Path, *options: str) -> Path:
    run("cmake", "-S", source, "-B", place, "-G", "Unix Makefiles", *options)
    run("cmake", "--build", place)
    return place


def project(folder: Path, library: str, main: Path, language: str = "C") -> Path:
    folder.mkdir()
    text = PROJECT.format(library=library, main=main.as_posix(), language=language)
    (folder / "CMakeLists.txt").write_text(text)
    return folder


@pytest.mark.parametrize("kind", ["host", "arm"])
def test_built_installed_and_found(
    kind: str, folder: Path, m4_folder: Path, tmp_path: Path, tool: Callable[[str], str],
) -> None:  # fmt: skip
    tool("cmake")
    options = [f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}"]
    if kind == "arm":
        tool("arm-none-eabi-gcc")
        folder = m4_folder
        options.append(f"-DCMAKE_TOOLCHAIN_FILE={folder / 'cmake' / 'cortex-m4f.cmake'}")
    run("cmake", "--install", build(folder, tmp_path / "library", *options))
    installed = {p.relative_to(tmp_path / "prefix").as_posix() for p in (tmp_path / "prefix").rglob("*") if p.is_file()}
    assert installed >= {"include/net.h", "lib/libnet.a", "lib/cmake/net/netConfig.cmake"}
    main = folder / "examples" / "minimal" / "main.c"
    mine = project(tmp_path / "mine", FOUND, main)
    program = build(mine, tmp_path / "build", *options) / "mine"
    assert machine(program) == kind
    if kind == "host":
        runs_right(program)


def test_fetched_into_a_project_of_another_language(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("cmake"), tool("g++")
    main = tmp_path / "main.cpp"
    main.write_text((folder / "examples" / "minimal" / "main.c").read_text())
    mine = project(tmp_path / "mine", FETCHED.format(folder=folder.as_posix()), main, "CXX")
    options = (f"-DCMAKE_C_FLAGS={WARNINGS}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
    place = build(mine, tmp_path / "build", *options, f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}")
    runs_right(place / "mine")
    run("cmake", "--install", place)
    assert not (tmp_path / "prefix").exists(), "what a program builds as a part of itself is not installed with it"


def test_use_as_it_is_told(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Of a folder whose name has blanks."""
    tool("cmake")
    used = FORMATS["cmake"].use.format(folder=folder.name, name="net", NAME="NET").partition(" or ")[0]
    assert used == f'add_subdirectory("{folder.name}")'
    mine = project(tmp_path / "mine", used, Path(folder.name, "examples", "minimal", "main.c"))
    folder.rename(mine / folder.name)
    runs_right(build(mine, tmp_path / "build") / "mine")


def test_example(folder: Path, m4_folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("cmake")
    source, flags = folder / "examples" / "cmake", f"-DCMAKE_C_FLAGS={WARNINGS}"
    runs_right(build(source, tmp_path / "host", flags) / "net_minimal")
    tool("arm-none-eabi-gcc")
    toolchain = "-DCMAKE_TOOLCHAIN_FILE=../../cmake/cortex-m4f.cmake"
    for kind, option in (("emulated", "-DNET_QEMU=ON"), ("own", "-DNET_QEMU=OFF")):
        run("cmake", "-B", tmp_path / kind, toolchain, option, cwd=m4_folder / "examples" / "cmake")
        run("cmake", "--build", tmp_path / kind)
        assert machine(tmp_path / kind / "net_minimal") == "arm"
