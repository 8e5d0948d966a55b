"""Real operators between Dequantize and Quantize become integer operators.

    %a = dequantize(%qa); %r = conv2d(%a, %w, %b); %qy = quantize(%r)   -->   %qy = conv2d(%qa, %w, %b: int32)

Dequantize moves down and Quantize up through operators that only move or compare values, until they meet an operator
that can compute on integers, or each other:

    %a = dequantize(%qa); %q = quantize(%a)   -->   %q = requantize(%qa), or nothing where the scales are equal

What has no integer form, or a constant that is not quantized, stays real between its Dequantize and Quantize.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import CompileError
from ..ir import NO_CLIP, DType, Graph, Node, Op, QuantParams, Tensor, constant, integer_clip, real_values
from ..ops.binary_conv2d import BinaryConv2d
from ..ops.clamp import Clamp
from ..ops.dequantize import Dequantize
from ..ops.pad import Pad
from ..ops.quantize import Quantize
from ..ops.requantize import Requantize
from ..ops.reshape import Reshape
from ..ops.same_scale import SameScale
from ..ops.weighted import Weighted
from .base import Pass
from .fuse_clip import clip_of
from .quantized_layer import layer_constants


@dataclass(frozen=True)
class AbsorbQdq(Pass):
    exact = False

    def run(self, graph: Graph) -> int:
        total = share_quantize(graph)
        while changed := sum([rewrite(graph, node) for node in list(graph.nodes)]):
            graph.remove_unread()
            total += changed + share_quantize(graph)
        return total


def rewrite(graph: Graph, node: Node) -> bool:
    if node not in graph.nodes:
        return False
    if isinstance(node.op, Quantize):
        return meet(graph, node)
    if isinstance(node.op, Dequantize) or any(t.dtype.is_integer for t in [*node.activations(), *node.outputs]):
        return False
    try:
        return absorb(graph, node) or push_down(graph, node) or pull_up(graph, node)
    except CompileError as error:
        raise error.at(node.where) from error


def share_quantize(graph: Graph) -> int:
    """quantize(x) twice with one scale -> once."""
    first: dict[tuple[Tensor, QuantParams | None], Node] = {}
    shared = 0
    for node in [n for n in graph.nodes if isinstance(n.op, Quantize)]:
        kept = first.setdefault((node.inputs[0], node.output.quant), node)
        if kept is not node and node.output not in graph.outputs:
            graph.replace_uses(node.output, kept.output)
            graph.remove(node)
            shared += 1
    return shared


def meet(graph: Graph, node: Node) -> bool:
    """quantize(dequantize(q)) -> requantize(q), or q itself; of q under another name, a copy in the same buffer."""
    maker = graph.producer(node.inputs[0])
    if not maker or not isinstance(maker.op, Dequantize):
        return False
    (stored,) = maker.inputs
    if stored.quant != node.output.quant:
        node.op, node.inputs = Requantize(), [stored]
    elif node.output in graph.outputs:
        node.op, node.inputs = Reshape(stored.shape), [stored]
    else:
        graph.replace_uses(node.output, stored)
        graph.remove(node)
    return True


def stored_inputs(graph: Graph, node: Node) -> dict[Tensor, Tensor] | None:
    """What each activation was dequantized from; None if one was not."""
    stored: dict[Tensor, Tensor] = {}
    for t in node.activations():
        maker = graph.producer(t)
        if not maker or not isinstance(maker.op, Dequantize):
            return None
        stored[t] = maker.inputs[0]
    return stored or None


def quantizers(graph: Graph, node: Node) -> list[Node] | None:
    """The one Quantize that reads each output; None if an output has other readers."""
    found = [graph.only_reader(t) for t in node.outputs]
    quantize = [n for n in found if n and isinstance(n.op, Quantize)]
    return quantize if len(quantize) == len(node.outputs) else None


def absorb(graph: Graph, node: Node) -> bool:
    stored, behind = stored_inputs(graph, node), quantizers(graph, node)
    if not stored or not behind or not computes_on_integers(node.op):
        return False
    if isinstance(node.op, SameScale):
        return absorb_same_scale(graph, node, stored, behind)
    constants = integer_constants(node, [stored.get(t, t) for t in node.inputs], output_range(graph, node, behind[0]))
    if constants is None:
        return False
    node.inputs = constants
    finish(graph, node, behind)
    return True


def computes_on_integers(op: Op) -> bool:
    """Whether the operator has an integer form: it never rescales, or knows how to derive its fixed-point constants."""
    return isinstance(op, SameScale) or type(op).fix is not Op.fix


def output_range(graph: Graph, node: Node, quantize: Node) -> float:
    """Between the smallest and the largest real value that is stored of the node's output."""
    reader, clip = graph.only_reader(quantize.output), clip_of(node.op)
    if reader and isinstance(reader.op, Clamp):
        clip = clip.then(reader.op.clip)
    low, high = integer_clip(clip, quantize)
    quant = quantize.output.quant
    return (high - low) * quant.scale if quant else 0.0


