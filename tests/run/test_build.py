"""Every board links; sizes are those of the library; what does not fit or compile is an error with numbers."""

from __future__ import annotations

import importlib.util
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from elftools.elf.elffile import ELFFile

from mcucompile.errors import CompileError
from mcucompile.run.build import Firmware, build, crc32_mpeg2
from mcucompile.run.device import open_device
from mcucompile.run.interface import Block, Interface
from mcucompile.run.tools import Toolchain
from mcucompile.target.board import list_boards, load_board

ARENA = replace(tiny.INTERFACE, arena_nbytes=40)
SAMPLE = [bytes([1, 2, 3, 255, 5, 128, 7, 8]), bytes([10, 20, 30, 127, 50, 128, 70, 1])]
LEVELS = ("-O0", "-Og", "-Os", "-O2", "-O3")


@pytest.mark.parametrize("name", list_boards())
def test_every_board_links_the_tiny_library(arm_compiler: None, library: Path, tmp_path: Path, name: str) -> None:
    board = load_board(name)
    firmware = build(library, tiny.INTERFACE, board, tmp_path / "work")
    assert firmware.library_flash_nbytes - firmware.library_code_nbytes == 8  # tiny_bias
    assert firmware.library_ram_nbytes in range(44, 64)  # the arena's 40, a pointer, alignment
    assert firmware.library_flash_nbytes < firmware.flash_nbytes < 8192
    assert firmware.ram_nbytes < board.ram_nbytes


def test_checksum_of_a_boot_stage() -> None:
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7  # the check value of CRC-32/MPEG-2 in the catalogue of CRCs


