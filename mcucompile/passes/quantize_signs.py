"""Let a layer whose result only its sign matters of compute on integers.

    %a = dequantize(%q); %y = conv2d(%a, %w: int8, %b); %s = sign<at_zero=1>(%y)
    -->  %y = conv2d(%a, %w, %c); %z: int8 = quantize(%y); %r = dequantize(%z); %s = sign<at_zero=1>(%r)

where the step of %z is that of the layer's sums S. The sign is that of S + t, t = b / step; with S a whole number,
S + t >= 0 is S + floor(t) >= 0, so that c = floor(t) steps decides alike. A factor per channel, which the scales of the
weights hold, changes no sign: all channels get the same scale. AbsorbQdq makes integer operators of both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ir import NO_CLIP, Array, DType, Graph, Node, QuantParams, Tensor, constant, real_values
from ..ops.dequantize import Dequantize
from ..ops.quantize import Quantize
from ..ops.sign import Sign
from ..ops.weighted import Weighted
from .base import Pass
from .fold_batchnorm import real_layer
from .quantized_layer import sum_steps, symmetric

NEAR = 1e-5  # relative: what float32 may have made of a whole number of steps


@dataclass(frozen=True)
class QuantizeSigns(Pass):
    """Inexact in that real sums are rounded, and integer ones are not."""

    exact = False

    def run(self, graph: Graph) -> int:
        return sum([rewrite(graph, n) for n in list(graph.nodes) if isinstance(n.op, Sign)])


def rewrite(graph: Graph, sign: Node) -> bool:
    layer = graph.producer(sign.inputs[0])
    x = stored_input(graph, layer) if layer else None
    if layer is None or x is None or graph.only_reader(layer.output) is not sign:
        return False
    assert isinstance(sign.op, Sign) and isinstance(layer.op, Weighted) and x.quant
    weight, bias = symmetric(layer.inputs[1]), layer.inputs[2]
    if weight.dtype is not DType.I8:
        return False
    found = whole_steps(real_values(bias).astype(np.float64) / sum_steps(x, weight), sign.op.at_zero)
    if found is None:
        return False
    steps, sign.op = found
    layer.inputs[1:] = with_one_scale(graph, layer, x.quant, weight, steps)
    step = QuantParams.per_tensor(x.quant.scale * layer.inputs[1].quant.scales[0])  # type: ignore[union-attr]
    through_integers(graph, layer.output, step)
    if not isinstance(getattr(graph.only_reader(sign.output), "op", None), Quantize):
        through_integers(graph, sign.output, Sign().fixed_quant(DType.I8))
    return True


def stored_input(graph: Graph, layer: Node) -> Tensor | None:
    """The int8 tensor that a layer with stored weights, per output channel, reads as real numbers."""
    op = real_layer(layer)
    maker = graph.producer(layer.inputs[0]) if op else None
    if op is None or maker is None or not isinstance(maker.op, Dequantize) or op.clip != NO_CLIP:
        return None
    weight, (x,) = layer.inputs[1], maker.inputs
    fits = weight.quant is not None and weight.quant.axis in (None, op.weight_axis) and weight.dtype.is_integer
    return x if fits and x.dtype is DType.I8 and layer.inputs[2].const is not None else None


def whole_steps(bias: Array, at_zero: int) -> tuple[Array, Sign] | None:
    """Whole numbers that decide like `bias` beside a whole sum; None where only some channels can give zero."""
    nearest = np.rint(bias)
    is_whole = np.abs(bias - nearest) <= NEAR * np.maximum(1, np.abs(bias))
    if at_zero == 0 and is_whole.any():
        return (nearest, Sign(0)) if is_whole.all() else None
    if at_zero >= 0:
        return np.where(is_whole, nearest, np.floor(bias)), Sign(1)
    return np.where(is_whole, nearest, np.ceil(bias)), Sign(-1)


def with_one_scale(graph: Graph, layer: Node, x: QuantParams, weight: Tensor, bias: Array) -> list[Tensor]:
    """Weights and bias; a bias beyond every sum is cut."""
    op = layer.op
    assert isinstance(op, Weighted) and weight.const is not None and weight.quant
    reach = np.abs(weight.const.astype(np.int64)).sum(axis=op.other_axes(weight.shape)) * 255 + 1
    stored = np.clip(bias, -reach, reach).astype(np.int32)
    scale = max(weight.quant.scales)
    quant = QuantParams((scale,) * stored.size, 0, DType.I8, op.weight_axis)
    step = QuantParams((float(np.float32(scale * x.scale)),) * stored.size, 0, DType.I32, 0)
    names = [t.name if len(graph.readers(t)) == 1 else graph.fresh_name(t.name) for t in layer.inputs[1:]]
    return [replace(weight, name=names[0], quant=quant), constant(names[1], stored, step)]


def through_integers(graph: Graph, real: Tensor, quant: QuantParams) -> None:
    """Store the tensor; everybody reads what is stored, as a real number again, which takes an output's name."""
    stored = Tensor(graph.fresh_name(f"{real.name}_stored"), real.shape, quant.dtype, quant)
    again = Tensor(graph.fresh_name(f"{real.name}_real"), real.shape)
    maker = graph.producer(real)
    assert maker
    if real in graph.outputs:
        real.name, again.name = again.name, real.name
    graph.replace_uses(real, again)
    graph.insert_after(maker, Node(Dequantize(), [stored], [again], maker.source))
    graph.insert_after(maker, Node(Quantize(), [real], [stored], maker.source))
