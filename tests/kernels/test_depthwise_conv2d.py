"""Every depthwise kernel against the reference, on the host and on all emulated boards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from graphs import LayerCase, with_type
from rig import BOARDS, Case, check

from mcucompile.ir import Clip, DType, Numerics
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.window import Window


@dataclass(frozen=True)
class Depthwise(LayerCase):
    """One layer to test. `size` is (batch, height, width, channels, channel multiplier)."""

    size: tuple[int, int, int, int, int]
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (1, 1, 1, 1)
    dilations: tuple[int, int] = (1, 1)

    def case(self, seed: int) -> Case:
        n, h, wide, c, multiplier = self.size
        op = DepthwiseConv2d(Window(self.kernel, self.strides, self.pads, self.dilations), self.clip)
        return self.made(op, (n, h, wide, c), (*self.kernel, c * multiplier), seed)


LAYERS = (
    Depthwise((1, 5, 5, 4, 1)),
    Depthwise((1, 13, 8, 16, 1), zero_x=-128, zero_y=127),
    Depthwise((2, 5, 3, 8, 1), zero_x=127, zero_y=-128, clip=Clip(0.0)),
    Depthwise((1, 8, 8, 17, 1), strides=(2, 2), pads=(0, 0, 1, 1), zero_x=-7),
    Depthwise((1, 13, 5, 5, 1), (5, 5), pads=(2, 2, 2, 2), zero_x=83),
    Depthwise((1, 8, 5, 2, 1), (3, 2), (3, 1), (2, 1, 0, 1)),
    Depthwise((1, 1, 13, 7, 1), (1, 5), pads=(0, 4, 0, 0), zero_x=5),
    Depthwise((1, 3, 2, 33, 1), (2, 2), pads=(0, 0, 0, 0)),
    Depthwise((1, 8, 8, 4, 1), dilations=(2, 3), pads=(2, 3, 2, 3), zero_x=-128, zero_y=-128),
    Depthwise((1, 5, 5, 3, 4), zero_x=-3, per_channel=False),
    Depthwise((2, 8, 5, 1, 8), (5, 4), (2, 2), (1, 1, 2, 1), zero_x=-128),
    Depthwise((1, 5, 3, 16, 1), (1, 1), pads=(0, 0, 0, 0), clip=Clip(0.0, 6.0)),
    Depthwise((1, 5, 2, 16, 1), (5, 2), pads=(0, 0, 0, 0), zero_x=-128),
    Depthwise((1, 8, 8, 6, 1), (7, 7), (1, 2), (3, 3, 3, 3), spread=1e6, zero_x=9),
    Depthwise((1, 30, 1, 8, 1), (19, 1), pads=(0, 0, 0, 0), zero_x=-1),
    Depthwise((1, 5, 5, 16, 1), spread=30, dead=True, zero_x=-5, zero_y=12),
)
# For the variants that take one channel at a time: rows of all lengths, windows of all widths, long and short ways.
PLANES = (
    *(Depthwise((1, 4, w, 3, 1), (2, k), (1, s), (0, p, 1, p), zero_x=w) for w, k, s, p in (
        (13, 1, 1, 0), (12, 2, 1, 1), (15, 4, 1, 2), (27, 3, 1, 1), (53, 3, 1, 1), (9, 7, 1, 3), (30, 9, 1, 0),
        (20, 10, 1, 5), (13, 3, 2, 1), (14, 3, 2, 0), (31, 4, 2, 1), (19, 5, 2, 2), (17, 3, 3, 1), (25, 2, 3, 1),
        (11, 5, 4, 0), (26, 4, 5, 3),
    )),
    Depthwise((2, 7, 7, 30, 1), zero_x=-128, zero_y=-128, clip=Clip(0.0)),
    Depthwise((1, 25, 5, 13, 1), zero_x=17, clip=Clip(-0.4, 0.7)),
    Depthwise((2, 6, 7, 3, 3), strides=(2, 2), zero_x=-1),
    Depthwise((1, 1, 1, 9, 1), zero_x=99),
    Depthwise((1, 2, 9, 2, 1), (1, 9), pads=(0, 0, 0, 0), zero_x=3),
    Depthwise((1, 5, 5, 2, 1), pads=(3, 0, 2, 4), zero_x=-77),
)  # fmt: skip
TFLITE = tuple(replace(layer, numerics=Numerics.TFLITE) for layer in LAYERS[1::2] + LAYERS[-1:])


WIDE = with_type(LAYERS[::2], x=DType.I16) + with_type(LAYERS[1::4], x=DType.I16, numerics=Numerics.TFLITE)
WIDE_WEIGHTS = tuple(replace(layer, w=DType.I16) for layer in LAYERS[::3])
FLOAT = with_type(LAYERS, x=DType.F32, w=DType.F32)
KINDS = {"int8": LAYERS, "tflite": TFLITE, "int16": WIDE, "int16 weights": WIDE_WEIGHTS, "float32": FLOAT}
KINDS |= {"planes": PLANES + tuple(replace(layer, numerics=Numerics.TFLITE) for layer in PLANES)}


def cases(*kinds: str) -> list[Case]:
    return [layer.case(i) for kind in kinds for i, layer in enumerate(KINDS[kind])]


@pytest.mark.parametrize("kind", KINDS)
def test_on_host(kind: str) -> None:
    check(cases(kind), boards=())


@pytest.mark.parametrize("board", BOARDS)
def test_on_board(board: str) -> None:
    check(cases(*KINDS), boards=(board,), host=False)
