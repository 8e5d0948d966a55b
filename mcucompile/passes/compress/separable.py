"""Replace a convolution by a vertical and a horizontal one, with batch normalization between (Tai et al. 2016).

conv KHxKW C -> O     -->   conv KHx1 C -> r; conv 1xKW r -> O

The factors are the global optimum of Tai et al.'s problem, one singular value decomposition. The batch normalization
between is there from the start in folded form: with calibration samples, each channel between the two convolutions gets
variance 1, so that one scale serves all of them. Its mean stays, since the second convolution pads with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import Node
from ...ops.conv2d import Conv2d
from .decomposition import Decomposition, Family, Matrices
from .decomposition.matrices import vertical
from .decomposition.seen import Covariances


@dataclass(frozen=True)
class Separable(Decomposition):
    name = "separable"

    @classmethod
    def takes(cls, node: Node) -> bool:
        return isinstance(node.op, Conv2d) and min(node.op.window.kernel) > 1 and super().takes(node)

    def families(self, node: Node, seen: Covariances | None) -> Sequence[Family]:
        assert isinstance(node.op, Conv2d)
        moment = self.moment(node, vertical(node.op.window), seen)
        return [Matrices(node, "spatial", moment, unit_variance=True)]
