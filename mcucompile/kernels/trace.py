"""What a kernel declares about memory: which bytes of its operands it reads and writes, in which order.

An elementwise int8 kernel over n elements, input operand 0, output operand 1:

    (Sweep(n, reads=(Range(0, 0, 1, 1),), writes=(Range(1, 0, 1, 1),)),)

Coarser sweeps that say the same are cheaper to plan and to check: n // 64 iterations of 64 bytes and one of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """In iteration i of a sweep, bytes [offset + i * stride, offset + i * stride + nbytes) of an operand.

    `operand` counts the step's activations: inputs first, then outputs. Scratch and constants are not operands.
    A negative stride walks downward.
    """

    operand: int
    offset: int
    stride: int
    nbytes: int

    def __post_init__(self) -> None:
        assert self.operand >= 0, self
        assert self.nbytes > 0, self


@dataclass(frozen=True)
class Sweep:
    """`count` iterations in order. Inside one iteration all reads happen before all writes."""

    count: int
    reads: tuple[Range, ...]
    writes: tuple[Range, ...]

    def __post_init__(self) -> None:
        assert self.count > 0, self


# The sweeps in the order in which they run. None: the kernel promises nothing (opaque), so reads and writes may
# interleave in any way and no input may share bytes with an output.
Trace = tuple[Sweep, ...] | None
