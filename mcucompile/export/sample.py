"""One input of a network and what it must answer, which the examples carry to check a toolchain's bits.

Decided: the first sample of reference.npz, as numbers in the example. Because: the check needs neither a file nor a
line to the board, and real data reaches more of a network than a pattern does. Where the inputs are too large to be
printed, a formula makes them, in C and here, and of large outputs every k-th value is carried; of these, too, a wrong
one is found at its place, and floats can be compared within their tolerance, which no hash can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Port

LARGEST_NBYTES = 64 * 1024  # of all inputs together, and of each output
GOLDEN = 2654435761  # 2^32 over the golden ratio: the multiples of it, modulo 2^32, are spread evenly

# How the word `index * GOLDEN` becomes a value: in C, and of an array of words. Floats are in [-1, 1), exactly. Wide
# integers stay small, for they count or are indices.
FORMULAS: Mapping[DType, tuple[str, Callable[[Array], Array]]] = {
    DType.F32: ("(float)((int32_t)(word >> 8) - 8388608) / 8388608.0f", lambda w: (w >> 8) / 8388608.0 - 1.0),
    DType.I8: ("(int8_t)((int32_t)(word >> 24) - 128)", lambda w: (w >> 24) - 128),
    DType.U8: ("(uint8_t)(word >> 24)", lambda w: w >> 24),
    DType.I16: ("(int16_t)((int32_t)(word >> 16) - 32768)", lambda w: (w >> 16) - 32768),
    DType.I32: ("(int32_t)(word >> 24)", lambda w: w >> 24),
    DType.I64: ("(int64_t)(word >> 24)", lambda w: w >> 24),
    DType.U32: ("word", lambda w: w),
}


@dataclass(frozen=True, eq=False)
class Sample:
    """Values as stored, by the names of the program's inputs and outputs; the inputs may be those of the formula.

    `tolerances` are by how much the values of an output may differ: 0 where every bit counts.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    tolerances: Mapping[str, float]
    is_generated: bool = False


def is_large(ports: Sequence[Port]) -> bool:
    return sum(port.nbytes for port in ports) > LARGEST_NBYTES


def generated(port: Port) -> Array:
    """The values of the formula for an input, in its shape."""
    words = (np.arange(port.size, dtype=np.int64) * GOLDEN) % (1 << 32)
    return FORMULAS[port.dtype][1](words).astype(port.dtype.numpy).reshape(port.shape)


def step_of(port: Port) -> int:
    """Every which value of an output is carried."""
    return -(-port.nbytes // LARGEST_NBYTES) or 1
