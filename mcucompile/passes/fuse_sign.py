"""Fold everything between a convolution of signs and the next sign into integer thresholds.

    %a = conv2d(%s, %w, %b); %n = affine(%a, %f, %o); %y = sign<at_zero=1>(%n)
    -->   %y = binary_conv2d<thresholds=..>(%s, signs of %w)

where %s holds -1 and +1, and the weights of each output channel have one magnitude m. With S the sum of products of
signs, the sign is that of f*(m*S + b) + o: a comparison of S with a number, rounded up, which is computed exactly. A
negative slope turns the channel's weights around. On the way:

    %t = sign(%x); %u = add(%t, 0.1); %y = sign(%u)   -->   %y = sign<at_zero=1>(%x)          as Larq has it
    %c = clamp<[-1, 1]>(%x); %y = sign(%c)            -->   %y = sign(%x)
    %p = max_pool(%x); %y = sign(%p)                  -->   %t = sign(%x); %y = max_pool(%t)   of sums of signs
    %p = pad<value=1>(%s); %y = conv2d(%p, ..)        -->   padding that counts as 1

ONNX's Sign gives 0 at zero, and then there are three values. Decided: where sums of signs may be zero, such a sign
stays what it is, and with it the layer behind. Where it compares real values that a layer or a normalization computed,
zero counts as positive if only binary layers read the signs, because a value of exactly zero has no meaning there;
either way the details say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import NO_CLIP, Array, Graph, Node, QuantParams, Tensor, constant, real_values
from ..ops.add import Add
from ..ops.affine import Affine
from ..ops.binary_conv2d import BinaryConv2d
from ..ops.clamp import Clamp
from ..ops.conv2d import Conv2d
from ..ops.dense import Dense
from ..ops.max_pool import MaxPool
from ..ops.pad import Pad
from ..ops.reshape import Reshape
from ..ops.sign import Sign
from ..ops.weighted import Weighted
from ..ops.window import Window
from .base import Pass
from .bipolar import MOVERS, magnitudes, padded_input, signs_in
from .fold_batchnorm import Scaling, scaling_of
from .thresholds import Line, lines, may_be_zero, places_of, threshold


@dataclass(frozen=True)
class ZeroSign:
    """What was decided of a Sign that gives 0 at zero."""

    tensor: str
    source: tuple[str, ...]
    decision: str


ZERO_COUNTS = "a value of exactly 0 counts as positive, where ONNX's Sign gives 0"
ZERO_STAYS = "the sums may be 0, where ONNX's Sign gives 0: the layers behind are not binary"


@dataclass(frozen=True)
class FuseSign(Pass):
    """Inexact in that float32 rounds what is compared with zero, and thresholds do not."""

    exact = False

    def run(self, graph: Graph) -> int:
        return self.run_telling(graph)[0]

    def run_telling(self, graph: Graph) -> tuple[int, tuple[object, ...]]:
        decisions = []
        changes = sum([join_signs(graph, n) for n in graph.nodes[::-1] if isinstance(n.op, Sign)])
        graph.remove_unread()
        for node in [n for n in graph.nodes if isinstance(n.op, Sign)]:
            changes += simplify(graph, node)
            if fuse(graph, node):
                changes += 1
            elif decision := settle_zero(graph, node):
                decisions.append(ZeroSign(node.output.name, node.source, decision))
        graph.remove_unread()
        return changes, tuple(decisions)


def simplify(graph: Graph, sign: Node) -> int:
    changes = 0
    while drop_clamp(graph, sign) or lift_over_pool(graph, sign):
        changes += 1
    graph.remove_unread()
    return changes


def join_signs(graph: Graph, sign: Node) -> bool:
    """sign(sign(x) + c), with c between 0 and 1 or between -1 and 0."""
    add = graph.producer(sign.inputs[0])
    if not add or not isinstance(add.op, Add) or add.op.clip != NO_CLIP:
        return False
    terms = [t for t in add.inputs if t.const is None]
    inner = graph.producer(terms[0]) if len(terms) == 1 else None
    shift = next((real_values(t) for t in add.inputs if t.const is not None), None)
    if not inner or inner.op != Sign() or shift is None or inner.output.shape != sign.output.shape:
        return False
    at_zero = int(np.sign(shift.ravel()[0]))
    if not at_zero or not np.all((shift * at_zero > 0) & (shift * at_zero < 1)):
        return False
    sign.op, sign.inputs = Sign(at_zero), list(inner.inputs)
    sign.source = tuple(dict.fromkeys((*inner.source, *sign.source)))
    return True


def drop_clamp(graph: Graph, sign: Node) -> bool:
    """Limits on both sides of zero."""
    clamp = graph.producer(sign.inputs[0])
    if not clamp or not isinstance(clamp.op, Clamp) or not clamp.op.clip.low < 0 < clamp.op.clip.high:
        return False
    sign.inputs = list(clamp.inputs)
    return True


def lift_over_pool(graph: Graph, sign: Node) -> bool:
    """The largest of signs instead of the sign of the largest, as far as rising lines lie between."""
    behind = scalings_before(graph, sign.inputs[0])
    pooled = behind[-1].scaling.x if behind else sign.inputs[0]
    pool = graph.producer(pooled)
    if not pool or not isinstance(pool.op, MaxPool) or pool.op.clip != NO_CLIP or graph.only_reader(pooled) is None:
        return False
    (source,) = pool.inputs
    if any(np.any(b.scaling.factor <= 0) for b in behind) or not layer_of_signs(graph, source):
        return False
    for step in reversed(behind):
        step.node.inputs = [source if t is step.scaling.x else t for t in step.node.inputs]
        step.node.outputs = [replace(step.node.output, shape=source.shape)]
        source = step.node.output
    signs = Tensor(graph.fresh_name(f"{sign.output.name}_signs"), source.shape)
    pool.inputs, pool.outputs, sign.inputs, sign.outputs = [signs], sign.outputs, [source], [signs]
    graph.remove(pool)
    graph.insert_after(sign, pool)
    return True


@dataclass(frozen=True, eq=False)
class Step:
    """A node that only scales."""

    node: Node
    scaling: Scaling


def scalings_before(graph: Graph, tensor: Tensor) -> list[Step]:
    """Factors and offsets per channel that lead to the tensor, the last first, each read by the next only."""
    found: list[Step] = []
    while (maker := graph.producer(tensor)) and graph.only_reader(tensor) and (scaling := scaling_of(maker)):
        found.append(Step(maker, scaling))
        tensor = scaling.x
    return found


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer over signs: `signs` times `magnitude`, with padding of `fill`; `sizes` are its weights' magnitudes."""

    node: Node
    signs: Tensor
    magnitude: float
    window: Window
    fill: int
    sizes: Array

    @property
    def signs_of_weights(self) -> Array:
        return np.where(real_values(self.node.inputs[1]) < 0, -1, 1)

    @property
    def places(self) -> set[int]:
        """How many signs there are in a sum."""
        if isinstance(self.node.op, Dense):
            return {self.node.inputs[1].shape[1]}
        _, height, width, channels = self.signs.shape
        return places_of(self.window, height, width, channels, self.fill != 0)


