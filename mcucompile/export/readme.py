"""README.md of an output folder with exports: what the files are, how each format is used, how the bits are checked.

Decided: only with exports. Because: these are the folders that leave for a project where nobody has run mcucompile, and
the check that the text leads with is their example's.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..target.cores import Isa
from . import qemu
from .library import Format, Library


def readme_md(library: Library, formats: Iterable[Format]) -> dict[str, bytes]:
    """The file alone, which tells of all formats at once. It does not say where the folder lies, for that moves."""
    name, formats = library.name, tuple(formats)
    told = [
        (f.name, f.use.format(folder="FOLDER", name=name, NAME=name.upper()), f.check.format(name=name))
        for f in formats
    ]  # fmt: skip
    runs = [(f.name, run) for f in formats for run in f.runs(library)]
    text = library.render(
        "README.md.j2", formats=told, runs=runs, memory=qemu.board_of(library), is_portable=library.isa is Isa.SCALAR
    )
    return {"README.md": text}