def integer_constants(node: Node, inputs: Sequence[Tensor], output_range: float) -> list[Tensor] | None:
    """The inputs of the integer operator; None where a constant has no form that it could take."""
    if isinstance(node.op, Weighted):
        return layer_constants(node, inputs, output_range)
    if isinstance(node.op, BinaryConv2d):
        return [inputs[0], signs_of(node.inputs[1])]
    dtypes = {t.dtype for t in inputs}
    whole = all(t.quant and t.quant.axis is None for t in inputs)
    return list(inputs) if whole and dtypes <= {DType.I8, DType.I16} and len(dtypes) == 1 else None


def signs_of(weight: Tensor) -> Tensor:
    """The weights of a binary layer as integers."""
    assert weight.const is not None and weight.grid
    return constant(weight.name, weight.grid.quantize(weight.const), weight.grid)


def finish(graph: Graph, node: Node, behind: Sequence[Node]) -> None:
    """The node computes what the Quantize nodes behind it computed."""
    node.outputs = [q.output for q in behind]
    for q in behind:
        graph.remove(q)


def absorb_same_scale(graph: Graph, node: Node, stored: dict[Tensor, Tensor], behind: Sequence[Node]) -> bool:
    """Everything on the outputs' scale, which is exact since rounding keeps order; inputs are brought to it."""
    (quant, *others) = {q.output.quant for q in behind}
    if others or quant is None:
        return False
    node.inputs = [on_scale(graph, node, stored.get(t, t), quant) for t in node.inputs]
    finish(graph, node, behind)
    return True


def on_scale(graph: Graph, node: Node, tensor: Tensor, quant: QuantParams) -> Tensor:
    if tensor.const is not None:
        name = graph.fresh_name(tensor.name)
        return tensor if tensor.quant == quant else constant(name, quant.quantize(real_values(tensor)), quant)
    if tensor.quant == quant:
        return tensor
    y = Tensor(graph.fresh_name(f"{tensor.name}_rescaled"), tensor.shape, quant.dtype, quant)
    graph.insert_before(node, Node(Requantize(), [tensor], [y], node.source))
    return y


def push_down(graph: Graph, node: Node) -> bool:
    """move(dequantize(q)) -> dequantize(move(q))."""
    stored = stored_inputs(graph, node)
    if not stored or len(stored) < len(set(node.inputs)) or not only_moves(node.op):
        return False
    (quant, *others) = {t.quant for t in stored.values()}
    if others or quant is None or not has_border(node.op, quant):
        return False
    node.inputs = [stored[t] for t in node.inputs]
    reals, node.outputs = node.outputs, [integer_copy(graph, t, quant) for t in node.outputs]
    for real, integer in zip(reals, node.outputs, strict=True):
        graph.insert_after(node, Node(Dequantize(), [integer], [real], node.source))
    return True


def pull_up(graph: Graph, node: Node) -> bool:
    """quantize(move(x)) -> move(quantize(x)); exact for comparisons and limits too."""
    behind = quantizers(graph, node)
    if not behind or not isinstance(node.op, SameScale) or any(t.const is not None for t in node.inputs):
        return False
    (quant, *others) = {q.output.quant for q in behind}
    if others or quant is None:
        return False
    for t in dict.fromkeys(node.inputs):
        y = integer_copy(graph, t, quant)
        graph.insert_before(node, Node(Quantize(), [t], [y], node.source))
        node.inputs = [y if i is t else i for i in node.inputs]
    finish(graph, node, behind)
    return True


def integer_copy(graph: Graph, real: Tensor, quant: QuantParams) -> Tensor:
    return replace(real, name=graph.fresh_name(f"{real.name}_stored"), dtype=quant.dtype, quant=quant)


def only_moves(op: Op) -> bool:
    return isinstance(op, SameScale) and clip_of(op) == NO_CLIP


def has_border(op: Op, quant: QuantParams) -> bool:
    """A Pad's value must be one that the tensor can store."""
    return not isinstance(op, Pad) or quant.scale * (quant.integer(op.value) - quant.zero) == op.value