def layer_of_signs(graph: Graph, tensor: Tensor) -> Layer | None:
    """The layer that makes the tensor, which nobody else reads, from signs with binary weights."""
    while (maker := graph.producer(tensor)) and graph.only_reader(tensor) and (scaling := scaling_of(maker)):
        tensor = scaling.x
    sizes = magnitudes(maker) if maker else None
    if maker is None or sizes is None or graph.only_reader(tensor) is None or not is_plain(maker):
        return None
    x, window, value = padded_input(graph, maker)
    found = signs_in(graph, x)
    if found is None or value / found.magnitude not in (-1.0, 0.0, 1.0):
        return None
    return Layer(maker, found.tensor, found.magnitude, window, int(value / found.magnitude), sizes)


def is_plain(layer: Node) -> bool:
    """Real-valued, without limits or groups; weights and bias may be stored as integers."""
    op = layer.op
    is_real = all(not t.dtype.is_integer for t in [*layer.activations(), *layer.outputs])
    simple = isinstance(op, Dense) or (isinstance(op, Conv2d) and op.groups == 1)
    return is_real and simple and isinstance(op, Weighted) and op.clip == NO_CLIP and layer.inputs[2].const is not None


def fuse(graph: Graph, sign: Node) -> bool:
    assert isinstance(sign.op, Sign)
    layer, steps = layer_of_signs(graph, sign.inputs[0]), scalings_before(graph, sign.inputs[0])[::-1]
    made = lines_behind(layer, steps) if layer else None
    if layer is None or made is None:
        return False
    if sign.op.at_zero == 0 and any(may_be_zero(line, layer.places) for line in made):
        return False
    limits = [threshold(line, max(layer.places), sign.op.at_zero == 1) for line in made]
    turns = np.where([t.turned for t in limits], -1, 1)
    values = (layer.signs_of_weights.T * turns).T.astype(np.float32)  # the output channels are the first axis
    sources = (s for n in (layer.node, *(step.node for step in steps), sign) for s in n.source)
    sign.source = tuple(dict.fromkeys(sources))
    replace_sign(graph, sign, layer, values, tuple(t.least for t in limits))
    return True


