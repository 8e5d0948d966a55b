"""What an operator is: one subclass, in one file, says everything about one operator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from .axes import Perm
from .dtype import Array, DType, Shape
from .quant import Numerics, QuantParams, Requant

if TYPE_CHECKING:
    from .graph import Node
    from .onnx_node import Builder, Exporter, OnnxNode

Arrays = tuple[Array, ...]


@dataclass(frozen=True)
class Clip:
    """The activation fused into an operator: real results are limited to [low, high]."""

    low: float = -np.inf
    high: float = np.inf

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]"

    def then(self, after: Clip) -> Clip:
        """This clip followed by another."""
        return Clip(min(max(self.low, after.low), after.high), max(min(self.high, after.high), after.low))

    @property
    def is_homogeneous(self) -> bool:
        """Whether limiting commutes with a positive factor."""
        return self in (NO_CLIP, Clip(0.0))


NO_CLIP = Clip()


class ScaleRule(Enum):
    """What an operator's output scale follows from when a float network is quantized."""

    WEIGHTED = "inputs x, constant weights, constant bias; the output has a range of its own"
    FREE = "inputs and outputs have ranges of their own"
    TIED = "all activations have one scale and zero point"
    FIXED = "the output range follows from the operator's meaning: `fixed_quant`"
    FLOAT = "computed on real numbers"


@dataclass(frozen=True)
class Moved:
    """op(transpose(x, perm)) = transpose(self.op(x), self.perm)."""

    op: Op
    perm: Perm


@dataclass(frozen=True)
class Band:
    """What computes some rows (axis 1) of an output alone: `op` on these rows of each input, None for all of it."""

    op: Op
    rows: tuple[range | None, ...]


class Op(ABC):
    """Subclasses are frozen dataclasses; their fields are the operator's attributes.

    `reference` is the operator's meaning on real numbers and, where the operator is a sum of products or only moves
    values, on centred integers (q - zero) alike. `reference_int` is its meaning on stored integers: by default it
    centres, calls `reference`, requantizes with `self.requant`, adds the output's zero point and saturates.
    Operators with a fixed point of their own override it. `fix` computes the fixed-point constants once scales are
    known, and is the only place where they come from.

    The other class variables and methods tell passes what they may do with the operator. Their defaults are always
    right: such an operator stays float when a network is quantized, and transpositions and factors stay before it.
    """

    name: ClassVar[str]
    onnx: ClassVar[tuple[str, ...]] = ()  # names of the ONNX operators that `from_onnx` imports
    scales: ClassVar[ScaleRule] = ScaleRule.FLOAT
    # One activation in, one out of the same shape, every value computed from the one in its place.
    elementwise: ClassVar[bool] = False
    # Whether a constant input is an operand like the activations and has their axes, which weights do not.
    constants_move: ClassVar[bool] = False
    # Types of activations with which numerics=tflite was compared byte for byte with TensorFlow Lite Micro's kernels.
    tflite_types: ClassVar[frozenset[DType]] = frozenset()

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        """Emit what the ONNX node means through `build`. Raises `Unsupported` for what cannot be compiled."""
        raise NotImplementedError(cls.__name__)

    def to_onnx(self, node: Node, export: Exporter) -> None:
        """Write this node, on real numbers, as standard ONNX operators."""
        raise NotImplementedError(type(self).__name__)

    @abstractmethod
    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        """The outputs' shapes."""

    @abstractmethod
    def reference(self, *args: Array) -> Arrays:
        """The meaning, one array per output."""

    def fix(self, node: Node, numerics: Numerics) -> Self:
        """This operator with its fixed-point constants, from the scales of the node's tensors."""
        return self

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        """Stored integers in, stored integers out: the definition of the right bits."""
        centred = [centre(x, t.quant.zero if t.quant else 0) for x, t in zip(stored, node.inputs, strict=True)]
        requant: Requant | None = getattr(self, "requant", None)
        outputs: list[Array] = []
        for acc, t in zip(self.reference(*centred), node.outputs, strict=True):
            low, high = integer_clip(getattr(self, "clip", NO_CLIP), node)
            scaled = requant.apply(acc) if requant else acc
            zero = t.quant.zero if t.quant else 0
            outputs.append(np.clip(scaled + zero, low, high).astype(t.dtype.numpy))
        return tuple(outputs)

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        """The largest magnitude of the integer that is requantized: per output channel, or one, or () where none is."""
        return ()

    def sum_bound(self, node: Node) -> int | None:
        """The largest of them, or None for operators without sums."""
        return max(self.sum_bounds(node), default=None)

    def macs(self, node: Node) -> int:
        """Multiplications of a weight or activation with an activation in one run."""
        return 0

    def fixed_quant(self, dtype: DType) -> QuantParams:
        """The output's quantization where `scales` is FIXED."""
        raise NotImplementedError(type(self).__name__)

    def moved(self, perm: Perm) -> Moved | None:
        """The same operator behind which the transposition comes instead of before; None where there is none."""
        return Moved(self, perm) if self.elementwise else None

    def band(self, node: Node, rows: range) -> Band | None:
        """What computes `rows` (axis 1) of the only output with the same bits; None where that is not possible."""
        return Band(self, (rows,)) if self.elementwise else None

    def is_homogeneous(self, node: Node, channels: int) -> bool:
        """Whether a positive factor for each of `channels` innermost channels may come behind instead of before."""
        return False

    def has_tflite_bits(self, node: Node) -> bool:
        """Whether a node with fixed-point constants for numerics=tflite gives TensorFlow Lite Micro's very bits.

        Elsewhere it follows the formula of numerics=onnx, because TensorFlow Lite has no such operator or rounds
        otherwise.
        """
        types = {t.dtype for t in [*node.activations(), *node.outputs]} - {DType.F32}
        return bool(self.tflite_types) and types <= self.tflite_types

    def __str__(self) -> str:
        shown = ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        attrs = ", ".join(f"{name}={text_of(value)}" for name, value in shown if value is not None and value != NO_CLIP)
        return f"{self.name}<{attrs}>" if attrs else self.name


def text_of(value: object) -> str:
    """An attribute in the text form of the IR; long tuples (tables, multipliers) by length and checksum."""
    if isinstance(value, Requant):
        return (
            f"{text_of(value.multipliers)}>>{text_of(tuple(sorted(set(value.shifts))))} {value.rounding.name.lower()}"
        )
    if isinstance(value, tuple) and len(value) > 8:
        checksum = sum((i + 1) * hash(v) for i, v in enumerate(value)) % 1_000_003
        return f"({len(value)} values #{checksum})"
    return str(value)


def centre(stored: Array, zero: int) -> Array:
    return stored.astype(np.int64) - zero


def integer_clip(clip: Clip, node: Node) -> tuple[int, int]:
    """The clip's bounds as stored integers of the node's output."""
    quant = node.outputs[0].quant
    if quant is None:
        return node.outputs[0].dtype.low, node.outputs[0].dtype.high
    return quant.integer(clip.low), quant.integer(clip.high)
