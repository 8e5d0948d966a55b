"""Instructions of layers whose weights are unpacked first, bounded for the reference compiler."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from needs import needs_emulator
from test_conv2d import POINTWISE, Conv
from test_dense import Layer
from test_unpacked import encoded

from mcucompile import profile
from mcucompile import verify as verification
from mcucompile.emit.c import emit
from mcucompile.ir import Clip
from mcucompile.lower.lower import lower
from mcucompile.lower.select import fitting
from mcucompile.run.tools import find_toolchain
from mcucompile.target.board import load_board

REFERENCE_COMPILER = "12.2"
SQUARE = Conv((1, 16, 16, 64, 64), zero_x=-128, zero_y=-128, clip=Clip(0.0))
POINT = Conv((1, 16, 16, 64, 64), **POINTWISE, zero_x=-128, zero_y=-128, clip=Clip(0.0))
ROW = Layer((1,), 640, 128, zero_x=-128, zero_y=-128)
BESIDE_NBYTES = 24  # per output channel: bias, multiplier, shift, sums of weights, and what fills up words
BOUNDS = {  # per multiplication, with everything that a layer does, and bytes of scratch
    ("qemu-m4", "int4_blocked_64", SQUARE): (0.79, 42576),
    ("qemu-m4", "int4_blocked_32", SQUARE): (0.83, 23888),
    ("qemu-m4", "int4_blocked_16", SQUARE): (0.90, 14544),
    ("qemu-m4", "int4_blocked_64", POINT): (0.85, 5136),
    ("qemu-m4", "int4_row_8", ROW): (2.85, 6400),
    ("qemu-m0", "int4_halves_16", SQUARE): (2.4, 13384),
    ("qemu-m55", "int4_vector_pairs_16", SQUARE): (0.15, 10368),
}


@needs_emulator
@pytest.mark.parametrize(("board_name", "variant", "layer"), BOUNDS, ids=lambda v: v if isinstance(v, str) else "")
def test_instructions_per_multiplication(board_name: str, variant: str, layer: Conv | Layer) -> None:
    if REFERENCE_COMPILER not in find_toolchain().version:
        pytest.skip(f"instructions are bounded for gcc {REFERENCE_COMPILER} only")
    board, case = load_board(board_name), encoded(layer, "int4")
    (node,) = case.graph.nodes
    (kernel,) = (k for k in fitting(node, board.isa) if k.variant == variant)
    program = lower(case.graph, board.core, board.isa, lambda *_: kernel)
    run = case.graph, program
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as folder:
        for name, text in emit(program, board.core).items():
            (Path(folder) / name).write_text(text)
        inputs = {"x": case.samples[0]["x"][None]}
        (measured,) = profile.run(*run, Path(folder), board, inputs, opt="-O2").layers
        assert verification.run(*run, Path(folder), board, inputs, opt="-O2").ok
    per_mac, scratch_nbytes = BOUNDS[board_name, variant, layer]
    weights, outputs = node.inputs[1].size, node.output.shape[-1]
    assert measured.instructions <= per_mac * weights * node.output.size / outputs
    assert program.steps[0].scratch_nbytes <= scratch_nbytes
    assert program.weight_nbytes <= weights / 2 + BESIDE_NBYTES * outputs
