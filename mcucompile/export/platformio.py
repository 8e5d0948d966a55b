"""A PlatformIO library: library.json, which names the sources and what a package of them holds.

Its field "license" is left out: see the package. ("pio pkg pack" would have to fetch the list of licences for it.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..target.cores import Isa
from .example import MAIN, checked_sample, main_c
from .library import Format, Library

FOLDER = "examples/platformio"
# Board -> PlatformIO's platform and its name of the board, where that has the framework arduino. For others there is
# none: a relative of the same core is another part, and would be programmed as that.
BOARDS: Mapping[str, tuple[str, str]] = {
    "arduino-nano-33-ble": ("nordicnrf52", "nano33ble"),
    "blue-pill": ("ststm32", "bluepill_f103c8"),
    "microbit-v1": ("nordicnrf51", "bbcmicrobit"),
    "microbit-v2": ("nordicnrf52", "bbcmicrobit_v2"),
    "netduino-plus-2": ("ststm32", "netduino2plus"),
    "nrf52840-dk": ("nordicnrf52", "nrf52840_dk"),
    "nucleo-f072rb": ("ststm32", "nucleo_f072rb"),
    "nucleo-f446re": ("ststm32", "nucleo_f446re"),
    "nucleo-f767zi": ("ststm32", "nucleo_f767zi"),
    "nucleo-g0b1re": ("ststm32", "nucleo_g0b1re"),
    "nucleo-g474re": ("ststm32", "nucleo_g474re"),
    "nucleo-h743zi": ("ststm32", "nucleo_h743zi"),
    "nucleo-l4r5zi": ("ststm32", "nucleo_l4r5zi"),
    "nucleo-u575zi-q": ("ststm32", "nucleo_u575zi_q"),
    "raspberry-pi-pico": ("raspberrypi", "pico"),
    "stm32f4-discovery": ("ststm32", "disco_f407vg"),
    "stm32vldiscovery": ("ststm32", "disco_f100rb"),
}


def files(library: Library) -> dict[str, bytes]:
    platform, board = BOARDS.get(library.board, ("", ""))
    is_portable = library.isa is Isa.SCALAR
    project = library.render("platformio/platformio.ini.j2", platform=platform, board=board, is_portable=is_portable)
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
