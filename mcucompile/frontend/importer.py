"""One walk over the nodes of a model file: constants fold, every other node becomes operators of the IR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import CompileError
from ..ir import Array, DType, Graph, Node, OnnxNode, Op, Shape, Tensor, Unsupported, verify
from ..ops import ALL
from ..ops.requantize import Requantize
from ..ops.reshape import Reshape
from . import qonnx
from .fold import FOLDABLE, fold
from .inputs import check_options, static_shape
from .meaning import STORED, settle
from .model import Model, Value
from .order import where_of
from .problems import Problem, report
from .qdq import cast, dequantize, limit, quantize
from .qoperator import EXPANDED
from .read import SHARED_OPS
from .schema import check_node
from .upgrade import upgrade
from .values import Values

REGISTRY: dict[str, type[Op]] = {name: op for op in ALL for name in op.onnx}
OWN = ("Constant", "Shape", "Size", "QuantizeLinear", "DequantizeLinear", *qonnx.OPERATORS)
# What becomes which operators of the IR, by name, where that is not said by the operator itself.
WRITTEN_AS = {"quantize": ("QuantizeLinear", *qonnx.OPERATORS), "dequantize": ("DequantizeLinear",)}
KNOWN = {*REGISTRY, *OWN, *FOLDABLE, *EXPANDED, "Upsample"}
TYPES = {
    "float": DType.F32, "int8": DType.I8, "uint8": DType.U8, "int16": DType.I16, "int32": DType.I32, "int64": DType.I64,
}  # fmt: skip
REMOVE = "remove this output: its value is the same for all inputs, and known before anything is compiled"
NONSENSE = (ArithmeticError, AssertionError, LookupError, MemoryError, StopIteration, TypeError, ValueError)


@dataclass(frozen=True)
class Imported:
    """A graph whose tensors keep the model file's axis order at its inputs and outputs.

    `notes` says what was decided for the user; `onnx_names` gives the name in the file of each graph input and output,
    `operators` how often each operator stands in the file, whose opset is `opset`.
    """

    graph: Graph
    notes: tuple[str, ...]
    onnx_names: Mapping[str, str]
    operators: Mapping[str, int]
    opset: int


class Importer:
    """The walk over one model."""

    def __init__(self, model: Model, shapes: Mapping[str, Shape]) -> None:
        check_options(model.inputs, shapes)
        inputs, outputs = [v.name for v in model.inputs], [v.name for v in model.outputs]
        self.model, self.shapes = model, shapes
        self.values = Values(model.name, model.constants, inputs, outputs)
        self.values.given.update(name for node in model.nodes for name in node.outputs)
        self.graph = self.values.graph
        self.notes = self.values.notes
        self.problems: list[Problem] = []
        self.broken: set[str] = set()  # values of nodes that cannot be compiled

    def run(self) -> Imported:
        for value in self.model.inputs:
            self.add_input(value)
        for place, node in enumerate(self.model.nodes):
            self.import_node(node, self.model.reasons.get(place, ""))
        for value in self.model.outputs:
            self.add_output(value.name)
        self.graph.remove_unread()
        self.problems += [] if self.problems else settle(self.graph)
        if self.problems:
            raise report(self.problems)
        verify(self.graph)
        names = [v.name for v in (*self.model.inputs, *self.model.outputs)]
        ports = [t.name for t in (*self.graph.inputs, *self.graph.outputs)]
        operators = dict(sorted(Counter(node.op_type for node in self.model.nodes).items()))
        onnx_names = dict(zip(ports, names, strict=True))
        return Imported(self.graph, tuple(self.notes), onnx_names, operators, self.model.opset)

    def import_node(self, node: OnnxNode, reason: str) -> None:
        """Whatever is wrong with the node becomes a problem of the list or a CompileError that names it."""
        try:
            if reason:
                raise Unsupported(reason)
            self.check_known(node)
            if node.op_type not in SHARED_OPS:
                check_node(node, self.model.opset)
            if self.broken.intersection(node.inputs):
                self.broken.update(node.outputs)
                return
            for newer in upgrade(node, self.model.opset, self.values):
                self.convert(newer)
        except Unsupported as problem:
            self.problems.append(Problem(where_of(node), problem.reason, problem.fix))
            self.broken.update(node.outputs)
        except CompileError as error:
            raise error.at(where_of(node)) from error
        except NONSENSE as error:  # a file may contradict itself in more ways than operators check
            what = "the node's inputs and attributes do not fit each other"
            raise CompileError("E0107", what, where_of(node), why=f"{error}" or type(error).__name__) from error

    def check_known(self, node: OnnxNode) -> None:
        if node.op_type not in KNOWN:
            raise Unsupported("the operator is not supported", "`mcucompile ops` lists the operators that are")

    def convert(self, node: OnnxNode) -> None:
        """One node of the newest opset."""
        values = self.values
        values.begin(node)
        known = [values.known(name) for name in node.inputs]
        all_known = all(k is not None for name, k in zip(node.inputs, known, strict=True) if name)
        match node.op_type:
            case "Constant":
                values.constants[node.outputs[0]] = constant_value(node)
            case "Shape":
                values.constants[node.outputs[0]] = shape_slice(node, values.shape_of(node.inputs[0]))
            case "Size":
                values.constants[node.outputs[0]] = np.asarray(np.prod(values.shape_of(node.inputs[0])), np.int64)
            case "DequantizeLinear":
                dequantize(values, node)
            case op_type if op_type in qonnx.OPERATORS:
                qonnx.import_node(values, node)
            case "QuantizeLinear" if not all_known:
                quantize(values, node)
            case _ if all_known and self.folds(node):
                values.constants.update(zip(node.outputs, fold(node, known), strict=True))
            case "Cast" if values.input(node, 0).dtype in STORED:
                cast(values, node, values.input(node, 0))
            case "Clip" if values.input(node, 0).dtype in STORED:
                limit(values, node, values.input(node, 0))
            case _ if node.op_type in REGISTRY:
                REGISTRY[node.op_type].from_onnx(node, values)
            case _:
                raise Unsupported("the operator is not supported on values that are only known at run time")
        values.name_fresh(node)

    def folds(self, node: OnnxNode) -> bool:
        """Quantized constants go through the operators, which know how to keep them quantized."""
        tensors = [self.values.tensors[name] for name in node.inputs if name in self.values.tensors]
        is_quantized = any(t.quant is not None for t in tensors)
        return node.op_type in FOLDABLE | {"QuantizeLinear"} and not (is_quantized and node.op_type in REGISTRY)

    def add_input(self, value: Value) -> None:
        """A uint8 input keeps its type outside and is int8 inside."""
        name, values = value.name, self.values
        if value.dtype not in TYPES:
            fix = "use float, int8 or uint8 inputs"
            self.problems.append(Problem(f"input '{name}'", f"element type {value.dtype}", fix))
            self.broken.add(name)
            return
        x = Tensor(values.input_names[name], static_shape(value, self.shapes, self.notes), TYPES[value.dtype])
        self.graph.inputs.append(x)
        values.tensors[name] = x
        if x.dtype is DType.U8:
            inner = Tensor(values.names.short(f"{name}_int8"), x.shape, DType.I8)
            self.graph.nodes.append(Node(Requantize(), [x], [inner], (name,)))
            values.tensors[name] = inner
            values.unsigned.add(name)

    def add_output(self, name: str) -> None:
        """A uint8 output is int8 inside; one that is an input or another output too becomes a copy."""
        if name in self.broken:
            return
        tensor = self.values.tensors.get(name)
        problem = output_problem(tensor, name in self.values.unsigned)
        if problem or tensor is None:
            fix = "cast this output, or remove it" if problem.startswith("element") else REMOVE
            self.problems.append(Problem(f"output '{name}'", problem, fix))
            return
        wanted = self.output_name(name)
        if name in self.values.unsigned:
            if tensor.name == wanted:
                tensor.name = self.values.names.short(f"{name}_int8")
            self.append_output(Requantize(), tensor, Tensor(wanted, tensor.shape, DType.U8))
        elif tensor.name != wanted or tensor in self.graph.outputs:
            copy = Tensor(wanted, tensor.shape, tensor.dtype, tensor.quant)
            self.append_output(Reshape(tensor.shape), tensor, copy)
        else:
            self.graph.outputs.append(tensor)

    def output_name(self, name: str) -> str:
        """The output's own name; another one for an output that the file lists again."""
        own = self.values.output_names[name]
        is_taken = any(t.name == own for t in self.graph.outputs)
        return self.values.names.full(name) if is_taken else own

    def append_output(self, op: Op, x: Tensor, y: Tensor) -> None:
        self.graph.nodes.append(Node(op, [x], [y], (y.name,)))
        self.graph.outputs.append(y)


def output_problem(tensor: Tensor | None, is_unsigned: bool) -> str:
    """Why the value cannot be an output of a compiled network, or nothing."""
    if tensor is None or tensor.const is not None:
        return "it does not depend on the inputs"
    return "element type uint16" if is_unsigned and tensor.dtype is DType.I16 else ""


def constant_value(node: OnnxNode) -> Array:
    """A Constant node's value, in whichever attribute it stands."""
    for name in ("value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            return np.asarray(node.attributes[name], np.float32 if "float" in name else np.int64)
    value = node.attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise Unsupported("a constant without a tensor value")
    return value


def shape_slice(node: OnnxNode, shape: Shape) -> Array:
    """Shape's result; opset 15 added `start` and `end`."""
    end = node.integer("end", len(shape))
    return np.asarray(shape[node.integer("start") : end], np.int64)
