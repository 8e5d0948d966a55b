"""Give layers of a quantized file an integer result where the file leaves it real, as most leave the last one.

    %a = dequantize(%q: int8); %y: float32 = conv2d(%a, %w: float32 on a grid, %b)
    -->   %z: int8 = conv2d(%q, %w: int8, %b: int32); %y = dequantize(%z)

The scale of %z covers what calibration samples give. Without samples such a layer stays as the file has it, real.
"""

from __future__ import annotations

import copy

from ..ir import DType, Graph, Node, constant
from ..ops.dequantize import Dequantize
from ..ops.weighted import Weighted
from .absorb_qdq import AbsorbQdq
from .calibrate import METHODS, Observation, Samples, observe, runner
from .edit import Edit
from .eliminate_transposes import EliminateTransposes
from .fix_multipliers import FixMultipliers
from .fuse_clip import FuseClip
from .quantize_signs import through_integers


def real_results(graph: Graph) -> list[Node]:
    """Layers of real numbers that could compute on integers but for the scale of their result."""
    return [n for n in graph.nodes if has_stored_inputs(graph, n) and n.output.dtype is DType.F32]


def has_stored_inputs(graph: Graph, node: Node) -> bool:
    if not isinstance(node.op, Weighted) or node.inputs[1].grid is None or node.inputs[2].const is None:
        return False
    maker = graph.producer(node.inputs[0])
    return maker is not None and isinstance(maker.op, Dequantize) and maker.inputs[0].dtype is DType.I8


def quantize_results(graph: Graph, samples: Samples) -> int:
    """Change `graph` in place; how many layers. `samples` maps each graph input to [samples, *shape].

    Raises E0202 for samples that make the network overflow.
    """
    nodes = real_results(graph)
    if not nodes:
        return 0
    seen = observed(graph, samples)
    for node in nodes:
        weight = node.inputs[1]
        assert weight.grid and weight.const is not None
        name = weight.name if len(graph.readers(weight)) == 1 else Edit(graph).name(weight.name)
        node.inputs[1] = constant(name, weight.grid.quantize(weight.const), weight.grid)
        covered = METHODS["minmax"](seen[node.output.name].histogram, DType.I8)
        through_integers(graph, node.output, covered.params(DType.I8))
    for p in (AbsorbQdq(), EliminateTransposes(), FuseClip()):
        p.run(graph)
    return len(nodes)


def observed(graph: Graph, samples: Samples) -> dict[str, Observation]:
    """What a copy of the graph, with its fixed-point constants, makes of the samples, by the tensor's name."""
    runs = copy.deepcopy(graph)
    FixMultipliers().run(runs)
    shaped = {t.name: samples[t.name].reshape(-1, *t.shape) for t in runs.inputs}
    return {t.name: seen for t, seen in observe(runner(runs, shaped), shaped).items()}
