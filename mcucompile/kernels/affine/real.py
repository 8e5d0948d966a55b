"""A factor and an offset per channel, on real numbers; integers never get here, passes turn them into convolutions."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Node
from ...ops.affine import Affine
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed, all_of
from ..prelu.channels import Channels, channels
from ..sweeps import elementwise
from ..trace import Trace


class Real(Kernel):
    op = Affine
    variant = "real"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return all_of(node, DType.F32)

    def params(self, node: Node) -> Channels:
        shape = node.output.shape
        return channels(shape, len(shape) - 1)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        _, factor, offset = (np.asarray(t.const) for t in node.inputs)
        return Packed("factor", factor), Packed("offset", offset)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 4, 4)

    def cycles(self, node: Node, core: Core) -> float:
        return (14.0 if core.has_fpu else 140.0) * node.output.size
