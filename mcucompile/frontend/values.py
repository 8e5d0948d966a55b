"""The values of a model file that are known so far, and the graph that operators are written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..errors import CompileError
from ..ir import Array, DType, Graph, Node, OnnxNode, Op, QuantParams, Shape, Tensor, Unsupported, identifier
from ..ops.same_scale import SameScale
from ..passes.edit import INNER, PROVISIONAL
from .constants import folded, plain, tensor_of
from .meaning import STORED
from .model import check_nbytes
from .names import Names


class Values:
    """The `Builder` of operators and the `Context` of upgrades. A value is known by its name in the file."""

    def __init__(
        self, name: str, constants: Mapping[str, Array], inputs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.graph = Graph(identifier(name), [], [])
        self.names = Names()
        self.constants: dict[str, Array] = dict(constants)  # plain numbers, never dequantized
        self.tensors: dict[str, Tensor] = {}  # activations, and constants of the IR
        self.unsigned: set[str] = set()  # values that the file stores as uint8 or uint16
        self.narrow: dict[str, np.dtype[np.generic]] = {}  # the type of values that it stores with 2 or 4 bits
        self.fresh: list[Tensor] = []  # of the current node, still without a name
        self.given: set[str] = {*inputs, *outputs}  # names in the file, and those that `new_name` gave
        self.invented = 0
        self.notes: list[str] = []  # for the user
        self.source: tuple[str, ...] = ()  # of the current node
        self.input_names = {name: self.names.full(name) for name in inputs}
        self.output_names = {name: self.names.full(name) for name in dict.fromkeys(outputs)}

    def begin(self, node: OnnxNode) -> None:
        """What follows comes from this node."""
        self.source, self.fresh = node.source, []

    # --- what operators read and write (Builder)

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
        narrow = next((self.narrow[name] for name in node.inputs if name in self.narrow), None)
        for name, tensor in zip(node.outputs, outputs, strict=False):
            if not name:
                continue
            self.tensors[name] = tensor
            if not tensor.name or (name in self.output_names and self.may_rename(tensor)):
                tensor.name = self.output_names.get(name) or self.names.short(name)
            if tensor.dtype in (DType.I8, DType.I16) and tensor.const is None:
                self.unsigned |= {name} if inherits else set()
                self.narrow |= {name: narrow} if narrow else {}

    def may_rename(self, tensor: Tensor) -> bool:
        """Whether the name is of no interest to the user."""
        return tensor not in self.graph.inputs and tensor.name not in self.output_names.values()

    def name_fresh(self, node: OnnxNode) -> None:
        """Names for the tensors between two operators of one ONNX node."""
        base = next(filter(None, node.outputs), node.name)
        for tensor in self.fresh:
            tensor.name = tensor.name or self.names.short(f"{PROVISIONAL.sub('', identifier(base))}_{INNER}")

    # --- what upgrades read (Context)

    def shape_of(self, name: str) -> Shape:
        return tuple(self.constants[name].shape) if name in self.constants else self.tensor(name).shape

    def new_constant(self, hint: str, values: Array) -> str:
        name = self.new_name(hint)
        self.constants[name] = values
        return name

    def new_name(self, hint: str) -> str:
        """Unlike any other, also of a value that is only computed later."""
        name = hint
        while name in self.given or name in self.constants or name in self.tensors:
            self.invented += 1
            name = f"{hint}/{self.invented}"
        self.given.add(name)
        return name


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
