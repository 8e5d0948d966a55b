"""Every kernel that fits, on every core, over a grid of channels, sizes, strides, paddings and extreme numbers.

The whole grid is far too large; here every pair of values of two of its axes occurs (covering.py). The product of its
main axes takes hours: pytest -m long tests/kernels/test_grid.py, with -k "conv2d and qemu-m4" for a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations, islice, product
from math import prod
from typing import Any

import graphs
import numpy as np
import pytest
from covering import Choices, covering
from one_node import activation, case
from rig import BOARDS, Case, check

from mcucompile.ir import NO_CLIP, Array, Clip, DType, Numerics, QuantParams, Shape, constant
from mcucompile.ops.add import Add
from mcucompile.ops.average_pool import AveragePool
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.mul import Mul
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.weighted import Weighted
from mcucompile.ops.window import Window

CHANNELS = (1, 2, 3, 4, 5, 7, 8, 16, 17, 33, 64)
SIZES = (1, 2, 3, 5, 8, 13)
STRIDES = (1, 2, 3)
ZEROS = (-128, 127, 0, -7)
CLIPS = (NO_CLIP, Clip(0.0), Clip(-0.5, 6.0))
SPREADS = (1.0, 3.0, 1e6)  # of the scales of channels: 1 gives all the same shift, the last some beyond 62
PADDINGS = ("none", "same", "same lower", "full", "top left", "bottom right")
PARTS = 3
LONG_PART = 150

IMAGE: Choices = {"height": SIZES, "width": SIZES, "stride": STRIDES, "stride_x": STRIDES, "padding": PADDINGS}
NUMBERS: Choices = {
    "weights": ("random", "lowest", "highest", "apart"), "x": ("low", "high", "apart"), "zero_x": ZEROS,
    "zero_y": ZEROS, "spread": SPREADS, "clip": CLIPS, "numerics": tuple(Numerics),
}  # fmt: skip
KERNELS = ((3, 3), (1, 1), (5, 5), (1, 3), (4, 1), (2, 2))


def pads(kind: str, size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Before and after; "same" as TensorFlow has it, for an output of ceil(size / stride)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return {
        "none": (0, 0),
        "same": (total // 2, total - total // 2),
        "same lower": (total - total // 2, total // 2),
        "full": (kernel - 1, kernel - 1),
        "top left": (kernel - 1, 0),
        "bottom right": (0, kernel - 1),
    }[kind]


def window(c: dict[str, Any]) -> Window:
    """A kernel that is larger than the padded image shrinks to it."""
    sizes, strides = (c["height"], c["width"]), (c["stride"], c["stride_x"])
    kernel, around = [], []
    for size, taps, stride in zip(sizes, c["kernel"], strides, strict=True):
        fitting = taps if size + sum(pads(c["padding"], size, taps, stride)) >= taps else size
        kernel.append(fitting)
        around.append(pads(c["padding"], size, fitting, stride))
    (top, bottom), (left, right) = around
    return Window((kernel[0], kernel[1]), strides, (top, left, bottom, right))


def extreme(kind: str, shape: Shape, dtype: DType) -> Array:
    """All the smallest, all the largest, or both in turns."""
    values = np.full(shape, dtype.high if kind in ("high", "highest") else dtype.low, dtype.numpy)
    if kind == "apart":
        values.reshape(-1)[::2] = dtype.high
    return values


def weighted(c: dict[str, Any], op: Weighted, x_shape: Shape, w_shape: Shape, dtype: DType, seed: int) -> Case:
    """A layer with random or extreme weights, on random and on extreme inputs, with a scale that uses the output."""
    zeros = (c["zero_x"], c["zero_y"]) if dtype is DType.I8 else (0, 0)
    layer = graphs.LayerCase(
        clip=c["clip"], zero_x=zeros[0], zero_y=zeros[1], spread=c["spread"], per_channel=c["spread"] > 1.0,
        x=dtype, w=DType.F32 if dtype is DType.F32 else DType.I8, numerics=c["numerics"],
    )  # fmt: skip
    if c["weights"] == "random" or dtype is DType.F32:
        made = layer.made(op, x_shape, w_shape, seed)
    else:
        made = with_extreme_weights(layer, c["weights"], op, x_shape, w_shape, seed)
    samples = made.samples
    if dtype is not DType.F32:
        samples += ({"x": extreme(c["x"], x_shape, dtype)},)
    return replace(made, name=f"{op.name} {x_shape} {w_shape} {c}", samples=samples)


def with_extreme_weights(
    layer: graphs.LayerCase, kind: str, op: Weighted, x_shape: Shape, w_shape: Shape, seed: int
) -> Case:
    rng, outputs = np.random.default_rng(seed), w_shape[op.weight_axis]
    scales = graphs.channel_scales(rng, outputs if layer.per_channel else 1, layer.spread)
    quant = QuantParams(scales, 0, DType.I8, op.weight_axis if layer.per_channel else None)
    w = constant("w", extreme(kind, w_shape, DType.I8), quant)
    x = activation("x", x_shape, layer.x, layer.zero_x, 0.05)
    inputs = [x, w, graphs.bias(rng, outputs, layer.x)]
    terms = prod(w_shape) // outputs
    y = graphs.output(op, inputs, layer.x, layer.zero_y, terms**2)  # these sums grow with the terms, not their root
    return graphs.case("", op, inputs, y, rng, layer.numerics)


def conv2d(c: dict[str, Any], dtype: DType, seed: int) -> Case:
    op = Conv2d(window(c), 1, c["clip"])
    shape = (1, c["height"], c["width"], c["channels"])
    return weighted(c, op, shape, (c["outputs"], *op.window.kernel, c["channels"]), dtype, seed)


def depthwise(c: dict[str, Any], dtype: DType, seed: int) -> Case:
    op = DepthwiseConv2d(window(c), c["clip"])
    shape = (1, c["height"], c["width"], c["channels"])
    return weighted(c, op, shape, (*op.window.kernel, c["channels"] * c["multiplier"]), dtype, seed)


def dense(c: dict[str, Any], dtype: DType, seed: int) -> Case:
    shape = (c["rows"], c["channels"])
    return weighted(c, Dense(c["clip"]), shape, (c["outputs"], c["channels"]), dtype, seed)


def samples(dtype: DType, kind: str, shape: Shape, *names: str) -> tuple[dict[str, Array], ...]:
    rng = np.random.default_rng(prod(shape))
    drawn = {name: graphs.stored(rng, dtype, shape) for name in names}
    return (drawn,) if dtype is DType.F32 else (drawn, {name: extreme(kind, shape, dtype) for name in names})


def pool(c: dict[str, Any], dtype: DType, seed: int) -> Case:
    shape, zero = (1, c["height"], c["width"], c["channels"]), c["zero_x"] if dtype is DType.I8 else 0
    w = window(c)
    if not w.reaches_inside(c["height"], c["width"]):  # a window of padding alone has no largest value, and no mean
        w = replace(w, pads=(0, 0, 0, 0), kernel=(min(w.kernel[0], c["height"]), min(w.kernel[1], c["width"])))
    op: Any = MaxPool(w, c["clip"]) if c["pool"] == "max" else AveragePool(w, c["pool"] == "all", clip=c["clip"])
    x, rescales = activation("x", shape, dtype, zero), c["pool"] == "all" and dtype is not DType.F32
    scale = x.quant.scale * 0.6 if rescales and x.quant else None
    y = activation("y", op.infer(shape)[0], dtype, c["zero_y"] if rescales and dtype is DType.I8 else zero, scale)
    bound = np.full(y.shape, w.taps * 16.0 * np.finfo(np.float32).eps)
    tolerance = (lambda _: {"y": bound}) if dtype is DType.F32 else None
    given = samples(dtype, c["x"], shape, "x")
    return case(f"{op.name} {shape} {c}", op, [x], [y], c["numerics"], given, tolerance)


def mean(c: dict[str, Any], dtype: DType, seed: int) -> Case:
    shape, zero = (1, c["height"], c["width"], c["channels"]), c["zero_x"] if dtype is DType.I8 else 0
    op, x = ReduceMean((1, 2), False), activation("x", shape, dtype, zero)
    y = activation("y", op.infer(shape)[0], dtype, c["zero_y"] if dtype is DType.I8 else 0)
    bound = np.full(y.shape, op.count(shape) * 16.0 * np.finfo(np.float32).eps)
    tolerance = (lambda _: {"y": bound}) if dtype is DType.F32 else None
    return case(f"mean {shape} {c}", op, [x], [y], c["numerics"], samples(dtype, c["x"], shape, "x"), tolerance)


def pair(c: dict[str, Any], dtype: DType, seed: int) -> Case:
    shape = (1, c["height"], c["width"], c["channels"])
    zeros = (c["zero_x"], c["zero_b"], c["zero_y"]) if dtype is DType.I8 else (0, 0, 0)
    unit = {DType.I8: 0.02, DType.I16: 0.02 / 256, DType.F32: 1.0}[dtype]
    y_scale = unit * 1.3 if c["op"] is Add else unit * unit * 40 * (256 if dtype is DType.I16 else 1)
    scales = (unit, unit * c["ratio"], y_scale)
    tensors = [activation(n, shape, dtype, z, s) for n, z, s in zip("aby", zeros, scales, strict=True)]
    given = samples(dtype, c["x"], shape, "a", "b")
    op = c["op"](c["clip"])
    return case(f"{op.name} {shape} {c}", op, tensors[:2], tensors[2:], c["numerics"], given)


OPERATORS: dict[str, tuple[Callable[[dict[str, Any], DType, int], Case], Choices, tuple[str, ...]]] = {
    "conv2d": (
        conv2d, {"channels": CHANNELS, "outputs": CHANNELS, **IMAGE, "kernel": KERNELS, **NUMBERS},
        ("channels", "outputs", "height", "stride", "padding"),
    ),
    "depthwise": (
        depthwise, {"channels": CHANNELS, "multiplier": (1, 2, 3, 8), **IMAGE, "kernel": KERNELS, **NUMBERS},
        ("channels", "multiplier", "height", "stride", "padding"),
    ),
    "dense": (
        dense, {"channels": CHANNELS, "outputs": CHANNELS, "rows": SIZES, **NUMBERS},
        ("channels", "outputs", "rows", "weights", "zero_x"),
    ),
    "pool": (
        pool,
        {
            "channels": CHANNELS, **IMAGE, "kernel": KERNELS, "pool": ("max", "inside", "all"),
            **{k: NUMBERS[k] for k in ("x", "zero_x", "zero_y", "clip", "numerics")},
        },
        ("channels", "height", "width", "stride", "padding", "pool"),
    ),
    "mean": (
        mean,
        {
            "channels": CHANNELS, "height": SIZES, "width": SIZES,
            **{k: NUMBERS[k] for k in ("x", "zero_x", "zero_y", "numerics")},
        },
        ("channels", "height", "width", "zero_x", "zero_y"),
    ),
    "pair": (
        pair,
        {
            "channels": CHANNELS, "height": SIZES, "width": SIZES, "op": (Add, Mul), "zero_b": ZEROS,
            "ratio": (0.61, 1.0, 30.0), **{k: NUMBERS[k] for k in ("x", "zero_x", "zero_y", "clip", "numerics")},
        },
        ("channels", "height", "op", "zero_x", "zero_y"),
    ),
}  # fmt: skip


@cache
def cases(operator: str) -> list[Case]:
    """int8 everywhere, and some of the same with int16 and float32 activations."""
    make, choices, _ = OPERATORS[operator]
    rows = covering(choices)
    made = [make(c, DType.I8, seed) for seed, c in enumerate(rows)]
    made += [make(c, DType.I16, seed) for seed, c in enumerate(rows[::6])]
    return made + [make(c, DType.F32, seed) for seed, c in enumerate(rows[1::8])]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_pair_of_values_occurs(operator: str) -> None:
    _, choices, _ = OPERATORS[operator]
    rows = covering(choices)
    for a, b in combinations(choices, 2):
        assert {(repr(r[a]), repr(r[b])) for r in rows} == {
            (repr(i), repr(j)) for i, j in product(choices[a], choices[b])
        }


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_on_board(operator: str, board: str, part: int) -> None:
    check(cases(operator)[part::PARTS], (board,), host=False)


@pytest.mark.parametrize("operator", OPERATORS)
def test_on_host(operator: str) -> None:
    """Undefined behaviour of the portable kernels; what they access is also watched on the boards."""
    check(cases(operator)[::PARTS], boards=())


def whole_grid(operator: str) -> Iterator[Case]:
    """The product of the main axes; the other values are drawn."""
    make, choices, main = OPERATORS[operator]
    rng = np.random.default_rng(len(choices))
    for seed, values in enumerate(product(*(choices[name] for name in main))):
        drawn = {name: choices[name][rng.integers(len(choices[name]))] for name in choices}
        yield make({**drawn, **dict(zip(main, values, strict=True))}, DType.I8, seed)


@pytest.mark.long
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_whole_grid(operator: str, board: str) -> None:
    grid = whole_grid(operator)
    while part := list(islice(grid, LONG_PART)):
        check(part, (board,), host=False)
