"""The generated library gives the same bits at every optimization level and with another compiler, and is valid C++."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from needs import needs_emulator

import mcucompile
from mcucompile.data import reference_inputs
from mcucompile.run.build import build
from mcucompile.run.device import open_device
from mcucompile.run.interface import Interface
from mcucompile.run.tools import Toolchain, find_tool
from mcucompile.verify import to_bytes

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
BOARDS = ("qemu-m0", "qemu-m4", "qemu-m55")
SAMPLES = 3
GCC, GXX = find_tool("arm-none-eabi-gcc"), find_tool("arm-none-eabi-g++")
needs_zig = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs the package ziglang")


@cache
def compiled_digits(board: str) -> mcucompile.Compiled:
    return mcucompile.compile(DIGITS / "digits.onnx", board, calibration=DIGITS / "calibration.npz")


def check(compiled: mcucompile.Compiled, toolchain: Toolchain, level: str, work: Path) -> None:
    inputs = reference_inputs(compiled.prepared.graph, compiled.prepared.samples, SAMPLES)
    expected = compiled.expected(inputs)
    library, interface = compiled.write_library(work / "library"), Interface.of(compiled.program)
    firmware = build(library, interface, compiled.board, work / "build", opt=level, hook=False, toolchain=toolchain)
    with open_device(firmware, compiled.board) as device:
        for i in range(SAMPLES):
            outputs = device.run(to_bytes(compiled.graph, inputs, i))
            assert outputs == [expected[t.name][i].tobytes() for t in compiled.graph.outputs]


@needs_emulator
@pytest.mark.parametrize("level", ["-O0", "-Og", "-Os", "-O2", "-O3"])
@pytest.mark.parametrize("board", BOARDS)
def test_gcc(board: str, level: str, tmp_path: Path) -> None:
    check(compiled_digits(board), Toolchain("gcc", (str(GCC),)), level, tmp_path)


@needs_emulator
@needs_zig
@pytest.mark.parametrize("board", BOARDS)
def test_clang(board: str, tmp_path: Path) -> None:
    clang = Toolchain("zig", (sys.executable, "-m", "ziglang", "cc"))
    check(compiled_digits(board), clang, "-O2", tmp_path)


@needs_emulator
@pytest.mark.parametrize("level", ["-O0", "-Og", "-Os", "-O2", "-O3"])
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.long
def test_keyword_spotting_with_gcc(board: str, level: str, tmp_path: Path, shared_model: Callable[[str], Path]) -> None:
    compiled = mcucompile.compile(shared_model("mlperf_kws_dscnn_int8"), board)
    check(compiled, Toolchain("gcc", (str(GCC),)), level, tmp_path)


@needs_emulator
@needs_zig
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.long
def test_keyword_spotting_with_clang(board: str, tmp_path: Path, shared_model: Callable[[str], Path]) -> None:
    compiled = mcucompile.compile(shared_model("mlperf_kws_dscnn_int8"), board)
    check(compiled, Toolchain("zig", (sys.executable, "-m", "ziglang", "cc")), "-O2", tmp_path)


@pytest.mark.skipif(GXX is None, reason="needs arm-none-eabi-g++")
@pytest.mark.parametrize("board", BOARDS)
def test_it_is_cxx_too(board: str, tmp_path: Path) -> None:
    compiled = compiled_digits(board)
    library = compiled.write_library(tmp_path / "library")
    flags = (*compiled.board.core.gcc_flags, "-std=c++11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror")
    for source in sorted(library.glob("*.c")):
        command = [str(GXX), *flags, "-ffreestanding", "-x", "c++", "-c", str(source), "-o", str(tmp_path / "o")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
