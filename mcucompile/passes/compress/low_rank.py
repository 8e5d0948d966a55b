"""Replace a layer by two smaller ones: truncated singular value decomposition.

dense %x [K] -> [O]              -->   dense [K] -> [r]; dense [r] -> [O]
conv KHxKW C -> O, forms:
  output                         -->   conv KHxKW C -> r; conv 1x1 r -> O
  input                          -->   conv 1x1 C -> r; conv KHxKW r -> O
  spatial                        -->   conv KHx1 C -> r; conv 1xKW r -> O

Denton, Zaremba, Bruna, LeCun, Fergus 2014; Jaderberg, Vedaldi, Zisserman 2014; with calibration samples the factors are
the best for the layer's outputs, not for its weights: Zhang, Zou, He, Sun 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...ir import Node
from ...ops.conv2d import Conv2d
from ...ops.dense import Dense
from ...ops.window import Window
from .decomposition import Decomposition, Family, Matrices
from .decomposition.matrices import Form, forms_of, windows
from .decomposition.seen import Covariances


@dataclass(frozen=True)
class LowRank(Decomposition):
    """`form` is which matrix a convolution is taken for; `auto` is whichever gives the better chain."""

    form: Form | Literal["auto"] = "auto"

    name = "low_rank"

    @classmethod
    def takes(cls, node: Node) -> bool:
        return isinstance(node.op, Dense | Conv2d) and super().takes(node)

    def families(self, node: Node, seen: Covariances | None) -> Sequence[Family]:
        forms = [f for f in forms_of(node) if self.form in ("auto", f)]
        return [Matrices(node, f, self.moment(node, first_window(node, f), seen)) for f in forms]


def first_window(node: Node, form: Form) -> Window | None:
    """That of the chain's first part; None for a fully connected layer."""
    return windows(node.op.window, form)[0] if isinstance(node.op, Conv2d) else None
