"""Mean of int8 over neighbouring axes, four channels a load."""

from __future__ import annotations

from ...ir import Node
from ...ops.reduce_mean import ReduceMean
from ..average_pool import words
from ..trace import Trace
from .plain import mean_trace


class Words(words.Words):
    op = ReduceMean

    def trace(self, node: Node) -> Trace:
        return mean_trace(node)
