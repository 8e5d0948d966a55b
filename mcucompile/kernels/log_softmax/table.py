"""The logarithm of the softmax of integers: exponentials and the logarithm from tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Node
from ...ops.fixed_point import zero_of
from ...ops.log_softmax import LogSoftmax
from ...target.cores import Core, Isa
from ..kernel import Packed
from ..limits import Limits, limits
from ..softmax.rows import RowKernel, Rows, exp_constants, rows


@dataclass(frozen=True)
class LogTableParams:
    rows: Rows
    exp_bits: int
    octave: int
    log_shift: int
    multiplier: int
    shift: int
    zero: int
    limits: Limits


class Table(RowKernel):
    op = LogSoftmax
    variant = "table"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype.is_integer and node.output.dtype.is_integer

    def params(self, node: Node) -> LogTableParams:
        op = node.op
        assert isinstance(op, LogSoftmax)
        assert op.exp and op.log, f"{node.where} has no fixed-point constants yet"
        log_shift, zero = op.shift - op.log.shift, zero_of(node.output)
        return LogTableParams(
            rows(node), op.exp.bits, op.log.octave, log_shift, op.multiplier, op.shift, zero, limits(node)
        )

    def constants(self, node: Node) -> tuple[Packed, ...]:
        assert isinstance(node.op, LogSoftmax)
        assert node.op.log
        return (*exp_constants(node), Packed("log", np.asarray(node.op.log.entries, np.int32)))

    def cycles(self, node: Node, core: Core) -> float:
        return 40.0 * node.output.size + 300.0 * rows(node).count
