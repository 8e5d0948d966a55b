"""Integer graphs in the making, with channels planted that cannot matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mcucompile.ir import NO_CLIP, Array, Clip, DType, Graph, Node, Numerics, Op, QuantParams, Shape, Tensor, constant
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.window import Window
from mcucompile.passes.fix_multipliers import fix
from mcucompile.reference import evaluate

POINT, SAME = Window((1, 1)), Window((3, 3), pads=(1, 1, 1, 1))
RELU, RELU6 = Clip(0.0), Clip(0.0, 6.0)
Q = QuantParams.per_tensor(0.05, -5)


@dataclass
class IntegerGraph:
    """Layers with random weights; what the caller gives as weights or bias replaces them."""

    numerics: Numerics = Numerics.ONNX
    seed: int = 0
    inputs: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def input(self, *shape: int, quant: QuantParams = Q) -> Tensor:
        t = Tensor(f"x{len(self.inputs)}", shape, quant.dtype, quant)
        self.inputs.append(t)
        return t

    def adds(self, op: Op, *inputs: Tensor, quant: QuantParams | None = None) -> list[Tensor]:
        name, quant = f"t{len(self.nodes)}", quant or inputs[0].quant
        assert quant
        shapes = op.infer(*(t.shape for t in inputs))
        outputs = [Tensor(f"{name}_{i}" if i else name, s, quant.dtype, quant) for i, s in enumerate(shapes)]
        node = Node(op, list(inputs), outputs, (name,))
        fix(node, self.numerics)
        self.nodes.append(node)
        return outputs

    def add(self, op: Op, *inputs: Tensor, quant: QuantParams | None = None) -> Tensor:
        (y,) = self.adds(op, *inputs, quant=quant)
        return y

    def layer(
        self, op: Op, x: Tensor, weights: Array, bias: Array, quant: QuantParams = Q, scales: Array | None = None
    ) -> Tensor:
        """A Weighted; `scales` are the weights', per output channel."""
        axis = 2 if isinstance(op, DepthwiseConv2d) else 0
        scales = self.rng.uniform(0.002, 0.004, weights.shape[axis]) if scales is None else scales
        of_weights = tuple(float(np.float32(s)) for s in scales)
        of_bias = tuple(float(np.float32(s * x.quant.scale)) for s in scales) if x.quant else ()
        base = f"t{len(self.nodes)}"
        w = constant(f"{base}_w", weights.astype(np.int8), QuantParams(of_weights, axis=axis))
        b = constant(f"{base}_b", bias.astype(np.int32), QuantParams(of_bias, dtype=DType.I32, axis=0))
        return self.add(op, x, w, b, quant=quant)

    def weights(self, *shape: int) -> Array:
        values = self.rng.integers(-127, 128, shape)
        return np.where(values == 0, 1, values)  # no zero by chance

    def bias(self, channels: int) -> Array:
        return self.rng.integers(-400, 400, channels)

    def conv(
        self, x: Tensor, channels: int, window: Window = POINT, clip: Clip = NO_CLIP, quant: QuantParams = Q,
        zero: Sequence[int] = (), dead: Sequence[int] = (), blind: Sequence[int] = (), groups: int = 1,
        bias: Array | None = None,
    ) -> Tensor:  # fmt: skip
        """`zero`: filters of zeros; `dead`: always below a Relu; `blind`: input channels with zero weights."""
        weights = self.weights(channels, *window.kernel, x.shape[3] // groups)
        bias = self.bias(channels) if bias is None else bias
        weights[list(zero)] = 0
        weights[..., list(blind)] = 0
        bias[list(dead)] = -(1 << 24)
        return self.layer(Conv2d(window, groups, clip), x, weights, bias, quant)

    def depthwise(
        self, x: Tensor, window: Window = SAME, clip: Clip = NO_CLIP, quant: QuantParams = Q, multiplier: int = 1,
        dead: Sequence[int] = (),
    ) -> Tensor:  # fmt: skip
        channels = x.shape[3] * multiplier
        bias = self.bias(channels)
        bias[list(dead)] = -(1 << 24)
        return self.layer(DepthwiseConv2d(window, clip), x, self.weights(*window.kernel, channels), bias, quant)

    def dense(self, x: Tensor, channels: int, blind: Sequence[int] = (), quant: QuantParams = Q) -> Tensor:
        weights = self.weights(channels, x.shape[-1])
        weights[:, list(blind)] = 0
        return self.layer(Dense(), x, weights, self.bias(channels), quant)

    def constant(self, *shape: int, quant: QuantParams = Q) -> Tensor:
        return constant(f"t{len(self.nodes)}_c", self.rng.integers(-128, 128, shape).astype(np.int8), quant)

    def graph(self, *outputs: Tensor) -> Graph:
        return Graph("net", self.inputs, list(outputs), self.nodes, self.numerics)


def extreme_inputs(graph: Graph, count: int = 6) -> list[dict[str, Array]]:
    """Random stored inputs, and both ends of the range."""
    rng = np.random.default_rng(1)

    def value(t: Tensor, i: int) -> Array:
        ends = (t.dtype.low, t.dtype.high)
        random = rng.integers(*ends, t.shape, endpoint=True)
        return (np.full(t.shape, ends[i]) if i < 2 else random).astype(t.dtype.numpy)

    return [{t.name: value(t, i) for t in graph.inputs} for i in range(count)]


def assert_same_bits(graph: Graph, changed: Graph) -> None:
    """All outputs, under their old names."""
    for inputs in extreme_inputs(graph):
        wanted, found = evaluate(graph, inputs), evaluate(changed, inputs)
        assert list(wanted) == list(found)
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


def shapes(graph: Graph) -> dict[str, Shape]:
    return {t.name: t.shape for t in graph.activations()}
