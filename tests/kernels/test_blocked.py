"""Convolutions in blocks of pixels: every remainder of pixels, channels and steps, and every kind of requantization."""

from __future__ import annotations

import pytest
from rig import Case, check
from test_conv2d import CONVS, POINTWISE, TFLITE, Conv

from mcucompile.ir import Clip, Numerics
from mcucompile.kernels.conv2d.blocked import split_steps
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
