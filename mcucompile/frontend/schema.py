"""Does a node have the inputs and attributes that ONNX's definition of its operator asks for?"""

from __future__ import annotations

import numpy as np
from onnx import defs

from ..errors import CompileError
from ..ir import Attribute, OnnxNode
from .order import where_of

OWN_TYPES: dict[str, type | tuple[type, ...]] = {
    "FLOAT": float, "INT": int, "STRING": str, "TENSOR": np.ndarray, "FLOATS": tuple, "INTS": tuple, "STRINGS": tuple,
}  # fmt: skip
WINDOW = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 0, "output_padding": 0}
LARGEST_WINDOW = 4096


def check_node(node: OnnxNode, opset: int) -> None:
    """Raises E0107 for a node that contradicts its definition; operators without one are reported elsewhere."""
    if not defs.has(node.op_type, ""):
        return
    try:
        schema = defs.get_schema(node.op_type, opset, "")
    except defs.SchemaError:
        return
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        raise contradiction(node, f"{len(node.inputs)} inputs instead of {schema.min_input} to {schema.max_input}")
    if not schema.min_output <= len(node.outputs) <= schema.max_output:
        raise contradiction(node, f"{len(node.outputs)} outputs instead of {schema.min_output} to {schema.max_output}")
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in node.attributes:
            raise contradiction(node, f"attribute {name} is missing")
        type_name = str(attribute.type).rpartition(".")[2]
        if name in node.attributes and not fits(node.attributes[name], type_name):
            raise contradiction(node, f"attribute {name} is not of type {type_name}")
    check_window(node)
    unknown = sorted(set(node.attributes) - set(schema.attributes))
    if unknown:
        raise contradiction(node, f"{node.op_type} has no attribute {unknown[0]}")


def check_window(node: OnnxNode) -> None:
    """Sizes of a convolution's or a pool's window are positive, its padding is not negative, and neither is huge."""
    for name, least in WINDOW.items():
        if node.op_type != "Pad" and not all(least <= size <= LARGEST_WINDOW for size in node.ints(name)):
            raise contradiction(node, f"attribute {name} has the value {list(node.ints(name))}")


def fits(value: Attribute, type_name: str) -> bool:
    """Lists may be empty; their elements are of the type that the file says."""
    if not isinstance(value, OWN_TYPES.get(type_name, ())):
        return False
    element = {"FLOATS": float, "INTS": int, "STRINGS": str}.get(type_name)
    return element is None or all(isinstance(v, element) for v in (value if isinstance(value, tuple) else ()))


def contradiction(node: OnnxNode, what: str) -> CompileError:
    return CompileError("E0107", what, where_of(node), fix="the file is damaged, or was written for another opset")
