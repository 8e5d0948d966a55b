"""Give operators of a quantized file integer results where the file leaves them real, as most leave the last layer's.

    %a = dequantize(%q: int8); %y: float32 = conv2d(%a, %w: float32 on a grid, %b)
    -->   %z: int8 = conv2d(%q, %w: int8, %b: int32); %y = dequantize(%z)

The scale of %z covers what calibration samples give. Then the operator behind may follow: a pool that the file leaves
real, and the layer behind it. Without samples all stay as the file has them.
"""

from __future__ import annotations

import copy

from ..ir import DType, Graph, Node, QuantParams, ScaleRule, constant
from ..ops.dequantize import Dequantize
from ..ops.weighted import Weighted
from .absorb_qdq import AbsorbQdq
from .calibrate import METHODS, Observation, Samples, observe, runner
from .edit import Edit
from .eliminate_transposes import EliminateTransposes
from .fix_multipliers import FixMultipliers
from .fuse_clip import FuseClip
from .quantization_rules import rule
from .quantize_signs import through_integers


def real_results(graph: Graph) -> list[Node]:
    """Operators on real numbers that could compute on integers but for the scale of their results."""
    return [n for n in graph.nodes if has_stored_inputs(graph, n) and has_integer_form(n)]


def has_stored_inputs(graph: Graph, node: Node) -> bool:
    makers = [graph.producer(t) for t in node.activations()]
    return bool(makers) and all(
        m is not None and isinstance(m.op, Dequantize) and m.inputs[0].dtype is DType.I8 for m in makers
    )


def has_integer_form(node: Node) -> bool:
    """Whether it takes its constants as they are: weights on a grid, or none."""
    if any(t.dtype is not DType.F32 for t in node.outputs) or rule(node) is ScaleRule.FLOAT:
        return False
    if isinstance(node.op, Weighted):
        return node.inputs[1].grid is not None and node.inputs[2].const is not None
    return all(t.const is None for t in node.inputs)


def quantize_results(graph: Graph, samples: Samples) -> int:
    """Change `graph` in place; how many operators. `samples` maps each graph input to [samples, *shape].

    Raises E0202 for samples that make the network overflow.
    """
    count, seen = 0, observed(graph, samples) if real_results(graph) else {}
    while nodes := [n for n in real_results(graph) if all(t.name in seen for t in n.outputs)]:
        for node in nodes:
            store_weights(graph, node)
            for t in node.outputs:
                through_integers(graph, t, result_quant(node, seen.pop(t.name)))
        for p in (AbsorbQdq(), EliminateTransposes(), FuseClip()):
            p.run(graph)
        count += len(nodes)
    return count


def result_quant(node: Node, seen: Observation) -> QuantParams:
    """What covers the values, or follows from the operator's meaning."""
    if rule(node) is ScaleRule.FIXED:
        return node.op.fixed_quant(DType.I8)
    return METHODS["minmax"](seen.histogram, DType.I8).params(DType.I8)


def store_weights(graph: Graph, node: Node) -> None:
    """Weights on a grid as its integers."""
    weight = node.inputs[1] if isinstance(node.op, Weighted) else None
    if weight is not None and weight.grid and weight.const is not None:
        name = weight.name if len(graph.readers(weight)) == 1 else Edit(graph).name(weight.name)
        node.inputs[1] = constant(name, weight.grid.quantize(weight.const), weight.grid)


def observed(graph: Graph, samples: Samples) -> dict[str, Observation]:
    """What a copy of the graph, with its fixed-point constants, makes of the samples, by the tensor's name."""
    runs = copy.deepcopy(graph)
    FixMultipliers().run(runs)
    shaped = {t.name: samples[t.name].reshape(-1, *t.shape) for t in runs.inputs}
    return {t.name: seen for t, seen in observe(runner(runs, shaped), shaped).items()}
