"""What the grid of sizes leaves out: layers between its sizes, long rows, extreme scales, calls of a C library."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from needs import needs_emulator
from rig import WARNINGS, Case, check, runs_of
from test_conv2d import Conv
from test_dense import Layer
from test_depthwise_conv2d import Depthwise

from mcucompile.emit.c import kernels_text
from mcucompile.ir import Clip, Graph, Node, Numerics, QuantParams, Tensor
from mcucompile.run.tools import find_tool
from mcucompile.target.board import load_board

NONE = (0, 0, 0, 0)
# Armv6-M's instructions reach least far.
TAPS = tuple(
    Conv((1, 1, 3, channels, 4), (1, 1), pads=NONE, clip=clip, numerics=numerics, zero_x=-128, zero_y=-128)
    for channels in (43, 44, 47, 48)
    for clip in (Clip(), Clip(0.0, 3.0))
    for numerics in Numerics
)
LONG_ROWS = (
    Depthwise((1, 1, 1200, 1, 1), (1, 3), pads=(0, 1, 0, 1)),
    Depthwise((1, 1300, 1, 2, 1), (5, 1), (2, 1), pads=(2, 0, 2, 0)),
    Depthwise((1, 3, 700, 3, 1), (3, 3)),
)
LIBRARY = (
    Conv((1, 3, 3, 300, 5), (1, 1), pads=NONE).case(1),
    Conv((1, 6, 6, 12, 8)).case(2),
    Conv((1, 8, 8, 3, 8), strides=(2, 2)).case(3),
    Depthwise((1, 9, 9, 5, 1)).case(4),
    Layer((1,), 300, 9).case(5),
)


def test_channel_counts_between_those_of_the_grid() -> None:
    check([c.case(k) for k, c in enumerate(TAPS)], boards=("qemu-m0",), host=False)


def test_long_rows() -> None:
    boards = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55")
    check([c.case(k) for k, c in enumerate(LONG_ROWS)], boards=boards, host=False)


def scaled_down(case: Case, factor: float) -> Case:
    """The case with a scale of the output so large that every shift is near its limit."""
    (node,) = case.graph.nodes
    y = node.output
    assert y.quant is not None
    quant = QuantParams.per_tensor(y.quant.scale * factor, y.quant.zero, y.dtype)
    output = Tensor(y.name, y.shape, y.dtype, quant)
    moved = Node(node.op, node.inputs, [output], node.source)
    moved.op = moved.op.fix(moved, case.graph.numerics)
    return replace(case, graph=Graph("one", case.graph.inputs, [output], [moved], case.graph.numerics))


@pytest.mark.parametrize("factor", [1e5, 5e5, 2e6])
def test_large_shifts(factor: float) -> None:
    cases = [
        scaled_down(Conv((1, 6, 6, 8, 4), per_channel=per_channel, zero_y=zero).case(3), factor)
        for per_channel in (False, True)
        for zero in (0, 127)
    ]
    check(cases, boards=("qemu-m4",), host=False)


@needs_emulator
@pytest.mark.parametrize("opt", ["-Os", "-O2", "-O3"])
@pytest.mark.parametrize("name", ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55"])
def test_kernels_call_no_c_library(name: str, opt: str, tmp_path: Path) -> None:
    """Only what every compiler's own support library has: long products and divisions on small cores."""
    board = load_board(name)
    runs = runs_of(LIBRARY, board.core, board.isa, lambda kernel: True)
    gcc, nm = find_tool("arm-none-eabi-gcc"), find_tool("arm-none-eabi-nm")
    assert gcc
    assert nm
    kernels = [k for run in runs for k in run.program.kernels]
    (tmp_path / "one_kernels.c").write_text(kernels_text("one", kernels, board.core))
    prototypes = "#include <stdint.h>\n"
    (tmp_path / "one_kernels.h").write_text(prototypes)
    flags = [f for f in WARNINGS if f != "-Werror"]
    command = [gcc, *flags, *board.core.gcc_flags, opt, "-ffreestanding", "-c", "one_kernels.c", "-o", "one.o"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    undefined = subprocess.run([nm, "-u", "one.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1] for line in undefined.splitlines()}
    assert all(n.startswith("__") for n in names), names
