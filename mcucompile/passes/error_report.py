"""Where quantization loses: the signal-to-quantization-noise ratio of every layer on the calibration samples.

*cumulative* compares the integer network's tensor with the float network's: what arrived from all layers before, too.
*alone* feeds the layer's integer form with the float network's own, quantized inputs: what this layer costs. The layer
with the lowest ratio alone is the one to look at first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..ir import Array, Graph, Node, ScaleRule, Tensor
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from ..ops.requantize import Requantize
from ..reference import quantized_inputs, run_node
from .calibrate import Batch, Runner, Samples, count_of, runner
from .quantization_rules import rule

BRIDGES = (Dequantize, Quantize, Requantize)  # what quantization inserts


@dataclass(frozen=True)
class LayerError:
    """Ratios in decibels; None where there was no error, and for `alone` where the operator only moves values."""

    tensor: str
    op: str
    source: tuple[str, ...]
    cumulative: float | None
    alone: float | None


@dataclass
class Power:
    """Sums of squares of a signal and of its error."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, want: Array, got: Array) -> None:
        wide = want.astype(np.float64)
        self.signal += float(np.square(wide).sum())
        self.noise += float(np.square(wide - got).sum())

    @property
    def decibels(self) -> float | None:
        if self.noise == 0:
            return None
        return 10 * math.log10(max(self.signal, 1e-30) / self.noise)


@dataclass(eq=False)
class Loss:
    """What one layer lost so far."""

    cumulative: Power = field(default_factory=Power)
    alone: Power = field(default_factory=Power)


def layer_errors(original: Graph, integer: Graph, samples: Samples) -> list[LayerError]:
    """One entry per operator of the integer graph that came from `original`, in order of execution.

    Tensors of the two graphs belong together by name. Of an equalized network, `original` is the equalized float graph.
    """
    chunk = min(runner(original, samples).chunk, runner(integer, quantized_inputs(integer, samples)).chunk)
    floats, integers = Runner(original, chunk), Runner(integer, chunk)
    losses = {n: Loss() for n in integer.nodes if not isinstance(n.op, BRIDGES)}
    for part in floats.parts(samples):
        real = {t.name: v for t, v in floats.trace(part).items()}
        stored = integers.trace(quantized_inputs(integer, part))
        for node, loss in losses.items():
            for t in node.outputs:
                loss.cumulative.add(real[t.name], real_of(t, stored[t]))
        for node, results in outputs_alone(integer, integers.batch(count_of(part)), real):
            for t, value in zip(node.outputs, results, strict=True):
                losses[node].alone.add(real[t.name], real_of(t, value))
    return [layer_error(node, loss) for node, loss in losses.items()]


def outputs_alone(graph: Graph, batch: Batch, real: Mapping[str, Array]) -> Iterator[tuple[Node, list[Array]]]:
    """Every operator's stored outputs when its inputs are the float network's values, quantized."""
    origins = origin_names(graph)
    for node, twin in zip(graph.nodes, batch.graph.nodes, strict=True):
        if isinstance(node.op, BRIDGES):
            continue
        values: dict[Tensor, Array] = {}
        for t, stacked in zip(node.inputs, twin.inputs, strict=True):
            if t.const is None:
                value = real[origins[t]]
                values[stacked] = t.quant.quantize(value) if t.quant else value
        run_node(twin, values)
        yield node, [values[t] for t in twin.outputs]


def origin_names(graph: Graph) -> dict[Tensor, str]:
    """The float tensor that each activation stands for, through Quantize, Dequantize and Requantize."""
    names = {t: t.name for t in graph.inputs}
    for node in graph.nodes:
        is_bridge = isinstance(node.op, BRIDGES)
        names.update((t, names[node.inputs[0]] if is_bridge else t.name) for t in node.outputs)
    return names


def layer_error(node: Node, loss: Loss) -> LayerError:
    has_alone = rule(node) is not ScaleRule.TIED
    alone = loss.alone.decibels if has_alone else None
    return LayerError(node.outputs[0].name, node.op.name, node.source, loss.cumulative.decibels, alone)


def weakest(errors: Sequence[LayerError]) -> str | None:
    """The tensor of the layer that loses most by itself; None when no layer loses anything."""
    lossy = [(e.alone, e.tensor) for e in errors if e.alone is not None]
    return min(lossy)[1] if lossy else None


def real_of(tensor: Tensor, stored: Array) -> Array:
    return tensor.quant.dequantize(stored) if tensor.quant else stored
