"""The graph, its values, and what an operator is. Imports nothing of mcucompile but errors."""

from .axes import Perm, composed, inverse, keeps_order
from .constants import constant, permute_constant, real_values, reshape_constant
from .dtype import Array, DType, Shape
from .graph import Graph, Node, Tensor, identifier, unique_identifier, verify
from .onnx_node import Attribute, Builder, Exporter, OnnxNode, Unsupported, nchw, nhwc, permuted
from .op import NO_CLIP, Arrays, Band, Clip, Moved, Op, ScaleRule, centre, integer_clip
from .program import Argument, Bank, CArray, KernelInstance, Placement, Port, Program, Step
from .quant import Numerics, QuantParams, Requant, Rounding, requant, saturate
from .shares import code_by_function, code_by_step, constants_by_step, shared_out
from .text import graph_text

# fmt: off
__all__ = [
    "Argument", "Array", "Arrays", "Attribute", "Band", "Bank", "Builder", "CArray", "Clip", "DType", "Exporter",
    "Graph", "KernelInstance", "Moved", "NO_CLIP", "Node", "Numerics", "OnnxNode", "Op", "Perm", "Placement", "Port",
    "Program", "QuantParams", "Requant", "Rounding", "ScaleRule", "Shape", "Step", "Tensor", "Unsupported", "centre",
    "code_by_function", "code_by_step", "composed", "constant", "constants_by_step", "graph_text", "identifier",
    "integer_clip", "inverse", "keeps_order", "nchw", "nhwc", "permute_constant", "permuted", "real_values", "requant",
    "reshape_constant", "saturate", "shared_out", "unique_identifier", "verify",
]
