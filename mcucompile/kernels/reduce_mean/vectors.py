"""Mean of int8 over neighbouring axes, four channels at a time."""

from __future__ import annotations

from ...ir import Node
from ...ops.reduce_mean import ReduceMean
from ..average_pool import vectors
from ..trace import Trace
from .plain import mean_trace


class Vectors(vectors.Vectors):
    op = ReduceMean

    def trace(self, node: Node) -> Trace:
        return mean_trace(node)
