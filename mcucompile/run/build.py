"""Build the firmware that runs a generated library on a board, and measure its parts."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from ..emit.project import render_linker_script, render_mlperf_network, render_program
from ..errors import NO_SPACE, CompileError, no_space
from ..resources import folder
from ..target.board import Board, Region
from .interface import Interface
from .mlperf import MlperfNetwork
from .tools import Toolchain, find_toolchain

_SMALL_RAM_NBYTES = 8192

_OVERFLOW = re.compile(r"region [`'](\w+)'[^\n]*?overflowed by (\d+) bytes")
_ALIGNMENT = 16  # of sections, in the linker script

BOOT_NBYTES = 252  # and four of checksum
COMPILER_SECONDS = 300  # for one file

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
_COMMON = ("-std=c99", *WARNINGS, "-ffreestanding", "-ffunction-sections", "-fdata-sections")
# The firmware is as fast as it can be, whatever level the network is built at. Without jump tables and the loops that
# compilers turn into calls, it needs no support function: all those that are linked belong to the network.
_FIRMWARE = ("-O2", "-fno-jump-tables", "-fno-builtin")


def stack_nbytes(board: Board) -> int:
    """What is reserved for the stack; a network needs at most 1 KB of it, on the small cores 512 bytes."""
    if board.is_virtual:
        return 16384
    return 2048 if board.ram_nbytes > _SMALL_RAM_NBYTES else 1024


def payload_nbytes(board: Board) -> int:
    """The most data in one frame; the firmware keeps three frames: what arrives, what is carried out, the reply."""
    if board.is_virtual:
        return 4096
    return 512 if board.ram_nbytes > _SMALL_RAM_NBYTES else 128


@dataclass(frozen=True)
class Firmware:
    """What was built. `library_*` is the generated library with the compiler's support functions that it calls.

    `library_flash_nbytes` = code + constants + initial values of its data; `library_ram_nbytes` = arena, state and any
    other writable data; `flash_nbytes` and `ram_nbytes` are of the whole program, stack and alignment included.
    """

    elf: Path
    interface: Interface
    program_id: bytes
    hooked: bool
    flash_nbytes: int
    ram_nbytes: int
    library_flash_nbytes: int
    library_code_nbytes: int
    library_ram_nbytes: int


def build(
    library_dir: Path,
    interface: Interface,
    board: Board,
    work_dir: Path,
    *,
    opt: str = "-O2",
    hook: bool = True,
    toolchain: Toolchain | None = None,
    mlperf: MlperfNetwork | None = None,
) -> Firmware:
    """Compiles the library with the firmware for `board` into `work_dir`. `hook`: with calls after each step.

    `mlperf`: the firmware that answers MLPerf Tiny's runner, and not mcucompile; it has no hook.

    Raises E0601 without a compiler, E0603 when it rejects a file, E0501 and E0502 when the program does not fit, E0702
    where the disk is full.
    """
    toolchain = toolchain or find_toolchain()
    work_dir.mkdir(parents=True, exist_ok=True)
    job = _Job(library_dir.resolve(), interface, board, work_dir.resolve(), opt, hook and not mlperf, toolchain, mlperf)
    job.write_sources()
    job.compile()
    elf = job.link()
    return Firmware(elf, interface, job.program_id, hook, **_sizes(elf))


@dataclass(frozen=True)
class _Job:
    library_dir: Path
    interface: Interface
    board: Board
    work_dir: Path
    opt: str
    hook: bool
    toolchain: Toolchain
    mlperf: MlperfNetwork | None

    @property
    def project(self) -> Path:
        return folder("templates") / "project"

    @property
    def library_sources(self) -> list[Path]:
        return sorted(self.library_dir.glob("*.c"))

    @property
    def firmware_sources(self) -> list[Path]:
        board = self.board
        uart = board.uart.kind if board.uart else "none"
        driver, ticks = (board.setup.family.driver, board.setup.family.ticks) if board.setup else ("none", "ticks")
        names = ["mlperf.c"] if self.mlperf else ["main.c", "server.c", "link.c"]
        names += ["startup.c", "memory.c", "uart.c", f"uart_{uart}.c", f"setup_{driver}.c", f"{ticks}.c"]
        names += [f"boot_{driver}.S"] if board.boot_region else []
        names += ["semihosting.c"] if self.is_emulated else []
        return [self.project / name for name in names]

    @property
    def is_emulated(self) -> bool:
        """Whether the firmware uses what only an emulator has; MLPerf Tiny's knows nothing of it."""
        return self.board.is_virtual and self.mlperf is None

    @property
    def library_flags(self) -> tuple[str, ...]:
        network = self.interface.name.upper()
        places = [
            f'-D{network}_ARENA{k or ""}_ATTRIBUTE=__attribute__((section(".arena{region}")))'
            for k, region in enumerate(self.interface.regions or (0,))
        ]
        hook = [f"-D{network}_ON_STEP=mcu_on_step"] if self.hook else []
        return (self.opt, *hook, *places)

    @property
    def firmware_flags(self) -> tuple[str, ...]:
        board = self.board
        defines = [f"-DMAX_PAYLOAD={payload_nbytes(board)}u", f"-DCLOCK_HZ={board.clock_hz}u"]
        defines += ["-DEMULATED"] if self.is_emulated else []
        defines += ["-DHAS_VTOR"] if board.core.name == "cortex-m0plus" else []  # which the compiler does not know
        defines += [f"-DFLASH_NBYTES={board.all_flash_nbytes:#x}u"] if board.boot_region else []
        defines += board.setup.defines if board.setup else [f"-DFALLBACK_HZ={board.clock_hz}u"]
        return (*_FIRMWARE, *defines, *(board.uart.defines if board.uart else ()))

    @cached_property
    def program_id(self) -> bytes:
        """8 bytes that change with every source, flag and compiler that could change the program."""
        digest = hashlib.sha256()
        flags = (self.library_flags, self.firmware_flags)
        description = (self.interface, self.board, flags, self.toolchain.version, self.mlperf)
        digest.update(repr(description).encode())
        for path in (*self.library_sources, *sorted(self.library_dir.glob("*.h")), *sorted(self.project.iterdir())):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.digest()[:8]

    def write_sources(self) -> None:
        interface = self.interface
        ports = (*interface.inputs, *interface.outputs)
        program = render_program(interface.name, ports, len(interface.inputs), len(interface.events), self.program_id)
        (self.work_dir / "program.c").write_text(program)
        if self.mlperf:
            b = self.mlperf.benchmark
            header = render_mlperf_network(b.model, b.loads, b.scores, self.mlperf.input, self.mlperf.output)
            (self.work_dir / "mlperf_network.h").write_text(header)

    def compile(self) -> None:
        firmware = [*self.firmware_sources, self.work_dir / "program.c"]
        jobs = [(path, f"{path.stem}.o", self.firmware_flags) for path in firmware]
        # The linker script knows the library's objects by this prefix.
        jobs += [(path, f"network_{path.stem}.o", self.library_flags) for path in self.library_sources]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: self._compile_one(*job), jobs))

    def _compile_one(self, source: Path, target: str, flags: Sequence[str]) -> None:
        includes = (f"-I{self.library_dir}", f"-I{self.project}", f"-I{self.work_dir}")
        self._call(*_COMMON, *flags, *includes, "-c", str(source), "-o", target)

    def boot_checksum(self) -> int:
        """Of the second boot stage, as the first one of the RP2040 computes it."""
        object_file = self.work_dir / f"boot_{self.board.setup.family.driver}.o" if self.board.setup else Path()
        with object_file.open("rb") as file:
            section = ELFFile(file).get_section_by_name(".boot")
            assert section is not None and section.data_size == BOOT_NBYTES
            return crc32_mpeg2(section.data())

    def link(self) -> Path:
        checksum = self.boot_checksum() if self.board.setup and self.board.setup.name == "rp2040" else None
        (self.work_dir / "link.ld").write_text(render_linker_script(self.board, stack_nbytes(self.board), checksum))
        names = [f"{path.stem}.o" for path in (*self.firmware_sources, Path("program.c"))]
        names += [f"network_{path.stem}.o" for path in self.library_sources]
        flags = ("-Wl,--gc-sections", "-Wl,-T,link.ld")
        libraries = self.toolchain.link_libraries
        self._call("-O2", *self.toolchain.link_flags, *flags, *names, *libraries, "-o", "firmware.elf")
        return self.work_dir / "firmware.elf"

    def _call(self, *arguments: str) -> None:
        command = [*self.toolchain.command, *self.toolchain.target_flags(self.board.core), *arguments]
        done = call(command, self.work_dir)
        if done.returncode != 0:
            raise self._rejected(done.stderr)

    def _rejected(self, messages: str) -> CompileError:
        overflows = {name: int(excess) for name, excess in _OVERFLOW.findall(messages)}
        for region in self.board.regions:
            if region.name in overflows:
                return self._does_not_fit(region, overflows[region.name])
        if any(os.strerror(number) in messages for number in NO_SPACE):
            return no_space()
        return CompileError("E0603", "the compiler rejected the program", why=messages[:4000])

    def _does_not_fit(self, region: Region, excess: int) -> CompileError:
        """What `compile` accepts is the network alone; this program has a stack and buffers of its own beside it."""
        is_flash = region.kind == "flash"
        code, memory = ("E0502", "flash") if is_flash else ("E0501", "RAM")
        program = "answers MLPerf Tiny's runner" if self.mlperf else "verifies the network"
        beside = "code of its own" if is_flash else "a stack and buffers of its own"
        return CompileError(
            code,
            f"the program that {program} needs {region.nbytes + excess:,} bytes of {memory}; "
            f"{self.board.name} has {region.nbytes:,}",
            where=f"memory region {region.name}",
            why=f"{excess:,} bytes too many: it has the network, which alone was planned to fit, and {beside}",
            fix=f"{self._narrower(region, excess)}, or a larger board",
        )

    def _narrower(self, region: Region, excess: int) -> str:
        """A limit for the arena that makes room: in steps of 16 bytes, to which sections are aligned."""
        limit = (self.interface.arena_nbytes - excess) // _ALIGNMENT * _ALIGNMENT
        is_one_piece_there = not self.interface.regions and region == self.board.arena_regions[0]
        advice = [f"compile with --ram {limit}"] if is_one_piece_there and limit > 0 else []
        return ", or ".join([*advice, "take a smaller network"])


