"""Remove the filters of convolutions that matter least, and what they feed (Li et al. 2017).

%y = conv2d(%x, %w [16 filters], %b); %z = conv2d(%y, %v, %c)
-->   %y = conv2d(%x, %w [12 filters], %b'); %z = conv2d(%y, %v without 4 inputs and fitted anew, %c')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import Node
from ...ops.conv2d import Conv2d
from ...ops.depthwise_conv2d import DepthwiseConv2d
from .pruning.dependencies import Family
from .structured import Rule, StructuredPruning


@dataclass(frozen=True)
class PruneFilters(StructuredPruning):
    criterion: Rule = "l2"

    name = "prune_filters"
    unit = "filter"

    def naming(self, family: Family) -> Sequence[Node]:
        return family.producers

    @classmethod
    def takes(cls, node: Node) -> bool:
        return isinstance(node.op, Conv2d | DepthwiseConv2d)
