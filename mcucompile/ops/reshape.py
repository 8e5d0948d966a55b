"""Another shape for the same elements in the same order. It costs nothing: both tensors share one buffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Arrays, Builder, DType, Exporter, Node, OnnxNode, Shape, Unsupported
from .same_scale import SameScale

ONNX_FLOAT = 1  # TensorProto.FLOAT


@dataclass(frozen=True)
class Reshape(SameScale):
    """y = x with shape `shape`."""

    shape: Shape

    name = "reshape"
    onnx = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast")

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        assert np.prod(shapes[0]) == np.prod(self.shape), f"{shapes[0]} does not fill {self.shape}"
        return (self.shape,)

    def reference(self, *args: Array) -> Arrays:
        return (args[0].reshape(self.shape),)

    def is_homogeneous(self, node: Node, channels: int) -> bool:
        """Where the channels stay innermost, whole or repeated."""
        return node.inputs[0].shape[-1] % channels == 0 and node.output.shape[-1] % channels == 0

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        x = build.input(node, 0)
        if node.op_type == "Cast" and (node.integer("to") != ONNX_FLOAT or not (x.quant or x.dtype is DType.F32)):
            raise Unsupported("a cast to or from another type than float32")
        values = build.values(node, 1) if node.op_type in ("Reshape", "Squeeze", "Unsqueeze") else None
        shape = target_shape(node, x.shape, () if values is None else tuple(int(v) for v in values.ravel()))
        build.result(node, x if shape == x.shape else build.emit(cls(shape), x, name=node.name))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        shape = export.initializer("shape", np.asarray(self.shape, np.int64))
        export.result(node, export.node("Reshape", [export.value(node.inputs[0]), shape])[0])


def target_shape(node: OnnxNode, shape: Shape, operand: tuple[int, ...]) -> Shape:
    """The output shape of one of the ONNX operators that only reshape; `operand` is the second input."""
    rank = len(shape)
    match node.op_type:
        case "Flatten":
            axis = node.integer("axis", 1)
            axis += rank if axis < 0 else 0
            return int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))
        case "Squeeze":
            axes = {a % rank for a in operand} or {i for i, d in enumerate(shape) if d == 1}
            return tuple(d for i, d in enumerate(shape) if i not in axes)
        case "Unsqueeze":
            grown = rank + len(operand)
            axes, rest = {a % grown for a in operand}, iter(shape)
            return tuple(1 if i in axes else next(rest) for i in range(grown))
        case "Reshape":
            return resolve(shape, operand, bool(node.integer("allowzero")))
    return shape


def resolve(shape: Shape, wanted: tuple[int, ...], allow_zero: bool) -> Shape:
    """ONNX Reshape: 0 copies a dimension, -1 is what remains."""
    if not allow_zero and 0 in wanted[len(shape) :]:
        raise Unsupported("a shape with 0 beyond the input's dimensions")
    copied = tuple(shape[i] if d == 0 and not allow_zero else d for i, d in enumerate(wanted))
    known = int(np.prod([d for d in copied if d != -1], dtype=np.int64))
    total = int(np.prod(shape, dtype=np.int64))
    result = tuple(total // known if d == -1 and known else d for d in copied)
    if int(np.prod(result, dtype=np.int64)) != total:
        raise Unsupported(f"a shape of {list(wanted)} for {total} elements")
    return result
