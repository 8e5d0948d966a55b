"""Instructions of binary layers, bounded for the reference compiler."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from needs import needs_emulator
from test_binary_conv2d import POINT, Binary

from mcucompile import profile
from mcucompile import verify as verification
from mcucompile.emit.c import emit
from mcucompile.lower.lower import lower
from mcucompile.lower.select import fastest
from mcucompile.run.tools import find_toolchain
from mcucompile.target.board import load_board

REFERENCE_COMPILER = "12.2"
BOUNDS = {  # per multiplication of a sign with a weight, with everything that a layer does
    ("qemu-m4", Binary((1, 16, 16, 64, 64))): 0.31,
    ("qemu-m4", Binary((1, 16, 16, 64, 64), **POINT)): 0.42,
    ("qemu-m4", Binary((1, 1, 1, 1024, 1024), **POINT)): 0.32,
    ("qemu-m0", Binary((1, 16, 16, 64, 64))): 0.46,
    ("qemu-m55", Binary((1, 16, 16, 64, 64))): 0.14,
}
MOST_WRONG = 0.25  # share by which the cost model may differ from the estimated cycles of the run


@needs_emulator
@pytest.mark.parametrize(("board_name", "layer"), BOUNDS, ids=lambda v: str(getattr(v, "size", v)))
def test_instructions_per_multiplication(board_name: str, layer: Binary) -> None:
    if REFERENCE_COMPILER not in find_toolchain().version:
        pytest.skip(f"instructions are bounded for gcc {REFERENCE_COMPILER} only")
    board, case = load_board(board_name), layer.case(0)
    program = lower(case.graph, board.core, board.isa, fastest)
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as folder:
        for name, text in emit(program, board.core).items():
            (Path(folder) / name).write_text(text)
        inputs = {"x": case.samples[0]["x"][None]}
        run = case.graph, program, Path(folder), board, inputs
        (measured,) = profile.run(*run, opt="-O2").layers
        assert verification.run(*run, opt="-O2").ok
    _, height, width, channels, outputs = layer.size
    taps = 1 if layer.kernel == (1, 1) else 9
    assert measured.instructions <= BOUNDS[board_name, layer] * height * width * channels * outputs * taps
    if measured.prediction_error is not None:  # where the emulator estimates cycles
        assert abs(measured.prediction_error) < MOST_WRONG
