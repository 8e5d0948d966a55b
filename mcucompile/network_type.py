"""What a network computes in, and what --dtype makes of it."""

from __future__ import annotations

from .data import Samples
from .errors import CompileError
from .ir import DType, Graph
from .options import NetworkType, Options
from .passes.quantize import QuantizeOptions


def is_quantized(graph: Graph) -> bool:
    return any(t.quant is not None for t in graph.activations())


def network_type(graph: Graph) -> NetworkType:
    """What a network of its final form computes in."""
    types = {t.dtype for t in graph.activations()}
    if DType.I16 in types:
        return NetworkType.INT16X8
    return NetworkType.INT8 if DType.I8 in types else NetworkType.FLOAT32


def resolve_dtype(graph: Graph, options: Options, samples: Samples | None) -> NetworkType:
    """What --dtype means for this network. Raises E0201 and E0205."""
    asked = options.dtype
    if is_quantized(graph):
        wide = any(t.dtype is DType.I16 for t in graph.activations())
        given = NetworkType.INT16X8 if wide else NetworkType.INT8
        if asked not in (NetworkType.AUTO, given):
            raise CompileError(
                "E0205", f"the model is quantized to {given.value}, not {asked.value}",
                fix=f"leave --dtype {asked.value} away, or give the float model",
            )  # fmt: skip
        return given
    dtype = NetworkType.INT8 if asked is NetworkType.AUTO else asked
    if dtype is not NetworkType.FLOAT32 and samples is None:
        raise CompileError(
            "E0201", "the model is float, and making it int8 needs calibration data",
            fix="add --calibration DATA.npz, or --dtype float32 to compute in floats",
        )  # fmt: skip
    return dtype


def quantize_options(dtype: NetworkType, options: Options) -> QuantizeOptions:
    kind = DType.I8 if dtype is NetworkType.INT8 else DType.I16
    return QuantizeOptions(kind, options.ranges.value, options.equalize.value, options.correct_bias.value)
