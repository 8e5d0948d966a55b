"""A bare core for the example: QEMU's machine with the core that the network is for, and printf through semihosting.

Decided: a start-up and a linker script of our own, and newlib's librdimon for printf alone. Because: with its start-up
a program has no vector table, and an emulated Cortex-M begins with one; and memory is where the machine has it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from ..target.board import Board, load_board
from ..target.cores import Isa
from .library import Library

FOLDER = "examples/qemu"
CROSS = "arm-none-eabi-"
LINKING = "-nostartfiles --specs=rdimon.specs -Wl,--gc-sections"
# A Cortex-M0+ has no instruction that a Cortex-M0 lacks, and QEMU no machine with a Cortex-M4 without its FPU.
BOARDS: Mapping[str, str] = {
    "cortex-m0": "qemu-m0",
    "cortex-m0plus": "qemu-m0",
    "cortex-m3": "qemu-m3",
    "cortex-m4": "qemu-m4",
    "cortex-m4f": "qemu-m4",
    "cortex-m7": "qemu-m7",
    "cortex-m33": "qemu-m33",
    "cortex-m55": "qemu-m55",
}


def board_of(library: Library) -> Board:
    return load_board(BOARDS[library.core.name])


def command(library: Library) -> tuple[str, ...]:
    """What runs a program whose path comes behind it."""
    emulator = board_of(library).emulator
    assert emulator, "boards of QEMU are emulated"
    quiet = ("-display", "none", "-monitor", "none", "-serial", "none")
    return "qemu-system-arm", "-M", emulator.machine, *emulator.options, *quiet, "-semihosting", "-kernel"


def for_build_file(library: Library) -> dict[str, object]:
    """What the build files of examples need."""
    return {
        "qemu": shlex.join(command(library)),
        "cross": CROSS,
        "linking": LINKING,
        "is_portable": library.isa is Isa.SCALAR,
    }


def files(library: Library) -> dict[str, bytes]:
    """What is linked with the example."""
    more = {"board": board_of(library), "has_extensions": library.core.has_fpu, "has_mve": library.core.isa >= Isa.MVE}
    return {
        f"{FOLDER}/start.c": library.render("qemu/start.c.j2", **more),
        f"{FOLDER}/memory.ld": library.render("qemu/memory.ld.j2", **more),
    }
