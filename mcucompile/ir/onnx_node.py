"""What an operator file sees of ONNX: one node to read, and one graph to write, without importing onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from .dtype import Array, Shape
from .graph import Node, Tensor
from .op import Op

Attribute = int | float | str | Array | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True)
class OnnxNode:
    """One ONNX node. Absent optional inputs are the empty string. `opset` is at least 13: older files are converted.

    `source` names the nodes that it stands for: itself or, in a file that mcucompile wrote, those of the first model.
    """

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    opset: int = 21
    origin: tuple[str, ...] = ()

    @property
    def source(self) -> tuple[str, ...]:
        return self.origin or (self.name,)

    def integer(self, name: str, default: int = 0) -> int:
        value = self.attributes.get(name, default)
        return value if isinstance(value, int) else self.mistyped(name)

    def number(self, name: str, default: float = 0.0) -> float:
        value = self.attributes.get(name, default)
        return float(value) if isinstance(value, int | float) else self.mistyped(name)

    def string(self, name: str, default: str = "") -> str:
        value = self.attributes.get(name, default)
        return value if isinstance(value, str) else self.mistyped(name)

    def ints(self, name: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        value = self.attributes.get(name, tuple(default))
        if not isinstance(value, tuple):
            self.mistyped(name)
        return tuple(v if isinstance(v, int) else self.mistyped(name) for v in value)

    def mistyped(self, name: str) -> NoReturn:
        """A file may give an attribute any type."""
        raise Unsupported(f"attribute {name}={self.attributes[name]!r} has a type that {self.op_type} does not know")

    def has_input(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] != ""


class Unsupported(Exception):
    """Raised by `Op.from_onnx` for what cannot be compiled; the front-end collects all of them into one E0103."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


class Builder(Protocol):
    """What `Op.from_onnx` writes to. Tensors that it sees keep the model file's axis order."""

    def input(self, node: OnnxNode, index: int) -> Tensor:
        """The tensor that is the node's input."""

    def optional(self, node: OnnxNode, index: int) -> Tensor | None:
        """The same, or None when the input is absent."""

    def constant_input(self, node: OnnxNode, index: int) -> Tensor | None:
        """An input that must be constant, possibly quantized; None when it is absent.

        Raises Unsupported when it is not constant, which lists the node as unsupported.
        """

    def values(self, node: OnnxNode, index: int) -> Array | None:
        """The same as plain numbers: float32 (dequantized where it is quantized) or int64."""

    def constant(self, name: str, values: Array | Tensor) -> Tensor:
        """A new constant tensor with a unique name: from numbers, or from a constant with its quantization."""

    def emit(self, op: Op, *inputs: Tensor, name: str = "") -> Tensor:
        """A new node with one output; the output's tensor. `name` is a hint."""

    def emit_many(self, op: Op, *inputs: Tensor, names: Sequence[str] = ()) -> list[Tensor]:
        """A new node with several outputs."""

    def result(self, node: OnnxNode, *outputs: Tensor) -> None:
        """These tensors are the ONNX node's outputs."""


class Exporter(Protocol):
    """What `Op.to_onnx` writes to: names of real-valued (dequantized) tensors in, standard ONNX nodes out."""

    def value(self, tensor: Tensor) -> str:
        """The name of the real-valued tensor (a constant's becomes an initializer, behind its DequantizeLinear)."""

    def initializer(self, hint: str, values: Array) -> str:
        """A new constant (int64 shapes, float scalars)."""

    def node(self, op_type: str, inputs: Sequence[str], outputs: int = 1, **attributes: Attribute) -> list[str]:
        """A new ONNX node; the names of its outputs."""

    def transpose(self, value: str, perm: Sequence[int]) -> str:
        """A Transpose node, or the value itself where `perm` is the identity."""

    def result(self, node: Node, *values: str) -> None:
        """These are the real values of the node's outputs; quantized outputs get their QuantizeLinear."""


def nchw(rank: int) -> tuple[int, ...]:
    """The permutation from channels-last to ONNX's channels-first order."""
    return (0, rank - 1, *range(1, rank - 1))


def nhwc(rank: int) -> tuple[int, ...]:
    """The permutation from ONNX's channels-first order to channels-last."""
    return (0, *range(2, rank), 1)


def permuted(shape: Shape, perm: Sequence[int]) -> Shape:
    return tuple(shape[p] for p in perm)
