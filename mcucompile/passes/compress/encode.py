"""Say how a layer's weights are kept in flash, instead of leaving that to the cost model.

conv2d(%x, const %w, %b)    -->   the same, with %w under the encoding
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...encodings import BY_NAME, SPARSE
from ...errors import CompileError
from ...ir import DType, Graph, Node
from ..calibrate import Samples
from .base import Change, Compression, Stage

NAMES = ("plain", *BY_NAME, *SPARSE)


@dataclass(frozen=True)
class Encode(Compression):
    """`encoding`: the name of an encoding, or "plain".

    A layer that no kernel can then compute is an error later if the recipe names it; of all layers, others are left.
    """

    encoding: str

    def __post_init__(self) -> None:
        if self.encoding not in NAMES:
            raise CompileError(
                "E0701", f"encode: there is no encoding {self.encoding!r}", fix=f"one of: {', '.join(NAMES)}"
            )

    name = "encode"
    example = "huffman"
    stage = Stage.CODE
    exact = True

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """The tensor is a new one, since another layer may read the old one, too."""
        for node in layers:
            x, weight, bias = node.inputs
            others = [n for n in graph.readers(weight) if n is not node]
            name = graph.fresh_name(weight.name) if others else weight.name
            node.inputs = [x, replace(weight, name=name, encoding=self.encoding), bias]
        return tuple(
            Change(n.output.name, n.source, "weights", self.encoding, 0.0, None, n.inputs[1].size, n.inputs[1].size)
            for n in layers
        )

    @classmethod
    def takes(cls, node: Node) -> bool:
        return super().takes(node) and node.inputs[1].dtype is DType.I8
