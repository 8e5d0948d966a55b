"""Kernels with vectors that compute in blocks, at lengths around those of the blocks; they are tested elsewhere too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rig import check
from test_conv2d import Conv
from test_dense import Layer
from test_depthwise_conv2d import Depthwise

from mcucompile.ir import Clip, Numerics
from mcucompile.kernels.kernel import Kernel
from mcucompile.target.cores import Isa

# Lines and strips of all lengths, even and odd; windows in one vector and in two.
PLANES = (
    *(Depthwise((1, h, w, 16, 1), zero_x=-128) for h, w in ((2, 1), (3, 2), (4, 3), (5, 4), (6, 6), (1, 9))),
    Depthwise((2, 7, 10, 30, 1), zero_x=5, zero_y=-128, clip=Clip(0.0)),
    *(Depthwise((1, 6, w, 3, 2), (3, 3), (2, 2), zero_x=-1) for w in (3, 5, 8, 13, 15, 17, 19)),
    Depthwise((1, 9, 17, 40, 1), (5, 5), (2, 2), (2, 2, 2, 2), zero_x=17),
    Depthwise((1, 6, 9, 5, 1), (4, 3), (1, 2), (1, 0, 2, 2), zero_x=-9, clip=Clip(-1.0, 1.0)),
    Depthwise((1, 7, 6, 5, 1), (5, 2), pads=(2, 0, 2, 1), zero_x=-9, clip=Clip(-1.0, 1.0)),
    Depthwise((1, 21, 1, 17, 1), (10, 1), pads=(3, 0, 0, 0), zero_x=40),
    Depthwise((2, 12, 1, 8, 3), (3, 1), (2, 1), (1, 0, 1, 0), zero_x=-77),
    Depthwise((1, 6, 8, 5, 1), spread=300, zero_x=3),
)

# Rows of windows that are no whole vectors: read in the image or copied, written out or as a loop.
PAIRS = (
    Conv((1, 6, 7, 7, 4), zero_x=-5),
    Conv((1, 5, 6, 24, 5), zero_x=-128, zero_y=-128, clip=Clip(0.0)),
    Conv((1, 4, 9, 9, 3), (2, 2), pads=(0, 0, 1, 1), zero_x=8),
    Conv((1, 7, 6, 3, 9), (5, 4), (1, 2), pads=(2, 1, 2, 1), zero_x=77),
    Conv((2, 5, 5, 21, 2), (3, 1), (2, 1), pads=(1, 0, 1, 0), zero_x=-77),
    Conv((1, 4, 6, 3, 4), (2, 3), (1, 1), (0, 0, 0, 0), zero_x=1, clip=Clip(-1.0, 1.0)),
    Conv((1, 3, 4, 385, 4), (1, 1), pads=(0, 0, 0, 0), zero_x=-128),
)
# One row of values by all numbers of outputs; windows of one whole image.
ROWS = (
    *(
        Layer((1,), k, n, zero_x=k % 100, zero_y=-n)
        for k, n in ((1, 1), (7, 3), (16, 8), (33, 9), (160, 16), (177, 17))
    ),
    *(Layer((1,), k, 5, zero_x=-128, clip=Clip(0.0), zero_y=-128) for k in (127, 128, 144, 161, 300)),
    Layer((1,), 40, 10, spread=300),
    Conv((1, 3, 4, 5, 9), (3, 4), pads=(0, 0, 0, 0), zero_x=3, clip=Clip(-1.0, 1.0)),
)


def in_vectors(kernel: Kernel) -> bool:
    return kernel.isa is Isa.MVE


@pytest.mark.parametrize("opt", ["-O2", "-O0"])
def test_depthwise(opt: str) -> None:
    layers = (*PLANES, *(replace(layer, numerics=Numerics.TFLITE) for layer in PLANES))
    check([layer.case(i) for i, layer in enumerate(layers)], ("qemu-m55",), opt, host=False, only=in_vectors)


@pytest.mark.parametrize("opt", ["-O2", "-O0"])
def test_pairs(opt: str) -> None:
    layers = (*PAIRS, *(replace(layer, numerics=Numerics.TFLITE) for layer in PAIRS))
    check([layer.case(i) for i, layer in enumerate(layers)], ("qemu-m55",), opt, host=False, only=in_vectors)


@pytest.mark.parametrize("opt", ["-O2", "-O0"])
def test_rows(opt: str) -> None:
    layers = (*ROWS, *(replace(layer, numerics=Numerics.TFLITE) for layer in ROWS))
    check([layer.case(i) for i, layer in enumerate(layers)], ("qemu-m55",), opt, host=False, only=in_vectors)
