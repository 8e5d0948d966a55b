"""One-node graphs of random, reproducible data, with the extremes that break kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeVar

import numpy as np
from one_node import activation
from rig import Case, Tolerance

from mcucompile.ir import (
    NO_CLIP,
    Array,
    Clip,
    DType,
    Graph,
    Node,
    Numerics,
    Op,
    QuantParams,
    Shape,
    Tensor,
    constant,
    verify,
)
from mcucompile.ops.weighted import Weighted

Rng = np.random.Generator


def stored(rng: Rng, dtype: DType, shape: Shape, low: int | None = None) -> Array:
    """Integers of all sizes, a fifth of them the smallest or the largest; reals from a normal distribution."""
    if dtype is DType.F32:
        return rng.normal(size=shape).astype(np.float32)
    low = dtype.low if low is None else low
    values = rng.integers(low, dtype.high + 1, shape)
    kind = rng.random(shape)
    values = np.where(kind < 0.1, low, np.where(kind > 0.9, dtype.high, values))
    return values.astype(dtype.numpy)


def channel_scales(rng: Rng, channels: int, spread: float) -> tuple[float, ...]:
    """Scales around 0.01 whose largest is up to `spread` times the smallest."""
    return tuple(float(np.float32(0.01 * spread ** rng.uniform(-0.5, 0.5))) for _ in range(channels))


def weights(
    rng: Rng, shape: Shape, dtype: DType, axis: int, spread: float = 1.0, per_channel: bool = True, dead: bool = False
) -> Tensor:
    """Symmetric weights, -128 included: kernels must not count on its absence.

    With `dead` the first channel's weights are zero and its scale is as meaningless as real models have it.
    """
    if dtype is DType.F32:
        return constant("w", rng.normal(size=shape).astype(np.float32))
    scales = channel_scales(rng, shape[axis] if per_channel else 1, spread)
    values = stored(rng, dtype, shape)
    if dead:
        scales = (float(np.float32(3e4 * max(scales))), *scales[1:])
        values.swapaxes(0, axis)[0] = 0
    return constant("w", values, QuantParams(scales, 0, dtype, axis if per_channel else None))


def bias(rng: Rng, channels: int, dtype: DType) -> Tensor:
    if dtype is DType.F32:
        return constant("b", rng.normal(size=channels).astype(np.float32))
    return constant("b", rng.integers(-20000, 20001, channels).astype(np.int32))


def dead_first(w: Tensor) -> bool:
    assert w.const is not None
    assert w.quant is not None
    return w.shape[w.quant.axis or 0] > 1 and not w.const.swapaxes(0, w.quant.axis or 0)[0].any()


def output(op: Op, inputs: Sequence[Tensor], dtype: DType, zero: int = 0, terms: int = 1) -> Tensor:
    """The output tensor, with a scale that lets sums of `terms` random products use its whole range and saturate."""
    (shape,) = op.infer(*(t.shape for t in inputs))
    if not dtype.is_integer:
        return Tensor("y", shape, dtype)
    x, w = inputs[0], inputs[1]
    assert x.quant and w.quant
    scale = max(w.quant.scales[w.const is not None and w.quant.axis is not None and dead_first(w) :]) * x.quant.scale
    spread = np.sqrt(terms) * -x.dtype.low * -w.dtype.low / 3 * scale
    return activation("y", shape, dtype, zero, max(float(spread) / dtype.high * 1.5, 1e-6))


def case(
    name: str, op: Op, inputs: list[Tensor], y: Tensor, rng: Rng, numerics: Numerics = Numerics.ONNX, samples: int = 1
) -> Case:
    """The operator on these tensors, with its fixed-point constants, and random samples."""
    node = Node(op, inputs, [y], (name,))
    if y.quant is not None:
        node.op = op.fix(node, numerics)
    activations = node.activations()
    graph = Graph("case", activations, [y], [node], numerics)
    verify(graph)
    data = tuple({t.name: stored(rng, t.dtype, t.shape) for t in activations} for _ in range(samples))
    return Case(name, graph, data)


def sum_bound(made: Case) -> Tolerance:
    """Any order of summation of K float32 products stays within (K + 2) * 2**-23 * sum |x * w| of the reference's."""
    (node,) = made.graph.nodes
    _, w, b = node.inputs
    assert w.const is not None
    assert b.const is not None
    terms = w.size // b.size + 2
    weights, biases = np.abs(w.const.astype(np.float64)), np.abs(b.const.astype(np.float64))

    def bound(sample: dict[str, Array]) -> dict[str, Array]:
        unlimited = replace(node.op, clip=NO_CLIP)  # type: ignore[type-var]
        (reach,) = unlimited.reference(np.abs(sample["x"].astype(np.float64)), weights, biases)
        return {"y": reach * terms * 2.0**-23}

    return bound


@dataclass(frozen=True, kw_only=True)
class LayerCase:
    """What the tests of layers with constant weights vary, beside the layer's own sizes."""

    clip: Clip = NO_CLIP
    zero_x: int = 0
    zero_y: int = 0
    spread: float = 3.0
    per_channel: bool = True
    dead: bool = False
    x: DType = DType.I8
    w: DType = DType.I8
    numerics: Numerics = Numerics.ONNX

    def made(self, op: Weighted, x_shape: Shape, w_shape: Shape, seed: int, samples: int = 1) -> Case:
        """The layer on random data: real ones within the bound of any order of summation, integers to the bit."""
        rng, outputs = np.random.default_rng(seed), w_shape[op.weight_axis]
        x = activation("x", x_shape, self.x, self.zero_x, 0.05)
        w = weights(rng, w_shape, self.w, op.weight_axis, self.spread, self.per_channel, self.dead)
        inputs = [x, w, bias(rng, outputs, self.x)]
        y = output(op, inputs, self.x, self.zero_y, prod(w_shape) // outputs)
        made = case(str(self), op, inputs, y, rng, self.numerics, samples)
        return replace(made, tolerance=sum_bound(made)) if self.x is DType.F32 else made


AnyLayer = TypeVar("AnyLayer", bound=LayerCase)


def with_type(layers: Sequence[AnyLayer], **changes: object) -> tuple[AnyLayer, ...]:
    """The layers with other types, and without zero points, which int16 and float32 do not have."""
    return tuple(replace(layer, zero_x=0, zero_y=0, **changes) for layer in layers)  # type: ignore[arg-type]
