"""Rectifier with a slope per channel, on real numbers."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Node
from ...ops.prelu import PRelu
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed, all_of
from ..sweeps import elementwise
from ..trace import Trace
from .channels import Channels, channels


class Real(Kernel):
    op = PRelu
    variant = "real"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return all_of(node, DType.F32)

    def params(self, node: Node) -> Channels:
        assert isinstance(node.op, PRelu)
        return channels(node.output.shape, node.op.axis)

    def constants(self, node: Node) -> tuple[Packed, ...]:
        assert isinstance(node.op, PRelu)
        return (Packed("slope", np.asarray(node.op.slopes, np.float32)),)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 4, 4)

    def cycles(self, node: Node, core: Core) -> float:
        return (14.0 if core.has_fpu else 80.0) * node.output.size
