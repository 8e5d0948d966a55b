"""Signs behind layers of signs become thresholds: exactly, and only where that is what the graph says."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sketch import Sketch, names

from mcucompile.ir import NO_CLIP, Array, Clip, DType, Graph, QuantParams, Tensor, constant, verify
from mcucompile.ops.add import Add
from mcucompile.ops.affine import Affine
from mcucompile.ops.binary_conv2d import BinaryConv2d
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.mul import Mul
from mcucompile.ops.pad import Pad
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.sign import Sign
from mcucompile.ops.window import Window
from mcucompile.passes.fuse_sign import ZERO_COUNTS, ZERO_STAYS, FuseSign, ZeroSign
from mcucompile.passes.thresholds import Line, may_be_zero, places_of, threshold
from mcucompile.reference import evaluate

SAME, VALID = Window((3, 3), pads=(1, 1, 1, 1)), Window((3, 3))
CHANNELS, OUTPUTS = 5, 6


def reals(name: str, values: object) -> Tensor:
    return constant(name, np.asarray(values, np.float32))


class Binary(Sketch):
    """A graph whose numbers are multiples of 1/4 and small, so that float32 is exact and zero is often reached."""

    def signs(self, *shape: int, at_zero: int = 1) -> Tensor:
        return self.add(Sign(at_zero), self.input(*shape), name="s")

    def weights(self, *shape: int, sizes: Array | None = None) -> Tensor:
        """One magnitude per output channel, on the first axis."""
        sizes = self.rng.integers(1, 5, shape[0]) / 4 if sizes is None else sizes
        return reals(f"w{len(self.graph.nodes)}", (self.rng.choice([-1, 1], shape).T * sizes).T)

    def quarters(self, name: str, count: int) -> Tensor:
        return reals(name, self.rng.integers(-8, 9, count) / 4)

    def conv(self, x: Tensor, window: Window = SAME, clip: Clip = NO_CLIP, w: Tensor | None = None) -> Tensor:
        w = w or self.weights(OUTPUTS, *window.kernel, x.shape[-1])
        return self.add(Conv2d(window, 1, clip), x, w, self.quarters(f"b{len(self.graph.nodes)}", OUTPUTS))

    def norm(self, x: Tensor, positive: bool = False) -> Tensor:
        factors = self.rng.integers(1 if positive else -6, 7, x.shape[-1]) / 4
        name = f"n{len(self.graph.nodes)}"
        return self.add(Affine(), x, reals(f"{name}_f", factors), self.quarters(f"{name}_o", x.shape[-1]))


def check(graph: Graph, fused: int = 1) -> Graph:
    """The pass leaves `fused` layers with thresholds, and the same signs, on inputs that are often zero."""
    before = copy.deepcopy(graph)
    verify(graph)
    FuseSign().run(graph)
    verify(graph)
    assert names(graph).count("binary_conv2d") == fused, names(graph)
    for seed in range(3):
        inputs = {"x": np.random.default_rng(seed).integers(-1, 2, before.inputs[0].shape).astype(np.float32)}
        for name, wanted in evaluate(before, inputs).items():
            np.testing.assert_array_equal(evaluate(graph, inputs)[name], wanted)
    return graph


def fused_op(graph: Graph) -> BinaryConv2d:
    (op,) = [n.op for n in graph.nodes if isinstance(n.op, BinaryConv2d)]
    return op


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("at_zero", [-1, 1])
@pytest.mark.parametrize("window", [SAME, VALID, Window((2, 1), (2, 1), (1, 0, 1, 0))])
def test_convolution_normalization_and_sign(seed: int, at_zero: int, window: Window) -> None:
    """Of every slope, negative and zero ones among them, with sums that meet the threshold exactly."""
    s = Binary(seed)
    y = s.add(Sign(at_zero), s.norm(s.conv(s.signs(2, 5, 4, CHANNELS), window)))
    graph = check(s.done(y))
    assert names(graph) == ["sign", "binary_conv2d"]
    assert fused_op(graph).window == window


@pytest.mark.parametrize("seed", range(4))
def test_fully_connected_layer(seed: int) -> None:
    s = Binary(seed)
    w, b = s.weights(OUTPUTS, 40), s.quarters("b", OUTPUTS)
    y = s.add(Sign(1), s.norm(s.add(Dense(), s.signs(3, 40), w, b)))
    assert names(check(s.done(y))) == ["sign", "reshape", "binary_conv2d", "reshape"]


def test_chain_of_layers() -> None:
    s = Binary()
    x = s.signs(1, 5, 5, CHANNELS)
    for _ in range(3):
        x = s.add(Sign(1), s.norm(s.conv(x)))
    assert names(check(s.done(x), 3)) == ["sign", "binary_conv2d", "binary_conv2d", "binary_conv2d"]


@pytest.mark.parametrize("factor", [0.25, -2.0])
def test_factor_behind_signs(factor: float) -> None:
    s = Binary()
    x = s.add(Mul(), s.signs(1, 5, 5, CHANNELS), reals("k", np.full((1, 1, 1, 1), factor)))
    check(s.done(s.add(Sign(1), s.conv(x))))


@pytest.mark.parametrize(("value", "fill"), [(1.0, 1), (-1.0, -1), (0.0, 0)])
def test_padding_of_its_own(value: float, fill: int) -> None:
    s = Binary(3)
    x = s.add(Pad((0, 1, 1, 0), (0, 2, 0, 0), value), s.signs(1, 5, 5, CHANNELS))
    op = fused_op(check(s.done(s.add(Sign(1), s.conv(x, VALID)))))
    assert (op.fill, op.window.pads) == (fill, (1, 1, 2, 0))


def test_padding_of_scaled_signs() -> None:
    s = Binary(4)
    x = s.add(Mul(), s.signs(1, 5, 5, CHANNELS), reals("k", np.full((1, 1, 1, 1), 0.5)))
    x = s.add(Pad((0, 1, 1, 0), (0, 1, 1, 0), -0.5), x)
    assert fused_op(check(s.done(s.add(Sign(1), s.conv(x, VALID))))).fill == -1


def test_sign_of_a_sign_and_a_little() -> None:
    """As Larq writes its sign."""
    s = Binary()
    x = s.input(2, 5, 5, CHANNELS)
    first = s.add(Sign(), s.add(Add(), s.add(Sign(), x), reals("c", [[[[0.1]]]])))
    y = s.add(Sign(), s.add(Add(), s.add(Sign(), s.conv(first)), reals("d", [[[[-0.5]]]])))
    graph = check(s.done(y))
    assert graph.nodes[0].op == Sign(1)


@pytest.mark.parametrize("shift", [0.0, 1.0, -1.5])
def test_sign_of_a_sign_and_more_stays(shift: float) -> None:
    s = Binary()
    y = s.add(Sign(), s.add(Add(), s.add(Sign(), s.input(1, 3)), reals("c", [[shift]])))
    assert names(check(s.done(y), 0)) == ["sign", "add", "sign"]


def test_limits_around_zero_go() -> None:
    s = Binary()
    y = s.add(Sign(1), s.add(Clamp(Clip(-1.0, 1.0)), s.conv(s.signs(1, 5, 5, CHANNELS))))
    check(s.done(y))


@pytest.mark.parametrize("clip", [Clip(0.0), Clip(-1.0, 0.0), Clip(0.5, 2.0)])
def test_limits_at_zero_stay(clip: Clip) -> None:
    s = Binary()
    check(s.done(s.add(Sign(1), s.add(Clamp(clip), s.conv(s.signs(1, 5, 5, CHANNELS))))), 0)


def test_maximum_of_sums_becomes_one_of_signs() -> None:
    s = Binary(1)
    pooled = s.add(MaxPool(Window((2, 2), (2, 2), (0, 0, 1, 1))), s.conv(s.signs(1, 5, 5, CHANNELS)))
    graph = check(s.done(s.add(Sign(1), s.norm(pooled, positive=True))))
    assert names(graph) == ["sign", "binary_conv2d", "max_pool"]


def test_maximum_before_a_falling_line_stays() -> None:
    s = Binary(1)
    pooled = s.add(MaxPool(Window((2, 2), (2, 2))), s.conv(s.signs(1, 5, 5, CHANNELS)))
    y = s.add(Affine(), pooled, reals("f", [1, 1, -1, 1, 1, 1]), s.quarters("o", OUTPUTS))
    assert "max_pool" in names(check(s.done(s.add(Sign(1), y)), 0))


# --- what must not be fused


def test_weights_of_several_magnitudes() -> None:
    s = Binary()
    w = s.weights(OUTPUTS, 3, 3, CHANNELS)
    assert w.const is not None
    values = w.const.copy()
    values[2, 1, 1, 1] *= 1.5
    check(s.done(s.add(Sign(1), s.conv(s.signs(1, 5, 5, CHANNELS), w=reals("w", values)))), 0)


def test_input_that_is_not_signs() -> None:
    s = Binary()
    check(s.done(s.add(Sign(1), s.conv(s.input(1, 5, 5, CHANNELS)))), 0)


def test_signs_with_zeros() -> None:
    s = Binary()
    y = s.add(Sign(1), s.conv(s.signs(1, 5, 5, CHANNELS, at_zero=0)))
    check(s.done(y), 0)


def test_padding_between_signs() -> None:
    s = Binary()
    x = s.add(Pad((0, 1, 1, 0), (0, 1, 1, 0), 0.5), s.signs(1, 5, 5, CHANNELS))
    check(s.done(s.add(Sign(1), s.conv(x, VALID))), 0)


def test_padding_along_channels() -> None:
    s = Binary()
    x = s.add(Pad((0, 0, 0, 0), (0, 0, 0, 2), 0.0), s.signs(1, 5, 5, CHANNELS))
    check(s.done(s.add(Sign(1), s.conv(x, VALID))), 0)


def test_groups() -> None:
    s = Binary()
    x, w = s.signs(1, 5, 5, 6), s.weights(OUTPUTS, 3, 3, 3)
    y = s.add(Conv2d(SAME, 2), x, w, s.quarters("b", OUTPUTS))
    check(s.done(s.add(Sign(1), y)), 0)


def test_limited_layer() -> None:
    s = Binary()
    check(s.done(s.add(Sign(1), s.conv(s.signs(1, 5, 5, CHANNELS), clip=Clip(0.0)))), 0)


def test_sums_that_others_read() -> None:
    s = Binary()
    sums = s.conv(s.signs(1, 5, 5, CHANNELS))
    y = s.add(Sign(1), sums)
    check(s.done(y, sums), 0)


def test_numbers_that_are_not_finite() -> None:
    s = Binary()
    sums = s.conv(s.signs(1, 5, 5, CHANNELS))
    y = s.add(Affine(), sums, reals("f", np.ones(OUTPUTS)), reals("o", [0, 0, np.inf, 0, 0, 0]))
    graph = s.done(s.add(Sign(1), y))
    FuseSign().run(graph)
    assert "binary_conv2d" not in names(graph)


# --- ONNX's Sign, which is 0 at zero


def onnx_sign(s: Binary, x: Tensor, offset: float, window: Window = VALID) -> Graph:
    """Sums of 45 terms of 1/2 each, which are never 0 but with an offset of some other halves."""
    w = s.weights(OUTPUTS, 3, 3, CHANNELS, sizes=np.full(OUTPUTS, 0.5))
    y = s.add(Conv2d(window), x, w, reals("b", np.full(OUTPUTS, offset)))
    return s.done(s.add(Sign(), y))


@pytest.mark.parametrize(("offset", "window", "fused"), [
    (0.0, VALID, 1), (0.5, VALID, 0), (0.25, VALID, 1), (1.0, VALID, 1), (100.0, VALID, 1), (0.0, SAME, 0),
    (0.25, SAME, 1),
])  # fmt: skip
def test_sums_that_may_be_zero(offset: float, window: Window, fused: int) -> None:
    s = Binary()
    check(onnx_sign(s, s.signs(1, 5, 5, CHANNELS), offset, window), fused)


def told(graph: Graph) -> list[str]:
    _, details = FuseSign().run_telling(graph)
    return [d.decision for d in details if isinstance(d, ZeroSign)]


def binary_reader(s: Binary, x: Tensor) -> Graph:
    return s.done(s.conv(x))


def test_zero_of_real_sums_counts_as_positive() -> None:
    s = Binary()
    graph = binary_reader(s, s.add(Sign(), s.norm(s.input(1, 5, 5, CHANNELS))))
    assert told(graph) == [ZERO_COUNTS]
    assert graph.nodes[1].op == Sign(1)


@pytest.mark.parametrize("between", ["nothing", "relu"])
def test_zeros_that_are_meant_stay(between: str) -> None:
    s = Binary()
    x = s.input(1, 5, 5, CHANNELS)
    x = s.add(Clamp(Clip(0.0)), x) if between == "relu" else x
    graph = binary_reader(s, s.add(Sign(), x))
    assert told(graph) == [ZERO_STAYS]
    assert Sign() in [n.op for n in graph.nodes]


def test_zeros_that_others_read_stay() -> None:
    s = Binary()
    x = s.add(Sign(), s.norm(s.input(1, 5, 5, CHANNELS)))
    graph = s.done(s.conv(x), s.add(Reshape((125,)), x))
    assert told(graph) == []
    assert Sign() in [n.op for n in graph.nodes]


# --- the arithmetic

FRACTIONS = st.fractions(-5, 5, max_denominator=7)


@given(FRACTIONS, FRACTIONS, st.integers(0, 20), st.booleans())
def test_threshold_is_where_the_line_changes_its_sign(
    slope: Fraction, offset: Fraction, places: int, zero_is_positive: bool
) -> None:
    line = Line(slope, offset)
    found = threshold(line, places, zero_is_positive)
    assert -places <= found.least <= places + 1
    for total in range(-places, places + 1):
        value = slope * total + offset
        positive = value > 0 or (value == 0 and zero_is_positive)
        assert ((-total if found.turned else total) >= found.least) == positive


@given(FRACTIONS, FRACTIONS, st.sets(st.integers(0, 12), min_size=1))
def test_zero_is_found(slope: Fraction, offset: Fraction, places: set[int]) -> None:
    sums = {total for count in places for total in range(-count, count + 1, 2)}
    assert may_be_zero(Line(slope, offset), places) == any(slope * s + offset == 0 for s in sums)


def test_places_at_a_border() -> None:
    assert places_of(SAME, 4, 4, 10, counts_padding=False) == {40, 60, 90}
    assert places_of(SAME, 4, 4, 10, counts_padding=True) == {90}


def test_weights_keep_to_a_grid() -> None:
    """So that quantizing the network stores the signs themselves."""
    s = Binary()
    graph = check(s.done(s.add(Sign(1), s.conv(s.signs(1, 5, 5, CHANNELS)))))
    w = graph.nodes[-1].inputs[1]
    assert w.grid == QuantParams.per_tensor(1.0)
    assert w.dtype is DType.F32
