"""Signs into bits, on any core."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.pack_signs import PackSigns
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..trace import Range, Sweep, Trace

COSTS: Costs = {  # per integer, float, word
    "cortex-m0": (13.2, 74.6, 10.0),
    "cortex-m3": (8.2, 65.2, 4.0),
    "cortex-m4": (8.2, 12.2, 4.0),
    "cortex-m7": (5.3, 7.4, 4.0),
    "cortex-m33": (8.1, 12.2, 5.0),
    "cortex-m55": (5.35, 8.5, 5.0),
}


@dataclass(frozen=True)
class PackParams:
    """`rows` of `channels` values, of which those above `below` count as +1, or are compared with 0 where real."""

    rows: int
    channels: int
    x_type: str
    below: int
    zero_is_positive: bool

    @property
    def words(self) -> int:
        return -(-self.channels // 32)

    @property
    def last(self) -> int:
        """Channels of a row's last word."""
        return self.channels - 32 * (self.words - 1)


class Plain(Counted):
    op = PackSigns
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype in (DType.F32, DType.I8, DType.U8, DType.I16)

    def params(self, node: Node) -> PackParams:
        x, op = node.inputs[0], node.op
        assert isinstance(op, PackSigns)
        zero = x.quant.zero if x.quant else 0
        channels = x.shape[-1]
        return PackParams(x.size // channels, channels, x.dtype.c, zero - op.zero_is_positive, op.zero_is_positive)

    def trace(self, node: Node) -> Trace:
        p, nbytes = self.params(node), node.inputs[0].dtype.nbytes
        sweeps = []
        for word in range(p.words):
            count = p.last if word == p.words - 1 else 32
            read = Range(0, 32 * word * nbytes, p.channels * nbytes, count * nbytes)
            sweeps.append((read, Range(1, 4 * word, 4 * p.words, 4)))
        if p.words == 1:
            return (Sweep(p.rows, (sweeps[0][0],), (sweeps[0][1],)),)
        return tuple(Sweep(1, (at(read, row),), (at(write, row),)) for row in range(p.rows) for read, write in sweeps)

    def code_nbytes(self, node: Node) -> int:
        return 70

    def counts(self, node: Node) -> tuple[float, ...]:
        x = node.inputs[0]
        is_real = x.dtype is DType.F32
        return (0.0 if is_real else x.size, x.size if is_real else 0.0, float(node.output.size))


def at(r: Range, row: int) -> Range:
    """The range of one iteration."""
    return Range(r.operand, r.offset + row * r.stride, 0, r.nbytes)
