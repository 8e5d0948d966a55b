"""Builds small ONNX models node by node: how weights are drawn and how a model of an old opset is put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Shape = Sequence[int]
Shapes = Mapping[str, Shape]
Array = npt.NDArray[np.generic]


@dataclass
class GraphBuilder:
    """A graph in the making.

    Weights are multiples of 1/64 drawn by `RandomState`, whose stream numpy has frozen: every machine draws the same.
    With `constant_nodes` constants become Constant nodes instead of initializers, as old exporters write them.
    """

    name: str
    seed: int
    constant_nodes: bool = False
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: list[TensorProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.RandomState(self.seed)

    def constant(self, name: str, value: Array | Sequence[int] | Sequence[float], dtype: npt.DTypeLike) -> str:
        """A named constant; returns its name."""
        tensor = numpy_helper.from_array(np.array(value, dtype=dtype), name)
        if self.constant_nodes:
            self.nodes.append(helper.make_node("Constant", [], [name], name=f"{name}/Constant", value=tensor))
        else:
            self.initializers.append(tensor)
        return name

    def floats(self, name: str, value: Sequence[float] | Array) -> str:
        return self.constant(name, value, np.float32)

    def ints(self, name: str, value: Sequence[int] | int) -> str:
        return self.constant(name, np.array(value), np.int64)

    def weights(self, name: str, *shape: int, low: int = -48, high: int = 48) -> str:
        """Random multiples of 1/64 from low/64 to high/64."""
        return self.floats(name, self.rng.randint(low, high + 1, size=shape) / 64)

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node with one output; the node is named after it."""
        return self.add_many(op, inputs, [output], **attributes)[0]

    def add_many(self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """A node with several outputs, named after the first."""
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{outputs[0]}/{op}", **attributes))
        return list(outputs)

    def batch_normalization(self, x: str, output: str, channels: int, **attributes: Any) -> str:
        """BatchNormalization with random parameters; `output` is the prefix of their names too."""
        parameters = [
            self.weights(f"{output}.scale", channels, low=32, high=96),
            self.weights(f"{output}.bias", channels),
            self.weights(f"{output}.mean", channels),
            self.weights(f"{output}.var", channels, low=16, high=128),
        ]
        return self.add("BatchNormalization", [x, *parameters], output, **attributes)

    def model(self, inputs: Shapes, outputs: Shapes, opset: int, ir_version: int) -> ModelProto:
        """The finished model; up to IR version 3 every initializer had to be listed among the graph's inputs."""
        values = [float_value(name, shape) for name, shape in inputs.items()]
        if ir_version <= 3:
            values += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in self.initializers]
        results = [float_value(name, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, self.name, values, results, self.initializers)
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version, producer_name="mcucompile tests")


def float_value(name: str, shape: Shape) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
