"""Dense layers as 1x1 convolutions over an image of one row, whose pixels are the rows of x."""

from __future__ import annotations

from typing import ClassVar

from ...ir import Node, Op
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ..conv2d.blocked import Blocked, Blocked16, Staggered
from ..conv2d.compact import Compact
from ..conv2d.direct import Direct
from ..conv2d.geometry import geometry
from ..conv2d.real import Real
from ..conv2d.triples import Triples
from ..conv2d.vector_pairs import VectorPairs
from ..conv2d.vector_row import VectorRow
from ..kernel import Kernel


class AsConv2d(Kernel):
    """Mixed into a kernel of Conv2d."""

    op: ClassVar[type[Op]] = Dense

    @property
    def template(self) -> str:
        return f"kernels/{Conv2d.name}/{self.variant}.{self.isa.name.lower()}.c.j2"


class DenseDirect(AsConv2d, Direct):
    pass


class DenseReal(AsConv2d, Real):
    pass


class DenseBlocked(AsConv2d, Blocked):
    template = Blocked.template

    def fits(self, node: Node) -> bool:
        return super().fits(node) and geometry(node).pixels > 1


class DenseBlocked16(AsConv2d, Blocked16):
    template = Blocked.template

    def fits(self, node: Node) -> bool:
        return super().fits(node) and geometry(node).pixels > 1


class DenseStaggered(AsConv2d, Staggered):
    template = Blocked.template


class DenseCompact(AsConv2d, Compact):
    def fits(self, node: Node) -> bool:
        return super().fits(node) and geometry(node).pixels > 1


class DenseTriples(AsConv2d, Triples):
    def fits(self, node: Node) -> bool:
        return super().fits(node) and geometry(node).pixels > 1


class DenseVectorPairs(AsConv2d, VectorPairs):
    def fits(self, node: Node) -> bool:
        return super().fits(node) and geometry(node).pixels > 1


class DenseVectorRow(AsConv2d, VectorRow):
    pass
