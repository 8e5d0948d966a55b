"""Layers of our integer graph beside ONNX Runtime's and beside the exact real values of the model file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, ValueInfoProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from mcucompile.ir import Graph, Node, Tensor, nhwc
from mcucompile.ops.reshape import Reshape
from mcucompile.ops.transpose import Transpose
from mcucompile.reference import run_node

Array = NDArray[Any]
CONTRACT = 2.0**-12  # of a step: how far an operator may be from the real value before it rounds
UNIT = 2.0**-24 * (1 + 2.0**-10)  # float32 rounds to nearest; a little more, for products of roundings
FLOAT64 = 2.0**-40  # of a step: far more than float64 may lose in sums of this length
MOVES = (Reshape, Transpose)


@dataclass(frozen=True, eq=False)
class Real:
    """Exact values; float32 arithmetic in any order stays within roundings * UNIT * magnitude of them."""

    value: Array
    magnitude: Array
    roundings: float

    @property
    def bound(self) -> Array:
        return self.roundings * UNIT * self.magnitude


class Oracle:
    """A model file, run by ONNX Runtime as it stands, with every value shown."""

    def __init__(self, data: bytes) -> None:
        model = onnx.load_from_string(data)
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.nodes = {node.name: node for node in model.graph.node}
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        (self.input,) = [v.name for v in model.graph.input if v.name not in self.constants]
        self.names = list(self.makers)
        shown = {v.name for v in model.graph.output}
        model.graph.output.extend(ValueInfoProto(name=name) for name in self.names if name not in shown)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def run(self, stored: Array, x: Tensor) -> dict[str, Array]:
        """Every value of the model, constants included; a float input gets what the stored integers mean."""
        assert x.quant
        is_float = "float" in self.session.get_inputs()[0].type
        feed = x.quant.dequantize(stored) if is_float else stored
        found = self.session.run(self.names, {self.input: feed})
        return {**self.constants, self.input: feed, **dict(zip(self.names, found, strict=True))}

    def quantizer(self, node: Node) -> NodeProto:
        """The QuantizeLinear whose result is the node's."""
        (name,) = self.nodes[node.source[-1]].output
        while True:
            reader: NodeProto
            (reader,) = [n for n in self.nodes.values() if name in n.input]
            if reader.op_type == "QuantizeLinear":
                return reader
            assert reader.op_type in ("Relu", "Clip"), f"{node.where} is followed by {reader.op_type}"
            (name,) = reader.output

    def real(self, name: str, values: Mapping[str, Array]) -> Real:
        """What the file says of a real value, from the stored integers before it."""
        node = self.makers.get(name)
        if node is None:
            return Real(values[name].astype(np.float64), np.abs(values[name].astype(np.float64)), 0)
        if node.op_type == "DequantizeLinear":
            value = dequantized(node, *(values[i] for i in node.input))
            return Real(value, np.abs(value), 2)
        return computed(node, [self.real(i, values) for i in node.input])


def dequantized(node: NodeProto, stored: Array, scale: Array, zero: Array) -> Array:
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    along = [-1 if i == axis % stored.ndim and scale.size > 1 else 1 for i in range(stored.ndim)]
    centred = stored.astype(np.float64) - zero.astype(np.float64).reshape(along)
    return np.asarray(centred * scale.astype(np.float64).reshape(along))


def computed(node: NodeProto, args: list[Real]) -> Real:
    """One ONNX node by ONNX's own reference in float64, and the roundings that float32 adds."""
    value = meaning(node, [a.value for a in args])
    before = max(a.roundings for a in args)
    if node.op_type == "Softmax":  # an exponential is as wrong as its argument, and so is their sum
        reach = float(np.abs(args[0].value).max())
        return Real(value, value, 2 * ((2 * before + 2) * reach + 4) + value.shape[-1])
    if node.op_type in ("Relu", "Clip"):
        return replace(args[0], value=value)
    magnitude = meaning(node, [a.magnitude for a in args])
    if node.op_type in ("Conv", "MatMul", "Gemm"):
        return Real(value, magnitude, args[0].roundings + args[1].roundings + terms(node, args) + 2)
    return Real(value, magnitude, before + terms(node, args))


