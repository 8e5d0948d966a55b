"""Set single weights to zero.

    %y = conv2d(%x, %w, %b)   -->   %y = conv2d(%x, %w', %b'), most of %w' zero

With criterion obs the weights that stay, and the bias, make up for those that go (see brain_surgeon.py): without any
training that keeps several times as many zeros harmless as magnitude does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...ir import Graph, Node
from ..calibrate import Samples
from .base import Change, Compression, Stage
from .brain_surgeon import Criterion, Pattern
from .hessian import DAMPING
from .layer_weights import check_damping, check_share, is_real_layer
from .zeros import Method, competing_tasks, each_input, equal_tasks, prune


@dataclass(frozen=True)
class PruneWeights(Compression):
    """`amount` is the share of zeros: in each layer, or with scope global of all layers together.

    `criterion` is obs, obd (both need calibration data) or magnitude. `damping` holds obs near the trained weights.
    """

    amount: float
    criterion: Criterion = "obs"
    scope: Literal["layer", "global"] = "layer"
    damping: float = DAMPING

    name = "prune_weights"
    example = "0.9"
    stage = Stage.PRUNE

    def __post_init__(self) -> None:
        check_share(self.name, "amount", self.amount)
        check_damping(self.name, self.damping)

    def idle_options(self) -> Mapping[str, str]:
        return Method(self.criterion, self.damping).idle_options()

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        method = Method(self.criterion, self.damping)
        method.check(self.name, samples)
        patterns = {n: Pattern(each_input(n)) for n in layers}
        if self.scope == "global":
            tasks = competing_tasks(graph, patterns, self.amount, samples, method)
        else:
            tasks = equal_tasks(patterns, self.amount)
        return prune(graph, tasks, samples, method)

    @classmethod
    def takes(cls, node: Node) -> bool:
        return is_real_layer(node)
