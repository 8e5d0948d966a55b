"""NAME.mk, which a Makefile includes from wherever it lies."""

from __future__ import annotations

from ..target.cores import Isa
from . import qemu
from .example import main_c
from .library import Format, Library, Run


def files(library: Library) -> dict[str, bytes]:
    return {
        f"{library.name}.mk": library.render("makefile/library.mk.j2"),
        "examples/makefile/Makefile": library.render("makefile/Makefile.j2", **qemu.for_build_file(library)),
        **main_c(library),
        **qemu.files(library),
    }


def runs(library: Library) -> list[Run]:
    if library.isa is not Isa.SCALAR:
        return [Run(library.core.name, ("make -C examples/makefile check",))]
    crossed = f"make -C examples/makefile check CROSS={qemu.CROSS}"
    return [Run("", ("make -C examples/makefile check",)), Run(library.core.name, (crossed,))]


FORMAT = Format(
    "makefile", "include {folder}/{name}.mk (make takes no path with blanks), compile with $({NAME}_CPPFLAGS) and link "
    "$({NAME}_OBJECTS)", "in `examples/makefile`; commands above", files, runs,
)  # fmt: skip
