"""Remove the input channels that a layer can do without, and the filters that make them (He, Zhang, Sun 2017).

%y = conv2d(%x, %w, %b); %z = conv2d(%y, %v [.., 16 channels], %c)
-->   %y = conv2d(%x, %w without 4 filters, %b'); %z = conv2d(%y, %v [.., 12 channels], fitted anew, %c')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import Node
from .pruning.dependencies import Family, is_sum
from .structured import Rule, StructuredPruning


@dataclass(frozen=True)
class PruneChannels(StructuredPruning):
    criterion: Rule = "lasso"

    name = "prune_channels"
    unit = "channel"

    def naming(self, family: Family) -> Sequence[Node]:
        return family.consumers

    @classmethod
    def takes(cls, node: Node) -> bool:
        return is_sum(node)
