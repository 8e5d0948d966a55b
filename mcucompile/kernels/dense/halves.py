"""Dense layers of several rows as 1x1 convolutions whose pixels are the rows, two at a time."""

from __future__ import annotations

from ...ir import Node
from ..conv2d.geometry import geometry
from ..conv2d.halves import Halves
from .as_conv2d import AsConv2d


class DenseHalves(AsConv2d, Halves):
    def fits(self, node: Node) -> bool:
        return geometry(node).pixels > 1 and super().fits(node)
