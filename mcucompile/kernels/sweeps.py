"""Traces of kernels that walk through their operands element by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .trace import Range, Sweep

CHUNK = 32  # elements per iteration in the middle of a long walk


@dataclass(frozen=True)
class Access:
    """How one operand is walked through: `nbytes` in every step, `stride` bytes further in the next.

    A stride of 0 is an operand that every step may read, such as one that is broadcast.
    """

    operand: int
    nbytes: int
    stride: int

    def span(self, first: int, per_iteration: int) -> Range:
        """The bytes of `per_iteration` steps from step `first` on."""
        if self.stride == 0:
            return Range(self.operand, 0, 0, self.nbytes)
        start = first if self.stride > 0 else first + per_iteration - 1
        length = (per_iteration - 1) * abs(self.stride) + self.nbytes
        return Range(self.operand, start * self.stride, per_iteration * self.stride, length)


def upward(count: int, reads: Sequence[Access], writes: Sequence[Access]) -> tuple[Sweep, ...]:
    """`count` steps, each of which reads before it writes.

    In the middle one iteration stands for CHUNK steps. Distances are extreme at the ends of a walk, since all operands
    move evenly; there every step has an iteration of its own, so that the chunks promise nothing that is not so.
    """
    if count <= 4 * CHUNK:
        return (_sweep(0, count, 1, reads, writes),)
    middle = count // CHUNK - 2
    last = (1 + middle) * CHUNK
    return (
        _sweep(0, CHUNK, 1, reads, writes),
        _sweep(CHUNK, middle, CHUNK, reads, writes),
        _sweep(last, count - last, 1, reads, writes),
    )


def downward(count: int, reads: Sequence[Access], writes: Sequence[Access]) -> tuple[Sweep, ...]:
    """The same from the last element to the first."""
    return tuple(_mirrored(s, count, (*reads, *writes)) for s in upward(count, reads, writes))


def elementwise(count: int, x_nbytes: int, y_nbytes: int) -> tuple[Sweep, ...]:
    """One input and one output of `count` elements each, upward unless the output's elements are larger."""
    x, y = Access(0, x_nbytes, x_nbytes), Access(1, y_nbytes, y_nbytes)
    return downward(count, [x], [y]) if y_nbytes > x_nbytes else upward(count, [x], [y])


def _sweep(first: int, count: int, chunk: int, reads: Sequence[Access], writes: Sequence[Access]) -> Sweep:
    return Sweep(count, tuple(a.span(first, chunk) for a in reads), tuple(a.span(first, chunk) for a in writes))


def _mirrored(sweep: Sweep, count: int, accesses: Sequence[Access]) -> Sweep:
    nbytes = {a.operand: count * a.stride if a.stride else a.nbytes for a in accesses}

    def flip(r: Range) -> Range:
        return r if r.stride == 0 else Range(r.operand, nbytes[r.operand] - r.offset - r.nbytes, -r.stride, r.nbytes)

    return Sweep(sweep.count, tuple(map(flip, sweep.reads)), tuple(map(flip, sweep.writes)))