def memory(elf: Path, address: int, nbytes: int) -> bytes:
    """What the file puts there."""
    with elf.open("rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            start = segment["p_paddr"]
            if start <= address and address + nbytes <= start + segment["p_filesz"]:
                return bytes(segment.data()[address - start : address - start + nbytes])
    raise AssertionError(f"nothing at {address:#x}")


def test_an_rp2040_gets_its_second_boot_stage(arm_compiler: None, library: Path, tmp_path: Path) -> None:
    board = load_board("raspberry-pi-pico")
    elf = build(library, tiny.INTERFACE, board, tmp_path / "work").elf
    stage = memory(elf, 0x10000000, 256)
    assert int.from_bytes(stage[252:], "little") == crc32_mpeg2(stage[:252])
    assert any(stage[:64])
    stack, reset = struct.unpack("<II", memory(elf, 0x10000100, 8))
    assert 0x20000000 < stack <= 0x20042000
    assert 0x10000100 < reset < 0x10002000


def test_an_rp2350_gets_an_image_definition(arm_compiler: None, library: Path, tmp_path: Path) -> None:
    """The minimum Arm image of the data sheet, section 5.9.5, within the first 4 KB."""
    elf = build(library, tiny.INTERFACE, load_board("raspberry-pi-pico-2"), tmp_path / "work").elf
    block = struct.pack("<5I", 0xFFFFDED3, 0x10210142, 0x000001FF, 0, 0xAB123579)
    assert block in memory(elf, 0x10000000, 320)


def test_an_lpc1768_gets_vectors_that_add_up(arm_compiler: None, library: Path, tmp_path: Path) -> None:
    """Its boot ROM starts a program only if the first eight vectors make zero (UM10360, section 32.3.1.1)."""
    elf = build(library, tiny.INTERFACE, load_board("mbed-lpc1768"), tmp_path / "work").elf
    vectors = struct.unpack("<8I", memory(elf, 0, 32))
    assert sum(vectors) % 2**32 == 0
    assert all(vector % 2 for vector in vectors[1:7])
    assert memory(elf, 0x2FC, 4) == b"\xff" * 4  # anything else might lock the part (section 32.6)


def test_an_imxrt_gets_a_boot_header(arm_compiler: None, library: Path, tmp_path: Path) -> None:
    """The fields that a serial NOR flash needs, at their offsets in the tables of IMXRT1060RM, chapter System Boot."""
    base = 0x60000000
    elf = build(library, tiny.INTERFACE, load_board("mimxrt1060-evk"), tmp_path / "work").elf
    header = memory(elf, base, 0x2000)
    word = lambda at: int.from_bytes(header[at : at + 4], "little")  # noqa: E731
    assert header[:4] == b"FCFB"
    assert header[4:8] == b"\x00\x04\x01V"
    assert list(header[0x0C:0x0F]) == [1, 3, 3]
    assert list(header[0x44:0x47]) == [1, 4, 6]
    assert (word(0x50), word(0x1C0), word(0x1C4)) == (0x800000, 256, 4096)
    assert (word(0x80), word(0x84)) == (0x0A1804EB, 0x26043206)  # as NXP's macros make the sequence of EBh
    tag, entry, _, dcd, boot_data, itself, csf, _ = struct.unpack("<8I", header[0x1000:0x1020])
    assert tag & 0x00FFFFFF == 0x2000D1
    assert (entry, dcd, boot_data, itself, csf) == (base + 0x2000, 0, base + 0x1020, base + 0x1000, 0)
    assert struct.unpack("<3I", header[0x1020:0x102C]) == (base, 0x800000, 0)
    stack, reset = struct.unpack("<II", memory(elf, entry, 8))
    assert 0x20000000 < stack <= 0x20020000
    assert base + 0x2000 < reset < base + 0x4000


def test_code_that_nobody_calls_does_not_count(arm_compiler: None, tmp_path: Path) -> None:
    unused = (
        "int tiny_unused(int x);\nint tiny_unused(int x) { return x * x + 17; }\nconst char tiny_text[4096] = {1};\n"
    )
    plain = tiny.write(tmp_path / "plain")
    more = tiny.write(tmp_path / "more", kernels=tiny.KERNELS + "extern const char tiny_text[4096];\n" + unused)
    board = load_board("qemu-m4")
    sizes = [build(d, tiny.INTERFACE, board, tmp_path / f"{d.name}w").library_flash_nbytes for d in (plain, more)]
    assert sizes[0] == sizes[1]


def test_support_functions_of_the_compiler_count(arm_compiler: None, tmp_path: Path) -> None:
    divide = tiny.KERNELS.replace("(int8_t)(a[i] + b[i])", "(int8_t)(a[i] / (b[i] | 1))")
    board = load_board("qemu-m0")
    plain, divided = tiny.write(tmp_path / "plain"), tiny.write(tmp_path / "divided", kernels=divide)
    sizes = [build(d, tiny.INTERFACE, board, tmp_path / f"{d.name}w").library_code_nbytes for d in (plain, divided)]
    assert sizes[1] > sizes[0] + 200  # the Cortex-M0 has no division: libgcc's takes some hundreds of bytes


def test_same_sources_same_bytes(arm_compiler: None, library: Path, tmp_path: Path) -> None:
    board = load_board("qemu-m7")
    one, two = (build(library, tiny.INTERFACE, board, tmp_path / name) for name in ("one", "two"))
    assert one.elf.read_bytes() == two.elf.read_bytes()
    other = build(library, tiny.INTERFACE, board, tmp_path / "three", opt="-Os")
    assert other.program_id != one.program_id


@pytest.mark.parametrize(
    ("code", "kib", "where"), [("E0501", 200, "weights"), ("E0502", 600, "arena")], ids=["RAM", "flash"]
)
def test_too_large(arm_compiler: None, tmp_path: Path, code: str, kib: int, where: str) -> None:
    board, nbytes = load_board("nucleo-f446re"), kib * 1024
    if code == "E0501":
        texts = {"network": tiny.NETWORK.replace("own_arena[TINY_ARENA_SIZE]", f"own_arena[{nbytes}]")}
        used, limit = nbytes, 128 * 1024
    else:
        add = tiny.KERNELS.replace("a[i] + b[i]", "a[i] + tiny_table[b[i] + 128]")
        table = f"extern const int8_t tiny_table[{nbytes}];\nconst int8_t tiny_table[{nbytes}] = {{1}};\n"
        declared = f'#include "tiny.h"\nextern const int8_t tiny_table[{nbytes}];\n'
        texts = {"kernels": declared + add, "weights": tiny.WEIGHTS + table}
        used, limit = nbytes, 512 * 1024
    with pytest.raises(CompileError) as caught:
        build(tiny.write(tmp_path / "library", **texts), tiny.INTERFACE, board, tmp_path / "work")
    assert caught.value.code == code
    needed = int(caught.value.what.split(" needs ")[1].split(" ")[0].replace(",", ""))
    assert used < needed < used + 8192
    assert f"{limit:,}" in caught.value.what


@pytest.mark.parametrize("name", ["nucleo-f446re", "stm32vldiscovery"])
@pytest.mark.parametrize("odd", [0, 5])
def test_the_limit_that_is_advised_makes_room(arm_compiler: None, tmp_path: Path, name: str, odd: int) -> None:
    """An arena that leaves 1 KB free, as every network does that `compile` accepts."""
    board = load_board(name)

    def built(arena_nbytes: int) -> Firmware:
        place = f"TINY_ARENA_ATTRIBUTE static int8_t own_arena[{arena_nbytes}]"
        network = tiny.NETWORK.replace("static int8_t own_arena[TINY_ARENA_SIZE]", place)
        interface = replace(tiny.INTERFACE, arena_nbytes=arena_nbytes)
        library = tiny.write(tmp_path / f"library{arena_nbytes}", network=network)
        return build(library, interface, board, tmp_path / f"work{arena_nbytes}")

    arena_nbytes = board.arena_regions[0].nbytes - 1024 - odd
    with pytest.raises(CompileError) as caught:
        built(arena_nbytes)
    error = caught.value
    assert error.code == "E0501"
    assert error.what.startswith("the program that verifies the network needs ")
    assert "which alone was planned to fit" in error.why
    limit = int(error.fix.removeprefix("compile with --ram ").split(",")[0])
    excess = int(error.why.split(" bytes too many")[0].replace(",", ""))
    assert arena_nbytes - excess - 16 < limit <= arena_nbytes - excess
    assert built(limit).ram_nbytes <= board.ram_nbytes


def test_no_limit_is_advised_where_none_would_do(arm_compiler: None, tmp_path: Path) -> None:
    """What is too much is not the arena."""
    texts = {"network": tiny.NETWORK.replace("own_arena[TINY_ARENA_SIZE]", "own_arena[200000]")}
    with pytest.raises(CompileError) as caught:
        build(tiny.write(tmp_path / "library", **texts), ARENA, load_board("nucleo-f446re"), tmp_path / "work")
    assert caught.value.fix == "take a smaller network, or a larger board"


def test_warnings_are_errors(arm_compiler: None, tmp_path: Path) -> None:
    library = tiny.write(tmp_path / "library", kernels=tiny.KERNELS.replace("(int8_t)-sum[i]", "-sum[i] * 300"))
    with pytest.raises(CompileError) as caught:
        build(library, tiny.INTERFACE, load_board("qemu-m4"), tmp_path / "work")
    assert caught.value.code == "E0603"
    assert "tiny_kernels.c" in caught.value.why


def test_a_compiler_that_has_no_space(tmp_path: Path) -> None:
    full = tmp_path / "cc"
    full.write_text("#!/bin/sh\necho 'fatal error: error writing to /tmp/cc.s: No space left on device' >&2\nexit 1\n")
    full.chmod(0o755)
    with pytest.raises(CompileError) as caught:
        build(
            tiny.write(tmp_path / "library"), tiny.INTERFACE, load_board("qemu-m4"), tmp_path / "work",
            toolchain=Toolchain("gcc", (str(full),)),
        )  # fmt: skip
    assert caught.value.code == "E0702"
    assert "TMPDIR" in caught.value.fix


def test_an_output_that_the_library_does_not_have(arm_compiler: None, library: Path, tmp_path: Path) -> None:
    interface = Interface("tiny", tiny.INTERFACE.inputs, (Block("missing", 8),), ())
    with pytest.raises(CompileError) as caught:
        build(library, interface, load_board("qemu-m4"), tmp_path / "work")
    assert caught.value.code == "E0603"
    assert "tiny_missing" in caught.value.why


@pytest.mark.parametrize("opt", LEVELS)
def test_every_level_gives_the_same_answer(emulator: None, library: Path, tmp_path: Path, opt: str) -> None:
    board = load_board("qemu-m55")
    firmware = build(library, tiny.INTERFACE, board, tmp_path / "work", opt=opt)
    with open_device(firmware, board) as device:
        assert device.run(SAMPLE) == list(tiny.expected(*SAMPLE)[1:])


@pytest.mark.parametrize("name", ["qemu-m0", "qemu-m4"])
def test_zig_builds_it_too(emulator: None, library: Path, tmp_path: Path, name: str) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("the Python package ziglang is not installed")
    board, zig = load_board(name), Toolchain("zig", (sys.executable, "-m", "ziglang", "cc"))
    firmware = build(library, tiny.INTERFACE, board, tmp_path / "work", toolchain=zig)
    with open_device(firmware, board) as device:
        assert device.run(SAMPLE) == list(tiny.expected(*SAMPLE)[1:])


def test_zig_reports_too_large_too(arm_compiler: None, tmp_path: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("the Python package ziglang is not installed")
    library = tiny.write(
        tmp_path / "library", network=tiny.NETWORK.replace("own_arena[TINY_ARENA_SIZE]", "own_arena[99999999]")
    )
    zig = Toolchain("zig", (sys.executable, "-m", "ziglang", "cc"))
    with pytest.raises(CompileError) as caught:
        build(library, tiny.INTERFACE, load_board("qemu-m4"), tmp_path / "work", toolchain=zig)
    assert caught.value.code == "E0501"
