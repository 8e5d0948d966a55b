"""Post-training quantization: a float graph becomes an integer graph of the kind that importing a QDQ file gives.

before   %y: float32 = conv2d(%x: float32, %w: float32, %b: float32)
after    %y: int8 = conv2d(%x: int8, %w: int8 per channel, %b: int32), with its requantization fixed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..ir import DType, Graph, QuantParams, Tensor
from .calibrate import METHODS, Samples, observe, runner
from .convert import convert
from .quantization_plan import plan

Ranges = Literal["auto", "minmax", "percentile", "mse", "entropy"]
Choice = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class QuantizeOptions:
    """How to quantize. `auto` decides by the error of the network's outputs on the calibration samples.

    `dtype` is the type of activations, int8 or int16; weights are int8 with either.
    """

    dtype: DType = DType.I8
    ranges: Ranges = "auto"
    equalize: Choice = "auto"
    correct_bias: Choice = "auto"


@dataclass(frozen=True)
class QuantizationReport:
    """What was decided, for report.json."""

    ranges: str
    tensors: dict[str, QuantParams] = field(default_factory=dict)


def quantize(graph: Graph, samples: Samples, options: QuantizeOptions) -> QuantizationReport:
    """Quantize `graph` in place. `samples` maps each graph input to [samples, *input shape].

    Batch normalization and activations should be folded before. Graph inputs and outputs become integers where an
    integer operator reads or computes them. Raises E0202 for samples that make the float network overflow.
    """
    run = runner(graph, samples)
    histograms = observe(graph, run, samples)
    method = "minmax" if options.ranges == "auto" else options.ranges
    ranges = {t: METHODS[method](h, options.dtype) for t, h in histograms.items()}
    integer = convert(graph, plan(graph, ranges, options.dtype), options.dtype)
    graph.inputs, graph.outputs, graph.nodes = integer.inputs, integer.outputs, integer.nodes
    return QuantizationReport(method, quantized_activations(graph))


def quantized_activations(graph: Graph) -> dict[str, QuantParams]:
    return {t.name: t.quant for t in tensors(graph) if t.quant}


def tensors(graph: Graph) -> list[Tensor]:
    return list(graph.activations())
