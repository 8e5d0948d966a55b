"""Replace layers whose weights have less than full rank by two smaller layers that compute the same.

dense [O,K] of rank r     -->   dense [r,K]; dense [O,r]        and convolutions in the forms of `low_rank`

The rank is numeric: singular values below the rounding of float32 count as zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import Graph, Node
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .decomposition import Level, Matrices
from .decomposition.chain import macs_of
from .decomposition.decompose import cheapest, plain_fit, replaced
from .decomposition.matrices import forms_of
from .decomposition.seen import see
from .low_rank import LowRank


@dataclass(frozen=True)
class ExactRank(Compression):
    name = "exact_rank"
    stage = Stage.DECOMPOSE

    @classmethod
    def takes(cls, node: Node) -> bool:
        return LowRank.takes(node)

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """Real numbers are rounded anew, in the last places."""
        found = [(node, level) for node in layers if (level := exact_level(node))]
        seen = see(graph, [node for node, _ in found], samples) if found and samples else None
        return tuple(replaced(graph, node, plain_fit(node, level, seen), seen, "numeric rank") for node, level in found)


def exact_level(node: Node) -> Level | None:
    """The cheapest chain that loses nothing, None where it is not cheaper than what is alive of the layer."""
    families = [Matrices(node, form) for form in forms_of(node)]
    levels = [f.level((max(f.numeric_rank, 1),), 0.0) for f in families]
    return cheapest([level for level in levels if level.macs < live_share(node) * macs_of([node])])


def live_share(node: Node) -> float:
    """Of the weights, without the outputs and inputs whose weights are all zero: those are removed by themselves."""
    weight = node.inputs[1].const
    assert weight is not None
    is_used = weight.reshape(weight.shape[0], -1, weight.shape[-1]) != 0
    return float(is_used.any(axis=(1, 2)).mean() * is_used.any(axis=(0, 1)).mean())
