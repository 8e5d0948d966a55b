"""Let groups of consecutive weights of a layer be one of a few groups: product quantization (Gong et al. 2014).

    %y = dense(%x, const %w: int8, %b)   -->   the same, with every `size` neighbouring inputs' weights of %w' one of at
                                               most `count` vectors of int8, and %b'

What an encoding (words) then keeps is a dictionary and an index of 8 bits or less for `size` weights. With calibration
samples, vectors are chosen block by block, and the inputs to come take over each block's error (van Baalen et al. 2024,
GPTVQ); afterwards the dictionary is fitted to the layer's outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import CompileError
from ...ir import Graph, Node
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .sharing import DAMPING, check_damping, integer_layers, is_integer_layer, share
from .sharing.vectors import shared_vectors

MOST = 256


@dataclass(frozen=True)
class ProductQuantize(Compression):
    """At most `count` vectors of `size` values.

    `hessian`: errors count as they change outputs, which needs samples; `damping` holds weights near what they were.
    """

    count: int = 256
    size: Literal[2, 4, 8] = 4
    hessian: bool = True
    damping: float = DAMPING

    name = "product_quantize"
    stage = Stage.SHARE

    def __post_init__(self) -> None:
        if not 2 <= self.count <= MOST:
            raise CompileError("E0701", f"product_quantize: count cannot be {self.count}", fix=f"give 2 to {MOST}")
        check_damping(self.name, self.damping)

    def idle_options(self) -> Mapping[str, str]:
        return {} if self.hessian else {"damping": "it is for hessian"}

    @classmethod
    def takes(cls, node: Node) -> bool:
        """Layers of one group, the innermost input channels of which fill vectors of 2 at least."""
        is_dense = isinstance(node.op, Dense) or (isinstance(node.op, Conv2d) and node.op.groups == 1)
        return is_dense and is_integer_layer(node) and node.inputs[1].shape[-1] % 2 == 0

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        """Layers whose channels do not fill vectors of `size`, or that have too few vectors to share any, stay."""
        fitting = [n for n in layers if self.shares(n)]
        changes: list[Change] = []
        for layer in integer_layers(graph, fitting, samples, self.damping):
            codes, found = shared_vectors(layer, self.count, self.size, self.hessian)
            unit = f"weights: {layer.codes.size // self.size} vectors of {self.size} -> {found}"
            changes.append(share(graph, layer, codes, f"{self.count} vectors of {self.size}", unit, self.hessian))
        return tuple(changes)

    def shares(self, node: Node) -> bool:
        weight = node.inputs[1]
        return weight.shape[-1] % self.size == 0 and weight.size > self.count * self.size
