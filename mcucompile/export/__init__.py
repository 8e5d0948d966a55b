"""What drops a generated library into a project: CMake, Arduino, PlatformIO, Zephyr, CMSIS-Pack, Makefile.

Decided: the sources stay where `compile` puts them, flat in the output folder, and each format adds files that point at
them. Because: no source exists twice, any formats can be asked for at once, and `verify` takes up the same folder with
or without them. Instead of: a folder for each format, with copies. Only Arduino prescribes where sources are, and its
library specification has a flat layout too: without a folder src/, the root is compiled and on the include path. The
other formats name their files, so nothing else in the folder is ever compiled. The one copy is inside the .pack of
CMSIS-Pack, which is an archive.

Decided: one example in C, examples/minimal/main.c, that each format builds in its own way. Arduino alone has another,
since its programs are sketches.

Decided: an example builds into a folder `build` beside its build file, or CMake into one in the output folder. Because:
compiling again removes those (files.is_build), and nothing else that was added.

Decided: the version is that of mcucompile, as the network has none. Because: tools look for the newer of two versions,
and what could be derived from a network's content has no order.

Decided: no format names a licence. Because: the weights are whoever's the model is. Vendor, author and maintainer are
"mcucompile" where a format insists on one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import CompileError
from . import arduino, cmake, cmsis_pack, makefile, platformio, zephyr
from .library import Library
from .readme import readme_md
from .sample import Sample, generated, is_large

FORMATS = {f.name: f for f in (cmake.FORMAT, arduino.FORMAT, platformio.FORMAT, zephyr.FORMAT, cmsis_pack.FORMAT,
                               makefile.FORMAT)}  # fmt: skip

__all__ = ["FORMATS", "Library", "Sample", "exported", "generated", "is_large", "parse_formats", "readme_of"]


def parse_formats(names: str | Iterable[str]) -> tuple[str, ...]:
    """Formats in their usual order, each once, from names or comma-separated names. Raises E0701 for another name."""
    texts = [names] if isinstance(names, str) else list(names)
    asked = {name.strip() for text in texts for name in text.split(",")}
    unknown = sorted(asked - FORMATS.keys())
    if unknown:
        what = f"there is no export format {unknown[0]!r}"
        raise CompileError("E0701", what, fix=f"the formats are {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in asked)


def exported(formats: Iterable[str], library: Library) -> dict[str, bytes]:
    """Path in the output folder -> content, of what the formats add; its CMakeLists.txt replaces the plain one."""
    return {path: content for name in formats for path, content in FORMATS[name].files(library).items()}


def readme_of(formats: Iterable[str], library: Library) -> dict[str, bytes]:
    """The folder's README.md, which is none of a single format's files."""
    return readme_md(library, [FORMATS[name] for name in formats])
