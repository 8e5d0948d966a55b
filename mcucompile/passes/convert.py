"""A float graph and a plan of scales become an integer graph of the kind that a QDQ file gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..ir import DType, Graph, Node, Op, ScaleRule, Tensor, unique_identifier
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from ..ops.requantize import Requantize
from .fix_multipliers import fix
from .quantization_plan import Plan
from .quantization_rules import rule
from .quantize_constants import quantized_bias, quantized_operand, quantized_weight, weight_params


def convert(graph: Graph, plan: Plan, dtype: DType) -> Graph:
    """A new graph; tensors keep their names. Between integer and float operators stand Quantize and Dequantize."""
    converter = Converter(graph, plan, dtype)
    for t in graph.inputs:
        converter.define(t, is_float=t not in plan.quants)
    inputs = [converter.main[t] for t in graph.inputs]
    for node in graph.nodes:
        converter.convert(node)
    outputs = [converter.main[t] for t in graph.outputs]
    result = Graph(graph.name, inputs, outputs, converter.nodes, graph.numerics)
    for node in result.nodes:
        if any(t.dtype.is_integer and t.quant for t in node.outputs):
            fix(node, graph.numerics)
    return result


@dataclass(eq=False)
class Converter:
    """Emits nodes in order. `main` is a float tensor's form as its producer writes it, `other` the converted one."""

    graph: Graph
    plan: Plan
    dtype: DType
    nodes: list[Node] = field(default_factory=list)
    main: dict[Tensor, Tensor] = field(default_factory=dict)
    other: dict[Tensor, Tensor] = field(default_factory=dict)
    constants: dict[tuple[Tensor, object], Tensor] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.taken |= {t.name for t in [*self.graph.activations(), *self.graph.constants()]}

    def define(self, tensor: Tensor, is_float: bool) -> Tensor:
        """The new tensor that stands for `tensor` where it is computed."""
        if is_float:
            self.main[tensor] = replace(tensor)
        else:
            quant = self.plan.quants[tensor]
            self.main[tensor] = replace(tensor, dtype=quant.dtype, quant=quant)
        return self.main[tensor]

    def convert(self, node: Node) -> None:
        is_float = node in self.plan.floats
        inputs = [self.operand(node, i, is_float) for i in range(len(node.inputs))]
        outputs = [self.define(t, is_float) for t in node.outputs]
        self.nodes.append(Node(node.op, inputs, outputs, node.source))

    def operand(self, node: Node, index: int, is_float: bool) -> Tensor:
        tensor = node.inputs[index]
        if is_float:
            return tensor if tensor.const is not None else self.as_float(tensor)
        if tensor.const is not None:
            return self.constant(node, index)
        stored = self.as_integer(tensor)
        return self.requantized(node, stored) if (node, index) in self.plan.rescaled else stored

    def as_float(self, tensor: Tensor) -> Tensor:
        main = self.main[tensor]
        if main.quant is None:
            return main
        if tensor not in self.other:
            self.other[tensor] = self.emit(Dequantize(), main, replace(tensor, name=self.name(tensor.name, "real")))
        return self.other[tensor]

    def as_integer(self, tensor: Tensor) -> Tensor:
        main = self.main[tensor]
        if main.quant is not None:
            return main
        if tensor not in self.other:
            quant = self.plan.quants[tensor]
            stored = Tensor(self.name(tensor.name, "stored"), tensor.shape, quant.dtype, quant)
            self.other[tensor] = self.emit(Quantize(), main, stored)
        return self.other[tensor]

    def requantized(self, node: Node, stored: Tensor) -> Tensor:
        quant = self.plan.quants[node.outputs[0]]
        if stored.quant == quant:
            return stored
        return self.emit(
            Requantize(), stored, Tensor(self.name(stored.name, "rescaled"), stored.shape, quant.dtype, quant)
        )

    def emit(self, op: Op, x: Tensor, y: Tensor) -> Tensor:
        self.nodes.append(Node(op, [x], [y]))
        return y

    def constant(self, node: Node, index: int) -> Tensor:
        tensor = node.inputs[index]
        if rule(node) is not ScaleRule.WEIGHTED:
            quant = self.plan.quants[node.outputs[0]] if rule(node) is ScaleRule.TIED else tensor.grid
            return self.once(tensor, quant, lambda name: quantized_operand(tensor, quant, self.dtype, name))
        quant = self.plan.quants[node.inputs[0]]
        scale, weights = quant.scale, weight_params(node, quant)
        if index == 1:
            return self.once(tensor, weights, lambda name: quantized_weight(tensor, weights, name))
        return self.once(tensor, (scale, weights), lambda name: quantized_bias(tensor, scale, weights, name))

    def once(self, tensor: Tensor, key: object, make: Callable[[str], Tensor]) -> Tensor:
        """A constant that several nodes share stays one tensor where it gets the same scales."""
        if (tensor, key) not in self.constants:
            is_first = all(t is not tensor for t, _ in self.constants)
            self.constants[tensor, key] = make(tensor.name if is_first else self.name(tensor.name, "again"))
        return self.constants[tensor, key]

    def name(self, base: str, suffix: str) -> str:
        chosen = unique_identifier(f"{base}_{suffix}", self.taken)
        self.taken.add(chosen)
        return chosen