def lines_behind(layer: Layer, steps: list[Step]) -> list[Line] | None:
    """What is compared with zero, as functions of the sums of signs."""
    behind = [(s.scaling.factor, s.scaling.offset) for s in steps]
    return lines(layer.sizes, layer.magnitude, real_values(layer.node.inputs[2]), behind)


def replace_sign(graph: Graph, sign: Node, layer: Layer, values: Array, limits: tuple[int, ...]) -> None:
    """The binary layer in the place of the sign; a fully connected one is a convolution over an image of one row."""
    outputs, channels = len(values), values.shape[-1]
    op = BinaryConv2d(layer.window, layer.fill, limits)
    filters = values.reshape(outputs, *layer.window.kernel, channels)
    name = graph.fresh_name(f"{layer.node.inputs[1].name}_signs")
    weight = replace(constant(name, filters), grid=QuantParams.per_tensor(1.0))
    if isinstance(layer.node.op, Conv2d):
        graph.insert_before(sign, Node(op, [layer.signs, weight], list(sign.outputs), sign.source))
    else:
        x = emit(graph, sign, Reshape((1, 1, layer.signs.size // channels, channels)), layer.signs)
        y = emit(graph, sign, op, x, weight)
        graph.insert_before(sign, Node(Reshape(sign.output.shape), [y], list(sign.outputs), sign.source))
    graph.remove(sign)


def emit(graph: Graph, sign: Node, op: Reshape | BinaryConv2d, *inputs: Tensor) -> Tensor:
    (shape,) = op.infer(*(t.shape for t in inputs))
    y = Tensor(graph.fresh_name(f"{sign.output.name}_row"), shape)
    graph.insert_before(sign, Node(op, list(inputs), [y], sign.source))
    return y


def settle_zero(graph: Graph, sign: Node) -> str:
    """Decide what a Sign that gives 0 at zero means to the binary layers that read it; "" where none does."""
    assert isinstance(sign.op, Sign)
    if sign.op.at_zero or sign.output.dtype.is_integer or not feeds_binary(graph, sign.output):
        return ""
    if layer_of_signs(graph, sign.inputs[0]) or not is_computed(graph, sign.inputs[0]):
        return ZERO_STAYS
    sign.op = Sign(1)
    return ZERO_COUNTS


def is_computed(graph: Graph, tensor: Tensor) -> bool:
    """Whether a layer with real weights, or a normalization, made the values."""
    maker, normalized = graph.producer(tensor), False
    while maker and (scaling := scaling_of(maker)):
        normalized |= isinstance(maker.op, Affine)
        maker = graph.producer(scaling.x)
    return normalized or (maker is not None and isinstance(maker.op, Weighted) and maker.op.clip == NO_CLIP)


def feeds_binary(graph: Graph, tensor: Tensor) -> bool:
    """Whether everybody who reads the values, moved or scaled as they may be, is a layer with binary weights."""
    readers = graph.readers(tensor)
    return bool(readers) and tensor not in graph.outputs and all(reads_binary(graph, r, tensor) for r in readers)


def reads_binary(graph: Graph, reader: Node, tensor: Tensor) -> bool:
    if isinstance(reader.op, (*MOVERS, MaxPool, Pad)) or scaling_of(reader):
        return feeds_binary(graph, reader.output)
    return magnitudes(reader) is not None and reader.inputs[0] is tensor
