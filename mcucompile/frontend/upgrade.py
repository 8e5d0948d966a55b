"""Nodes of opset 7 to 25 as opset 21 writes them, one function per operator that changed in between.

Everything later in mcucompile sees opset 21 only: bounds, axes and sizes are inputs, never attributes; Softmax works
along one axis; Upsample is a Resize. Opsets 22 to 25 changed nothing but types in the operators that are known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from ..ir import Array, OnnxNode, Shape, Unsupported
from .qoperator import EXPANDED, expand

LATEST = 21


class Context(Protocol):
    """What an upgrade may ask for and add."""

    def shape_of(self, name: str) -> Shape:
        """The shape of a value that is already known."""

    def new_constant(self, hint: str, values: Array) -> str:
        """Add a constant; its name."""

    def new_name(self, hint: str) -> str:
        """A name for a value between two new nodes."""


Upgrade = Callable[[OnnxNode, int, Context], list[OnnxNode]]


def upgrade(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """The node in terms of opset 21. Raises Unsupported for a form that has no equivalent."""
    rule = RULES.get(node.op_type)
    nodes = rule(node, opset, context) if rule else [node]
    return [replace(n, opset=LATEST) for n in nodes]


def moved(node: OnnxNode, names: Sequence[str], context: Context, first: int = 1) -> OnnxNode:
    """Attributes as inputs, starting at position `first`; absent ones are empty."""
    inputs = list(node.inputs[:first]) + [""] * (first - len(node.inputs))
    for name in names:
        value = node.attributes.get(name)
        inputs.append("" if value is None else context.new_constant(f"{node.name}_{name}", as_array(value, node)))
    rest = {k: v for k, v in node.attributes.items() if k not in names}
    return replace(node, inputs=tuple(inputs), attributes=rest)


def as_array(value: object, node: OnnxNode) -> Array:
    if not isinstance(value, int | float | tuple):
        raise Unsupported(f"an attribute of {node.op_type} has an unknown type")
    is_float = isinstance(value, float) or (isinstance(value, tuple) and any(isinstance(v, float) for v in value))
    return np.asarray(value, np.float32 if is_float else np.int64)


def clip(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    return [moved(node, ("min", "max"), context)] if opset < 11 else [node]


def pad(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    return [moved(node, ("pads", "value"), context)] if opset < 11 else [node]


def axes(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """Squeeze, Unsqueeze, ReduceSum: `axes` became an input in opset 13."""
    return [moved(node, ("axes",), context)] if opset < 13 else [node]


def reduction(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """The other reductions: opset 18."""
    return [moved(node, ("axes",), context)] if opset < 18 else [node]


def split(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """Sizes were an attribute; without them the parts are equal, which opset 18 says with num_outputs."""
    return [moved(node, ("split",), context)] if opset < 13 else [node]


def slice_(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    return [moved(node, ("starts", "ends", "axes"), context)] if opset < 10 else [node]


def upsample(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """Upsample reads pixel i from i / scale, which Resize calls asymmetric."""
    if opset < 9:
        node = moved(node, ("scales",), context)
    return [resize_10(node)]


def resize(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    return [resize_10(node)] if opset < 11 else [node]


def resize_10(node: OnnxNode) -> OnnxNode:
    x, scales = (*node.inputs, "")[:2]
    attributes = {
        "mode": node.string("mode", "nearest"),
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    return replace(node, op_type="Resize", inputs=(x, "", scales), attributes=attributes)


def dropout(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """Dropout does nothing at inference; its ratio is of no interest."""
    return [replace(node, op_type="Identity", inputs=node.inputs[:1], outputs=node.outputs[:1], attributes={})]


def batch_normalization(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    if opset < 9 and node.integer("spatial", 1) != 1:
        raise Unsupported("spatial=0", "export the model in inference mode with a newer opset")
    if opset >= 14 and node.integer("training_mode"):
        raise Unsupported("training_mode=1", "export the model in inference mode")
    kept = {"epsilon": node.number("epsilon", 1e-5)}
    return [replace(node, outputs=node.outputs[:1], attributes=kept)]


def softmax(node: OnnxNode, opset: int, context: Context) -> list[OnnxNode]:
    """Before opset 13 everything from `axis` on was one long axis, and `axis` was 1 unless given."""
    if opset >= 13:
        return [node]
    shape = context.shape_of(node.inputs[0])
    axis = node.integer("axis", 1)
    axis += len(shape) if axis < 0 else 0
    long = [i for i in range(axis, len(shape)) if shape[i] != 1]
    if len(long) <= 1:
        return [replace(node, attributes={"axis": long[0] if long else len(shape) - 1})]
    flat, done = context.new_name(f"{node.name}_flat"), context.new_name(f"{node.name}_rows")
    target = context.new_constant(f"{node.name}_shape", np.asarray(shape, np.int64))
    return [
        OnnxNode(node.name, "Flatten", node.inputs[:1], (flat,), {"axis": axis}),
        OnnxNode(node.name, node.op_type, (flat,), (done,), {"axis": 1}),
        OnnxNode(node.name, "Reshape", (done, target), node.outputs[:1]),
    ]


REDUCTIONS = ("Max", "Min", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
RULES: dict[str, Upgrade] = {
    "Clip": clip,
    "Pad": pad,
    "Squeeze": axes,
    "Unsqueeze": axes,
    "ReduceSum": axes,
    **{f"Reduce{kind}": reduction for kind in REDUCTIONS},
    "Split": split,
    "Slice": slice_,
    "Upsample": upsample,
    "Resize": resize,
    "Dropout": dropout,
    "BatchNormalization": batch_normalization,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Hardmax": softmax,
    **dict.fromkeys(EXPANDED, expand),
}
