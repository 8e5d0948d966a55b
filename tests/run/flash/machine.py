"""An emulated board with nothing in its flash, and pyOCD's idea of it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from pyocd.core.memory_map import FlashRegion, MemoryMap, RamRegion
from pyocd.coresight.coresight_target import CoreSightTarget

from mcucompile.run.qemu import Qemu
from mcucompile.run.tools import find_tool
from mcucompile.target.board import Board

TARGET = "mcucompile_an386"
SECTOR_NBYTES, PAGE_NBYTES = 0x1000, 0x400
RAM = 0x20000000
ALGORITHM, DATA, STACK = RAM, RAM + 0x800, RAM + 0x2000
BREAKPOINT = 0xE00ABE00  # BKPT 0, to which the algorithm's functions return, and pyOCD's usual header
HEADER_NBYTES = 32
SOURCE = Path(__file__).parent / "flash_algorithm.c"


class EmptyMachine(Qemu):
    """Stands still until something is written into its flash through the socket `gdb` and started. Without a kernel
    image QEMU leaves memory as it is at a reset, as flash does.
    """

    def __init__(self, board: Board, gdb: Path) -> None:
        super().__init__(board, Path(), options=("-gdb", f"unix:{gdb},server=on,wait=off"))
        at = self._command.index("-kernel")
        del self._command[at : at + 2]
        self.gdb = gdb

    def connect(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(10)
        line.connect(str(self.gdb))
        return line


def flash_algorithm(folder: Path, **replaced: str) -> dict[str, Any]:
    """Compiled, in the form in which pyOCD takes it; `replaced` changes its source."""
    text = SOURCE.read_text()
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    source, elf = folder / "algorithm.c", folder / "algorithm.elf"
    source.write_text(text)
    flags = ("-mcpu=cortex-m0", "-mthumb", "-O2", "-ffreestanding", "-nostdlib", "-fPIC", "-Wl,-Ttext=0,-eInit")
    command = [find_tool("arm-none-eabi-gcc") or "", *flags, str(source), "-o", str(elf)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    with elf.open("rb") as file:
        image = ELFFile(file)
        code = image.get_section_by_name(".text").data()
        names = {s.name: s["st_value"] for s in image.get_section_by_name(".symtab").iter_symbols()}
    code += bytes(-len(code) % 4)
    words = [int.from_bytes(code[i : i + 4], "little") for i in range(0, len(code), 4)]
    entry = {
        name: ALGORITHM + HEADER_NBYTES + (names[name] | 1) for name in ("Init", "UnInit", "EraseSector", "ProgramPage")
    }
    return {
        "load_address": ALGORITHM,
        "instructions": [BREAKPOINT, *[0] * (HEADER_NBYTES // 4 - 1), *words],
        "pc_init": entry["Init"],
        "pc_unInit": entry["UnInit"],
        "pc_erase_sector": entry["EraseSector"],
        "pc_program_page": entry["ProgramPage"],
        "static_base": ALGORITHM + 0x400,
        "begin_stack": STACK,
        "begin_data": DATA,
        "page_size": PAGE_NBYTES,
        "page_buffers": [DATA],
        "min_program_length": 4,
        "analyzer_supported": False,
        "analyzer_address": 0,
    }


def target_class(algorithm: dict[str, Any]) -> Callable[[Any], CoreSightTarget]:
    """The part, as a target of pyOCD's."""

    class An386(CoreSightTarget):  # type: ignore[misc]
        VENDOR = "Arm"

        def __init__(self, session: Any) -> None:
            flash = FlashRegion(
                name="flash", start=0, length=0x400000, blocksize=SECTOR_NBYTES, page_size=PAGE_NBYTES,
                is_boot_memory=True, algo=algorithm,
            )  # fmt: skip
            super().__init__(session, MemoryMap(flash, RamRegion(name="ram", start=RAM, length=0x400000)))

    return An386
