"""Kernels of signs with input and output as close together as their traces allow, on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from needs import needs_emulator
from one_node import activation, case
from rig import Case, Run, failures_of, run_on_board, runs_of
from test_pack_signs import POOLS, SHAPES, near_zero

from mcucompile.ir import DType, Tensor
from mcucompile.lower.memory import min_distance, min_distance_above
from mcucompile.ops.binary_max_pool import BinaryMaxPool
from mcucompile.ops.bits import packed_shape
from mcucompile.ops.pack_signs import PackSigns
from mcucompile.ops.sign import Sign
from mcucompile.ops.window import Window
from mcucompile.target.board import load_board

ALIGNMENT = 4


def cases() -> Iterator[Case]:
    for shape in (*SHAPES, (1, 4, 256), (9, 40)):
        for dtype in (DType.I8, DType.I16, DType.F32):
            x, y = activation("x", shape, dtype), Tensor("y", packed_shape(shape), DType.U32)
            samples = tuple({"x": near_zero(shape, dtype, 0, seed)} for seed in range(2))
            yield case(f"pack {dtype.value} {shape}", PackSigns(), [x], [y], samples=samples)
    for shape, window in POOLS:
        op = BinaryMaxPool(Window(**window))
        x, y = Tensor("x", shape, DType.U32), Tensor("y", op.infer(shape)[0], DType.U32)
        words = np.random.default_rng(0).integers(0, 1 << 32, shape, np.uint32)
        yield case(f"pool {shape}", op, [x], [y], samples=({"x": words},))
    for kinds in ((DType.I8, DType.I8), (DType.I8, DType.I16), (DType.I16, DType.I8), (DType.F32, DType.F32)):
        x, y = (activation(name, (3, 67), dtype) for name, dtype in zip("xy", kinds, strict=True))
        yield case(f"sign {kinds}", Sign(), [x], [y], samples=({"x": near_zero(x.shape, x.dtype, 0, 0)},))


def closest(run: Run) -> Iterator[Run]:
    """The run with the input above the output, and below it, where they may share bytes."""
    (node,) = run.case.graph.nodes
    trace, x, y = run.kernel.trace(node), node.inputs[0].nbytes, node.output.nbytes
    assert trace is not None
    above, below = -(-min_distance(trace, 0, 1, x) // ALIGNMENT), -(-min_distance_above(trace, 0, 1, y) // ALIGNMENT)
    if ALIGNMENT * above < y:
        yield moved(run, ALIGNMENT * max(above, 0), ALIGNMENT * max(-above, 0), "input above")
    if ALIGNMENT * below < x:
        yield moved(run, ALIGNMENT * max(-below, 0), ALIGNMENT * max(below, 0), "output above")


def moved(run: Run, x: int, y: int, name: str) -> Run:
    """With the operands at offsets x and y."""
    (step,), (node,) = run.program.steps, run.case.graph.nodes
    read, written = step.arguments
    step = replace(step, arguments=(replace(read, offset=x), replace(written, offset=y)))
    arena = max(x + node.inputs[0].nbytes, y + node.output.nbytes)
    program = replace(run.program, steps=(step,), arena_nbytes=arena)
    return replace(run, program=program, case=replace(run.case, name=f"{run.case.name}, {name}"))


@needs_emulator
@pytest.mark.parametrize("board_name", ["qemu-m4", "qemu-m55"])
def test_closest_placement(board_name: str) -> None:
    board = load_board(board_name)
    runs = [close for run in runs_of(list(cases()), board.core, board.isa, lambda _: True) for close in closest(run)]
    assert {run.kernel.op for run in runs} == {PackSigns, BinaryMaxPool, Sign}
    results, strays = run_on_board(runs, board, "-O2")
    failures = [*failures_of(runs, results), *strays]
    assert not failures, "\n".join(failures)
