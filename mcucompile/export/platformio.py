"""A PlatformIO library: library.json, which names the sources and what a package of them holds.

Its field "license" is left out: see the package. ("pio pkg pack" would have to fetch the list of licences for it.)
"""

from __future__ import annotations

import json

from ..target.cores import Isa
from .example import MAIN, checked_sample, main_c
from .library import Format, Library

FOLDER = "examples/platformio"
# PlatformIO's names of boards of each core, for its platform ststm32 and the framework arduino.
BOARDS = {
    "cortex-m0": "nucleo_f072rb",
    "cortex-m0plus": "nucleo_l073rz",
    "cortex-m3": "nucleo_f103rb",
    "cortex-m4": "nucleo_f446re",
    "cortex-m4f": "nucleo_f446re",
    "cortex-m7": "nucleo_f767zi",
}


def files(library: Library) -> dict[str, bytes]:
    board, is_portable = BOARDS.get(library.core.name, ""), library.isa is Isa.SCALAR
    project = library.render("platformio/platformio.ini.j2", board=board, is_portable=is_portable)
    return {
        "library.json": json.dumps(manifest(library), indent=2).encode() + b"\n",
        f"{FOLDER}/platformio.ini": project,
        f"{FOLDER}/src/main.cpp": library.render("platformio/main.cpp.j2", **checked_sample(library)),
        **main_c(library),
    }


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
    "`pio run` in `examples/platformio`, whose `platformio.ini` says more", files,
)  # fmt: skip
