"""NAME.mk, which a Makefile includes from wherever it lies."""

from __future__ import annotations

from .example import main_c
from .library import Format, Library


def files(library: Library) -> dict[str, bytes]:
    return {
        f"{library.name}.mk": library.render("makefile/library.mk.j2"),
        "examples/makefile/Makefile": library.render("makefile/Makefile.j2"),
        **main_c(library),
    }


FORMAT = Format(
    "makefile", "include {folder}/{name}.mk (make takes no path with blanks), compile with $({NAME}_CPPFLAGS) and link "
    "$({NAME}_OBJECTS)", "`make check` in `examples/makefile`", files,
)  # fmt: skip
