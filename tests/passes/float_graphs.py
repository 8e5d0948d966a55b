"""Small float graphs for the tests of quantization, with reproducible random weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mcucompile.ir import NO_CLIP, Array, Clip, Graph, Node, Op, Shape, Tensor, constant
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.depthwise_conv2d import DepthwiseConv2d
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.window import Window

SAME = Window((3, 3), pads=(1, 1, 1, 1))
RELU = Clip(0.0)


@dataclass
class FloatGraph:
    """A graph in the making; tensors get the names that the caller gives."""

    shape: Shape
    seed: int = 0
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.x = Tensor("x", self.shape)

    def values(self, name: str, *shape: int, spread: float = 0.3) -> Tensor:
        return constant(name, (self.rng.normal(size=shape) * spread).astype(np.float32))

    def add(self, name: str, op: Op, *inputs: Tensor) -> Tensor:
        (shape,) = op.infer(*(t.shape for t in inputs))
        output = Tensor(name, shape)
        self.nodes.append(Node(op, list(inputs), [output], (name,)))
        return output

    def conv(self, name: str, x: Tensor, channels: int, clip: Clip = NO_CLIP, window: Window = SAME) -> Tensor:
        w = self.values(f"{name}_w", channels, *window.kernel, x.shape[3])
        return self.add(name, Conv2d(window, clip=clip), x, w, self.values(f"{name}_b", channels))

    def depthwise(self, name: str, x: Tensor, clip: Clip = NO_CLIP, window: Window = SAME) -> Tensor:
        w = self.values(f"{name}_w", *window.kernel, x.shape[3])
        return self.add(name, DepthwiseConv2d(window, clip), x, w, self.values(f"{name}_b", x.shape[3]))

    def dense(self, name: str, x: Tensor, channels: int, clip: Clip = NO_CLIP) -> Tensor:
        flat = x if len(x.shape) == 2 else self.add(f"{name}_flat", Reshape((1, x.size)), x)
        w = self.values(f"{name}_w", channels, flat.shape[1], spread=flat.shape[1] ** -0.5)
        return self.add(name, Dense(clip), flat, w, self.values(f"{name}_b", channels))

    def graph(self, *outputs: Tensor) -> Graph:
        return Graph("net", [self.x], list(outputs), self.nodes)

    def samples(self, count: int) -> dict[str, Array]:
        return {"x": self.rng.normal(size=(count, *self.shape)).astype(np.float32)}


def small_network(seed: int = 0) -> tuple[Graph, dict[str, Array]]:
    """Conv, depthwise with Relu6, fully connected; and 40 samples."""
    net = FloatGraph((1, 8, 8, 3), seed)
    y = net.conv("y", net.x, 8, RELU)
    z = net.depthwise("z", y, Clip(0.0, 6.0))
    return net.graph(net.dense("scores", z, 10)), net.samples(40)
