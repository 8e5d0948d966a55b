"""Convolutions by three pixels in two words: sums at the bounds of what the words hold, and biases that they do not."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import case, channel_scales
from one_node import activation
from rig import Case, check

from mcucompile.ir import Array, DType, Numerics, QuantParams, constant
from mcucompile.kernels.conv2d.triples import REACH, Triples, sum_bounds
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.window import Window

POINTWISE = Window((1, 1))


def layer(rows: Array, biases: Array, numerics: Numerics = Numerics.ONNX) -> Case:
    """A pointwise layer with these weights [O, K] on three kinds of extreme pixels and one of random values."""
    rng = np.random.default_rng(rows.size)
    outputs, inputs = rows.shape
    x = activation("x", (1, 1, 7, inputs), DType.I8, 0, 0.05)
    w = constant(
        "w",
        rows.astype(np.int8).reshape(outputs, 1, 1, inputs),
        QuantParams(channel_scales(rng, outputs, 2.0), 0, DType.I8, 0),
    )
    y = activation("y", (1, 1, 7, outputs), DType.I8, 3, 0.01 * 0.05 * 2**13)
    made = case("extremes", Conv2d(POINTWISE), [x, w, constant("b", biases.astype(np.int32))], y, rng, numerics)
    sample = made.samples[0]["x"]
    sample[0, 0, :5] = np.array([-128, 127, -128, -128, 127])[:, None]
    sample[0, 0, 5] = np.where(rows[0] > 0, -128, 127)
    return made


def params(made: Case) -> tuple[int, int, bool]:
    """(segments, steps, whether the bias comes late) of the layer's kernel."""
    cut = Triples().params(made.graph.nodes[0]).segments
    return cut.count, cut.steps, cut.is_late


def test_bounds_are_those_of_extreme_inputs() -> None:
    low, high = sum_bounds(np.array([[127, -128, 1, -1, 2]]), 2)
    assert low.tolist() == [[-127 * 128 - 128 * 127, -128 - 127, -2 * 128]]
    assert high.tolist() == [[127 * 127 + 128 * 128, 127 + 128, 2 * 127]]


@pytest.mark.parametrize(
    ("weight", "count", "expected"),
    [
        (127, 64, (1, 64, False)),  # 64 * 127 * 128 < 2**20
        (127, 65, (2, 33, False)),
        (-128, 63, (1, 63, False)),
        (-128, 64, (2, 32, False)),  # (-128) * (-128) * 64 is 2**20 itself
    ],
)
def test_a_segment_is_as_long_as_its_sums_allow(weight: int, count: int, expected: tuple[int, int, bool]) -> None:
    made = layer(np.full((5, count), weight), np.zeros(5))
    assert params(made) == expected
    check([made], ["qemu-m3"], host=False, only=lambda kernel: kernel.variant == "triples")


@pytest.mark.parametrize("numerics", list(Numerics))
def test_large_biases_are_added_late(numerics: Numerics) -> None:
    rows = np.random.default_rng(1).integers(-128, 128, (6, 40))
    cases = [layer(rows, np.full(6, bias), numerics) for bias in (REACH, -REACH - 1, 1 << 23)]
    assert [params(c) for c in cases] == [(1, 40, True)] * 3
    cases.append(layer(np.tile(rows, 6), np.full(6, -(1 << 23)), numerics))
    assert params(cases[-1])[0] > 1
    assert params(cases[-1])[2]
    check(cases, ["qemu-m3"], host=False, only=lambda kernel: kernel.variant == "triples")
