"""The same bits at every optimization level, from gcc and from clang, and valid C++: a sample of the kernels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import rig
import test_binary_conv2d
import test_conv2d
import test_dense
import test_depthwise_conv2d
import test_matmul
import test_pack_signs

from mcucompile.run.tools import Toolchain
from mcucompile.target.cores import CORES

ZIG = Toolchain("zig", (sys.executable, "-m", "ziglang", "cc"))


def sample() -> list[rig.Case]:
    chosen = (
        *test_conv2d.CONVS[1:6], *test_conv2d.CONVS[9:12], test_conv2d.TFLITE[0],
        *test_depthwise_conv2d.LAYERS[1:5], test_depthwise_conv2d.LAYERS[13], test_depthwise_conv2d.TFLITE[0],
        *test_dense.LAYERS[3:8], test_dense.TFLITE[1], *test_matmul.PRODUCTS[1:3],
        *test_binary_conv2d.LAYERS[::5],
    )  # fmt: skip
    return [layer.case(i) for i, layer in enumerate(chosen)] + test_pack_signs.pack_cases()[::17]


@pytest.mark.parametrize("opt", ["-O0", "-Os", "-O3"])
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55"])
def test_optimization_levels(board: str, opt: str) -> None:
    rig.check(sample(), (board,), opt, host=False)


@pytest.mark.parametrize("opt", ["-O0", "-O2"])
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55"])
def test_clang(board: str, opt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ziglang", reason="clang comes with the Python package ziglang")
    monkeypatch.setattr(rig, "find_toolchain", lambda: ZIG)
    rig.check(sample(), (board,), opt, host=False)


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m3", "cortex-m4f", "cortex-m55"])
def test_is_valid_cplusplus(core: str, tmp_path: Path) -> None:
    runs = rig.runs_of(sample(), CORES[core], CORES[core].isa, lambda kernel: True)
    rig.write_sources(runs, tmp_path)
    toolchain = rig.find_toolchain()
    flags = [*toolchain.target_flags(CORES[core]), "-x", "c++", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion"]
    done = subprocess.run([*toolchain.command, *flags, "cases.c"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
