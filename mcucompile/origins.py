"""Which ONNX nodes a network had, and which of them share a tensor with others in the end."""

from __future__ import annotations

from collections.abc import Mapping

from .ir import Graph
from .ops.dequantize import Dequantize
from .ops.quantize import Quantize

Origins = Mapping[str, frozenset[str]]
"""ONNX node -> the tensors that it makes, in the model's order."""


def origins_of(graph: Graph) -> Origins:
    """Of a graph as imported. Nodes that only change how a number is written do not count."""
    made: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Quantize | Dequantize):
            for source in node.source:
                made[source] = made.get(source, frozenset()) | {t.name for t in node.outputs}
    return made


def fused_away(origins: Origins, graph: Graph) -> tuple[str, ...]:
    """The ONNX nodes whose result no tensor of the compiled graph holds any more."""
    kept = {t.name for t in graph.activations()}
    alone = {s for n in graph.nodes if len(n.source) == 1 for s in n.source}
    alone -= {s for n in graph.nodes if len(n.source) > 1 for s in n.source}
    return tuple(source for source, names in origins.items() if source not in alone and kept.isdisjoint(names))
