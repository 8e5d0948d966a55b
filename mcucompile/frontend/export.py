"""A graph as standard ONNX: real operators between DequantizeLinear and QuantizeLinear, names kept.

Anybody's runtime can evaluate it; importing it again and running the same passes gives the same graph, since all
fixed-point constants are derived from the scales, which the file holds exactly. Only a bias beyond 32 bits (int16
activations) is not exact: DequantizeLinear knows no int64, so it becomes float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from ..ir import Array, Attribute, DType, Graph, Node, QuantParams, Tensor, real_values
from ..ops.dequantize import Dequantize
from ..passes.edit import INNER
from .model import PRODUCER

OPSET = 21
IR_VERSION = 10
ONNX_TYPES = {
    DType.F32: TensorProto.FLOAT, DType.I8: TensorProto.INT8, DType.U8: TensorProto.UINT8,
    DType.I16: TensorProto.INT16, DType.I32: TensorProto.INT32, DType.I64: TensorProto.INT64,
}  # fmt: skip

AUXILIARY = ("Clip", "DequantizeLinear", "Identity", "QuantizeLinear", "Relu", "Reshape", "Transpose")


def to_onnx(graph: Graph) -> bytes:
    """The graph as the bytes of an ONNX file; the same graph gives the same bytes."""
    export = Export()
    for node in graph.nodes:
        export.operator(node)
    proto = helper.make_graph(
        export.nodes, graph.name, [declaration(t) for t in graph.inputs], [declaration(t) for t in graph.outputs],
        export.initializers,
    )  # fmt: skip
    model = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name=PRODUCER
    )
    return bytes(model.SerializeToString(deterministic=True))


def declaration(tensor: Tensor) -> ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, ONNX_TYPES[tensor.dtype], list(tensor.shape))


class Export:
    """The `Exporter` that operators write to. A tensor's stored integers have its name, its real values another."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.real: dict[Tensor, str] = {}
        self.prefix = ""
        self.title = ""
        self.sources: tuple[str, ...] = ()
        self.count = 0
        self.titles: dict[str, int] = {}
        self.first = 0  # of the current operator's nodes

    def operator(self, node: Node) -> None:
        """Everything that stands for one node of the graph."""
        self.prefix, self.count, self.first = node.outputs[0].name, 0, len(self.nodes)
        self.title, self.sources = " + ".join(node.source) or self.prefix, node.source
        if isinstance(node.op, Dequantize):
            self.dequantize(node.inputs[0], node.output.name)
        else:
            node.op.to_onnx(node, self)
        self.name_nodes(self.nodes[self.first :])

    def name_nodes(self, own: Sequence[NodeProto]) -> None:
        """Unique names, which ONNX Runtime wants; the one that computes takes the name of the node's source."""
        main = next((n for n in own if n.op_type not in AUXILIARY), own[0])
        for proto in (main, *(n for n in own if n is not main)):
            count = self.titles.get(self.title, 0)
            proto.name = f"{self.title}/{count}" if count else self.title
            proto.doc_string = "\n".join(s.replace("\n", " ") for s in self.sources)
            self.titles[self.title] = count + 1

    def fresh(self) -> str:
        """A name that no tensor has, since theirs are C identifiers; the importer knows it as provisional."""
        self.count += 1
        return f"{self.prefix}/{INNER}/{self.count}"

    def value(self, tensor: Tensor) -> str:
        if tensor not in self.real:
            self.real[tensor] = self.stored_value(tensor) if tensor.quant else self.plain(tensor)
        return self.real[tensor]

    def plain(self, tensor: Tensor) -> str:
        if tensor.const is not None:
            self.initializers.append(numpy_helper.from_array(tensor.const, tensor.name))
        return tensor.name

    def stored_value(self, tensor: Tensor) -> str:
        """The output of the tensor's DequantizeLinear."""
        assert tensor.quant
        if tensor.dtype is DType.I64:
            return self.initializer("bias", real_values(tensor))
        self.plain(tensor)
        return self.dequantize(tensor, f"{tensor.name}/real")

    def dequantize(self, tensor: Tensor, real: str) -> str:
        assert tensor.quant
        inputs = [tensor.name, *self.parameters(tensor.name, tensor.quant)]
        self.nodes.append(self.make("DequantizeLinear", inputs, [real], axis=tensor.quant.axis))
        return real

    def parameters(self, name: str, quant: QuantParams) -> list[str]:
        """Scale and zero point. int32 has none: ONNX wants it absent."""
        names = [f"{name}/scale"] if quant.dtype is DType.I32 else [f"{name}/scale", f"{name}/zero"]
        if any(i.name == names[0] for i in self.initializers):
            return names
        scales = np.asarray(quant.scales, np.float32)
        scales = scales.reshape(()) if quant.axis is None else scales
        self.initializers.append(numpy_helper.from_array(scales, names[0]))
        if len(names) == 2:
            zeros = np.full(scales.shape, quant.zero, quant.dtype.numpy)
            self.initializers.append(numpy_helper.from_array(zeros, names[1]))
        return names

    def initializer(self, hint: str, values: Array) -> str:
        name = self.fresh()
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op_type: str, inputs: Sequence[str], outputs: int = 1, **attributes: Attribute) -> list[str]:
        names = [self.fresh() for _ in range(outputs)]
        self.nodes.append(self.make(op_type, inputs, names, **attributes))
        return names

    def make(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Attribute | None
    ) -> NodeProto:
        proto = helper.make_node(op_type, list(inputs), list(outputs))
        for key, value in sorted(attributes.items()):
            if value is not None:
                proto.attribute.append(helper.make_attribute(key, value))
        return proto

    def transpose(self, value: str, perm: Sequence[int]) -> str:
        if tuple(perm) == tuple(range(len(perm))):
            return value
        return self.node("Transpose", [value], perm=tuple(perm))[0]

    def result(self, node: Node, *values: str) -> None:
        for tensor, value in zip(node.outputs, values, strict=True):
            if tensor.quant:
                inputs = [value, *self.parameters(tensor.name, tensor.quant)]
                self.nodes.append(self.make("QuantizeLinear", inputs, [tensor.name]))
            else:
                self.rename(value, tensor.name)

    def rename(self, old: str, new: str) -> None:
        """Give a value that was computed for this operator its tensor's name; another one gets a second name."""
        own = self.nodes[self.first :]
        if not any(old in proto.output for proto in own):
            self.nodes.append(self.make("Identity", [old], [new]))
        for proto in own:
            for names in (proto.input, proto.output):
                names[:] = [new if name == old else name for name in names]
