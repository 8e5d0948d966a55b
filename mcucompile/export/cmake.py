"""A CMake package: add_subdirectory, FetchContent, or installed and found; with a toolchain file for the core."""

from __future__ import annotations

from .example import main_c
from .library import Format, Library


def files(library: Library) -> dict[str, bytes]:
    return {
        "CMakeLists.txt": library.render("cmake/CMakeLists.txt.j2"),
        f"cmake/{library.core.name}.cmake": library.render("cmake/toolchain.cmake.j2"),
        "examples/cmake/CMakeLists.txt": library.render("cmake/example.txt.j2"),
        **main_c(library),
    }


FORMAT = Format(
    "cmake", 'add_subdirectory("{folder}") or FetchContent, or install it and find_package({name}); then link '
    "{name}::{name}", "`cmake -B build && cmake --build build` in `examples/cmake`, then `build/{name}_minimal`", files,
)  # fmt: skip
