"""Layers of signs read bits; no bit of any output changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sketch import Q, Sketch, assert_exact, names

from mcucompile.ir import Array, Clip, DType, Graph, QuantParams, Tensor, constant
from mcucompile.ops.binary_conv2d import BinaryConv2d
from mcucompile.ops.concat import Concat
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.pack_signs import PackSigns
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sign import Sign, sign_quant
from mcucompile.ops.window import Window
from mcucompile.passes.pack_bits import PackBits

SIGNS, UNIT = sign_quant(DType.I8), QuantParams.per_tensor(1.0)
SAME = Window((3, 3), pads=(1, 1, 1, 1))
WIDE = QuantParams.per_tensor(0.002, 0, DType.I16)


class Binary(Sketch):
    """An integer network of binary layers."""

    def signs(self, *shape: int, quant: QuantParams = Q, at_zero: int = 1) -> Tensor:
        return self.add(Sign(at_zero), self.input(*shape, quant=quant), quant=sign_quant(quant.dtype))

    def layer(self, x: Tensor, outputs: int, fill: int = 0) -> Tensor:
        """With thresholds."""
        w = constant(f"w{len(self.graph.nodes)}", self.values(outputs, 3, 3, x.shape[-1]), UNIT)
        limits = tuple(map(int, self.rng.integers(-9, 10, outputs)))
        return self.add(BinaryConv2d(SAME, fill, limits), x, w, quant=x.quant)

    def values(self, *shape: int, size: int = 1) -> Array:
        return (self.rng.choice([-1, 1], shape) * size).astype(np.int8)

    def sums(self, x: Tensor, outputs: int, values: Array | None = None, y: QuantParams = Q, groups: int = 1) -> Tensor:
        """Requantized, with a scale per channel."""
        number = len(self.graph.nodes)
        kernel: tuple[int, ...] = (3, 3) if len(x.shape) == 4 else ()
        if values is None:
            values = self.values(outputs, *kernel, x.shape[-1] // groups, size=127)
        scales = tuple(float(np.float32(v)) for v in self.rng.uniform(1e-4, 3e-4, outputs))
        w = constant(f"w{number}", values, QuantParams(scales, 0, DType.I8, 0))
        b = constant(f"b{number}", self.rng.integers(-2000, 2000, outputs).astype(np.int32))
        b = replace(b, quant=QuantParams(scales, 0, DType.I32, 0))
        op = Conv2d(SAME, groups, Clip(-4.0, 5.0)) if kernel else Dense()
        return self.add(op, x, w, b, quant=y)


def packed(graph: Graph, *wanted: str) -> None:
    assert assert_exact(graph, PackBits())
    assert names(graph) == list(wanted)


def unchanged(graph: Graph) -> None:
    before = names(graph)
    assert assert_exact(graph, PackBits()) == 0
    assert names(graph) == before


@pytest.mark.parametrize("channels", [16, 32, 33, 70])
@pytest.mark.parametrize("at_zero", [-1, 1])
def test_requantized_sums(channels: int, at_zero: int) -> None:
    s = Binary()
    graph = s.done(s.sums(s.signs(1, 4, 5, channels, at_zero=at_zero), 6))
    packed(graph, "pack_signs", "binary_conv2d")
    assert graph.nodes[0].op == PackSigns(at_zero == 1)


@pytest.mark.parametrize("fill", [-1, 0, 1])
def test_chain_of_layers(fill: int) -> None:
    s = Binary()
    x = s.layer(s.layer(s.signs(1, 4, 5, 3), 40, fill), 20, fill)
    packed(s.done(s.sums(x, 4)), "pack_signs", "binary_conv2d", "binary_conv2d", "binary_conv2d")


def test_last_signs_stay_numbers() -> None:
    s = Binary()
    graph = s.done(s.layer(s.signs(1, 4, 5, 3), 40))
    packed(graph, "pack_signs", "binary_conv2d")
    assert graph.outputs[0].dtype is DType.I8


def test_signs_that_others_read_are_packed_from_numbers() -> None:
    s = Binary()
    x = s.layer(s.signs(1, 4, 5, 3), 40)
    y = s.add(Reshape((800,)), x)
    packed(s.done(s.sums(x, 4), y), "pack_signs", "binary_conv2d", "pack_signs", "reshape", "binary_conv2d")


def test_sign_that_others_read_stays_too() -> None:
    s = Binary()
    x = s.signs(1, 4, 5, 20)
    y = s.add(Reshape((400,)), x)
    graph = s.done(s.sums(x, 4), y)
    assert_exact(graph, PackBits())
    assert sorted(names(graph)) == ["binary_conv2d", "pack_signs", "reshape", "sign"]


def test_bits_are_packed_once_for_several_readers() -> None:
    s = Binary()
    x = s.signs(1, 4, 5, 20)
    packed(s.done(s.sums(x, 4), s.sums(x, 5)), "pack_signs", "binary_conv2d", "binary_conv2d")


def test_maximum() -> None:
    s = Binary()
    pooled = s.add(MaxPool(Window((2, 2), (2, 2), (0, 1, 0, 0))), s.layer(s.signs(1, 4, 5, 3), 40))
    packed(s.done(s.sums(pooled, 4)), "pack_signs", "binary_conv2d", "binary_max_pool", "binary_conv2d")


@pytest.mark.parametrize(("shape", "wanted"), [
    ((1, 64), ("pack_signs", "reshape", "binary_conv2d", "reshape")),
    ((3, 40), ("pack_signs", "reshape", "binary_conv2d", "reshape")),
    ((2, 3, 33), ("pack_signs", "reshape", "binary_conv2d", "reshape")),
])  # fmt: skip
def test_fully_connected(shape: tuple[int, ...], wanted: tuple[str, ...]) -> None:
    s = Binary()
    packed(s.done(s.sums(s.signs(*shape), 7, s.values(7, shape[-1]))), *wanted)


def flattened(channels: int) -> Graph:
    s = Binary()
    x = s.add(Reshape((1, 4 * channels)), s.layer(s.signs(1, 2, 2, 3), channels))
    return s.done(s.sums(x, 7, s.values(7, 4 * channels)))


def test_whole_words_stay_packed_through_a_reshape() -> None:
    packed(flattened(64), "pack_signs", "binary_conv2d", "reshape", "reshape", "binary_conv2d", "reshape")


def test_other_words_are_packed_behind_it() -> None:
    packed(flattened(40), "pack_signs", "binary_conv2d", "reshape", "pack_signs", "reshape", "binary_conv2d", "reshape")


def test_behind_operators_that_know_nothing_of_bits() -> None:
    s = Binary()
    x = s.signs(1, 4, 5, 20)
    both = s.add(Concat(3), x, s.layer(x, 15))
    graph = s.done(s.sums(both, 4))
    assert_exact(graph, PackBits())
    assert names(graph)[-3:] == ["concat", "pack_signs", "binary_conv2d"]


def test_sixteen_bits() -> None:
    s = Binary()
    x = s.layer(s.signs(1, 4, 5, 20, quant=WIDE), 40)
    packed(s.done(s.sums(x, 4, y=WIDE)), "pack_signs", "binary_conv2d", "binary_conv2d")


def test_real_numbers() -> None:
    s = Binary()
    x = s.add(Sign(1), s.input(1, 4, 5, 20))
    w = constant("w", s.values(6, 3, 3, 20).astype(np.float32) * 0.5)
    graph = s.done(s.add(Conv2d(SAME), x, w, constant("b", np.arange(6, dtype=np.float32))))
    packed(graph, "pack_signs", "binary_conv2d")
    assert graph.outputs[0].dtype is DType.F32


# --- what must stay


def test_weights_of_several_magnitudes() -> None:
    s = Binary()
    values = s.values(6, 3, 3, 20, size=100)
    values[3, 0, 0, 0] = 99
    unchanged(s.done(s.sums(s.signs(1, 4, 5, 20), 6, values)))


def test_magnitudes_may_differ_between_channels_and_be_zero() -> None:
    s = Binary()
    values = s.values(6, 3, 3, 20, size=100)
    values[0], values[3] = 0, values[3] // 2
    packed(s.done(s.sums(s.signs(1, 4, 5, 20), 6, values)), "pack_signs", "binary_conv2d")


def test_few_channels() -> None:
    s = Binary()
    unchanged(s.done(s.sums(s.signs(1, 4, 5, 15), 6)))


def test_groups() -> None:
    s = Binary()
    unchanged(s.done(s.sums(s.signs(1, 4, 5, 64), 6, groups=2)))


def test_three_values() -> None:
    s = Binary()
    unchanged(s.done(s.sums(s.signs(1, 4, 5, 20, at_zero=0), 6)))


def test_signs_on_a_scale_that_changes_them() -> None:
    s = Binary()
    x = s.add(Sign(1), s.input(1, 4, 5, 20, quant=Q), quant=QuantParams.per_tensor(0.7))
    unchanged(s.done(s.sums(x, 6)))


def test_numbers() -> None:
    s = Binary()
    unchanged(s.done(s.sums(s.input(1, 4, 5, 20, quant=Q), 6)))


def test_real_layer_behind_signs() -> None:
    s = Binary()
    values = s.rng.integers(-127, 128, (6, 3, 3, 20)).astype(np.int8)
    unchanged(s.done(s.sums(s.signs(1, 4, 5, 20), 6, values)))
