"""Every convolution kernel against the reference, on the host and on all emulated boards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from graphs import LayerCase, with_type
from rig import BOARDS, Case, check

from mcucompile.ir import Clip, DType, Numerics
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.window import Window


@dataclass(frozen=True)
class Conv(LayerCase):
    """One convolution to test. `size` is (batch, height, width, channels in, channels out)."""

    size: tuple[int, int, int, int, int]
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (1, 1, 1, 1)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1

    def case(self, seed: int) -> Case:
        n, h, wide, c, o = self.size
        op = Conv2d(Window(self.kernel, self.strides, self.pads, self.dilations), self.groups, self.clip)
        return self.made(op, (n, h, wide, c), (o, *self.kernel, c // self.groups), seed)


POINTWISE = {"kernel": (1, 1), "pads": (0, 0, 0, 0)}
CONVS = (
    Conv((1, 5, 5, 4, 4)),
    Conv((1, 8, 13, 16, 17), zero_x=-128, zero_y=127),
    Conv((2, 5, 3, 8, 5), zero_x=127, zero_y=-128, clip=Clip(0.0)),
    Conv((1, 8, 8, 3, 8), strides=(2, 2), pads=(0, 0, 1, 1), zero_x=-7),
    Conv((1, 13, 5, 1, 7), (10, 4), (2, 2), (4, 1, 5, 1), zero_x=83),
    Conv((1, 8, 5, 2, 33), (3, 2), (3, 1), (2, 1, 0, 1)),
    Conv((1, 1, 13, 7, 4), (1, 5), pads=(0, 4, 0, 0), zero_x=5),
    Conv((1, 3, 2, 33, 3), (2, 2), pads=(0, 0, 0, 0)),
    Conv((1, 8, 8, 4, 6), dilations=(2, 3), pads=(2, 3, 2, 3), zero_x=-128, zero_y=-128),
    Conv((1, 5, 5, 8, 12), groups=4, zero_x=-3, per_channel=False),
    Conv((1, 5, 5, 6, 9), groups=3, strides=(1, 2)),
    Conv((1, 5, 3, 16, 16), **POINTWISE, zero_x=-128, clip=Clip(0.0, 6.0)),
    Conv((1, 1, 1, 33, 17), **POINTWISE, zero_x=127),
    Conv((2, 3, 3, 5, 2), **POINTWISE, per_channel=False, zero_y=-128),
    Conv((1, 8, 5, 8, 8), (1, 1), (2, 3), (0, 0, 0, 0)),
    Conv((1, 5, 5, 17, 1), (1, 1), (1, 1), (1, 0, 0, 2), zero_x=-1),
    Conv((1, 5, 8, 4, 8), spread=1e6, zero_x=11),
    Conv((1, 3, 3, 1, 1), (3, 3), pads=(0, 0, 0, 0)),
    Conv((1, 5, 5, 8, 9), spread=30, dead=True, zero_x=-5, zero_y=12),
    Conv((1, 3, 3, 16, 16), **POINTWISE, spread=30, dead=True, zero_y=-128),
)
TFLITE = tuple(replace(c, numerics=Numerics.TFLITE) for c in CONVS[1:6] + CONVS[9:13] + CONVS[16:17] + CONVS[-2:])


WIDE = with_type(CONVS[::2], x=DType.I16) + with_type(CONVS[1::4], x=DType.I16, numerics=Numerics.TFLITE)
WIDE_WEIGHTS = tuple(replace(c, w=DType.I16) for c in CONVS[::3]) + with_type(CONVS[3:6], x=DType.I16, w=DType.I16)
FLOAT = with_type(CONVS[1:14], x=DType.F32, w=DType.F32)
# Windows of many values, and of short rows, which kernels with vectors walk through in ways of their own.
LONG = (
    Conv((1, 3, 3, 64, 5), zero_x=-128, zero_y=-128),
    Conv((1, 2, 3, 144, 6), zero_x=4),
    Conv((1, 5, 3, 300, 9), **POINTWISE, zero_x=-128, clip=Clip(0.0, 6.0)),
    Conv((1, 6, 6, 3, 3), strides=(2, 2), pads=(0, 0, 1, 1), zero_x=-7),
    Conv((2, 7, 20, 3, 10), (2, 5), (1, 2), (1, 2, 0, 2), zero_x=12, zero_y=-100, clip=Clip(-1.0, 1.0)),
)
LONG += tuple(replace(c, numerics=Numerics.TFLITE) for c in LONG)
KINDS = {"int8": CONVS, "tflite": TFLITE, "long": LONG, "int16": WIDE, "int16 weights": WIDE_WEIGHTS, "float32": FLOAT}


def cases(kinds: tuple[str, ...]) -> list[Case]:
    return [c.case(i) for kind in kinds for i, c in enumerate(KINDS[kind])]


@pytest.mark.parametrize("kind", KINDS)
def test_on_host(kind: str) -> None:
    check(cases((kind,)), boards=())


@pytest.mark.parametrize("board", BOARDS)
def test_on_board(board: str) -> None:
    check(cases(tuple(KINDS)), boards=(board,), host=False)
