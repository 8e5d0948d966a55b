"""Keep the signs that binary layers read as bits.

    %s: int8 = sign<at_zero=1>(%x); %y = conv2d(%s, %w, %b)
    -->   %s: uint32 = pack_signs(%x); %y = binary_conv2d(%s, %w, %b)

    %s: int8 = binary_conv2d<thresholds=..>(..)   -->   %s: uint32 = binary_conv2d<thresholds=.., packs=True>(..)
    %p: int8 = max_pool(%s)                       -->   %p: uint32 = binary_max_pool(%s)

A layer with one magnitude of weights per output channel becomes binary where it pays; its sums are the same integers,
so its requantization stays. Who else reads the signs gets them as numbers still, and where operators move them that
know nothing of bits, they are packed behind these.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..ir import DType, Graph, Node, Op, Tensor, constant
from ..ops.binary_conv2d import BinaryConv2d
from ..ops.binary_max_pool import BinaryMaxPool
from ..ops.bits import WORD_BITS, packed_shape
from ..ops.conv2d import Conv2d
from ..ops.dense import Dense
from ..ops.max_pool import MaxPool
from ..ops.pack_signs import PackSigns
from ..ops.reshape import Reshape
from ..ops.sign import Sign
from ..ops.window import Window
from .base import Pass
from .bipolar import is_signs, magnitudes, padded_input

LEAST_CHANNELS = 16  # below, a word of bits is so empty that int8 kernels are as fast


@dataclass(frozen=True)
class PackBits(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        return Packing(graph).run()


@dataclass(eq=False)
class Packing:
    """A graph under change; `bits` has the packed form of tensors of signs."""

    graph: Graph
    bits: dict[Tensor, Tensor] = field(default_factory=dict)
    copies: dict[Tensor, Node] = field(default_factory=dict)

    def run(self) -> int:
        changes = 0
        for node in list(self.graph.nodes):
            if takes_signs(self.graph, node):
                self.convert(node)
                changes += 1
        self.graph.remove_unread()
        for tensor, copy in self.copies.items():
            self.settle(tensor, copy)
        return changes

    def convert(self, node: Node) -> None:
        """Let a layer read bits."""
        op, (x, *others) = node.op, node.inputs
        if isinstance(op, BinaryConv2d):
            node.inputs = [self.packed(x), *others]
        elif isinstance(op, Conv2d):
            inner, window, value = padded_input(self.graph, node)
            if abs(value) != 1.0:
                inner, window, value = x, op.window, 0.0
            node.inputs = [self.packed(inner), self.weight(node), others[1]]
            node.op = BinaryConv2d(window, int(value), clip=op.clip, requant=op.requant)
        else:
            self.convert_dense(node)

    def convert_dense(self, node: Node) -> None:
        """A convolution over an image of one row."""
        assert isinstance(node.op, Dense)
        (x, w, b), y = node.inputs, node.output
        outputs, channels = w.shape
        packed, weight = self.packed(x), self.weight(node)
        assert weight.const is not None
        row = self.emit(node, Reshape((1, 1, x.size // channels, packed.shape[-1])), packed)
        weight = constant(w.name, weight.const.reshape(outputs, 1, 1, channels), weight.quant)
        result = Tensor(self.graph.fresh_name(f"{y.name}_row"), (1, 1, x.size // channels, outputs), y.dtype, y.quant)
        node.op = BinaryConv2d(Window((1, 1)), clip=node.op.clip, requant=node.op.requant)
        node.inputs, node.outputs = [row, weight, b], [result]
        self.graph.insert_after(node, Node(Reshape(y.shape), [result], [y], node.source))

    def weight(self, node: Node) -> Tensor:
        """The weights, times the stored integer that 1 is among the signs."""
        x, w, _ = node.inputs
        units = units_of(x)
        if units == 1:
            return w
        assert w.const is not None and w.quant and x.quant
        scales = tuple(s * x.quant.scale for s in w.quant.scales)
        return constant(
            w.name, w.const.astype(np.int16) * np.int16(units), replace(w.quant, scales=scales, dtype=DType.I16)
        )

    def packed(self, tensor: Tensor) -> Tensor:
        if tensor not in self.bits:
            self.bits[tensor] = self.pack(tensor)
        return self.bits[tensor]

    def pack(self, tensor: Tensor) -> Tensor:
        """The signs in words, computed as such where that is possible."""
        maker = self.graph.producer(tensor)
        assert maker is not None, f"%{tensor.name} is an input, and nobody knows that it holds signs"
        match maker.op:
            case Sign():
                return self.after(maker, PackSigns(maker.op.at_zero == 1), maker.inputs, tensor)
            case BinaryConv2d():
                bits = self.after(maker, replace(maker.op, packs=True), maker.inputs, tensor)
                self.copies[tensor] = self.made(bits)
                return bits
            case MaxPool():
                return self.after(maker, BinaryMaxPool(maker.op.window), [self.packed(maker.inputs[0])], tensor)
            case Reshape() if keeps_words(maker):
                return self.after(maker, Reshape(packed_shape(tensor.shape)), [self.packed(maker.inputs[0])], tensor)
        return self.after(maker, PackSigns(), [tensor], tensor)

    def after(self, anchor: Node, op: Op, inputs: list[Tensor], like: Tensor) -> Tensor:
        """A node behind another that computes the bits of a tensor."""
        bits = Tensor(self.graph.fresh_name(f"{like.name}_bits"), packed_shape(like.shape), DType.U32)
        self.graph.insert_after(anchor, Node(op, inputs, [bits], anchor.source))
        return bits

    def emit(self, before: Node, op: Reshape, x: Tensor) -> Tensor:
        y = Tensor(self.graph.fresh_name(f"{x.name}_row"), op.shape, x.dtype)
        self.graph.insert_before(before, Node(op, [x], [y], before.source))
        return y

    def made(self, tensor: Tensor) -> Node:
        maker = self.graph.producer(tensor)
        assert maker is not None
        return maker

    def settle(self, tensor: Tensor, copy: Node) -> None:
        """Compute nothing twice: where somebody reads the signs as numbers, these are packed."""
        if self.graph.producer(tensor) is not None and copy in self.graph.nodes:
            copy.op, copy.inputs = PackSigns(), [tensor]


def takes_signs(graph: Graph, node: Node) -> bool:
    """Whether a binary layer can compute the node, or does already, and reads its signs as numbers."""
    x = node.inputs[0]
    maker = graph.producer(x)
    if maker is None or x.dtype is DType.U32 or not is_signs(graph, maker):
        return False
    if isinstance(node.op, BinaryConv2d):
        return True
    if not isinstance(node.op, Conv2d | Dense) or x.shape[-1] < LEAST_CHANNELS:
        return False
    return not (isinstance(node.op, Conv2d) and node.op.groups > 1) and sums_fit(node)


def sums_fit(node: Node) -> bool:
    """Whether the weights have one magnitude in each channel, which 16 bits hold, and the sums fit 32 bits."""
    x, w, b = node.inputs
    sizes = magnitudes(node)
    if sizes is None or w.const is None or b.const is None:
        return False
    if not node.output.dtype.is_integer:
        return True
    steps = sizes * units_of(x)
    reach = steps * (w.size // len(steps)) + np.abs(b.const.astype(np.float64))
    return bool(steps.max() <= DType.I16.high and reach.max() < DType.I32.high)


def units_of(signs: Tensor) -> int:
    """The stored integer of 1, less the zero point."""
    return signs.quant.integer(1.0) - signs.quant.zero if signs.quant else 1


def keeps_words(reshape: Node) -> bool:
    """Whether the words of both shapes hold the same signs in the same order."""
    before, after = reshape.inputs[0].shape[-1], reshape.output.shape[-1]
    return before == after or before % WORD_BITS == after % WORD_BITS == 0