def call(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a compiler in a folder. Raises E0603 when it cannot be run, or does not end."""
    try:
        return subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMPILER_SECONDS,
            env={**os.environ, "LC_ALL": "C"},  # some messages are looked into
        )
    except subprocess.TimeoutExpired as e:
        raise CompileError(
            "E0603", f"the compiler did not end within {COMPILER_SECONDS} s", where=" ".join(command[:3]),
            fix="look at what else the machine is doing, or compile with -Os",
        ) from e  # fmt: skip
    except OSError as e:
        raise CompileError("E0603", f"{command[0]} cannot be run: {e.strerror}", fix="install it again") from e


def crc32_mpeg2(data: bytes) -> int:
    """The polynomial of Ethernet's CRC, most significant bit first, and nothing inverted at the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def _sizes(elf: Path) -> dict[str, int]:
    with elf.open("rb") as file:
        image = ELFFile(file)
        sections = {s.name: s["sh_size"] for s in image.iter_sections() if s["sh_flags"] & 2}
        in_flash = sum(s["p_filesz"] for s in image.iter_segments() if s["p_type"] == "PT_LOAD")
        table = image.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = {s.name: s["st_value"] for s in table.iter_symbols()}
    data = symbols["__network_data_end"] - symbols["__data_start"]
    bss = symbols["__network_bss_end"] - symbols["__bss_start"]
    code = sections.get(".network_code", 0)
    constants = sections.get(".network_const", 0) + sections.get(".network_weights", 0)
    arenas = sum(nbytes for name, nbytes in sections.items() if name.startswith(".network_arena"))
    in_ram = arenas + sum(sections.get(name, 0) for name in (".stack", ".data", ".bss"))
    return {
        "flash_nbytes": in_flash - sections.get(".boot", 0),  # that has a region of its own, which no program fills
        "ram_nbytes": in_ram,
        "library_flash_nbytes": code + constants + data,
        "library_code_nbytes": code,
        "library_ram_nbytes": data + bss + arenas,
    }
