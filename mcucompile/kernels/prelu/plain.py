"""Rectifier with a slope per channel, on integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Node
from ...ops.fixed_point import zero_of
from ...ops.prelu import PRelu
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..limits import Limits, limits
from ..sweeps import elementwise
from ..trace import Trace
from .channels import Channels, channels


@dataclass(frozen=True)
class PReluParams:
    channels: Channels
    x_type: str
    x_zero: int
    positive: int
    offset: int
    shift: int
    bits: int
    limits: Limits


class Plain(Kernel):
    op = PRelu
    variant = "plain"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        x, y = node.inputs[0].dtype, node.output.dtype
        return x.is_integer and y.is_integer and y.nbytes <= x.nbytes

    def params(self, node: Node) -> PReluParams:
        x, op = node.inputs[0], node.op
        assert isinstance(op, PRelu)
        f = op.fixed
        assert f is not None, f"{node.where} has no fixed-point constants yet"
        shape = channels(x.shape, op.axis)
        return PReluParams(shape, x.dtype.c, zero_of(x), f.positive, f.offset, f.shift, f.bits, limits(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        assert isinstance(node.op, PRelu)
        assert node.op.fixed is not None
        return (Packed("slope", np.asarray(node.op.fixed.negative, np.int32)),)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, node.inputs[0].dtype.nbytes, node.output.dtype.nbytes)

    def cycles(self, node: Node, core: Core) -> float:
        return 18.0 * node.output.size
