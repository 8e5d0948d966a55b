"""One walk over the nodes of a model file: constants fold, every other node becomes operators of the IR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import CompileError
from ..ir import Array, DType, Graph, Node, OnnxNode, Op, QuantParams, Shape, Tensor, Unsupported, verify
from ..ops import ALL
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from ..ops.requantize import Requantize
from ..ops.reshape import Reshape
from ..ops.same_scale import SameScale
from ..passes.edit import INNER
from .constants import folded, plain, tensor_of
from .fold import FOLDABLE, fold
from .inputs import check_options, static_shape
from .meaning import STORED, settle
from .model import Model, Value, check_nbytes
from .names import Names
from .order import where_of
from .problems import Problem, report
from .read import SHARED_OPS
from .schema import check_node
from .stored import parameters, quantized_constant
from .upgrade import upgrade

REGISTRY: dict[str, type[Op]] = {name: op for op in ALL for name in op.onnx}
OWN = ("Constant", "Shape", "Size", "QuantizeLinear", "DequantizeLinear")
TYPES = {
    "float": DType.F32, "int8": DType.I8, "uint8": DType.U8, "int16": DType.I16, "int32": DType.I32, "int64": DType.I64,
}  # fmt: skip
FLOAT = 1  # ONNX's number of the type, in Cast's attribute
NONSENSE = (ArithmeticError, AssertionError, LookupError, MemoryError, StopIteration, TypeError, ValueError)


@dataclass(frozen=True)
class Imported:
    """A graph whose tensors keep the model file's axis order at its inputs and outputs.

    `notes` says what was decided for the user; `onnx_names` gives the name in the file of each graph input and output.
    """

    graph: Graph
    notes: tuple[str, ...]
    onnx_names: Mapping[str, str]


class Importer:
    """The `Builder` that operators write to, and the values of the model file that are known so far."""

    def __init__(self, model: Model, shapes: Mapping[str, Shape]) -> None:
        self.model = model
        self.names = Names()
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.broken: set[str] = set()  # values of nodes that cannot be compiled
        self.constants: dict[str, Array] = dict(model.constants)  # plain numbers, never dequantized
        self.tensors: dict[str, Tensor] = {}  # activations, and constants of the IR
        self.unsigned: set[str] = set()  # values that the file stores as uint8 or uint16
        self.fresh: list[Tensor] = []  # of the current node, still without a name
        self.source: tuple[str, ...] = ()
        self.graph = Graph(self.names.full(model.name), [], [])
        self.names = Names()
        check_options(model.inputs, shapes)
        self.input_names = {v.name: self.names.full(v.name) for v in model.inputs}
        self.output_names = {v.name: self.names.full(v.name) for v in model.outputs}
        for value in model.inputs:
            self.add_input(value, shapes)

    # --- the walk

    def run(self) -> Imported:
        for place, node in enumerate(self.model.nodes):
            self.import_node(node, self.model.reasons.get(place, ""))
        for value in self.model.outputs:
            self.add_output(value.name)
        self.graph.remove_unread()
        self.problems += [] if self.problems else settle(self.graph)
        if self.problems:
            raise report(self.problems)
        verify(self.graph)
        names = {c: onnx for onnx, c in (self.input_names | self.output_names).items()}
        return Imported(self.graph, tuple(self.notes), names)

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
            for newer in upgrade(node, self.model.opset, self):
                self.convert(newer)
        except Unsupported as problem:
            self.problems.append(Problem(where_of(node), problem.reason, problem.fix))
            self.broken.update(node.outputs)
        except CompileError as error:
            raise CompileError(error.code, error.what, error.where or where_of(node), error.why, error.fix) from error
        except NONSENSE as error:  # a file may contradict itself in more ways than operators check
            what = "the node's inputs and attributes do not fit each other"
            raise CompileError("E0107", what, where_of(node), why=f"{error}" or type(error).__name__) from error

    def check_known(self, node: OnnxNode) -> None:
        if node.op_type not in REGISTRY and node.op_type not in OWN and node.op_type not in FOLDABLE | {"Upsample"}:
            raise Unsupported("the operator is not supported", "`mcucompile ops` lists the operators that are")

    def convert(self, node: OnnxNode) -> None:
        """One node of the newest opset."""
        self.source, self.fresh = (node.name,), []
        known = [self.known(name) for name in node.inputs]
        all_known = all(k is not None for name, k in zip(node.inputs, known, strict=True) if name)
        match node.op_type:
            case "Constant":
                self.constants[node.outputs[0]] = constant_value(node)
            case "Shape":
                self.constants[node.outputs[0]] = shape_slice(node, self.shape_of(node.inputs[0]))
            case "Size":
                self.constants[node.outputs[0]] = np.asarray(np.prod(self.shape_of(node.inputs[0])), np.int64)
            case "DequantizeLinear":
                self.dequantize(node)
            case "QuantizeLinear" if not all_known:
                self.quantize(node)
            case _ if all_known and self.folds(node):
                self.constants.update(zip(node.outputs, fold(node, known), strict=True))
            case "Cast" if self.tensor(node.inputs[0]).dtype in STORED:
                self.cast(node, self.tensor(node.inputs[0]))
            case _ if node.op_type in REGISTRY:
                REGISTRY[node.op_type].from_onnx(node, self)
            case _:
                raise Unsupported("the operator is not supported on values that are only known at run time")
        self.name_fresh(node)

    def folds(self, node: OnnxNode) -> bool:
        """Quantized constants go through the operators, which know how to keep them quantized."""
        is_quantized = any(name in self.tensors for name in node.inputs)
        return node.op_type in FOLDABLE | {"QuantizeLinear"} and not (is_quantized and node.op_type in REGISTRY)

    # --- quantization

    def quantize(self, node: OnnxNode) -> None:
        x = self.input(node, 0)
        scale, zero = self.parameter(node, 1), self.zero_of(node, np.dtype(np.uint8))
        quant = parameters(node, scale, zero, x.shape)
        if x.dtype is not DType.F32 or quant.axis is not None:
            raise Unsupported(
                f"quantization of {x.dtype.value}, {scale.size} scales", "quantize activations per tensor"
            )
        y = Tensor("", x.shape, quant.dtype, quant)
        self.append(Quantize(), [x], [y])
        self.result(node, y)
        if zero.dtype.kind == "u":
            self.unsigned.add(node.outputs[0])

    def dequantize(self, node: OnnxNode) -> None:
        name = node.inputs[0]
        if name in self.constants:
            values = self.constants[name]
            zero = self.zero_of(node, values.dtype)
            tensor = quantized_constant(self.names.short(node.outputs[0]), node, values, self.parameter(node, 1), zero)
            self.result(node, tensor)
            return
        x = self.input(node, 0)
        unsigned = np.dtype(f"uint{8 * x.dtype.nbytes}") if name in self.unsigned else x.dtype.numpy
        zero = self.zero_of(node, unsigned)
        if zero.dtype != unsigned:
            raise Unsupported(f"a zero point of type {zero.dtype.name} for '{name}', which is {unsigned.name}")
        self.real(node, x, parameters(node, self.parameter(node, 1), zero, x.shape))

    def real(self, node: OnnxNode, x: Tensor, quant: QuantParams) -> None:
        """The node reads x as real numbers, which says what x means."""
        if quant.axis is not None or x.quant not in (None, quant):
            fix = "use one scale and zero point per tensor"
            raise Unsupported(f"it reads '{node.inputs[0]}' otherwise than that was quantized", fix)
        x.quant = quant
        y = Tensor("", x.shape)
        self.append(Dequantize(), [x], [y])
        self.result(node, y)

    def cast(self, node: OnnxNode, x: Tensor) -> None:
        """Stored integers as real numbers of the same value: scale 1, and the zero point where uint8 begins."""
        if node.integer("to") != FLOAT:
            raise Unsupported("a cast of stored integers to another type than float32")
        zero = x.dtype.low if node.inputs[0] in self.unsigned else 0
        self.real(node, x, QuantParams((1.0,), zero, x.dtype))

    def parameter(self, node: OnnxNode, index: int) -> Array:
        name = node.inputs[index]
        if name not in self.constants or self.constants[name].size == 0:
            raise Unsupported("a scale or zero point that is not constant", "use static quantization")
        return self.constants[name]

    def zero_of(self, node: OnnxNode, default: np.dtype[np.generic]) -> Array:
        """The zero point; an absent one is 0 of the default type (`output_dtype` of opset 21 is rare and refused)."""
        if node.integer("output_dtype"):
            raise Unsupported("attribute output_dtype", "give a zero point instead")
        return self.parameter(node, 2) if node.has_input(2) else np.zeros(1, default)

    # --- what operators read (Builder)

    def known(self, name: str) -> Array | None:
        """The value of a constant as plain numbers."""
        if name in self.constants:
            return self.constants[name]
        tensor = self.tensors.get(name)
        return None if tensor is None or tensor.const is None else plain(tensor)

    def tensor(self, name: str) -> Tensor:
        if name in self.constants and name not in self.tensors:
            self.tensors[name] = tensor_of(self.names.short(name), self.constants[name])
        if name not in self.tensors:
            raise Unsupported(f"it reads '{name}', an output that its operator does not compute here")
        return self.tensors[name]

    def input(self, node: OnnxNode, index: int) -> Tensor:
        if not node.has_input(index):
            raise Unsupported(f"input {index} is missing")
        return self.tensor(node.inputs[index])

    def optional(self, node: OnnxNode, index: int) -> Tensor | None:
        return self.input(node, index) if node.has_input(index) else None

    def constant_input(self, node: OnnxNode, index: int) -> Tensor | None:
        tensor = self.optional(node, index)
        if tensor is not None and tensor.const is None:
            raise Unsupported(f"input {index} ('{node.inputs[index]}') is not constant")
        return tensor

    def values(self, node: OnnxNode, index: int) -> Array | None:
        tensor = self.constant_input(node, index)
        return None if tensor is None else plain(tensor)

    def constant(self, name: str, values: Array | Tensor) -> Tensor:
        if isinstance(values, Tensor):
            return replace(values, name=self.names.short(name))
        return tensor_of(self.names.short(name), values)

    def emit(self, op: Op, *inputs: Tensor, name: str = "") -> Tensor:
        (output,) = self.emit_many(op, *inputs)
        return output

    def emit_many(self, op: Op, *inputs: Tensor, names: Sequence[str] = ()) -> list[Tensor]:
        shapes = [checked(shape) for shape in op.infer(*(t.shape for t in inputs))]
        if inputs and all(t.const is not None for t in inputs):
            results = folded(op, inputs)
            self.fresh += results
            return results
        dtype, quant = element_of(op, inputs)
        outputs = [Tensor("", shape, dtype, quant) for shape in shapes]
        self.append(op, list(inputs), outputs)
        return outputs

    def append(self, op: Op, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.graph.nodes.append(Node(op, inputs, outputs, self.source))
        self.fresh += outputs

    def result(self, node: OnnxNode, *outputs: Tensor) -> None:
        inherits = any(name in self.unsigned for name in node.inputs)
        for name, tensor in zip(node.outputs, outputs, strict=False):
            if not name:
                continue
            self.tensors[name] = tensor
            if not tensor.name or (name in self.output_names and self.may_rename(tensor)):
                tensor.name = self.output_names.get(name) or self.names.short(name)
            if inherits and tensor.dtype in (DType.I8, DType.I16) and tensor.const is None:
                self.unsigned.add(name)

    def may_rename(self, tensor: Tensor) -> bool:
        """Whether the name is of no interest to the user."""
        return tensor not in self.graph.inputs and tensor.name not in self.output_names.values()

    def name_fresh(self, node: OnnxNode) -> None:
        """Names for the tensors between two operators of one ONNX node."""
        base = next(filter(None, node.outputs), node.name)
        for tensor in self.fresh:
            tensor.name = tensor.name or self.names.short(f"{base}_{INNER}")

    # --- what upgrades read (Context)

    def shape_of(self, name: str) -> Shape:
        return tuple(self.constants[name].shape) if name in self.constants else self.tensor(name).shape

    def new_constant(self, hint: str, values: Array) -> str:
        name = self.new_name(hint)
        self.constants[name] = values
        return name

    def new_name(self, hint: str) -> str:
        taken = len(self.constants) + len(self.tensors)
        return next(n for i in range(taken + 1) if (n := f"{hint}:{i}") not in self.constants and n not in self.tensors)

    # --- the graph's ends

    def add_input(self, value: Value, shapes: Mapping[str, Shape]) -> None:
        """A uint8 input keeps its type outside and is int8 inside."""
        name = value.name
        if value.dtype not in TYPES:
            fix = "use float, int8 or uint8 inputs"
            self.problems.append(Problem(f"input '{name}'", f"element type {value.dtype}", fix))
            self.broken.add(name)
            return
        x = Tensor(self.input_names[name], static_shape(value, shapes, self.notes), TYPES[value.dtype])
        self.graph.inputs.append(x)
        self.tensors[name] = x
        if x.dtype is DType.U8:
            inner = Tensor(self.names.short(f"{name}_int8"), x.shape, DType.I8)
            self.graph.nodes.append(Node(Requantize(), [x], [inner], (name,)))
            self.tensors[name] = inner
            self.unsigned.add(name)

    def add_output(self, name: str) -> None:
        if name in self.broken:
            return
        tensor = self.tensors.get(name)
        if tensor is None or tensor.const is not None:
            self.problems.append(Problem(f"output '{name}'", "it does not depend on the inputs", "remove this output"))
            return
        self.source = (name,)
        if name in self.unsigned:
            outer = Tensor(
                self.output_names[name] if tensor.name != self.output_names[name] else "", tensor.shape, DType.U8
            )
            if not outer.name:
                outer.name, tensor.name = tensor.name, self.names.short(f"{name}_int8")
            self.graph.nodes.append(Node(Requantize(), [tensor], [outer], self.source))
            tensor = outer
        elif tensor in self.graph.outputs or tensor in self.graph.inputs:
            copy = Tensor(self.output_names[name], tensor.shape, tensor.dtype, tensor.quant)
            self.graph.nodes.append(Node(Reshape(tensor.shape), [tensor], [copy], self.source))
            tensor = copy
        self.graph.outputs.append(tensor)


def checked(shape: Shape) -> Shape:
    """A shape that an operator computed: not empty, not too large."""
    sizes = tuple(int(d) for d in shape)
    if any(d <= 0 for d in sizes):
        raise CompileError("E0107", f"the result would have the shape {list(sizes)}")
    nbytes = 4
    for d in sizes:
        nbytes *= d
    check_nbytes(nbytes, "")
    return sizes


def element_of(op: Op, inputs: Sequence[Tensor]) -> tuple[DType, QuantParams | None]:
    """Type and meaning of what an operator computes: stored integers stay so only where they are moved."""
    stored = [t for t in inputs if t.const is None and t.dtype in STORED]
    if not stored:
        return DType.F32, None
    if not isinstance(op, SameScale) or len({t.dtype for t in inputs}) > 1:
        raise Unsupported("it computes on stored integers", "put a DequantizeLinear before it")
    return stored[0].dtype, next((t.quant for t in stored if t.quant), None)


def constant_value(node: OnnxNode) -> Array:
    """A Constant node's value, in whichever attribute it stands."""
    for name, dtype in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in node.attributes:
            return np.asarray(node.attributes[name], dtype)
    value = node.attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise Unsupported("a constant without a tensor value")
    return value


def shape_slice(node: OnnxNode, shape: Shape) -> Array:
    """Shape's result; opset 15 added `start` and `end`."""
    end = node.integer("end", len(shape))
    return np.asarray(shape[node.integer("start") : end], np.int64)
