"""Set blocks of 4 weights along the input channel to zero ("filterlets"), in patterns that output channels may share.

    %w[o, y, x, 4j:4j+4] = 0 for some (o, y, x, j), the same (y, x, j) for `shared` neighbouring o

A block is what the kernels read as one word, and what they skip as one. The last block of a place in the window has
fewer weights where the number of input channels is no multiple of 4. Depthwise layers have no blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import CompileError
from ...ir import Graph, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .brain_surgeon import Criterion, Pattern
from .hessian import DAMPING
from .layer_weights import check_damping, check_share, is_real_layer
from .zeros import Method, competing_tasks, equal_tasks, input_blocks, prune

WIDTH = 4


@dataclass(frozen=True)
class PruneBlocks(Compression):
    """`amount` is the share of blocks that become zero: in each layer, or with scope global of all layers together.

    `shared` output channels, from a multiple of `shared` on, have one pattern; 1 gives each its own. `criterion` and
    `damping` as with prune_weights.
    """

    amount: float
    shared: int = 1
    criterion: Criterion = "obs"
    scope: Literal["layer", "global"] = "layer"
    damping: float = DAMPING

    name = "prune_blocks"
    example = "0.5"
    stage = Stage.PRUNE

    def __post_init__(self) -> None:
        check_share(self.name, "amount", self.amount)
        check_damping(self.name, self.damping)
        if self.shared < 1:
            raise CompileError("E0701", f"{self.name}: shared cannot be {self.shared}", fix="give 1 or more")

    def idle_options(self) -> Mapping[str, str]:
        return Method(self.criterion, self.damping).idle_options()

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        method = Method(self.criterion, self.damping)
        method.check(self.name, samples)
        patterns = {n: Pattern(input_blocks(n, WIDTH), self.shared) for n in layers}
        if self.scope == "global":
            tasks = competing_tasks(graph, patterns, self.amount, samples, method)
        else:
            tasks = equal_tasks(patterns, self.amount)
        return prune(graph, tasks, samples, method)

    @classmethod
    def takes(cls, node: Node) -> bool:
        return is_real_layer(node) and not isinstance(node.op, DepthwiseConv2d)
