"""A PlatformIO library: library.json, which names the sources and what a package of them holds.

Its field "license" is left out: see the package. ("pio pkg pack" would have to fetch the list of licences for it.)
"""

from __future__ import annotations

import json

from .example import MAIN, main_c
from .library import Format, Library


def files(library: Library) -> dict[str, bytes]:
    return {"library.json": json.dumps(manifest(library), indent=2).encode() + b"\n", **main_c(library)}


def manifest(library: Library) -> dict[str, object]:
    folder, _, file = MAIN.rpartition("/")
    return {
        "name": library.name,
        "version": library.version,
        "description": library.description,
        "keywords": ["neural network", "inference", "mcucompile"],
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{library.name}.h",
        "build": {
            "srcDir": ".",
            "includeDir": ".",
            "srcFilter": [f"+<{source}>" for source in library.sources],
            "flags": ["-ffp-contract=off"],  # a fused multiply-add would give other floats
        },
        "examples": [{"name": "minimal", "base": folder, "files": [file]}],
        "export": {"include": ["library.json", *library.headers, *library.sources, MAIN]},
    }


FORMAT = Format(
    "platformio", "put {folder} into the project's lib/, or name it in lib_deps",
    "`examples/minimal/main.c` as the project's `src/main.c`", files,
)  # fmt: skip
