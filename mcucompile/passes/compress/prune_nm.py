"""N:M sparsity: of every M neighbouring input channels, in every place of the window, N weights stay.

    prune_nm=2+of:4   -->   of %w[o, y, x, 4j:4j+4] two are zero, for all o, y, x, j

Regular zeros need few bits for their places. Depthwise layers have one input channel and stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import CompileError
from ...ir import Graph, Node
from ...ops.depthwise_conv2d import DepthwiseConv2d
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .brain_surgeon import Criterion, Pattern
from .hessian import DAMPING
from .layer_weights import check_damping, is_real_layer
from .zeros import Method, Task, each_input, input_blocks, prune


@dataclass(frozen=True)
class PruneNm(Compression):
    """Of every `of` input channels `keep` stay. `criterion` and `damping` as with prune_weights.

    A last set of fewer channels keeps as many, or all that it has.
    """

    keep: int = 2
    of: int = 4
    criterion: Criterion = "obs"
    damping: float = DAMPING

    name = "prune_nm"
    stage = Stage.PRUNE

    def __post_init__(self) -> None:
        check_damping(self.name, self.damping)
        if not 1 <= self.keep <= self.of:
            raise CompileError(
                "E0701", f"{self.name}: {self.keep} of {self.of} cannot stay", fix=f"e.g. {self.name}=2+of:4"
            )

    def idle_options(self) -> Mapping[str, str]:
        return Method(self.criterion, self.damping).idle_options()

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        method = Method(self.criterion, self.damping)
        method.check(self.name, samples)
        tasks = {n: Task(Pattern(each_input(n), sets=input_blocks(n, self.of)), self.keep) for n in layers}
        return prune(graph, tasks, samples, method)

    @classmethod
    def takes(cls, node: Node) -> bool:
        return is_real_layer(node) and not isinstance(node.op, DepthwiseConv2d)
