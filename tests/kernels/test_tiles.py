"""Layers in tiles of output channels, whose weights are unpacked at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from test_conv2d import POINTWISE, Conv
from test_dense import Layer

from mcucompile.ir import Array, Node, Numerics, Tensor
from mcucompile.kernels.conv2d.blocked import Blocked
from mcucompile.kernels.unpacked import tiles


def test_a_tile_is_a_part_of_its_layer() -> None:
    (node,) = Conv((1, 4, 4, 3, 10), numerics=Numerics.TFLITE).case(1).graph.nodes
    x = np.random.default_rng(1).integers(-128, 128, (1, 4, 4, 3))
    parts = list(tiles.tiles_of(node, 4))
    assert [p.output.shape[-1] for p in parts] == [4, 4, 4]
    for first, part in zip((0, 4, 6), parts, strict=True):
        assert np.array_equal(summed(part, x), summed(node, x)[..., first : first + 4])


def summed(node: Node, x: Array) -> Array:
    """The layer's requantized sums of centred inputs."""
    (sums,) = node.op.reference(x, *(constant_of(t).astype(np.int64) for t in node.inputs[1:]))
    requant = node.op.requant  # type: ignore[attr-defined]
    result: Array = requant.apply(sums)
    return result


def constant_of(t: Tensor) -> Array:
    assert t.const is not None
    return t.const


@dataclass(frozen=True)
class Sizes:
    outputs: int
    per_output: int
    wanted: tuple[int, ...]


@pytest.mark.parametrize(
    "case",
    [
        Sizes(64, 576, (64, 32, 16, 8)),  # 4 of 2304 bytes are more than the least limit
        Sizes(10, 100, (10, 4)),
        Sizes(300, 784, (300, 20, 8, 4)),
        Sizes(4, 4096, (4,)),
        Sizes(3, 70000, (3,)),
    ],
)
def test_tiles_leave_few_channels_over(case: Sizes) -> None:
    (node,) = Layer((1,), case.per_output, case.outputs).case(1).graph.nodes
    found = tiles.tile_sizes(node)
    assert found[0] == case.outputs
    assert set(case.wanted) <= set(found)
    assert all(t % 4 == 0 and t * case.per_output <= max(tiles.LIMITS) for t in found[1:])


def test_a_kernel_looks_how_far_pixels_are_apart() -> None:
    """Blocked's stores reach three pixels: of 1300 channels they do, of 1400 not, however few are computed."""
    for outputs, fits in ((1300, True), (1400, False)):
        (node,) = Conv((1, 2, 2, 4, outputs), **POINTWISE).case(1).graph.nodes
        assert Blocked().fits(next(tiles.tiles_of(node, 8, in_place=True))) is fits
        assert Blocked().fits(next(tiles.tiles_of(node, 8)))
