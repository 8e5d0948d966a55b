"""A CMake package: add_subdirectory, FetchContent, or installed and found; with a toolchain file for the core."""

from __future__ import annotations

from ..target.cores import Isa
from . import qemu
from .example import main_c
from .library import Format, Library, Run


def files(library: Library) -> dict[str, bytes]:
    return {
        "CMakeLists.txt": library.render("cmake/CMakeLists.txt.j2"),
        f"cmake/{library.core.name}.cmake": library.render("cmake/toolchain.cmake.j2"),
        "examples/cmake/CMakeLists.txt": library.render("cmake/example.txt.j2", **qemu.for_build_file(library)),
        **main_c(library),
        **qemu.files(library),
    }


def runs(library: Library) -> list[Run]:
    core, place = library.core.name, "examples/cmake/build"
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE=../../cmake/{core}.cmake"
    crossed = Run(core, commands(f"{place}/{core}", toolchain))
    return [Run("", commands(place)), crossed] if library.isa is Isa.SCALAR else [crossed]


def commands(place: str, *options: str) -> tuple[str, ...]:
    configure = ("cmake", "-S", "examples/cmake", "-B", place, "-DCMAKE_BUILD_TYPE=Release", *options)
    return " ".join(configure), f"cmake --build {place} --target check"


FORMAT = Format(
    "cmake", 'add_subdirectory("{folder}") or FetchContent, or install it and find_package({name}); then link '
    "{name}::{name}", "in `examples/cmake`; commands above", files, runs,
)  # fmt: skip
