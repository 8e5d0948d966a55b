"""Bytes to a `Model`. Files come from anywhere, so everything that they say is checked before it is used.

Decided: the opset's version converter and the checker of the onnx package are not used, because both are C++ code
that trusts its input, and the few operators that changed since opset 7 are brought up to date in `upgrade.py`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from ..errors import CompileError
from ..ir import Array, Attribute, OnnxNode
from ..reading import read_bytes
from . import qonnx
from .model import MAX_CONSTANTS_NBYTES, PRODUCER, Dimension, Model, Value, check_nbytes, describe
from .order import sorted_nodes
from .qoperator import FOREIGN

MAX_FILE_NBYTES = 256 << 20
MAX_NODES = 20_000
OPSETS = range(7, 26)  # 22 to 25 added types to operators that are known here, and attributes that are checked
PACKED_BITS: dict[int, int] = {TensorProto.INT4: 4, TensorProto.UINT4: 4, TensorProto.INT2: 2, TensorProto.UINT2: 2}
OWN_DOMAINS = ("", "ai.onnx")
SHARED_OPS = ("QuantizeLinear", "DequantizeLinear")  # com.microsoft's mean the same, and know int16 in every opset


@dataclass(frozen=True)
class ModelFile:
    """What was in the file at `path`, beside which external data lies; None for a model in memory."""

    content: bytes
    path: Path | None = None


Source = str | Path | bytes | ModelFile


def model_file(source: Source) -> ModelFile:
    """Reads a file, once. Raises E0105, E0702."""
    if isinstance(source, ModelFile):
        return source
    if isinstance(source, bytes):
        return ModelFile(source)
    path = Path(source)
    try:
        return ModelFile(read_bytes(path, MAX_FILE_NBYTES), path)
    except OSError as e:
        if e.errno == errno.EFBIG:
            raise CompileError("E0105", f"the file is too large: {e.strerror}", str(path)) from e
        raise CompileError("E0702", f"cannot read the model: {e.strerror}", str(path), fix="check the path") from e


def read_model(source: Source) -> Model:
    """The model in a file or in memory. Raises E0101, E0102, E0105, E0106 or E0702."""
    file = model_file(source)
    return Reader(file.path).model(parse(file.content, file.path))


def parse(data: bytes, path: Path | None) -> ModelProto:
    proto = ModelProto()
    if not data:
        raise CompileError("E0101", "the file is empty", describe(path), fix="export the model again")
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise unreadable("the file is damaged, cut off, or not an ONNX file", path) from error
    if not proto.HasField("graph") or not proto.graph.output:
        raise unreadable("there is no network in the file", path)
    return proto


def unreadable(what: str, path: Path | None) -> CompileError:
    return CompileError("E0101", what, describe(path), fix="export the model again, or copy it again in binary mode")


class Reader:
    """Protobuf messages to plain data; remembers where external data lies and how much has been read."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.nbytes = 0
        self.is_twin = False

    def model(self, proto: ModelProto) -> Model:
        graph = proto.graph
        self.is_twin = proto.producer_name == PRODUCER
        opset = self.opset(proto)
        if len(graph.node) > MAX_NODES:
            raise CompileError("E0105", f"the graph has {len(graph.node):,} nodes", describe(self.path))
        constants = self.initializers(graph)
        inputs = tuple(self.value(v) for v in graph.input if self.text(v.name) not in constants)
        outputs = tuple(self.value(v) for v in graph.output)
        nodes = [self.node(n, i) for i, n in enumerate(graph.node)]
        order = sorted_nodes(nodes, [v.name for v in inputs], constants, [v.name for v in outputs])
        reasons = {place: self.reason(graph.node[i]) for place, i in enumerate(order)}
        return Model(
            self.text(graph.name) or "network", opset, tuple(nodes[i] for i in order),
            {place: reason for place, reason in reasons.items() if reason}, constants, inputs, outputs,
        )  # fmt: skip

    def opset(self, proto: ModelProto) -> int:
        if proto.ir_version > onnx.IR_VERSION:
            raise CompileError(
                "E0106", f"IR version {proto.ir_version}; the newest known is {onnx.IR_VERSION}", describe(self.path),
                fix="export with an older version of the onnx package",
            )  # fmt: skip
        versions = [o.version for o in proto.opset_import if self.text(o.domain) in OWN_DOMAINS]
        if len(versions) != 1 or versions[0] not in OPSETS:
            found = f"opset {versions[0]}" if len(versions) == 1 else f"{len(versions)} opsets"
            raise CompileError(
                "E0106", f"the model has {found} of ai.onnx", describe(self.path),
                why=f"mcucompile reads opset {OPSETS[0]} to {OPSETS[-1]}",
                fix=f"export with opset {OPSETS[-1]}, or onnx.version_converter.convert_version(model, {OPSETS[-1]})",
            )  # fmt: skip
        return int(versions[0])

    def text(self, value: str | bytes) -> str:
        """protobuf hands out bytes where a string is not UTF-8."""
        if isinstance(value, bytes):
            raise unreadable(f"a name is not valid text: {value[:20]!r}", self.path)
        return value

    def initializers(self, graph: GraphProto) -> dict[str, Array]:
        constants: dict[str, Array] = {}
        for tensor in graph.initializer:
            name = self.text(tensor.name)
            if name in constants:
                raise CompileError("E0102", f"two initializers are named '{name}'", describe(self.path))
            constants[name] = self.tensor(tensor, f"initializer '{name}'")
        return constants

    def value(self, value: ValueInfoProto) -> Value:
        kind = value.type.WhichOneof("value")
        tensor = value.type.tensor_type
        name = self.text(value.name)
        dtype = type_name(tensor.elem_type) if kind == "tensor_type" else str(kind)
        if not tensor.HasField("shape"):
            return Value(name, dtype, None)
        return Value(name, dtype, tuple(self.dimension(d) for d in tensor.shape.dim))

    def dimension(self, dim: onnx.TensorShapeProto.Dimension) -> Dimension:
        match dim.WhichOneof("value"):
            case "dim_value":
                return int(dim.dim_value)
            case "dim_param":
                return self.text(dim.dim_param) or None
        return None

    def node(self, node: NodeProto, index: int) -> OnnxNode:
        op_type = self.text(node.op_type)
        outputs = tuple(map(self.text, node.output))
        name = self.text(node.name) or next(filter(None, outputs), f"{op_type}_{index}")
        attributes = {
            self.text(a.name): value for a in node.attribute if (value := self.attribute(a, name)) is not None
        }
        origin = tuple(filter(None, self.text(node.doc_string).split("\n"))) if self.is_twin else ()
        return OnnxNode(name, op_type, tuple(map(self.text, node.input)), outputs, attributes, origin=origin)

    def attribute(self, attribute: AttributeProto, node: str) -> Attribute | None:
        """None for kinds that no supported operator has; `reason` reports subgraphs."""
        match attribute.type:
            case AttributeProto.INT:
                return int(attribute.i)
            case AttributeProto.FLOAT:
                return float(attribute.f)
            case AttributeProto.STRING:
                return bytes(attribute.s).decode("utf-8", "replace")
            case AttributeProto.INTS:
                return tuple(int(v) for v in attribute.ints)
            case AttributeProto.FLOATS:
                return tuple(float(v) for v in attribute.floats)
            case AttributeProto.STRINGS:
                return tuple(bytes(s).decode("utf-8", "replace") for s in attribute.strings)
            case AttributeProto.TENSOR:
                return self.tensor(attribute.t, f"attribute of node '{node}'")
        return None

    def reason(self, node: NodeProto) -> str:
        """Why this node can never be compiled, or nothing."""
        domain, op_type = self.text(node.domain), self.text(node.op_type)
        domains = qonnx.DOMAINS if op_type in qonnx.OPERATORS else OWN_DOMAINS
        if domain not in domains and op_type not in (*SHARED_OPS, *FOREIGN):
            return f"operator of the domain '{domain}'"
        if any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for a in node.attribute):
            return "it has a subgraph"
        if any(a.ref_attr_name for a in node.attribute):
            return "it refers to an attribute of a function"
        return ""

    def tensor(self, tensor: TensorProto, where: str) -> Array:
        """The values; sizes are checked before anything is allocated."""
        shape, dtype = tuple(tensor.dims), element_type(tensor, where)
        if any(d < 0 for d in shape):
            raise CompileError("E0107", f"a negative dimension in the shape {list(shape)}", where)
        nbytes = element_count(shape) * max(dtype.itemsize, 1)
        check_nbytes(nbytes, where)
        self.nbytes += nbytes
        if self.nbytes > MAX_CONSTANTS_NBYTES:
            raise CompileError("E0105", f"the constants have more than {MAX_CONSTANTS_NBYTES:,} bytes", where)
        if tensor.data_location == TensorProto.EXTERNAL:
            return self.external(tensor, shape, dtype, where)
        try:
            return np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise CompileError("E0101", "the tensor's data does not fill its shape", where, why=str(error)) from error

    def external(self, tensor: TensorProto, shape: tuple[int, ...], dtype: np.dtype[np.generic], where: str) -> Array:
        """The values in another file, which must lie beside the model."""
        entries = {self.text(e.key): self.text(e.value) for e in tensor.external_data}
        location = entries.get("location", "")
        nbytes = -(-element_count(shape) * PACKED_BITS.get(tensor.data_type, 8 * dtype.itemsize) // 8)
        path = beside(self.path, location, where)
        try:
            with path.open("rb") as file:
                file.seek(int(entries.get("offset", "0")))
                data = file.read(nbytes)
        except (OSError, ValueError, OverflowError) as error:
            raise missing_data(location, where) from error
        if len(data) != nbytes:
            raise CompileError("E0101", f"the file '{location}' ends before the tensor's data", where)
        inside = TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=data)
        return np.asarray(numpy_helper.to_array(inside))


def beside(model: Path | None, location: str, where: str) -> Path:
    """The path of an external data file; it must not leave the model's folder."""
    if model is None or not location:
        raise missing_data(location, where)
    folder = model.parent.resolve()
    try:
        path = (folder / location).resolve()
    except (OSError, ValueError) as error:
        raise missing_data(location, where) from error
    if not path.is_relative_to(folder) or not path.is_file():
        raise missing_data(location, where)
    return path


def missing_data(location: str, where: str) -> CompileError:
    return CompileError(
        "E0101", f"the tensor's data should be in the file '{location}', which is not there", where,
        fix="put it beside the model file, or save the model with its weights inside",
    )  # fmt: skip


def element_type(tensor: TensorProto, where: str) -> np.dtype[np.generic]:
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    except (KeyError, ValueError, TypeError) as error:
        raise CompileError("E0101", f"there is no element type {tensor.data_type}", where) from error


def element_count(shape: Iterable[int]) -> int:
    count = 1
    for d in shape:
        count *= d
    return count


def type_name(elem_type: int) -> str:
    """ONNX's name of an element type, in lower case: 'float', 'int8'."""
    known: bool = elem_type in TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(elem_type)).lower() if known else f"type {elem_type}"
