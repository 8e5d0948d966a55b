"""Convolutions in blocks of pixels: every remainder of pixels, channels and steps, and every kind of requantization."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import Case, check
from test_conv2d import CONVS, POINTWISE, TFLITE, Conv

from mcucompile.ir import Clip, Numerics
from mcucompile.kernels.conv2d.blocked import split_steps
from mcucompile.kernels.conv2d.geometry import geometry
from mcucompile.kernels.conv2d.lanes import lanes_of
from mcucompile.kernels.conv2d.requantization import fits_high_word, high_word, high_word_constants
from mcucompile.kernels.conv2d.rounds import rounds_of
from mcucompile.kernels.kernel import Kernel

VARIANTS = ("blocked", "blocked16", "staggered", "compact")
DSP_BOARDS = ("qemu-m4", "qemu-m7", "qemu-m33")
REMAINDERS = (
    *(Conv((1, 1, n, 5, 3), **POINTWISE, zero_x=-1) for n in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11)),
    *(Conv((1, 2, 4, c, 6), **POINTWISE, zero_x=100) for c in (1, 2, 3, 4, 6, 8, 9)),
    *(Conv((1, 1, n, 4, 2), (1, 3), pads=(0, 1, 0, 1), zero_x=3) for n in (1, 2, 5, 7)),
    Conv((1, 3, 3, 64, 2), **POINTWISE),
    Conv((1, 2, 2, 68, 2), **POINTWISE),
    Conv((1, 5, 3, 133, 2), **POINTWISE, zero_x=-128),
    Conv((1, 5, 5, 32, 3), zero_x=-128),
    Conv((3, 3, 3, 2, 1), (3, 3), (2, 2), (0, 1, 1, 0), zero_x=5),
    Conv((2, 3, 5, 8, 6), (2, 3), (1, 2), (1, 1, 0, 1), groups=2, zero_x=5),
    Conv((1, 7, 7, 3, 4), (3, 3), (2, 2), (0, 0, 0, 0), (2, 2)),
    Conv((1, 4, 4, 3, 4), (7, 7), pads=(3, 3, 3, 3), zero_x=9),
)
SCALES = tuple(
    Conv((1, 3, 4, 8, channels), **POINTWISE, clip=clip, zero_y=zero, spread=spread, numerics=numerics)
    for numerics in Numerics
    for channels in (4, 5)
    for spread in (1.0, 3.0, 300.0)
    for clip, zero in ((Clip(), 7), (Clip(0.0), -128), (Clip(0.0, 0.3), -20))
)


def cases(convs: tuple[Conv, ...]) -> list[Case]:
    return [c.case(i) for i, c in enumerate(convs)]


def is_blocked(kernel: Kernel) -> bool:
    return kernel.variant in VARIANTS


@pytest.mark.parametrize("board", DSP_BOARDS)
def test_remainders(board: str) -> None:
    check(cases(REMAINDERS), (board,), host=False, only=is_blocked)


@pytest.mark.parametrize("board", DSP_BOARDS[:1])
def test_scales(board: str) -> None:
    check(cases(SCALES), (board,), host=False, only=is_blocked)


@pytest.mark.parametrize("opt", ["-O0", "-Os", "-O3"])
def test_optimization_levels(opt: str) -> None:
    check(cases(CONVS + TFLITE), DSP_BOARDS[:1], opt, host=False, only=is_blocked)


def test_rounds_cover_all_pixels_once() -> None:
    for count in range(1, 200):
        rounds = rounds_of(count)
        firsts = [(first, r.pixels) for r in rounds for first in range(r.first, r.last, r.pixels)]
        assert [p for first, pixels in firsts for p in range(first, first + pixels)] == list(range(count))
        assert len(rounds) <= 2


def test_steps_before_and_in_the_loop_are_all() -> None:
    for steps in range(1, 1000):
        first, unroll, trips = split_steps(steps)
        assert first >= 1
        assert first + unroll * trips == steps


@pytest.mark.parametrize(
    ("channels", "kernel", "order"),
    [
        (4, (1, 1), (0, 1, 2, 3)),
        (5, (1, 1), (0, 1, 2, 3, -1, -1, -1, 4)),  # the last word ends with the run
        (2, (1, 1), (0, 1, -1, -1)),
        (7, (2, 1), (0, 1, 2, 3, -1, 4, 5, 6, 7, 8, 9, 10, -1, 11, 12, 13)),
        (5, (3, 1), (0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 4, 9, 14, -1)),  # one value of each run in a word
        (2, (3, 1), (0, 1, 2, 3, 4, 5, -1, -1)),
    ],
)
def test_order_of_values(channels: int, kernel: tuple[int, int], order: tuple[int, ...]) -> None:
    (node,) = Conv((1, 3, 3, channels, 1), kernel, pads=(0, 0, 0, 0)).case(0).graph.nodes
    assert lanes_of(geometry(node)).order == order


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 6))
def test_every_value_has_one_place(channels: int, rows: int, columns: int) -> None:
    (node,) = Conv((1, 6, 6, channels, 1), (rows, columns), pads=(0, 0, 0, 0)).case(0).graph.nodes
    lanes = lanes_of(geometry(node))
    assert len(lanes.order) == 4 * lanes.steps
    assert sorted(i for i in lanes.order if i >= 0) == list(range(rows * columns * channels))


@pytest.mark.parametrize("numerics", Numerics)
@pytest.mark.parametrize("zero", [-128, -20, 127])
@pytest.mark.parametrize("spread", [1.0, 3.0, 300.0])
def test_instructions_compute_the_requantization(numerics: Numerics, zero: int, spread: float) -> None:
    """In Python's integers, against the definition: sums around every tie, and the largest ones."""
    (node,) = Conv((1, 1, 1, 8, 6), **POINTWISE, zero_y=zero, spread=spread, numerics=numerics).case(3).graph.nodes
    assert fits_high_word(node)
    q, requant = high_word(node), node.op.requant  # type: ignore[attr-defined]
    bounds = node.op.sum_bounds(node)  # type: ignore[attr-defined]
    for channel, constants in enumerate(high_word_constants(node).tolist()):
        multiplier, offset, shift = constants if q.shift is None else (*constants, q.offset, q.shift)
        real = requant.multipliers[channel] / 2.0 ** requant.shifts[channel]
        ties = [int((k + 0.5) / real) + d for k in range(-300, 300) for d in (-1, 0, 1)]
        sums = [s for s in (*ties, -1, 0, 1, bounds[channel], -bounds[channel]) if abs(s) <= bounds[channel]]
        want = requant.apply(np.tile(np.array(sums, np.int64)[:, None], (1, 6)))[:, channel] + zero
        got = [instructions(s, multiplier, offset, shift, q.doubled, q.signed) for s in sums]
        assert got == np.clip(want, -128, 127).tolist()


def instructions(total: int, multiplier: int, offset: int, shift: int, is_doubled: bool, is_signed: bool) -> int:
    """SMMLA or, on twice the sum, SMMLAR, then a saturating shift; every word must be one of 32 bits."""
    total, half = (2 * total, 1 << 31) if is_doubled else (total, 0)
    word = (total * multiplier + half >> 32) + offset - (is_signed and total < 0)
    assert max(abs(total), abs(word)) < 1 << 31
    return max(-128, min(127, word >> shift))
