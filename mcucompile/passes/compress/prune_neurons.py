"""Remove neurons of fully connected layers: those that another one can stand in for (Srinivas, Babu 2015).

%y = dense(%x, %w [300 rows], %b); %z = dense(%y, %v, %c)
-->   %y = dense(%x, %w [200 rows], %b'); %z = dense(%y, %v with what the heirs take over, fitted anew, %c')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import Node
from ...ops.dense import Dense
from .pruning.dependencies import Family
from .structured import Rule, StructuredPruning


@dataclass(frozen=True)
class PruneNeurons(StructuredPruning):
    criterion: Rule = "duplicates"

    name = "prune_neurons"
    unit = "neuron"

    def naming(self, family: Family) -> Sequence[Node]:
        return family.producers

    @classmethod
    def takes(cls, node: Node) -> bool:
        return isinstance(node.op, Dense)