def meaning(node: NodeProto, args: list[Array]) -> Array:
    (result,) = map(np.asarray, ReferenceEvaluator(node).run(None, dict(zip(node.input, args, strict=True))))
    assert result.dtype == np.float64
    return result


def terms(node: NodeProto, args: list[Real]) -> int:
    """How many roundings one result takes at most: terms of a sum, and a division by their count."""
    shapes = [a.value.shape for a in args]
    match node.op_type:
        case "Conv":
            return int(np.prod(shapes[1][1:]))
        case "MatMul" | "Gemm":
            return int(shapes[0][-1])
        case "Add":
            return 1
        case "AveragePool":
            return 1 + int(np.prod(next(a.ints for a in node.attribute if a.name == "kernel_shape")))
        case "GlobalAveragePool":
            return 1 + int(np.prod(shapes[0][2:]))
        case "MaxPool":
            return 0
    raise NotImplementedError(node.op_type)


@dataclass(frozen=True, eq=False)
class Layer:
    """One node's results, our layout: stored by us and by ONNX Runtime, exact and as ONNX Runtime's float, in steps.

    The real ones are on the scale of the stored ones, zero point added, and not rounded; `bound` is float32's.
    """

    where: str
    ours: Array
    theirs: Array
    exact: Array
    theirs_real: Array
    bound: Array

    @property
    def float_error(self) -> Array:
        return np.asarray(np.abs(self.theirs_real - self.exact))

    @property
    def differs(self) -> Array:
        return np.asarray(self.ours != self.theirs)

    @property
    def distance(self) -> Array:
        """Of the exact values from the middle between two different answers."""
        return np.asarray(np.abs(self.exact - (self.ours + self.theirs) / 2)[self.differs])

    def check(self) -> None:
        """The three facts."""
        limited = np.clip(self.exact, -128, 127)
        assert np.abs(self.ours - limited).max() <= 0.5 + CONTRACT, f"{self.where}: not the rounded real value"
        assert np.all(self.float_error <= self.bound + FLOAT64), f"{self.where}: not the value of the model file"
        assert np.all(np.abs(self.ours - self.theirs)[self.differs] == 1), f"{self.where}: no neighbours"
        slack = CONTRACT + self.float_error + UNIT * np.abs(self.theirs_real)  # the last for the division by the scale
        assert np.all(self.distance <= slack[self.differs]), f"{self.where}: differs {self.distance.max()} off a tie"


def layers(graph: Graph, oracle: Oracle, stored: Array) -> Iterator[Layer]:
    """Every node that computes; what only moves values moves ONNX Runtime's."""
    (x,) = graph.inputs
    values = oracle.run(stored, x)
    known: dict[Tensor, Array] = {x: stored}
    for node in graph.nodes:
        run_node(node, known)
        if not isinstance(node.op, MOVES):
            layer = compared(node, oracle, values, known[node.output])
            known[node.output] = layer.theirs.astype(np.int8)
            yield layer


def compared(node: Node, oracle: Oracle, values: Mapping[str, Array], ours: Array) -> Layer:
    quantizer = oracle.quantizer(node)
    source, scale, zero = quantizer.input
    step, offset = values[scale].astype(np.float64), int(values[zero])
    exact = oracle.real(source, values)

    def placed(array: Array) -> Array:
        moved = array.transpose(nhwc(4)) if array.ndim == 4 else array
        assert moved.shape == ours.shape, f"{node.where}: {moved.shape} instead of {ours.shape}"
        return moved

    return Layer(
        node.where,
        ours.astype(np.int64),
        placed(values[quantizer.output[0]]).astype(np.int64),
        placed(exact.value / step) + offset,
        placed(values[source].astype(np.float64) / step) + offset,
        placed(exact.bound / step),
    )
